"""Values as people write them: numbers, days, moments, yes and no, telephones, in the ways of a language and a country.

Digits of any script are digits. What can be meant in two ways is decided by the locale, and refused where there is none: a
price or a birthday that was guessed is worse than a row to be corrected. Every reader raises Unread.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache, lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

from pydantic_core import PydanticCustomError

from ecrm.domain.attributes import LANGUAGE
from ecrm.domain.calendars import from_jalali

from .fields import email_address, phone_number


class Unread(Exception):
    """A text that cannot be what it should be; `code` is one of `ecrm.domain.reasons`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Locale:
    """How a file's people write: `language` and `region` as BCP 47 has them, empty where not known; `zone` for times without one.

    `country` (ISO 3166, two letters) is where a telephone without a country code is. `has_plain_numbers`: numbers come from a
    program, with a point before their decimals.
    """

    language: str = ""
    region: str = ""
    country: str | None = None
    zone: str = "UTC"
    has_plain_numbers: bool = False

    @property
    def decimal_mark(self) -> str | None:
        if self.has_plain_numbers:
            return "."
        if not self.language:
            return None
        has_point = self.language in _POINT or (self.language, self.region) in _POINT_REGIONS
        return "." if has_point else ","

    @property
    def is_month_first(self) -> bool | None:
        """Whether 3/4 is the fourth of March; None where nobody can say, as of English without a country."""
        if not self.language or (self.language == "en" and not self.region):
            return None
        return (self.language, self.region) in _MONTH_FIRST


_POINT = frozenset({"en", "zh", "ja", "ko", "th", "he", "hi", "bn", "ta", "te", "ur", "ar", "fa", "ms", "fil", "my"})
"""Languages that write a point before decimals (CLDR); Arabic and Persian have marks of their own, which are read anyway."""
_POINT_REGIONS = frozenset(
    {
        *(("de", "CH"), ("de", "LI"), ("it", "CH")),
        *(("es", region) for region in ("MX", "US", "GT", "HN", "NI", "PA", "PE", "PR", "SV")),
    }
)
_MONTH_FIRST = frozenset({("en", "US"), ("en", "PH"), ("es", "US")})

INVISIBLE = frozenset({"Cf", "Cc"})
"""Unicode's categories of characters that nobody sees: marks of direction, joiners, byte order marks, controls."""
_BLANKS = frozenset({"Zs", "Zl", "Zp"})


class _Digits(dict[int, str]):
    """For `str.translate`: a digit of any script as its ASCII digit, anything else as it is."""

    def __missing__(self, point: int) -> str:
        digit = unicodedata.decimal(chr(point), None)
        self[point] = chr(point) if digit is None else str(digit)
        return self[point]


_DIGITS = _Digits()


def ascii_digits(text: str) -> str:
    """Write Persian, Arabic, full-width and all other digits as 0 to 9."""
    return text if text.isascii() else text.translate(_DIGITS)


def trimmed(text: str) -> str:
    """Take blanks and invisible characters from both ends; inside, they may be part of a name."""
    if text.isascii() and text.isprintable():
        return text.strip()
    start, end = 0, len(text)
    while start < end and _is_unseen(text[start]):
        start += 1
    while end > start and _is_unseen(text[end - 1]):
        end -= 1
    return text[start:end]


def _is_unseen(char: str) -> bool:
    return unicodedata.category(char) in INVISIBLE | _BLANKS


def _plain(text: str) -> str:
    """Write in ASCII digits, full width made half, without invisible characters and with simple blanks."""
    if text.isascii():
        return text.strip()
    normal = unicodedata.normalize("NFKC", text)
    return ascii_digits("".join(char for char in normal if unicodedata.category(char) not in INVISIBLE)).strip()


_MARKS = str.maketrans({"٫": ".", "٬": ",", "،": ",", "−": "-", "–": "-", "’": "_", "'": "_", " ": "_", "\u2009": "_"})
_SPACED = re.compile(r"([+-]?\d{1,3}(?:_\d{3})+)([.,]\d+)?", re.ASCII)
_GROUPED = re.compile(r"\d{1,3}(?:,\d{2})*,\d{3}|\d{1,3}(?:,\d{3})+", re.ASCII)
"""In threes, or as India does: the last three, then twos."""
_NUMBER = re.compile(r"[+-]?(\d[\d.,]*|[.,]\d+)", re.ASCII)
_AMBIGUOUS = re.compile(r"[1-9]\d{0,2}[.,]\d{3}", re.ASCII)


def number(text: str, locale: Locale) -> Decimal:
    """Read 1,234.50 or 1.234,50 or 1 234,50 or ۱٬۲۳۴٫۵۰: what stands before the decimals is told by the number or the locale."""
    plain = _plain(text)
    has_arabic_mark = "٫" in text
    has_groups_alone = "٬" in text and not has_arabic_mark
    figure = "".join(char for char in plain if unicodedata.category(char) != "Sc")
    bare = figure.strip().translate(_MARKS)
    if spaced := _SPACED.fullmatch(bare):
        return Decimal(spaced[1].replace("_", "") + (spaced[2] or "").replace(",", "."))
    if not _NUMBER.fullmatch(bare):
        raise Unread("bad_number")
    sign, digits = ("-", bare[1:]) if bare[0] == "-" else ("", bare.removeprefix("+"))
    mark = "." if has_arabic_mark else "," if has_groups_alone else None
    if has_groups_alone:
        return Decimal(sign + _ungrouped(digits, ","))
    return Decimal(sign + _with_point(digits, mark, locale))


def _with_point(digits: str, mark: str | None, locale: Locale) -> str:
    marks = {char for char in digits if char in ".,"}
    if not marks:
        return digits
    if mark is None:
        mark = max(marks, key=digits.rfind) if len(marks) > 1 else _lone_mark(digits, marks.pop(), locale)
    other = "," if mark == "." else "."
    if mark not in digits or digits.count(mark) > 1:
        return _ungrouped(digits, other) if mark not in digits else _refused("bad_number")
    whole, _, rest = digits.partition(mark)
    if other in rest or not rest:
        raise Unread("bad_number")
    return f"{_ungrouped(whole, other) or 0}.{rest}"


def _lone_mark(digits: str, mark: str, locale: Locale) -> str:
    """Say which mark stands before decimals where there is one sort of mark only."""
    other = "," if mark == "." else "."
    if digits.count(mark) > 1:
        return other
    if not _AMBIGUOUS.fullmatch(digits):
        return mark
    if locale.decimal_mark is None:
        raise Unread("ambiguous_number")
    return locale.decimal_mark


def _ungrouped(whole: str, mark: str) -> str:
    if mark in whole and not _GROUPED.fullmatch(whole.replace(mark, ",")):
        raise Unread("bad_number")
    return whole.replace(mark, "")


def _refused(code: str) -> str:
    raise Unread(code)


_MONTHS: Mapping[str, Iterable[str]] = {
    "en": ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    "de": ("jan", "feb", "mär", "apr", "mai", "jun", "jul", "aug", "sep", "okt", "nov", "dez"),
    "fr": ("janv", "févr", "mars", "avr", "mai", "juin", "juil", "août", "sept", "oct", "nov", "déc"),
    "es": ("ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic"),
    "ar": ("يناير", "فبراير", "مارس", "أبريل", "مايو", "يونيو", "يوليو", "أغسطس", "سبتمبر", "أكتوبر", "نوفمبر", "ديسمبر"),
}
"""How the names of the months begin, by which they are told apart."""
_JALALI_MONTHS = (
    *("فروردین", "اردیبهشت", "خرداد", "تیر", "مرداد", "شهریور"),
    *("مهر", "آبان", "آذر", "دی", "بهمن", "اسفند"),
)
_PERSIAN_LETTERS = str.maketrans("يك", "یک")
_JALALI_YEARS = range(1200, 1601)
"""Years that a file's dates can mean in the Persian calendar only: nobody in it was born, or bought, before 1601 of ours."""

_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?", re.ASCII)
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)", re.ASCII)
_NAMED = re.compile(r"(?:(\d{1,2})\.?[ -](?:de )?([^\W\d]+)\.?[ -](?:de )?|([^\W\d]+)\.? (\d{1,2})(?:st|nd|rd|th)?,? )(\d{4})")
_TIME = re.compile(
    r"(?P<day>.*?)[T ,،]+(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?"
    r" ?(?P<half>[AaPp]\.?[Mm]\.?)? ?(?P<zone>[Zz]|UTC|GMT|[+-]\d\d:?\d\d)?",
    re.ASCII,
)


def day(text: str, locale: Locale) -> date:
    """Read a day of our calendar or of the Persian one, with its month as a number or, in seven languages, as a word."""
    plain = _plain(text)
    return _day(plain, locale)


def _day(plain: str, locale: Locale) -> date:
    try:
        if found := _ISO.fullmatch(plain) or _YEAR_FIRST.fullmatch(plain) or _COMPACT.fullmatch(plain):
            return _on(int(found[1]), int(found[2]), int(found[3]))
        if found := _YEAR_LAST.fullmatch(plain):
            return _year_last(int(found[1]), found[2], int(found[3]), int(found[4]), locale)
        if found := _NAMED.fullmatch(plain):
            return _named(found[2] or found[3], int(found[1] or found[4]), int(found[5]))
    except ValueError:
        raise Unread("bad_date") from None
    raise Unread("bad_date")


def _on(year: int, month: int, of_month: int) -> date:
    return from_jalali(year, month, of_month) if year in _JALALI_YEARS else date(year, month, of_month)


def _year_last(one: int, mark: str, other: int, year: int, locale: Locale) -> date:
    is_month_first = locale.is_month_first
    if mark == ".":
        is_month_first = False  # nobody who writes points puts the month first
    if is_month_first is None and one != other and max(one, other) <= 12:  # noqa: PLR2004 (months)
        raise Unread("ambiguous_date")
    if is_month_first is None:
        is_month_first = other > 12  # noqa: PLR2004 (months)
    return _on(year, one, other) if is_month_first else _on(year, other, one)


def _named(name: str, of_month: int, year: int) -> date:
    said = name.casefold().translate(_PERSIAN_LETTERS)
    if said in _JALALI_MONTHS:
        return from_jalali(year, _JALALI_MONTHS.index(said) + 1, of_month)
    for names in _MONTHS.values():
        for month, start in enumerate(names, 1):
            if said.startswith(start.translate(_PERSIAN_LETTERS)):
                return date(year, month, of_month)
    raise ValueError("no such month")


def moment(text: str, locale: Locale) -> datetime:
    """Read a moment; without a zone it is the locale's, without a time the start of the day there."""
    plain = _plain(text)
    found = _TIME.fullmatch(plain)
    if found is None:
        on, at, zone = _day(plain, locale), time(), None
    else:
        on, at, zone = _day(found["day"], locale), _time(found), found["zone"]
    try:
        if zone is None:
            return datetime.combine(on, at, ZoneInfo(locale.zone)).astimezone(UTC)
        offset = "+00:00" if zone in ("UTC", "GMT") else zone.upper()
        return datetime.fromisoformat(f"{datetime.combine(on, at).isoformat()}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unread("bad_date") from None


def _time(found: re.Match[str]) -> time:
    hour, half = int(found["hour"]), (found["half"] or "").casefold()[:1]
    if half and not 1 <= hour <= 12:  # noqa: PLR2004 (hours of half a day)
        raise Unread("bad_date")
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    try:
        return time(hour, int(found["minute"]), int(found["second"] or 0), int((found["fraction"] or "0").ljust(6, "0")[:6]))
    except ValueError:
        raise Unread("bad_date") from None


YES = frozenset(
    {
        *("true", "t", "yes", "y", "1", "on", "x", "✓", "✔", "ja", "j", "wahr", "oui", "o", "vrai", "sí", "si", "s", "verdadero"),
        *("بله", "بلی", "آری", "نعم", "صحیح", "是", "对", "對", "true()", "да", "evet", "sim", "はい"),
    }
)
NO = frozenset(
    {
        *("false", "f", "no", "n", "0", "off", "nein", "falsch", "non", "faux", "falso", "不", "否", "无", "無"),
        *("خیر", "نه", "لا", "خطأ", "нет", "hayır", "não", "いいえ", "false()"),
    }
)


def boolean(text: str) -> bool:
    said = word(text)
    if said in YES:
        return True
    if said in NO:
        return False
    raise Unread("bad_boolean")


def word(text: str) -> str:
    """Give a cell that says one of a few things as it is compared: no matter the case, or whose keyboard typed it."""
    return _plain(text).casefold().translate(_PERSIAN_LETTERS)


def language(text: str) -> str:
    """Read de_DE, DE-de or de as a tag of BCP 47."""
    first, *rest = _plain(text).replace("_", "-").split("-")
    parts = [first.lower(), *(part.title() if len(part) == len("Hant") else part.upper() for part in rest)]
    tag = "-".join(parts)
    if not re.fullmatch(LANGUAGE, tag):
        raise Unread("bad_language")
    return tag


def email(text: str) -> str:
    """Read an address: invisible characters, blanks around it, full width and `mailto:` are no part of it."""
    plain = text if text.isascii() and text.isprintable() else _plain(text)
    address = plain.strip().removeprefix("mailto:")
    local, _, domain = address.rpartition("@")
    try:
        if _LOCAL.fullmatch(local) and len(found := f"{local}@{_domain(domain)}") <= _LONGEST_ADDRESS:
            return found
        return email_address(address)
    except PydanticCustomError:
        raise Unread("bad_email") from None


_LOCAL = re.compile(r"(?=.{1,64}$)[A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)*", re.ASCII)
"""What stands before the @ of nearly every address, about which no rule says more than this."""
_LONGEST_ADDRESS = 254


@lru_cache(10_000)
def _domain(domain: str) -> str:
    """Normalise a domain: a file's addresses share a few thousand, and each costs 30 µs to look at."""
    return email_address(f"a@{domain}").rpartition("@")[2]


def phone(text: str, country: str | None) -> str:
    """Read a telephone as E.164; without its country's code it is one of `country`."""
    plain = _plain(text).removeprefix("tel:")
    if re.fullmatch(r"\+\d+", plain, re.ASCII):
        try:
            return phone_number(plain)
        except PydanticCustomError:
            raise Unread("bad_phone") from None
    return _dialled(plain, country)


def _dialled(plain: str, country: str | None) -> str:
    """Read a number as people write it. A country's own is held to its plan: a slip there makes another number."""
    import phonenumbers  # noqa: PLC0415 (25 ms that only files with telephones pay)

    is_international = plain.startswith("+")
    if country is None and not is_international:
        raise Unread("no_country" if any(char.isdigit() for char in plain) else "bad_phone")
    try:
        found = phonenumbers.parse(plain, country)
    except phonenumbers.NumberParseException:
        raise Unread("bad_phone") from None
    is_one = phonenumbers.is_possible_number if is_international else phonenumbers.is_valid_number
    if found.extension or not is_one(found):
        raise Unread("bad_phone")
    return str(phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164))


@cache
def _zones() -> tuple[Mapping[str, str], frozenset[str]]:
    """Read IANA's table of zones: the country of each, and all countries."""
    lines = resources.files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return {row[2]: row[0] for row in rows}, frozenset(row[0] for row in rows)


def country_of(zone: str) -> str | None:
    """Give the country of a time zone, such as IR of Asia/Tehran."""
    return _zones()[0].get(zone)


def is_country(code: str) -> bool:
    return code in _zones()[1]
