"""Header fields of a mail, made of words that somebody else chose: whatever they are, they stay within their field.

SES builds the message, so nothing here is folded. What must never reach it: a line's end or another control, which would begin a
field or the body; `=?`, by which a text says that it is encoded (RFC 2047) and a reader would make controls of what follows; and
what turns round the letters behind it (UAX 9), for no markup keeps a name apart from the words around it.
"""

import re
from email.header import Header

from ecrm.domain.errors import Invalid

LONGEST_SUBJECT = 250
"""In characters. Mail programs show 40 to 90; longer ones are cut rather than refused, because a name in them may be long."""
LONGEST_NAME = 100
LONGEST_VALUE = 995
"""What SES takes as the value of a field, in printable ASCII."""
_ENCODED_WORD = 75
"""RFC 2047, 2: an encoded word may not be longer."""
_QUOTED = re.compile(r'(["\\])')
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\ud800-\udfff]+")
"""Also embeddings and overrides of direction: isolates do what they are good for, and end."""
_ISOLATES, _END_OF_ISOLATE = "\u2066\u2067\u2068", "\u2069"
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")
"""An addr-spec (RFC 5322) without quotes, comments or blanks: the only ones that the contracts let in."""


def subject(text: str) -> str:
    """Give a subject of one line; SES encodes it where it is not ASCII."""
    return _closed(_bounded(_neutral(text), LONGEST_SUBJECT))


def mailbox(name: str, address: str) -> str:
    """Give `name <address>`: the name quoted, or encoded (RFC 2047) where it is not ASCII. Raises Invalid as `addr_spec` does."""
    spec = addr_spec(address)
    shown = _closed(_bounded(_neutral(name), LONGEST_NAME))
    if not shown:
        return spec
    if shown.isascii():
        quoted = _QUOTED.sub(r"\\\1", shown)
        return f'"{quoted}" <{spec}>'
    return f"{Header(shown, 'utf-8', maxlinelen=_ENCODED_WORD).encode(linesep='')} <{spec}>"


def addr_spec(address: str) -> str:
    """Give an address as it is. Raises Invalid where it is more, or less, than one address."""
    if not _ADDRESS.fullmatch(address) or "=?" in address:
        raise Invalid("no address that mail can be sent to", code="address_unfit")
    return address


def value(text: str) -> str:
    """Give a field's value on one line. Raises Invalid where it is empty, not ASCII or too long: cutting it would change it."""
    neutral = _neutral(text)
    if not neutral or not neutral.isascii() or len(neutral) > LONGEST_VALUE:
        raise Invalid("a header's value is 1 to 995 printable ASCII characters", code="header_unfit")
    return neutral


def _neutral(text: str) -> str:
    """Take controls, ends of lines and halves of pairs as one blank, and part `=?`."""
    return _UNPRINTABLE.sub(" ", text).strip().replace("=?", "= ?")


def _closed(text: str) -> str:
    """Take isolates that nothing ends, and ends of none, as blanks: those that are left turn round what stands in them alone."""
    open_at: list[int] = []
    letters = list(text)
    for at, letter in enumerate(text):
        if letter in _ISOLATES:
            open_at.append(at)
        elif letter == _END_OF_ISOLATE:
            if open_at:
                open_at.pop()
            else:
                letters[at] = " "
    for at in open_at:
        letters[at] = " "
    return "".join(letters).strip()


def _bounded(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
