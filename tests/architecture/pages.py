"""The documentation, read as the reader sees it: headings with their anchors, tables, links."""

import re
from pathlib import Path

HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
CODE_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`]+)`")


def anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def headings(page: Path) -> list[str]:
    """Every heading of a page, from top to bottom."""
    return HEADING.findall(CODE_BLOCK.sub("", page.read_text(encoding="utf-8")))


def anchors(page: Path) -> list[str]:
    """Every place of a page that a link may lead to."""
    return [anchor(heading) for heading in headings(page)]


def section(page: Path, title: str) -> str:
    """What stands under a heading, up to the next one of its level or above."""
    text = page.read_text(encoding="utf-8")
    found = re.search(rf"^(#+) +{re.escape(title)} *$", text, re.MULTILINE)
    assert found, f"{page.name} has no section {title!r}"
    rest = text[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def table(text: str, *columns: str) -> list[list[str]]:
    """The rows of the first table whose head has these columns, in that order; no other column is returned."""
    lines = iter(text.splitlines())
    for line in lines:
        head = _cells(line)
        if set(columns) <= set(head):
            next(lines)
            picked = [head.index(column) for column in columns]
            rows = []
            for row in lines:
                if not row.startswith("|"):
                    break
                cells = _cells(row)
                rows.append([cells[index] for index in picked])
            return rows
    raise AssertionError(f"no table has the columns {columns}")


def code(cell: str) -> str:
    """The one piece of code in a cell: what stands between its first backticks."""
    found = CODE.search(cell)
    assert found, f"no `code` in {cell!r}"
    return found[1]


def _cells(line: str) -> list[str]:
    return [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
