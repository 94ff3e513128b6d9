"""The rules workbook of the sample book: contracts of the partners as the four sheets, the same bytes every time.

What belongs here: sheets and their format. What does not: what was agreed (`partners`).
"""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO
from zipfile import ZipFile, ZipInfo

from openpyxl import Workbook
from openpyxl.packaging.core import DocumentProperties
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.xml.functions import tostring

from billing_pipeline.sample.partners import PARTNERS

_Cell = str | int | Decimal | date | None

_SAVED = datetime(2025, 12, 15, 9, 0)
_HEADERS = {
    "Pricing": (
        "Partner ID", "Partner Name", "Tier Metric", "Tier Start", "Tier End", "Company Fee", "User Fee",
        "Included Users in Company Fee", "Tier Type", "Next Day Fee ER", "Next Day Fee IU",
    ),
    "Minimums": ("Partner ID", "Partner Name", "Start Month", "End Month", "Minimum"),
    "Config": ("Partner ID", "Partner Name", "Minimums Start Month", "Minimums End Month"),
    "Mapping": ("Partner ID", "Partner Name", "NetSuite Customer Name"),
}  # fmt: skip


def rules_workbook() -> bytes:
    """The workbook as .xlsx bytes: sheets Pricing, Minimums, Config, Mapping; money and bounds as exact numbers.

    Parts are stored uncompressed with fixed times and properties, so that the bytes depend on nothing around.
    Source: spec 1.7.
    """
    book = Workbook()
    book.remove(book.worksheets[0])
    for (title, headers), rows in zip(_HEADERS.items(), (_pricing(), _minimums(), _config(), _mapping()), strict=True):
        sheet = book.create_sheet(title)
        sheet.append(headers)
        for row in rows:
            sheet.append(row)
        for column, header in enumerate(headers, start=1):
            sheet.cell(1, column).font = Font(bold=True)
            sheet.column_dimensions[get_column_letter(column)].width = 34 if header.endswith("Name") else 16
        sheet.freeze_panes = "C2"
    for cells in book["Config"].iter_rows(min_row=2, min_col=3):
        for cell in cells:
            cell.number_format = "yyyy-mm"
    saved = BytesIO()
    book.save(saved)
    return _fixed(saved.getvalue())


def _pricing() -> Iterator[tuple[_Cell, ...]]:
    for partner in PARTNERS:
        if (terms := partner.pricing) is None:
            continue
        next_day = map(Decimal, terms.next_day) if terms.next_day else (None, None)
        next_day_er, next_day_iu = next_day
        ends = (*(start - 1 for start in terms.starts[1:]), None)
        for start, end, company, user in zip(terms.starts, ends, terms.company, terms.user, strict=True):
            yield (
                partner.id, partner.name, terms.metric, start, end, Decimal(company), Decimal(user), terms.included,
                terms.mode, next_day_er, next_day_iu,
            )  # fmt: skip


def _minimums() -> Iterator[tuple[_Cell, ...]]:
    for partner in PARTNERS:
        for start, end, amount in partner.minimum.steps if partner.minimum else ():
            yield partner.id, partner.name, start, end, Decimal(amount)


def _config() -> Iterator[tuple[_Cell, ...]]:
    for partner in PARTNERS:
        if minimum := partner.minimum:
            yield partner.id, partner.name, minimum.start.first, minimum.end.first if minimum.end else None


def _mapping() -> Iterator[tuple[_Cell, ...]]:
    for partner in PARTNERS:
        if partner.customer:
            yield partner.id, partner.name, partner.customer


def _fixed(workbook: bytes) -> bytes:
    """The same workbook without the time it was saved: neither in its properties nor in its directory."""
    properties = DocumentProperties(creator="Billing Pipeline", title="Sample book", created=_SAVED, modified=_SAVED)
    result = BytesIO()
    with ZipFile(BytesIO(workbook)) as source, ZipFile(result, "w") as target:
        for part in source.namelist():
            is_properties = part == "docProps/core.xml"
            content = tostring(properties.to_tree()) if is_properties else source.read(part)
            target.writestr(ZipInfo(part, _SAVED.timetuple()[:6]), content)
    return result.getvalue()
