"""The HTML of a template: what must not be in a mail, where values stand in it, and the plain text that it says.

It is looked at as the author wrote it, with a mark of control characters in place of each tag, so that places are lines of the
source, and what is derived from it is a template again, whose values are never wrapped or joined.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from html.parser import HTMLParser

from .syntax import Mark, Piece

_MARK = re.compile(r"\x02(\d+)\n*\x03")
_NO_PLACE = frozenset({"script", "iframe", "object", "embed", "applet", "base", "frame", "frameset", "portal"})
_ADDRESSES = frozenset({"href", "src", "action", "formaction", "background", "poster", "cite", "xlink:href"})
_WEB = re.compile(r"http(s)?://", re.IGNORECASE)
_NO_WEB = re.compile(r"mailto:|tel:|sms:|#", re.IGNORECASE)
_SCHEME = re.compile(r"[\s\x00-\x20]*([a-zA-Z][\w+.-]*):")
_CONDITION = re.compile(r"\[if\b[^\]]*\]>(.*?)(?:<!(?:\[endif\])?)?\Z", re.DOTALL)
_FOLLOWED = frozenset({"a", "area"})
_OF_THE_READER = frozenset({"customer", "segments"})
"""Values that say something of one person. What is in the catalogue, or was sent with a campaign, is the same for many."""
_UNQUOTED = re.compile(r"=[ \t\r\n\f]*+[^\s\"'=>\x02]*+\x02")
_TAG = re.compile(r"</?[A-Za-z](?:[^\"'<>]|\"[^\"]*+\"|'[^']*+')*+>")
_STRAY = re.compile(r"<(?![A-Za-z/!?])")
LONGEST_TAG = 5_000
"""Characters of one tag of HTML."""
_SILENT = frozenset({"head", "style", "title", "template"})
_VOID = frozenset({"area", "br", "col", "hr", "img", "input", "link", "meta", "source", "track", "wbr"})
_HIDDEN = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all", re.IGNORECASE)
_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "ol", "dl", "blockquote", "pre", "hr"})
_LINES = frozenset({"div", "tr", "li", "dt", "dd", "section", "article", "header", "footer", "main", "nav", "center", "form"})
_RULE = "–" * 20
_SPACE, _BREAK, _LINE, _PARAGRAPH, _CELL = _GAPS = "\x1b\x1c\x1d\x1e\x1f"
"""What plain text has in place of the gaps between its words until it is written: which of them meet is known when every `if` is
decided. `_LINE` asks for one line end at least, `_PARAGRAPH` for two, `_BREAK` for one more."""
_GAP = re.compile(r"[\n\x1b-\x1f]+")
_BLANKS = re.compile(r"[ \t\r\n\f\x1b-\x1f]+")


def derived(text: str) -> str:
    """Write a text that begins and ends with words, as one does that is derived as a whole."""
    return spaced(_PARAGRAPH + text + _PARAGRAPH).strip("\n") + "\n"


def spaced(text: str) -> str:
    """Write the gaps of a plain text, of which those that meet are one, and one blank line at most; values stay as they are."""
    return _GAP.sub(lambda found: _written(found[0]), text)


def _written(gap: str) -> str:
    if not gap.strip("\n"):
        return gap
    ends = 0
    for mark in gap:
        if mark in (_BREAK, "\n"):
            ends += 1
        elif mark in (_LINE, _PARAGRAPH):
            ends = max(ends, 1 if mark == _LINE else 2)
    return "\n" * min(ends, 2) or ("  " if _CELL in gap else " ")


class Markup:
    """`addresses` has the places, among the pieces, of values that a link begins with, and what stands there if they are empty.

    `linked` are the places of all values in a link of text, `personal` the links whose path says something of the reader. `text`
    are the pieces of the plain text, whose gaps `spaced` writes; `oddities` are what hinders nothing.
    """

    def __init__(self, pieces: Sequence[Piece]) -> None:
        reader = _Reader(pieces)
        marked = "".join(
            piece.source if piece.kind == "text" else f"\x02{at}{'\n' * piece.lines}\x03" for at, piece in enumerate(pieces)
        )
        open_at = _left_open(marked)
        if open_at is None:
            reader.feed(_STRAY.sub("&lt;", marked))
            reader.close()
        else:
            reader.flaw("not_closed", "what begins here with < has no end", marked.count("\n", 0, open_at) + 1)
        for found in re.finditer(r"</?\x02", marked):
            reader.flaw("value_in_tag", "a value cannot name a tag", marked.count("\n", 0, found.start()) + 1)
        self.flaws: tuple[Mark, ...] = tuple(reader.flaws)
        self.oddities: tuple[Mark, ...] = tuple(reader.oddities)
        self.personal: tuple[Mark, ...] = tuple(reader.personal)
        self.addresses: Mapping[int, str] = reader.addresses
        self.linked = frozenset(reader.linked)
        self.has_page = reader.has_page
        self.has_direction = reader.has_direction or not reader.has_page
        self.text: Sequence[Piece] = reader.text.pieces


def _left_open(marked: str) -> int | None:
    """Find a tag or comment without an end, over which Python's parser takes time with the square of the length."""
    at = marked.find("<")
    while at >= 0:
        if marked.startswith("<!--", at):
            end = marked.find("-->", at + 4)
        elif marked[at + 1 : at + 2] in ("!", "?"):
            end = marked.find(">", at)
        elif marked[at + 1 : at + 2] == "/" or marked[at + 1 : at + 2].isalpha():
            tag = _TAG.match(marked, at)
            end = tag.end() - 1 if tag and tag.end() - at <= LONGEST_TAG else -1
        else:
            end = at
        if end < 0:
            return at
        at = marked.find("<", end + 1)
    return None


class _Reader(HTMLParser):
    def __init__(self, pieces: Sequence[Piece]) -> None:
        super().__init__(convert_charrefs=True)
        self._pieces = pieces
        self.flaws: list[Mark] = []
        self.oddities: list[Mark] = []
        self.personal: list[Mark] = []
        self.addresses: dict[int, str] = {}
        self.linked: set[int] = set()
        self.has_page = self.has_direction = False
        self.text = _Text(pieces)

    def flaw(self, code: str, detail: str, line: int | None = None) -> None:
        self.flaws.append(Mark(line or self.getpos()[0], code, detail))

    def _odd(self, code: str, detail: str) -> None:
        self.oddities.append(Mark(self.getpos()[0], code, detail))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {_MARK.sub("", name): value for name, value in attrs}
        if tag in ("html", "body"):
            self.has_page = True
            self.has_direction |= "dir" in said
        if tag in _NO_PLACE:
            self.flaw("script", f"<{tag}> has no place in a mail")
        if tag == "meta" and (said.get("http-equiv") or "").lower() == "refresh":
            self.flaw("script", "a mail does not lead on by itself")
        if tag == "img" and "alt" not in said:
            self._odd("no_alt", 'who sees no pictures is told nothing: alt="…", empty where a picture only adorns')
        if "\x02" in tag or any(self._has_value(name) for name, _ in attrs):
            self.flaw("value_in_tag", "a value stands in a tag; it belongs between the quotation marks of an attribute")
        if _UNQUOTED.search(re.sub(r"\"[^\"]*\"|'[^']*'", '""', self.get_starttag_text() or "")):
            self.flaw("value_unquoted", "an attribute with a value in it is put in quotation marks")
        for marked, value in attrs:
            name = _MARK.sub("", marked)
            if name.startswith("on"):
                self.flaw("script", f"{name} has no place in a mail")
            elif name in _ADDRESSES:
                self._address(tag, value or "")
        self.text.start(tag, said)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.text.end(tag)

    def handle_endtag(self, tag: str) -> None:
        self.text.end(tag)

    def handle_data(self, data: str) -> None:
        self.text.write(data)

    def handle_comment(self, data: str) -> None:
        """Hold what stands in a conditional comment to the same: Outlook shows it. Nobody else does, and plain text lacks it."""
        condition = _CONDITION.match(data)
        if condition is None:
            return
        hidden = condition[1]
        if _left_open(hidden) is not None:
            self.flaw("not_closed", "what begins in this comment with < has no end")
            return
        reader = _Reader(self._pieces)
        reader.feed(_STRAY.sub("&lt;", hidden))
        reader.close()
        for own, theirs in ((self.flaws, reader.flaws), (self.oddities, reader.oddities), (self.personal, reader.personal)):
            own.extend(replace(mark, line=self.getpos()[0] - 1 + mark.line) for mark in theirs)
        self.addresses |= reader.addresses

    def _address(self, tag: str, value: str) -> None:
        """A link leads to the web or to a person; where it begins with a value, the value is looked at when it is there."""
        if tag == "a":
            self.linked.update(int(found[1]) for found in _MARK.finditer(value))
        address = _Address(self._pieces)
        try:
            address.read(value)
        except _Unfit as unfit:
            self.flaw(unfit.code, unfit.detail)
            return
        if address.is_insecure:
            self._odd("insecure_link", "anybody on the way can read or change what http:// leads to; https:// exists")
        if address.is_personal and tag in _FOLLOWED:
            detail = "a link is kept up to its ? where it is followed, beyond an erasure: what is the reader's own stands behind"
            self.personal.append(Mark(self.getpos()[0], code="personal_link", detail=detail))
        self.addresses.update(dict.fromkeys(address.leading, "#" if address.goes_on else ""))

    def _has_value(self, name: str) -> bool:
        return any(self._pieces[int(found[1])].kind == "print" for found in _MARK.finditer(name))


class _Place(Enum):
    """How far an address has come: VALUE is behind one that it began with, REST behind the first ? or #."""

    START = "start"
    SCHEME = "scheme"
    HOST = "host"
    VALUE = "value"
    PATH = "path"
    REST = "rest"


class _Unfit(Exception):
    code = "bad_link"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class _Unsafe(_Unfit):
    code = "unsafe_link"


@dataclass(slots=True)
class _Branches:
    """A block in an address: where it can have come to before, and behind the branches that are over."""

    before: frozenset[_Place]
    behind: frozenset[_Place] = frozenset()
    has_else: bool = False


class _Address:
    """An address as it is read, along all branches at once: where it leads is said by its text, or by one value at its beginning.

    Where that value is empty, the rest would be an address of its own; `goes_on` says whether there is any.
    """

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = pieces
        self._places = frozenset({_Place.START})
        self._blocks: list[_Branches] = []
        self.leading: list[int] = []
        self.goes_on = self.is_insecure = self.is_personal = False

    def read(self, value: str) -> None:
        """Raises _Unfit."""
        at = 0
        for found in _MARK.finditer(value):
            self._text(value[at : found.start()])
            self._piece(int(found[1]))
            at = found.end()
        self._text(value[at:])
        if self._blocks:
            raise _Unfit("a block that begins in a link ends in it")
        if self._places == {_Place.START} or _Place.SCHEME in self._places:
            raise _Unfit("a link begins with https:// or with a value")

    def _text(self, text: str) -> None:
        if text.strip():
            self._places = frozenset(self._behind(place, text) for place in self._places)

    def _behind(self, place: _Place, text: str) -> _Place:
        match place:
            case _Place.START:
                return self._begun(text)
            case _Place.SCHEME:
                if text.startswith(("/", "\\", "?", "#")):
                    raise _Unfit("a link begins with https:// or with a value")
                return _within(_Place.HOST, text)
            case _Place.VALUE:
                self.goes_on = True
                if not text.startswith(("/", "?", "#")):
                    raise _Unfit("behind a value that a link begins with stands / or ? or #")
                return _within(_Place.PATH, text)
            case _:
                return _within(place, text)

    def _begun(self, text: str) -> _Place:
        rest = text.lstrip()
        if _NO_WEB.match(rest):
            return _Place.REST
        web = _WEB.match(rest)
        if web is None:
            scheme = _SCHEME.match(re.sub(r"[\t\r\n]", "", text))
            if scheme:
                raise _Unsafe(f"a link cannot begin with {scheme[1].lower()}:")
            raise _Unfit("a link begins with https:// or with a value")
        self.is_insecure |= web[1] is None
        host = rest[web.end() :]
        return self._behind(_Place.SCHEME, host) if host else _Place.SCHEME

    def _piece(self, at: int) -> None:
        piece = self._pieces[at]
        if piece.kind == "print":
            self._print(at, piece)
        elif piece.kind == "block":
            self._block(piece.source.partition(" ")[0])

    def _print(self, at: int, piece: Piece) -> None:
        if self._places & {_Place.SCHEME, _Place.HOST, _Place.VALUE}:
            raise _Unfit("a link says by its text up to the next / where it leads, or by one value that it begins with")
        self.is_personal |= self._places != {_Place.REST} and not _OF_THE_READER.isdisjoint(piece.origins)
        if _Place.START in self._places:
            self.leading.append(at)
            self._places = self._places - {_Place.START} | {_Place.VALUE}

    def _block(self, word: str) -> None:
        if word in ("if", "for"):
            if word == "for" and not self._places <= {_Place.PATH, _Place.REST}:
                raise _Unfit("a link does not begin in a loop")
            self._blocks.append(_Branches(self._places))
            return
        if not self._blocks:
            raise _Unfit("a block that ends in a link begins in it")
        block = self._blocks[-1]
        block.behind |= self._places
        if word in ("elif", "else"):
            block.has_else |= word == "else"
            self._places = block.before
            return
        self._places = block.behind if block.has_else else block.behind | block.before
        self._blocks.pop()


def _within(place: _Place, text: str) -> _Place:
    if "?" in text or "#" in text:
        return _Place.REST
    return _Place.PATH if "/" in text else place


class _Text:
    """Plain text as it is put together. Values are not known yet, nor which branches are taken: gaps are marked."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.pieces: list[Piece] = []
        self._source = pieces
        self._silent: list[str] = []
        self._link: tuple[str, int] | None = None

    def start(self, tag: str, said: dict[str, str | None]) -> None:
        is_hidden = "hidden" in said or _HIDDEN.search(said.get("style") or "") is not None
        if tag not in _VOID and (self._silent or tag in _SILENT or is_hidden):
            self._silent.append(tag)
        if not self._silent:
            self._begin(tag, said)

    def _begin(self, tag: str, said: dict[str, str | None]) -> None:
        if tag == "br":
            self._append(_BREAK)
        elif tag == "hr":
            self._append(_PARAGRAPH)
            self._append(_RULE)
            self._append(_PARAGRAPH)
        elif tag in ("td", "th"):
            self._append(_CELL)
        elif tag in _PARAGRAPHS:
            self._append(_PARAGRAPH if tag not in ("ul", "ol", "table", "dl") else _LINE)
        elif tag in _LINES:
            self._append(_LINE)
            if tag == "li":
                self._append("- ")
        elif tag == "img":
            self.write(said.get("alt") or "")
        elif tag == "a" and said.get("href"):
            self._link = (said["href"] or "", len(self.pieces))

    def end(self, tag: str) -> None:
        if self._silent:
            if tag in self._silent:
                del self._silent[len(self._silent) - 1 - self._silent[::-1].index(tag) :]
            return
        if tag in _PARAGRAPHS:
            self._append(_PARAGRAPH)
        elif tag in _LINES:
            self._append(_LINE)
        elif tag == "a" and self._link:
            self._close_link()

    def write(self, text: str) -> None:
        if self._silent:
            self._keep_blocks(text)
            return
        at = 0
        for found in _MARK.finditer(text):
            self._words(text[at : found.start()])
            self._tag(self._source[int(found[1])])
            at = found.end()
        self._words(text[at:])

    def _keep_blocks(self, text: str) -> None:
        """What a reader does not see says nothing, but an `if` that begins there has its end elsewhere."""
        for found in _MARK.finditer(text):
            piece = self._source[int(found[1])]
            if piece.kind == "block":
                self.pieces.append(replace(piece, lines=0, trims=(False, False)))

    def _words(self, text: str) -> None:
        text = _BLANKS.sub(" ", text)
        if text.startswith(" "):
            self._append(_SPACE)
        if words := text.strip(" "):
            self._append(words)
            if text.endswith(" "):
                self._append(_SPACE)

    def _tag(self, piece: Piece) -> None:
        if piece.kind in ("print", "block"):
            self.pieces.append(replace(piece, lines=0, trims=(False, False)))

    def _append(self, text: str) -> None:
        self.pieces.append(Piece("text", text, 0))

    def _close_link(self) -> None:
        """Write a link's address behind its words, where they are not the address themselves."""
        address, since = self._link or ("", 0)
        self._link = None
        if address.startswith(("#", "mailto:", "tel:", "sms:")):
            return
        written = _pieces_of(address, self._source)
        words = [
            (piece.kind, piece.source) for piece in self.pieces[since:] if piece.kind != "block" and piece.source not in _GAPS
        ]
        if words != [(piece.kind, piece.source) for piece in written if piece.kind != "block"]:
            if words:
                self._append(":")
                self._append(_SPACE)
            self.pieces += written


def _pieces_of(marked: str, source: Sequence[Piece]) -> list[Piece]:
    """Turn a text with marks back into pieces."""
    pieces: list[Piece] = []
    at = 0
    for found in _MARK.finditer(marked):
        if found.start() > at:
            pieces.append(Piece("text", marked[at : found.start()], 0))
        pieces.append(replace(source[int(found[1])], lines=0, trims=(False, False)))
        at = found.end()
    if marked[at:]:
        pieces.append(Piece("text", marked[at:], 0))
    return pieces
