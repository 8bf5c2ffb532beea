"""Sidecars on the wire: the settings beside a contact file."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationError

from ecrm.domain.imports import FileRefused, Import, Options
from ecrm.domain.instants import AHEAD
from ecrm.domain.reasons import FILE

from .consent import StateName
from .fields import Body, Instant, Language, Name, SiteId, TopicId
from .locales import Unread, is_country
from .objects import json_object
from .proofs import ProofBody
from .topics import ChannelName

MOST_COLUMNS = 1_000
ColumnName = Annotated[str, StringConstraints(max_length=1_000)]
ColumnType = Literal["text", "number", "date", "boolean", "list"]


class SidecarConsentBody(Body):
    """What all people of a file agreed to, or how: `state` where no column says it, the others where a column says yes or no."""

    channel: ChannelName
    topic: TopicId
    state: StateName | None = None
    source: Name | None = None
    at: Instant | None = None
    text_version: Name | None = None
    proof: ProofBody | None = None


class SidecarBody(Body):
    """How a file is to be read; everything has a default that suits most files."""

    mapping: Annotated[dict[ColumnName, ColumnName | None], Field(max_length=MOST_COLUMNS)] = Field(default_factory=dict)
    delimiter: Literal[",", ";", "\t", "|"] | None = None
    encoding: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,30}$")] | None = None
    sheet: Name | None = None
    locale: Language | None = None
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = None
    types: Annotated[dict[ColumnName, ColumnType], Field(max_length=MOST_COLUMNS)] = Field(default_factory=dict)
    rules: Annotated[dict[ColumnName, Literal["overwrite", "fill_if_empty", "never"]], Field(max_length=MOST_COLUMNS)] = Field(
        default_factory=dict
    )
    empty: Literal["leave", "clear"] = "leave"
    dry_run: bool = False
    tags: Annotated[list[Name], Field(max_length=20)] = Field(default_factory=list)
    site: SiteId | None = None
    at: Instant | None = None
    automations: bool = False
    consent: SidecarConsentBody | None = None


def interpret(import_: Import, raw: bytes | None) -> Options:
    """Read a sidecar. Raises FileRefused, saying which field is wrong."""
    if raw is None:
        return Options()
    try:
        said = json_object(raw.decode("utf-8-sig"))
        body = SidecarBody.model_validate(said)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"][:1])
        raise FileRefused(f"{FILE['bad_sidecar']}: {place or 'it is no object'}", code="bad_sidecar") from None
    except (Unread, UnicodeDecodeError):
        raise FileRefused(FILE["bad_sidecar"], code="bad_sidecar") from None
    if body.at is not None and body.at > import_.requested_at + AHEAD:
        raise FileRefused(f"{FILE['bad_sidecar']}: at lies in the future", code="bad_sidecar")
    if body.country is not None and not is_country(body.country):
        raise FileRefused(f"{FILE['bad_sidecar']}: country", code="bad_sidecar")
    return Options(
        site=body.site,
        at=body.at,
        is_dry_run=body.dry_run,
        fires_automations=body.automations,
        encoding=body.encoding,
        delimiter=body.delimiter,
        sheet=body.sheet,
        said=said,
    )
