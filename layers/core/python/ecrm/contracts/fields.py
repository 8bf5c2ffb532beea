"""Fields that several contracts share, strict about JSON types, and the base of every body.

A validator is built when a body is first met: a cold start pays for the shapes of its own request, not for all of them.
"""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from ecrm.domain import money
from ecrm.domain.attributes import LANGUAGE
from ecrm.domain.instants import is_time_zone

_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_AMOUNT = re.compile(r"\d{1,16}(\.\d{1,6})?", re.ASCII)
_PHONE = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_DAY = date(2999, 12, 31)
"""Far enough from the calendar's end for days to be counted on from it."""


DEEPEST = 20
"""Levels in an object that is kept as it was sent; the table holds 32 in all."""
MOST_DIGITS = 38
MOST_PRECISE = 17
"""Digits of a number with a fraction: as many as tell any two doubles apart."""
WIDEST_EXPONENT = 100


class Body(BaseModel):
    """Strict and closed: an unknown field is an error, and no JSON type is turned into another."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


ONLY_ANSWERED = "Only answered. It is ignored here, so that what was read can be sent as it is."


def _told_as_ignored(schema: dict[str, Any], model: type[BaseModel]) -> None:
    for name in sorted(getattr(model, "READ_ONLY", ())):
        schema["properties"][name] = {"description": ONLY_ANSWERED}


class Restated(Body):
    """A body for what was read before, changed or not: fields that only answers have are ignored, whatever they say.

    Anything else that is unknown is an error, as in every body.
    """

    model_config = ConfigDict(json_schema_extra=_told_as_ignored)

    READ_ONLY: ClassVar[frozenset[str]] = frozenset()
    """What answers have and this has not."""

    @model_validator(mode="before")
    @classmethod
    def _without_answered(cls, said: Any) -> Any:
        return {name: value for name, value in said.items() if name not in cls.READ_ONLY} if isinstance(said, dict) else said


class Query(BaseModel):
    """A query string: closed like a body, but everything in it is text."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Answer(BaseModel):
    """What we say; built by us, so only its schema matters."""

    model_config = ConfigDict(frozen=True, defer_build=True)


def amount_of(value: object) -> Decimal:
    """Take a decimal as a string or a JSON number, written without an exponent."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise PydanticCustomError("amount_type", "an amount is a decimal, as a string or a number")
    if isinstance(value, str) and not _AMOUNT.fullmatch(value):
        raise PydanticCustomError("amount_syntax", "an amount is digits with at most one point, without a sign")
    amount = Decimal(value)
    if amount < 0:
        raise PydanticCustomError("negative_amount", "an amount is not negative")
    if amount > money.LARGEST:
        raise PydanticCustomError("amount_too_large", "an amount is at most 1000000000000")
    return amount or Decimal(0)


def _currency(value: str) -> str:
    if value not in money.DIGITS:
        raise PydanticCustomError("unknown_currency", "an ISO 4217 currency code in capitals is needed")
    return value


def _instant(value: object) -> datetime:
    """Take RFC 3339 with a zone; digits beyond microseconds are dropped."""
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        raise PydanticCustomError("instant_syntax", "an RFC 3339 date and time with a zone is needed")
    try:
        instant = datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise PydanticCustomError("instant_syntax", "no such date and time") from None
    if instant < _EARLIEST:
        raise PydanticCustomError("instant_too_early", "nothing happened before 1970")
    return instant


def day_of(value: object) -> date:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise PydanticCustomError("date_syntax", "a date is written YYYY-MM-DD")
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise PydanticCustomError("date_syntax", "no such date") from None
    if not _EARLIEST.date() <= day <= _LATEST_DAY:
        raise PydanticCustomError("date_range", "a date is from 1970 to 2999")
    return day


def _limit(value: object) -> int:
    if not isinstance(value, str) or not re.fullmatch(r"[1-9]\d?|100", value, re.ASCII):
        raise PydanticCustomError("limit", "a limit is a whole number from 1 to 100")
    return int(value)


def email_address(value: str) -> str:
    """Normalise an address: the domain in lower-case ASCII (punycode), the local part as it is."""
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415 (60 ms that only addresses pay)

    try:
        found = validate_email(
            value, strict=True, allow_smtputf8=False, allow_quoted_local=False, check_deliverability=False, test_environment=True
        )
    except EmailNotValidError:
        raise PydanticCustomError("email_syntax", "no e-mail address that mail can be sent to") from None
    if found.ascii_email is None or value != value.strip():
        raise PydanticCustomError("email_syntax", "no e-mail address that mail can be sent to")
    return found.ascii_email


def phone_number(value: str) -> str:
    if not _PHONE.fullmatch(value):
        raise PydanticCustomError("phone_syntax", "a phone number is written in E.164, as +989121234567")
    return value


def storable(value: Any) -> Any:
    """Refuse what the table would not give back as it was sent."""
    stack = [(value, 1)]
    while stack:
        inner, depth = stack.pop()
        if depth > DEEPEST:
            raise PydanticCustomError("nested_too_deeply", "nested too deeply")
        if isinstance(inner, dict):
            if "" in inner:
                raise PydanticCustomError("empty_name", "a name is empty")
            stack += [(each, depth + 1) for each in inner.values()]
        elif isinstance(inner, list):
            stack += [(each, depth + 1) for each in inner]
        elif isinstance(inner, int | Decimal) and not _is_kept_exactly(inner):
            raise PydanticCustomError("number_out_of_range", "a number is too large, too small or too precise to be kept exactly")
    return value


def _is_kept_exactly(number: int | Decimal) -> bool:
    if isinstance(number, int):
        return bool(-(10**MOST_DIGITS) < number < 10**MOST_DIGITS)
    parts = number.as_tuple()
    precise = "".join(map(str, parts.digits)).strip("0")
    return len(precise) <= MOST_PRECISE and isinstance(parts.exponent, int) and abs(parts.exponent) <= WIDEST_EXPONENT


def not_blank(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("blank", "a text of blanks only says nothing")
    return value


def _time_zone(value: str) -> str:
    if not is_time_zone(value):
        raise PydanticCustomError("unknown_time_zone", "an IANA time zone such as Europe/Berlin is needed")
    return value


def _id_like(pattern: str, longest: int) -> Any:
    return StringConstraints(pattern=pattern, min_length=1, max_length=longest)


Amount = Annotated[
    Decimal,
    BeforeValidator(amount_of),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^\d{1,16}(\.\d{1,6})?$"},
                {"type": "number", "minimum": 0, "maximum": 10**12},
            ],
            "description": "A decimal in major units, with at most the currency's own decimals; never rounded.",
            "examples": ["12.50"],
        }
    ),
]
Currency = Annotated[
    str,
    AfterValidator(_currency),
    WithJsonSchema({"type": "string", "enum": sorted(money.DIGITS), "description": "ISO 4217 code.", "examples": ["EUR"]}),
]
Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-20T18:03:11Z"]}),
]
Day = Annotated[date, BeforeValidator(day_of), WithJsonSchema({"type": "string", "format": "date", "examples": ["2026-11-24"]})]
Email = Annotated[
    str,
    StringConstraints(max_length=320),
    AfterValidator(email_address),
    WithJsonSchema({"type": "string", "format": "email", "maxLength": 320, "examples": ["sara@example.com"]}),
]
Phone = Annotated[
    str,
    AfterValidator(phone_number),
    WithJsonSchema({"type": "string", "pattern": r"^\+[1-9]\d{6,14}$", "examples": ["+989121234567"]}),
]
CustomerId = Annotated[str, _id_like(r"^[0-9a-f]{32}$", 32)]
OrderId = Annotated[str, _id_like(r"^[A-Za-z0-9#][A-Za-z0-9._:@+=~#-]*$", 100)]
"""No slash, percent sign or blank, so that an order has one URL."""
EventId = Annotated[str, _id_like(r"^[A-Za-z0-9._:@+=~-]+$", 100)]
LineId = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(not_blank)]
SITE_ID = r"^[a-z0-9][a-z0-9-]{0,39}$"
SiteId = Annotated[str, _id_like(SITE_ID, 40)]
TOPIC_ID = r"^[a-z0-9][a-z0-9_-]{0,39}$"
TopicId = Annotated[str, _id_like(TOPIC_ID, 40)]
TEMPLATE_ID = r"^[a-z0-9][a-z0-9_-]{0,39}$"
TemplateName = Annotated[str, _id_like(TEMPLATE_ID, 40)]
Language = Annotated[str, StringConstraints(pattern=LANGUAGE)]
"""A BCP 47 tag of a language, of choice with script and region."""
TimeZone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_time_zone)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(not_blank)]
Text = Annotated[str, StringConstraints(max_length=2_000)]
ForeignId = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(not_blank)]
"""An identifier that a site made: kept byte for byte."""
Limit = Annotated[int, BeforeValidator(_limit), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 100, "default": 50})]
Url = Annotated[str, StringConstraints(max_length=1_000, pattern=r"^https?://[^\s<>\"'`\\]+$")]
CursorText = Annotated[str, StringConstraints(max_length=1_000)]


class PageQuery(Query):
    limit: Limit = 50
    cursor: CursorText | None = None
