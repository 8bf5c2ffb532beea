"""Bytes as lines and records: the same however they come in, and never more of them in memory than a bound."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecrm.domain.imports import FileRefused, Position
from ecrm.files.records import Columns, LineRecords, Records, TableRecords, chunks
from ecrm.files.streams import BLOCK, Blocks, LongLine, as_utf8, beyond, physical_lines, unpacked

pieces = st.lists(st.binary(max_size=6) | st.sampled_from([b"\r", b"\n", b"\r\n", b"a,b"]), max_size=12)


@given(pieces=pieces)
def test_lines_are_the_same_however_the_bytes_come(pieces: list[bytes]) -> None:
    assert b"".join(pieces).splitlines(keepends=True) == list(physical_lines(pieces))


@given(pieces=pieces, offset=st.integers(0, 80))
def test_the_first_bytes_are_left_out_and_no_others(pieces: list[bytes], offset: int) -> None:
    assert b"".join(pieces)[offset:] == b"".join(beyond(pieces, offset))


@given(text=st.text(), size=st.integers(1, 7), encoding=st.sampled_from(["utf-16-le", "utf-16-be"]))
def test_utf_16_becomes_utf_8_however_the_bytes_come(text: str, size: int, encoding: str) -> None:
    content = text.encode(encoding)
    cut = (content[at : at + size] for at in range(0, len(content), size))
    assert text.encode() == b"".join(as_utf8(cut, encoding))


@given(content=st.binary(max_size=2_000), size=st.integers(1, 50), members=st.integers(1, 3))
def test_gzip_is_unpacked_however_the_bytes_come(content: bytes, size: int, members: int) -> None:
    packed = gzip.compress(content) * members
    assert content * members == b"".join(unpacked(packed[at : at + size] for at in range(0, len(packed), size)))


def test_a_long_line_knows_how_long_it_is() -> None:
    lines = list(physical_lines([b"a\n", *[b"x" * 100_000] * 5, b"y\r\nb"]))
    assert [2, 500_003, 1] == [line.size if isinstance(line, LongLine) else len(line) for line in lines]
    assert len(lines[1]) < 400_000


ROW = b"anna@example.com,Anna,Zo\xc3\xab," + b"a note that is no short one" * 60 + b",end\n"
SIZE = 26_000_000
MOST = 20_000_000


def repeated(line: bytes, size: int = SIZE) -> Blocks:
    """A file that is nowhere: made of one line as it is asked for."""
    whole = line * (2 * BLOCK // len(line) + 1)

    def fetch(offset: int, count: int) -> bytes:
        start = offset % len(line)
        return whole[start : start + min(count, size - offset)]

    return Blocks(fetch, size)


def table(lines: Iterator[bytes]) -> Records:
    made = TableRecords(lines, "utf-8", ",", Position())
    made.columns = Columns.of(["email", "name", "city", "note"])
    return made


def ndjson(lines: Iterator[bytes]) -> Records:
    return LineRecords(lines, "utf-8", Position())


def packed(line: bytes) -> Iterator[bytes]:
    packer = zlib.compressobj(1, wbits=31)
    for piece in repeated(line).pieces():
        yield packer.compress(piece)
    yield packer.flush()


@pytest.mark.parametrize(
    ("records", "line"),
    [(table, ROW), (ndjson, ROW), (table, b"x" * 10_000_001), (table, b',"' + ROW)],
    ids=["table", "ndjson", "no line ends", "no quote ends"],
)
def test_what_is_held_of_a_file_has_a_bound(records: Callable[[Iterator[bytes]], Records], line: bytes) -> None:
    """Three blocks of four megabytes and a chunk; a gigabyte takes no more."""
    blocks = repeated(line)
    tracemalloc.start()
    try:
        for _ in chunks(records(physical_lines(blocks.pieces())), lambda _record: None):
            """Nobody keeps a chunk."""
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MOST


def test_what_is_held_of_a_packed_file_has_a_bound() -> None:
    pieces = list(packed(ROW))
    tracemalloc.start()
    try:
        for _ in chunks(table(physical_lines(unpacked(pieces))), lambda _record: None):
            """Nobody keeps a chunk."""
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MOST


@pytest.mark.parametrize("records", [table, ndjson])
def test_a_file_of_blank_lines_is_not_read_to_its_end(records: Callable[[Iterator[bytes]], Records]) -> None:
    blocks = repeated(b"\n", 1_000_000_000)
    with pytest.raises(FileRefused) as refused:
        next(chunks(records(physical_lines(blocks.pieces())), lambda _record: None))
    assert "not_text" == refused.value.code
