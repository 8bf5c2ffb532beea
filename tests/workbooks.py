"""Workbooks (XLSX) as Excel writes them, from rows of Python values, and archives that only look like them."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import count
from xml.sax.saxutils import escape

_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 (Excel's days know no zone)
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_RELATIONSHIPS = f'<Relationships xmlns="{_PACKAGE}/relationships">'
_STYLES = f"""<styleSheet xmlns="{_MAIN}"><fonts count="1"><font/></fonts><fills count="1"><fill/></fills>
<borders count="1"><border/></borders><cellStyleXfs count="1"><xf numFmtId="0"/></cellStyleXfs>
<cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22" applyNumberFormat="1"/></cellXfs></styleSheet>"""

type Value = str | float | bool | datetime | None


def a_workbook(sheets: Mapping[str, Sequence[Sequence[Value]]], *, hidden: Sequence[str] = (), rows: str = "") -> bytes:
    """Give a workbook; `rows` is XML that goes behind the rows of each sheet."""
    parts = {
        "_rels/.rels": f"{_RELATIONSHIPS}{_related(1, 'officeDocument', 'xl/workbook.xml')}</Relationships>",
        "xl/styles.xml": _STYLES,
    }
    listed, related, typed = [], [], []
    for number, (name, values) in enumerate(sheets.items(), 1):
        state = ' state="hidden"' if name in hidden else ""
        listed.append(f'<sheet name="{escape(name)}" sheetId="{number}"{state} r:id="r{number}"/>')
        related.append(_related(number, "worksheet", f"worksheets/sheet{number}.xml"))
        typed.append(f"/xl/worksheets/sheet{number}.xml")
        told = "".join(_row(line, row) for line, row in enumerate(values, 1) if row)
        parts[f"xl/worksheets/sheet{number}.xml"] = f'<worksheet xmlns="{_MAIN}"><sheetData>{told}{rows}</sheetData></worksheet>'
    related.append(_related(0, "styles", "styles.xml"))
    parts["xl/workbook.xml"] = f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{"".join(listed)}</sheets></workbook>'
    parts["xl/_rels/workbook.xml.rels"] = f"{_RELATIONSHIPS}{''.join(related)}</Relationships>"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts["[Content_Types].xml"] = (
        f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{kind}.styles+xml"/>'
        + "".join(f'<Override PartName="{name}" ContentType="{kind}.worksheet+xml"/>' for name in typed)
        + "</Types>"
    )
    return an_archive({name: f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>{text}' for name, text in parts.items()})


def _related(number: int, kind: str, target: str) -> str:
    return f'<Relationship Id="r{number}" Type="{_OFFICE}/{kind}" Target="{target}"/>'


def an_archive(parts: Mapping[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return packed.getvalue()


def _row(line: int, values: Sequence[Value]) -> str:
    cells = "".join(_cell(f"{letters}{line}", value) for letters, value in zip(_letters(), values, strict=False))
    return f'<row r="{line}">{cells}</row>'


def _letters() -> "map[str]":
    return map(_name, count())


def _name(at: int) -> str:
    return ("" if at < 26 else _name(at // 26 - 1)) + chr(ord("A") + at % 26)


def _cell(place: str, value: Value) -> str:
    match value:
        case None:
            return ""
        case bool():
            return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
        case datetime():
            return f'<c r="{place}" s="1"><v>{(value - _EPOCH).total_seconds() / 86_400}</v></c>'
        case str() if value.startswith("="):
            return f'<c r="{place}" t="str"><f>{escape(value[1:])}</f><v>worked out</v></c>'
        case str():
            return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
        case _:
            return f'<c r="{place}"><v>{value}</v></c>'
