"""The shape of a usage file, from its bytes: header, records and their physical lines, and what is no table."""

import hashlib
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_pipeline.engine.errors import InputError, Problem
from billing_pipeline.engine.usage import Structure, check_structure


def scan(*blocks: bytes) -> Structure:
    return check_structure(blocks, "usage.csv")


def problems(*blocks: bytes) -> list[Problem]:
    with pytest.raises(InputError) as refused:
        scan(*blocks)
    return list(refused.value.problems)


def lines(structure: Structure) -> list[int]:
    """The physical line of every record."""
    if structure.lines is None:
        return list(range(2, structure.records + 2))
    return structure.lines.to_list()


def facts(structure: Structure) -> tuple[object, ...]:
    blank = [] if structure.blank is None else structure.blank.to_list()
    return (
        structure.sha256,
        structure.size,
        structure.header,
        structure.columns,
        structure.records,
        structure.quoted,
        lines(structure),
        blank,
    )


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({0, len(data), *(place for place in places if place < len(data))})
    return [data[start:end] for start, end in pairwise(ends)]


def test_a_regular_file_has_its_records_on_consecutive_lines() -> None:
    found = scan(b"A,B\n1,2\n3,4\n5,6\n")
    assert (found.header, found.columns, found.records, found.size) == (("A", "B"), ("A", "B"), 3, 16)
    assert found.lines is None
    assert found.blank is None
    assert found.sha256 == hashlib.sha256(b"A,B\n1,2\n3,4\n5,6\n").hexdigest()


def test_headers_are_kept_as_written_beside_their_normalised_names() -> None:
    found = scan(b'For Month,"Partner, ID",ER FEE ($)\n1,2,3\n')
    assert found.header == ("For Month", "Partner, ID", "ER FEE ($)")
    assert found.columns == ("FOR_MONTH", "PARTNER_ID", "ER_FEE")


@pytest.mark.parametrize("data", [b"A,B\n1,2\n3,4", b"A,B\n1,2\n3,4\n", b"A,B\r\n1,2\r\n3,4\r\n", b"A,B\r\n1,2\r\n3,4"])
def test_line_ends_and_the_last_line_s_missing_end_make_no_difference(data: bytes) -> None:
    found = scan(data)
    assert (found.header, found.records, lines(found)) == (("A", "B"), 2, [2, 3])


def test_a_byte_order_mark_is_no_part_of_the_first_header() -> None:
    assert scan(b"\xef\xbb\xbfA,B\n1,2\n").header == ("A", "B")
    assert scan(b"\xef", b"\xbb", b"\xbfA,B\n1,2\n").header == ("A", "B")


def test_a_line_break_inside_quotes_belongs_to_the_record_that_starts_above_it() -> None:
    found = scan(b'A,B\n1,"two\nlines"\n3,"and\r\nthree\n"\n5,6\n')
    assert found.records == 3
    assert lines(found) == [2, 4, 7]


def test_commas_and_doubled_quotes_inside_quotes_are_text() -> None:
    found = scan(b'A,B\n"1,000","say ""hi"", ok"\n"","x"\n')
    assert (found.records, lines(found)) == (2, [2, 3])


def test_a_header_over_two_lines_moves_the_records_down() -> None:
    found = scan(b'A,"B\nb"\n1,2\n')
    assert found.header == ("A", "B\nb")
    assert lines(found) == [3]


def test_blank_lines_are_no_records_and_their_places_are_told() -> None:
    found = scan(b"A,B\n\n1,2\n\r\n3,4\n\n")
    assert found.records == 2
    assert lines(found) == [3, 5]
    assert found.blank is not None
    assert found.blank.to_list() == [0, 2, 4]


def test_a_line_of_commas_is_a_record_of_empty_cells() -> None:
    found = scan(b"A,B\n,\n1,2\n")
    assert (found.records, lines(found)) == (2, [2, 3])


def test_a_file_of_one_column_has_records_too() -> None:
    found = scan(b"A\n1\n2\n")
    assert (found.columns, found.records, lines(found)) == (("A",), 2, [2, 3])


def test_no_bytes_are_an_unfinished_export() -> None:
    told = Problem("is empty (0 bytes); is the export still being written?", file="usage.csv")
    assert problems() == problems(b"") == [told]


@pytest.mark.parametrize("data", [b"A,B\n", b"A,B", b"A,B\r\n", b"A,B\n\n\n", b"\xef\xbb\xbfA,B\n"])
def test_a_header_alone_is_an_unfinished_export(data: bytes) -> None:
    assert problems(data) == [Problem("has a header but no rows; is the export still being written?", file="usage.csv")]


@pytest.mark.parametrize(
    ("data", "line", "byte"),
    [
        (b"A,B\n1,M\xfcller\n", 2, "0xFC"),
        (b"A,B\n1,2\n3,4\n5,\xe9\n", 4, "0xE9"),
        (b"A,\xc4\n1,2\n", 1, "0xC4"),
        (b"A,B\n1,2\xc3", 2, "0xC3"),
        (b"\xff\xfeA\x00,\x00B\x00", 1, "0xFF"),
        (b"A,B\n1,\xed\xa0\x80\n", 2, "0xED"),
    ],
    ids=["latin-1", "last line", "header", "cut inside a character", "utf-16", "surrogate"],
)
def test_bytes_that_are_not_utf_8_are_refused_with_line_and_byte(data: bytes, line: int, byte: str) -> None:
    told = Problem(f"is not UTF-8 text (byte {byte}); export the file again as UTF-8", file="usage.csv", line=line)
    assert problems(data) == [told]
    assert problems(*(bytes([byte]) for byte in data)) == [told]


def test_every_ragged_row_is_told_with_its_line() -> None:
    assert problems(b'A,B\n1,2\n3\n"4\n4",5\n6,7,8\n9,10\n') == [
        Problem("has 1 fields where the header has 2", file="usage.csv", line=3),
        Problem("has 3 fields where the header has 2", file="usage.csv", line=6),
    ]


def test_a_trailing_comma_on_every_row_is_not_read_as_shifted_columns() -> None:
    assert [p.line for p in problems(b"A,B\n1,2,\n3,4,\n")] == [2, 3]


def test_of_very_many_ragged_rows_the_first_fifty_are_told() -> None:
    told = problems(b"A,B\n" + b"1\n" * 1000, b"1\n" * 1000)
    assert [problem.line for problem in told] == list(range(2, 52))


def test_a_quote_that_is_never_closed_is_told_where_it_opens() -> None:
    assert problems(b'A,B\n1,2\n3,"4\n5,6\n7,8\n') == [
        Problem("a quote that opens in this row is never closed", file="usage.csv", line=3)
    ]
    assert problems(b'A,"B\n1,2\n') == [Problem("a quote in the header is never closed", file="usage.csv", line=1)]


STRAY = "has a quote inside a cell that is not doubled, or text beside a quoted cell"


@pytest.mark.parametrize(
    "row",
    ['"Acme" Pay,1', 'Bob "the" Man,1', '"a"b"c",1', ' "a,b",1', '"a" ,1', '1,"a"\rx', '1,x""', '"a"\r,1'],
)
def test_a_quote_where_none_may_stand_is_refused_with_its_line(row: str) -> None:
    """A reader of CSV files guesses at these, each in its own way; a bill is not guessed."""
    told = problems(f"A,B\n1,2\n{row}\n3,4\n".encode())
    assert set(told) == {Problem(STRAY, file="usage.csv", line=3)}


def test_a_row_without_end_is_not_read_on_for_ever() -> None:
    blocks = [b"A,B\n1,2\n", *[b'"' + b"x" * 999_999] * 2]
    assert problems(*blocks) == [
        Problem("a row of more than 1 MiB begins here; is a quote never closed?", file="usage.csv", line=3)
    ]


def test_whether_any_cell_is_quoted_is_told() -> None:
    assert [scan(data).quoted for data in (b"A,B\n1,2\n", b'A,B\n"1",2\n')] == [False, True]


def test_headers_that_mean_the_same_column_are_refused_by_name() -> None:
    assert problems(b"For Month,FOR_MONTH,ER ID,x,er-id,ER_ID\n1,2,3,4,5,6\n") == [
        Problem("two headers mean the same column: 'ER ID', 'er-id', 'ER_ID'", file="usage.csv", line=1, cell="ER_ID"),
        Problem(
            "two headers mean the same column: 'For Month', 'FOR_MONTH'", file="usage.csv", line=1, cell="FOR_MONTH"
        ),
    ]


def test_a_header_without_a_name_is_refused_by_position() -> None:
    assert problems(b"A,,$\n1,2,3\n") == [
        Problem("column 2 has no name", file="usage.csv", line=1),
        Problem("column 3 has no name", file="usage.csv", line=1),
    ]


CELL = st.text('aé€😀 ,"\n\r;', max_size=4)


@st.composite
def files(draw: st.DrawFn) -> tuple[bytes, int]:
    """A well-formed file, quoted wherever it must be, with blank lines strewn in; and its number of records."""
    width, newline = draw(st.integers(1, 4)), draw(st.sampled_from(["\n", "\r\n"]))
    rows = draw(st.lists(st.lists(CELL, min_size=width, max_size=width), min_size=1, max_size=8))
    text = draw(st.sampled_from(["", "\ufeff"])) + ",".join(f"H{n}" for n in range(width)) + newline
    for row in rows:
        text += newline * draw(st.integers(0, 1))
        text += ",".join('"' + cell.replace('"', '""') + '"' for cell in row) + newline
    return (text if draw(st.booleans()) else text.removesuffix(newline)).encode(), len(rows)


@given(files(), st.lists(st.integers(0, 200), max_size=6))
@settings(deadline=None, max_examples=150)
def test_where_the_blocks_are_cut_makes_no_difference(file: tuple[bytes, int], places: list[int]) -> None:
    data, records = file
    whole = scan(data)
    assert whole.records == records
    assert facts(scan(*cut(data, places))) == facts(whole)


@given(files())
@settings(deadline=None, max_examples=40)
def test_byte_by_byte_is_the_same_file(file: tuple[bytes, int]) -> None:
    data, _ = file
    assert facts(scan(*(bytes([byte]) for byte in data))) == facts(scan(data))


@given(files())
@settings(deadline=None, max_examples=60)
def test_the_lines_are_where_a_reader_of_records_finds_them(file: tuple[bytes, int]) -> None:
    """Independent of the scan: between the quotes count the line breaks, outside them a record ends."""
    data, _ = file
    text = data.decode("utf-8-sig")
    starts, line, start, inside, content = [], 1, 1, False, False
    for char in [*text, "\n"]:
        if char == "\n" and not inside:
            starts += [start] * content
            start, content = line + 1, False
        content |= char not in "\r\n" or inside
        inside ^= char == '"'
        line += char == "\n"
    assert lines(scan(data)) == starts[1:]


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=4))
@settings(deadline=None, max_examples=200)
def test_any_bytes_are_a_table_or_refused_with_a_message_wherever_they_are_cut(data: bytes, places: list[int]) -> None:
    def verdict(blocks: list[bytes]) -> object:
        try:
            return facts(scan(*blocks))
        except InputError as error:
            return {(problem.line, problem.message) for problem in error.problems}

    assert verdict(cut(b"A,B\n" + data, places)) == verdict([b"A,B\n" + data])


def test_what_the_scan_counts_is_what_polars_reads() -> None:
    data = b'A,B\n1,"x\ny"\n\n,\n"3,3",""""\r\n'
    found = scan(data)
    frame = pl.read_csv(data, infer_schema=False)
    assert found.blank is not None
    assert frame.height == found.records + len(found.blank)
