"""`make import FILE=contacts.csv`: hand a contact file in, watch it, and print what became of it (KIND=, DRY=1)."""

import os
import sys
from pathlib import Path

from ecrm.domain.imports import Kind
from local.api import Api, ApiError
from local.stack import Stack, give_up
from tools import imports


def main() -> None:
    """Take the file from FILE, as the Makefile hands it on."""
    stack, file = Stack.of_environment(), Path(os.environ.get("FILE", ""))
    kind = os.environ.get("KIND") or Kind.CONTACTS
    if not file.is_file():
        give_up("FILE= has to name a file")
    if kind not in Kind:
        give_up(f"the kinds are {', '.join(Kind)}")
    facts = stack.facts()
    if facts is None or stack.status() is None:
        give_up(f"nothing answers on port {stack.port}: `make up` first")
    try:
        with Api(facts["api_url"], facts["staff_key"]) as api:
            found = imports.run(api, file, Kind(kind), is_dry_run=os.environ.get("DRY") == "1")
    except ApiError as error:
        give_up(str(error))
    sys.exit(0 if found["state"] == "done" else 1)


if __name__ == "__main__":
    main()
