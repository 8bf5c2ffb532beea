"""Woken by S3's notices of contact files, and by who asks for one to be gone on with; leaves behind chunks, and a result."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ecrm import bootstrap as wired
from ecrm.entry.drops import consume
from ecrm.entry.queue import lateness


def handler(event: Mapping[str, Any], context: object) -> Mapping[str, Any]:
    go_on = partial(wired.go_on_with_import, is_late=lateness(context))
    return consume(event, bucket=wired.imports_bucket(), begin=wired.begin_import, go_on=go_on)
