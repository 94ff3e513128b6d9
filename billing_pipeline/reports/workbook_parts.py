"""What stands around the values of a workbook: styles and widths as the writing library (xlsxturbo) takes them, and
what it has no option for, done in the finished file.

What belongs here: nothing that knows a sheet's content (`workbook`) or a value (`sheet_cells`).
"""

import re
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Literal, cast

from xlsxturbo.types import ColumnFormat

FAST = 1  # zlib level: half the time of level 6, a quarter more bytes
Changes = Mapping[str, Sequence[tuple[bytes, bytes]]]  # by member of the package: patterns and what takes their place
_CORE = "docProps/core.xml"  # where the library notes the time of writing
_UNDATED = ((rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"2000-01-01T00:00:00Z"),)
_AS_WIDE_AS_PAPER = (
    (rb"(?=<dimension )", b'<sheetPr><pageSetUpPr fitToPage="1"/></sheetPr>'),
    (rb"(<pageMargins [^>]*/>)", rb'\1<pageSetup orientation="landscape" fitToHeight="0"/>'),
)
_BARE = (*_AS_WIDE_AS_PAPER, (rb"<sheetView ", b'<sheetView showGridLines="0" '))


@dataclass(frozen=True, slots=True)
class Style:
    """How a cell looks. Colours are RRGGBB; border `thin` is a box, `bottom` a medium line below."""

    bold: bool = False
    italic: bool = False
    size: float = 11
    color: str = "000000"
    fill: str = ""
    border: Literal["", "thin", "bottom"] = ""
    border_color: str = "000000"
    align: Literal["", "left", "center", "right"] = ""
    wrap: bool = False
    number_format: str = "General"


PLAIN = Style()


@lru_cache(maxsize=256)
def cell_format(style: Style) -> ColumnFormat:
    """The style as the writing library takes it."""
    form: ColumnFormat = {"bold": style.bold, "italic": style.italic, "font_size": style.size}
    if style.color != PLAIN.color:
        form["font_color"] = f"#{style.color}"
    if style.fill:
        form["bg_color"] = f"#{style.fill}"
    if style.border == "thin":
        form["border"] = "thin"
    if style.border == "bottom":
        form["border_bottom"] = "medium"
    if style.border:
        form["border_color"] = f"#{style.border_color}"
    if style.align:
        form["align_horizontal"] = style.align
    if style.wrap:
        form |= {"wrap_text": True, "align_vertical": "center"}
    if style.number_format != PLAIN.number_format:
        form["num_format"] = style.number_format
    return form


def set_widths(widths: Sequence[float]) -> dict[int, float]:
    """Widths as the library takes them: without the margin of 5 pixels that a column has, of 7 pixels a character."""
    return {index: (7 * width - 5) / 7 for index, width in enumerate(widths)}


def sheet_part(number: int) -> str:
    """The member of the package that is a sheet, counted from 1."""
    return f"xl/worksheets/sheet{number}.xml"


def bare_sheets(numbers: Collection[int]) -> Changes:
    """Changes that make sheets (numbers from 1) as wide as the paper when printed, without gridlines."""
    return {sheet_part(number): _BARE for number in numbers}


def finish(path: Path, more: Changes) -> None:
    """What the library has no option for: a fixed time of creation, and `more` changes of members.

    The members before the first changed one stay where they are, the others move as they are: nothing is compressed
    again. A zip member is self-contained, so its bytes are valid at any place the directory names.
    """
    changes = {**more, _CORE: _UNDATED}
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=FAST) as package:
        members = package.infolist()
        first = next(index for index, member in enumerate(members) if member.filename in changes)
        moved = members[first:]
        ends = [member.header_offset for member in moved[1:]] + [package.start_dir]
        contents = [_content(package, *pair, changes) for pair in zip(moved, ends, strict=True)]
        del package.filelist[first:]
        for member in moved:
            del package.NameToInfo[member.filename]
        package.start_dir = moved[0].header_offset
        for member, content in zip(moved, contents, strict=True):
            if member.filename in changes:
                package.writestr(zipfile.ZipInfo(member.filename), content, zipfile.ZIP_DEFLATED)  # dated 1980
            else:
                _append(package, member, content)


def _content(package: zipfile.ZipFile, member: zipfile.ZipInfo, end: int, changes: Changes) -> bytes:
    """The new text of a changed member, or all bytes of another one, which lie before `end`."""
    if member.filename in changes:
        content = package.read(member)
        for pattern, text in changes[member.filename]:
            content = re.sub(pattern, text, content)
        return content
    file = cast(BinaryIO, package.fp)
    file.seek(member.header_offset)
    return file.read(end - member.header_offset)


def _append(package: zipfile.ZipFile, member: zipfile.ZipInfo, content: bytes) -> None:
    file = cast(BinaryIO, package.fp)
    file.seek(package.start_dir)
    file.write(content)
    member.header_offset, package.start_dir = package.start_dir, file.tell()
    package.filelist.append(member)
    package.NameToInfo[member.filename] = member
