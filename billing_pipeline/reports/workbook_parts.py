"""The fixed parts of an XLSX package and its style sheet, as text.

What belongs here: OOXML boilerplate and the style table. What does not: cells (`sheet_cells`), files (`workbook`).
Element order inside a part is prescribed by ECMA-376; Excel repairs or refuses a file that changes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from xml.sax.saxutils import quoteattr

_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_MEDIA = "application/vnd.openxmlformats-officedocument.spreadsheetml"

SHEET_END = (
    '<pageMargins left="0.5" right="0.5" top="0.5" bottom="0.5" header="0.3" footer="0.3"/>'
    '<pageSetup orientation="landscape" fitToHeight="0"/></worksheet>'
)


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


class StyleBook:
    """The styles of one workbook, numbered as they are first used."""

    def __init__(self) -> None:
        self._ids: dict[Style, int] = {PLAIN: 0}

    def attribute(self, style: Style) -> str:
        """The attribute a cell refers to the style with; nothing for the plain style."""
        number = self._ids.setdefault(style, len(self._ids))
        return f' s="{number}"' if number else ""

    def xml(self) -> str:
        """xl/styles.xml. Every style has its own font, fill, border and number format of the same position."""
        styles = list(self._ids)
        formats = [
            f'<numFmt numFmtId="{164 + i}" formatCode={quoteattr(style.number_format)}/>'
            for i, style in enumerate(styles)
        ]
        fills = ['<fill><patternFill patternType="none"/></fill>', '<fill><patternFill patternType="gray125"/></fill>']
        fills += [_fill(style) for style in styles]
        return (
            f'{_XML}<styleSheet xmlns="{_MAIN}">{_list("numFmts", formats)}'
            f"{_list('fonts', [_font(style) for style in styles])}{_list('fills', fills)}"
            f"{_list('borders', [_border(style) for style in styles])}"
            '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
            f"{_list('cellXfs', [_cell_format(i, style) for i, style in enumerate(styles)])}"
            '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
        )


def sheet_opening(selected: bool, fitted: bool) -> str:
    """The start of a sheet up to its view, which `sheet_view` closes. fitted: printed as wide as the paper."""
    fit = '<sheetPr><pageSetUpPr fitToPage="1"/></sheetPr>' if fitted else ""
    tab = ' tabSelected="1"' if selected else ""
    return f'{_XML}<worksheet xmlns="{_MAIN}">{fit}<sheetViews><sheetView{tab}'


def sheet_view(frozen: bool, gridlines: bool) -> str:
    """The rest of the view: gridlines, and the header row frozen."""
    lines = "" if gridlines else ' showGridLines="0"'
    pane = '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/><selection pane="bottomLeft"/>'
    return (
        f'{lines} workbookViewId="0">{pane if frozen else ""}</sheetView></sheetViews>'
        '<sheetFormatPr defaultRowHeight="15"/>'
    )


def columns(widths: Sequence[float]) -> str:
    """Column widths in characters, from column A on."""
    entries = (
        f'<col min="{i}" max="{i}" width="{width:g}" customWidth="1"/>' for i, width in enumerate(widths, start=1)
    )
    return f"<cols>{''.join(entries)}</cols>" if widths else ""


def merges(ranges: Sequence[str]) -> str:
    """Merged ranges."""
    return _list("mergeCells", [f'<mergeCell ref="{cells}"/>' for cells in ranges]) if ranges else ""


def package_parts(quoted_names: Sequence[str], styles: StyleBook) -> dict[str, str]:
    """The parts around the sheets, by name; `quoted_names` are the sheet names as quoted XML attributes."""
    numbers = range(1, len(quoted_names) + 1)
    sheets = "".join(
        f'<sheet name={name} sheetId="{i}" r:id="rId{i}"/>' for i, name in zip(numbers, quoted_names, strict=True)
    )
    sheet_links = "".join(_link(f"rId{i}", "worksheet", f"worksheets/sheet{i}.xml") for i in numbers)
    overrides = "".join(_override(f"/xl/worksheets/sheet{i}.xml", "worksheet") for i in numbers)
    return {
        "xl/workbook.xml": f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{sheets}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": _links(sheet_links + _link(f"rId{len(numbers) + 1}", "styles", "styles.xml")),
        "xl/styles.xml": styles.xml(),
        "_rels/.rels": _links(_link("rId1", "officeDocument", "xl/workbook.xml")),
        "[Content_Types].xml": (
            f'{_XML}<Types xmlns="{_PACKAGE}/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Default Extension="xml" ContentType="application/xml"/>'
            f"{_override('/xl/workbook.xml', 'sheet.main')}{_override('/xl/styles.xml', 'styles')}{overrides}</Types>"
        ),
    }


def _list(tag: str, entries: Sequence[str]) -> str:
    return f'<{tag} count="{len(entries)}">{"".join(entries)}</{tag}>'


def _font(style: Style) -> str:
    weight = ("<b/>" if style.bold else "") + ("<i/>" if style.italic else "")
    size = f'<sz val="{style.size:g}"/><color rgb="FF{style.color}"/>'
    return f'<font>{weight}{size}<name val="Calibri"/><family val="2"/></font>'


def _fill(style: Style) -> str:
    if not style.fill:
        return '<fill><patternFill patternType="none"/></fill>'
    colour = f'<fgColor rgb="FF{style.fill}"/><bgColor indexed="64"/>'
    return f'<fill><patternFill patternType="solid">{colour}</patternFill></fill>'


def _border(style: Style) -> str:
    def side(name: str, line: str) -> str:
        colour = f'<color rgb="FF{style.border_color}"/>'
        return f'<{name} style="{line}">{colour}</{name}>' if line else f"<{name}/>"

    box = "thin" if style.border == "thin" else ""
    bottom = "medium" if style.border == "bottom" else box
    return (
        f"<border>{side('left', box)}{side('right', box)}{side('top', box)}{side('bottom', bottom)}<diagonal/></border>"
    )


def _cell_format(position: int, style: Style) -> str:
    number = 0 if style.number_format == "General" else 164 + position
    horizontal = f' horizontal="{style.align}"' if style.align else ""
    wrap = ' wrapText="1" vertical="center"' if style.wrap else ""
    applied = ' applyNumberFormat="1" applyFont="1" applyFill="1" applyBorder="1" applyAlignment="1"'
    head = f'<xf numFmtId="{number}" fontId="{position}" fillId="{position + 2}" borderId="{position}" xfId="0"'
    return f"{head}{applied}><alignment{horizontal}{wrap}/></xf>"


def _link(identifier: str, kind: str, target: str) -> str:
    return f'<Relationship Id="{identifier}" Type="{_OFFICE}/{kind}" Target="{target}"/>'


def _links(links: str) -> str:
    return f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{links}</Relationships>'


def _override(part: str, kind: str) -> str:
    return f'<Override PartName="{part}" ContentType="{_MEDIA}.{kind}+xml"/>'
