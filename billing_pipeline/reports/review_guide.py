"""What the sheet `How to` of the review workbook says, in plain words."""

GUIDE = (
    (
        "How to decide",
        "Every row of the sheet Decisions is a question about this month's usage. Answer in the yellow cells.",
    ),
    (
        "1  Choose an action",
        "Column Action offers exactly what can be done about this row. Leave it empty to decide later.",
    ),
    (
        "keep",
        "Bill the row as it is.",
    ),
    (
        "remove",
        "Do not bill the row (for a question about a partner: none of its rows).",
    ),
    (
        "set_date",
        "Bill it with another first billable date: write it into New date, as 2026-01-31.",
    ),
    (
        "reassign",
        "Bill it to another partner: choose it in New partner. A partner that is not in the list is "
        "written as: Name [id].",
    ),
    (
        "set_date_and_reassign",
        "Both: New date and New partner.",
    ),
    (
        "fix_cell",
        "Correct one cell of the file's row: choose its column in Cell, write its text into New value. To "
        "empty the cell, write (blank). The file itself stays as it is.",
    ),
    (
        "withdraw",
        "Take back what was decided before; the question is open again.",
    ),
    (
        "2  Say why",
        "Column Reason is kept with your decision, together with your name and the time.",
    ),
    (
        "3  Hand it in",
        'Save, then: billing-pipeline review import FILE --month YYYY-MM --by "Your Name". Nothing is '
        "taken while anything in the workbook cannot be; you get one list of what to change.",
    ),
    (
        "What was decided",
        "Rows that were decided show it in the yellow cells; the last column says by whom and why. Only "
        "rows you change are taken. Handing in the same workbook again changes nothing.",
    ),
    (
        "Amount",
        "What the row costs as it stands in the file, before any decision; for a question about a "
        "partner, all its rows together. Rows that cannot be read or priced have none.",
    ),
    (
        "Locked cells",
        "Everything but the yellow cells is locked against slips, without a password. Filter and sort as you like.",
    ),
)
