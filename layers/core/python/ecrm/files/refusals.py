"""Refusals of a file as a whole."""

from ecrm.domain.imports import FileRefused
from ecrm.domain.reasons import FILE


def refused(code: str) -> FileRefused:
    return FileRefused(FILE[code], code=code)
