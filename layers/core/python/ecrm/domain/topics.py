"""A topic: what a person may agree to be told about, such as a newsletter, and what it takes to agree."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from .consent import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """`names` and `descriptions` are by language, a BCP 47 tag. With `double_opt_in` a grant needs a proof to hold."""

    topic: str
    names: Mapping[str, str]
    descriptions: Mapping[str, str]
    double_opt_in: bool
    channels: tuple[Channel, ...]
    updated_at: datetime
    version: int = 1

    @property
    def text_version(self) -> str:
        """The version of the words that a person agreed to, where the caller names none."""
        return f"{self.topic}/{self.version}"
