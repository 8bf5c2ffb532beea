"""An object's bytes as they come: by blocks, unpacked, in an encoding that keeps ASCII as it is, cut into lines.

Nothing here holds more than a block and a line of MOST_LINE bytes, however large the object is.
"""

import codecs
import zlib
from collections.abc import Callable, Iterable, Iterator

from .refusals import refused

BLOCK = 4_000_000
"""Bytes asked for at once: a gigabyte is 250 requests. Three blocks are held when one gives way to the next."""
PIECE = 256_000
"""Bytes cut into lines at once: a piece of nothing but line ends costs 35 times its size."""
MOST_LINE = 256_000
"""As much as the body of a request may have: who sends a row by HTTP meets the same bound."""
MOST_UNPACKED = 4_000_000_000
MOST_RATIO = 300
"""Of unpacked to packed. Text that people write packs 3 to 30 times; deflate's bound, a file made to do harm, is 1,032."""
_FROM = 500_000
"""Unpacked bytes before the ratio counts: a small file of equal rows is no bomb, and a bomb is seen before it is read."""
_GZIP = 16 + zlib.MAX_WBITS

type Fetch = Callable[[int, int], bytes]
"""Give the bytes from an offset on, at most so many."""


class LongLine(bytes):
    """The beginning of a line of more than MOST_LINE bytes; `size` is how many it has."""

    size: int

    @classmethod
    def of(cls, line: bytes, dropped: int) -> "LongLine":
        made = cls(line)
        made.size = len(line) + dropped
        return made


class Blocks:
    """An object's bytes; the first block is kept, for it is looked at before it is read."""

    def __init__(self, fetch: Fetch, size: int) -> None:
        self._fetch = fetch
        self._first: bytes | None = None
        self.size = size

    @property
    def first(self) -> bytes:
        if self._first is None:
            self._first = self._fetch(0, BLOCK)
        return self._first

    def at(self, offset: int, size: int) -> bytes:
        return self._fetch(offset, size)

    def pieces(self, offset: int = 0) -> Iterator[bytes]:
        while offset < self.size:
            block = self.first[offset:] if offset < len(self.first) else self._fetch(offset, BLOCK)
            yield from (block[at : at + PIECE] for at in range(0, len(block), PIECE))
            offset += len(block)


def unpacked(pieces: Iterable[bytes], most: int = MOST_UNPACKED) -> Iterator[bytes]:
    """Unpack gzip, of several members too; raises FileRefused where it is damaged, or larger than anybody's file."""
    taken = given = 0
    member = zlib.decompressobj(_GZIP)
    is_within = False
    for piece in pieces:
        rest = piece
        taken += len(piece)
        while rest:
            if member.eof:
                rest = rest.lstrip(b"\0")  # some archivers pad
                if not rest:
                    break
                member = zlib.decompressobj(_GZIP)
            try:
                text = member.decompress(rest, PIECE)
            except zlib.error as error:
                raise refused("gzip_damaged") from error
            rest = member.unused_data if member.eof else member.unconsumed_tail
            is_within = not member.eof
            given += len(text)
            if given > most or given > max(_FROM, MOST_RATIO * (taken - len(rest))):
                raise refused("gzip_too_large")
            if text:
                yield text
    if is_within:
        raise refused("gzip_damaged")


def as_utf8(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Write an encoding in UTF-8 in which a byte of ASCII may be a part of something else.

    What is wrong in it is wrong in what comes out, too: whoever reads the line finds it.
    """
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
    for piece in pieces:
        yield _decoded(decoder, piece).encode(errors="surrogatepass")
    yield _decoded(decoder, b"", final=True).encode(errors="surrogatepass")


def _decoded(decoder: codecs.IncrementalDecoder, piece: bytes, *, final: bool = False) -> str:
    try:
        return decoder.decode(piece, final)
    except UnicodeDecodeError:
        decoder.reset()
        return "\udcff"


def beyond(pieces: Iterable[bytes], offset: int) -> Iterator[bytes]:
    """Leave out the first bytes, so many of them."""
    for piece in pieces:
        if offset < len(piece):
            yield piece[offset:]
        offset = max(0, offset - len(piece))


def physical_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Give lines with their ends, which are LF, CR LF or CR."""
    rest, dropped = b"", 0
    for piece in pieces:
        lines = (rest + piece).splitlines(keepends=True)
        rest = b"" if not lines or lines[-1].endswith(b"\n") else lines.pop()
        if dropped and lines:
            lines[0], dropped = LongLine.of(lines[0], dropped), 0
        yield from lines
        dropped += max(0, len(rest) - MOST_LINE)
        rest = rest[:MOST_LINE]
    if rest:
        yield LongLine.of(rest, dropped) if dropped else rest
