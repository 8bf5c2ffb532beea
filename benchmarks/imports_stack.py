"""A contact file from its upload to its result on the laptop's stack: how long it takes, and whether the counts are exact.

    make bench, or ROWS=100000 PORT=4566 python -m benchmarks.imports_stack

The file has names in seven scripts, telephones, an attribute of its own and one bad row in a hundred. It is then handed in again
with one row more, so that every row is looked at and one is written. The emulator works on the same cores.
"""

import csv
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.machine import machine
from ecrm.domain.imports import Kind
from local.api import Api
from local.down import drain
from local.stack import Stack
from local.up import up
from tools.imports import hand_in, wait

ROWS = int(os.environ.get("ROWS") or 100_000)
BAD = 100
"""One row in so many."""
HEAD = ("email", "first_name", "phone", "country", "loyalty_tier")
NAMES = ("Sara", "سارا", "小莎", "Šárka", "ساره", "サラ", "사라")


def write(file: Path, mark: str, rows: int, *more: tuple[str, ...]) -> None:
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(HEAD)
        for at in range(rows):
            address = f"{mark}-{at}@example.com" if at % BAD else "no address"
            writer.writerow((address, NAMES[at % len(NAMES)], f"+49 30 {at + 10_000_000}", "DE", "gold" if at % 2 else ""))
        writer.writerows(more)


def import_once(api: Api, file: Path) -> tuple[dict[str, Any], float]:
    """Give an import that has ended, and the seconds since before its upload."""
    began = time.monotonic()
    said = [0]

    def tell(found: dict[str, Any]) -> None:
        progress = found["progress"]
        if progress and progress["chunks_done"] >= said[0] + 40:
            said[0] = progress["chunks_done"]
            print(f"{time.monotonic() - began:7.0f} s  {said[0]} of {progress['chunks']} chunks", file=sys.stderr)

    found = wait(api, hand_in(api, file, Kind.CONTACTS)["import_id"], tell)
    return found, time.monotonic() - began


def main() -> None:
    stack = Stack.of_environment()
    facts = up(stack)
    mark = f"bench-{int(time.time())}"
    print(f"a contact file of {ROWS:,} rows on the laptop's stack · {machine()}")
    with Api(facts["api_url"], facts["staff_key"]) as api, TemporaryDirectory() as folder:
        file = Path(folder, "contacts.csv")
        for what, more in (
            ("new customers", ()),
            ("the same again, one row more", ((f"{mark}-one-more@example.com", "", "", "", ""),)),
        ):
            write(file, mark, ROWS, *more)
            found, seconds = import_once(api, file)
            counts = found["counts"]
            new = len(more) if more else ROWS - ROWS // BAD
            expected = {"created": new, "rejected": ROWS // BAD, "unchanged": ROWS - ROWS // BAD if more else 0}
            if {word: counts[word] for word in expected} != expected:
                sys.exit(f"{counts} and not {expected}")
            print(f"{what:32} {seconds:7.1f} s {counts['rows'] / seconds:7.0f} rows/s, counts exact")
        began = time.monotonic()
        if left := drain(stack):
            sys.exit(f"the statistics do not get on: {left}")
        print(f"{'statistics, after the last row':32} {time.monotonic() - began:7.1f} s")


if __name__ == "__main__":
    main()
