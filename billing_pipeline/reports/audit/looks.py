"""How the workbook of the audit looks: its colours and formats, in one place."""

from billing_pipeline.reports.workbook_parts import Style

MONEY = "$#,##0.00_)"  # with room to the right, for the text that follows
COUNT = "#,##0_)"
DAY = "yyyy-mm-dd"

TITLE = Style(bold=True, size=18, color="1F3864")
SUBTITLE = Style(color="595959")
HEADING = Style(bold=True, size=13, color="1F3864", border="bottom", border_color="1F3864")
LABEL = Style(bold=True, wrap=True)
NOTE = Style(color="595959", wrap=True)
CENTRED = Style(align="center")
BODY = Style(wrap=True)
FIGURE = Style(number_format=COUNT, align="right")
DATE = Style(number_format=DAY, align="center")
AMOUNT = Style(number_format=MONEY, align="right")

RED = Style(bold=True, color="9C0006", fill="FFC7CE", align="center")
AMBER = Style(bold=True, color="7F6000", fill="FFEB9C", align="center")
GREEN = Style(bold=True, color="006100", fill="C6EFCE", align="center")
BLUE = Style(color="1F3864", fill="DDEBF7", align="center")
GREY = Style(color="595959", fill="EDEDED", align="center")

SEVERITY = {"HIGH": RED, "MEDIUM": AMBER, "LOW": BLUE, "INFO": GREY}
STANDING = {"NEW": RED, "REOPENED": AMBER, "ONGOING": BLUE, "RESOLVED": GREEN}
STATUS = {"CLEAN": GREEN, "FINDINGS": AMBER, "NOT_VERIFIED": RED}
RISK = {"HIGH": RED, "MEDIUM": AMBER, "LOW": GREEN}
DIRECTION = {"worsening": RED, "improving": GREEN, "stable": GREY}
INSIGHT = {"found": AMBER, "nothing found": GREEN, "insufficient data": GREY}

BARS = {  # of charts
    "NEW": "C00000", "REOPENED": "ED7D31", "ONGOING": "5B9BD5", "RESOLVED": "70AD47",
    "HIGH": "C00000", "MEDIUM": "FFC000", "LOW": "5B9BD5", "INFO": "A6A6A6",
    "EDITS": "1F3864",
}  # fmt: skip
