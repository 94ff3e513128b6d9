"""The shape of a usage file, proved on its bytes before any cell is read.

Polars pads short rows with nulls, reads a blank line as a row of nulls and counts rows, not physical lines; none of
that may happen to billing. One pass over the bytes gives hash, header, number of records and the physical line of
each, and refuses what is not a rectangular UTF-8 CSV file. The work per block is vectorised: a regular block,
stripped to its separators, equals one comma pattern over and over; only irregular blocks (quotes, blank lines, ragged
rows) are looked at record by record.
"""

import codecs
import csv
import hashlib
import io
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from billing_pipeline.engine.cells import header_name
from billing_pipeline.engine.errors import InputError, Problem

_QUOTE, _COMMA, _NEWLINE, _RETURN = b'",\n\r'
_NOT_STRUCTURE = bytes(sorted(set(range(256)) - set(b'",\n')))  # deleting these leaves quotes, commas and newlines
_LONGEST_RECORD = 1 << 20  # bytes; more means a quote that is never closed, or no text file at all
_MOST_PROBLEMS = 50  # a file with more ragged rows than this is told by its first ones
_Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Structure:
    """What the bytes say: identity, columns, and where each record stands."""

    name: str
    sha256: str
    size: int
    header: tuple[str, ...]  # as written
    columns: tuple[str, ...]  # normalised, upper case
    records: int  # data records, blank lines not counted
    quoted: bool  # some cell is quoted
    lines: pl.Series | None  # physical line of each record when it is not simply record number + 2
    blank: pl.Series | None  # ordinals (0 = first line after the header) that a CSV reader sees as empty rows


def check_structure(blocks: Iterable[bytes], name: str, *, rows_expected: bool = True) -> Structure:
    """The structure of a CSV file given as consecutive blocks of bytes; InputError names file, line and column.

    Refused: no bytes, no rows where they are expected, bytes that are not UTF-8, headers that are empty or collide
    after normalisation, rows with more or fewer fields than the header, a quote that is never closed. Source: decision
    5, spec 1.3 (Q8, Q9).
    """
    scan = _Scan(name)
    digest = hashlib.sha256()
    with ThreadPoolExecutor(1) as hasher:  # hashing releases the interpreter lock: it runs beside the scan
        size = 0
        for block in blocks:
            job = hasher.submit(digest.update, block)
            scan.feed(block)
            size += len(block)
            job.result()
    if size == 0:
        raise InputError(Problem("is empty (0 bytes); is the export still being written?", file=name))
    scan.finish()
    lines, blank = scan.places()
    if scan.records == 0 and rows_expected:
        raise InputError(Problem("has a header but no rows; is the export still being written?", file=name))
    return Structure(name, digest.hexdigest(), size, scan.header, scan.columns, scan.records, scan.quoted, lines, blank)


class _Scan:
    """State carried from block to block: the unfinished last record, the line count, what was found."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.header: tuple[str, ...] = ()
        self.columns: tuple[str, ...] = ()
        self.records = 0
        self.quoted = False
        self._tail = b""
        self._line = 1  # physical line at which the next block's first record starts
        self._ordinals = 0  # rows a CSV reader has seen, blank ones too
        self._regular = True
        self._lines: list[npt.NDArray[np.int64]] = []
        self._blank: list[npt.NDArray[np.int64]] = []
        self._problems: list[Problem] = []
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._text_line = 1

    def feed(self, block: bytes) -> None:
        self._check_utf8(block)
        data = self._tail + block
        if not self.columns:
            data = self._take_header(data)
            if not self.columns:
                self._tail = data
                return
        self._consume(data)

    def finish(self) -> None:
        self._check_utf8(b"", final=True)
        if not self.columns:
            data = self._take_header(self._tail + b"\n")
            if not self.columns:
                raise InputError(Problem("a quote in the header is never closed", file=self.name, line=1))
            self._tail = data.rstrip(b"\n")
        if self._tail:
            self._consume(self._tail + b"\n")
        if self._tail.strip():
            raise InputError(
                [*self._problems, self._problem("a quote that opens in this row is never closed", self._line)]
            )
        if self._problems:
            raise InputError(self._problems)

    def places(self) -> tuple[pl.Series | None, pl.Series | None]:
        if self._regular:
            return None, None
        blank = np.concatenate(self._blank) if self._blank else np.empty(0, np.int64)
        return pl.Series("line", np.concatenate(self._lines)), pl.Series("blank", blank) if len(blank) else None

    def _check_utf8(self, block: bytes, *, final: bool = False) -> None:
        if block.isascii() and not self._utf8.getstate()[0]:
            self._text_line += block.count(b"\n")
            return
        pending = len(self._utf8.getstate()[0])
        try:
            self._utf8.decode(block, final)
        except UnicodeDecodeError as error:
            start = max(error.start - pending, 0)
            line = self._text_line + block[:start].count(b"\n")
            found = f"0x{error.object[error.start]:02X}"
            message = f"is not UTF-8 text (byte {found}); export the file again as UTF-8"
            raise InputError(Problem(message, file=self.name, line=line)) from None
        self._text_line += block.count(b"\n")

    def _take_header(self, data: bytes) -> bytes:
        """Read the header once its record is complete; the bytes after it."""
        quotes = np.frombuffer(data, np.uint8) == _QUOTE
        inside = np.bitwise_xor.accumulate(quotes)
        ends = np.flatnonzero((np.frombuffer(data, np.uint8) == _NEWLINE) & ~inside)
        if not len(ends):
            self._refuse_endless(data, 1)
            return data
        end = int(ends[0])
        text = data[:end].decode("utf-8").removeprefix("\ufeff").rstrip("\r")
        self.header = tuple(next(csv.reader(io.StringIO(text, newline="")), []))
        self.columns = self._normalised()
        self._line += 1 + text.count("\n")
        self._regular = "\n" not in text
        return data[end + 1 :]

    def _normalised(self) -> tuple[str, ...]:
        names = tuple(header_name(cell).upper() for cell in self.header)
        problems = [self._problem(f"column {n} has no name", 1) for n, c in enumerate(names, 1) if not c]
        for column in sorted({c for c in names if c and names.count(c) > 1}):
            same = ", ".join(repr(h) for h, c in zip(self.header, names, strict=True) if c == column)
            problems.append(Problem(f"two headers mean the same column: {same}", self.name, 1, cell=column))
        if problems:
            raise InputError(problems)
        return names

    def _refuse_endless(self, record: bytes, line: int) -> None:
        if len(record) > _LONGEST_RECORD:
            message = f"a row of more than {_LONGEST_RECORD >> 20} MiB begins here; is a quote never closed?"
            raise InputError([*self._problems, self._problem(message, line)])

    def _problem(self, message: str, line: int) -> Problem:
        return Problem(message, file=self.name, line=line)

    def _consume(self, data: bytes) -> None:
        width = len(self.columns)
        skeleton = data.translate(None, _NOT_STRUCTURE)
        if b'"' not in skeleton and width > 1:
            cut = data.rfind(b"\n") + 1
            complete = skeleton[: skeleton.rfind(b"\n") + 1]
            count, rest = divmod(len(complete), width)
            if rest == 0 and complete == (b"," * (width - 1) + b"\n") * count:
                self._tail = data[cut:]
                self._lines.append(np.arange(self._line, self._line + count, dtype=np.int64))
                self._line += count
                self._ordinals += count
                self.records += count
                return
        self.quoted |= b'"' in skeleton
        array = np.frombuffer(data, np.uint8)
        inside = np.bitwise_xor.accumulate(array == _QUOTE)
        ends = np.flatnonzero((array == _NEWLINE) & ~inside)
        cut = int(ends[-1]) + 1 if len(ends) else 0
        self._tail = data[cut:]
        if cut:
            self._record_by_record(array[:cut], inside[:cut], width)
        self._refuse_endless(self._tail, self._line)

    def _record_by_record(self, array: _Bytes, inside: npt.NDArray[np.bool_], width: int) -> None:
        """A block with quotes, blank lines or ragged rows: fields, lengths and lines per record, still vectorised."""
        newline = array == _NEWLINE
        ends = np.flatnonzero(newline & ~inside)
        starts = np.concatenate(([0], ends[:-1] + 1))
        commas = np.cumsum((array == _COMMA) & ~inside)[ends]
        fields = np.diff(commas, prepend=0) + 1
        physical = np.cumsum(newline)[ends]
        lines = self._line + np.concatenate(([0], physical[:-1]))
        length = ends - starts - ((array[ends - 1] == _RETURN) & (ends > starts))
        blank = length == 0
        for at in np.flatnonzero((fields != width) & ~blank)[: _MOST_PROBLEMS - len(self._problems)]:
            message = f"has {fields[at]} fields where the header has {width}"
            self._problems.append(self._problem(message, int(lines[at])))
        for at in _stray_quotes(array, inside)[: max(0, _MOST_PROBLEMS - len(self._problems))]:
            message = "has a quote inside a cell that is not doubled, or text beside a quoted cell"
            self._problems.append(self._problem(message, int(self._line + newline[:at].sum())))
        self._blank.append(self._ordinals + np.flatnonzero(blank))
        self._lines.append(lines[~blank].astype(np.int64))
        self._regular &= not blank.any() and int(physical[-1]) == len(ends)
        self._line += int(physical[-1])
        self._ordinals += len(ends)
        self.records += int((~blank).sum())


def _stray_quotes(array: _Bytes, inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Positions of quotes that neither open a cell at its start nor close it at its end nor stand doubled in it."""
    at = np.flatnonzero(array == _QUOTE)
    before = np.where(at > 0, array[at - 1], _NEWLINE)
    after = array[np.minimum(at + 1, len(array) - 1)]
    opens = inside[at]
    ends = (after == _RETURN) & (array[np.minimum(at + 2, len(array) - 1)] == _NEWLINE)
    fine = np.where(
        opens, np.isin(before, (_COMMA, _NEWLINE, _QUOTE)), np.isin(after, (_COMMA, _NEWLINE, _QUOTE)) | ends
    )
    return at[~fine]
