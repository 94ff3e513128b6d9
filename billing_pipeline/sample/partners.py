"""The partners of the sample book and what was agreed with them. All of them are invented.

What belongs here: contracts as data. What does not: how they are written into the rules workbook (`workbook`).
Prices are texts of exact decimals in US dollars, tier bounds are users (IU, IU_PER_ER) or companies (ER, FLAT).
"""

from dataclasses import dataclass

from billing_pipeline.engine.period import Period


@dataclass(frozen=True, slots=True, kw_only=True)
class Pricing:
    """Tiers of one partner: `starts`, `company` and `user` have one entry per tier; the last tier is open."""

    metric: str
    mode: str = "ALL_IN"
    included: int = 0
    starts: tuple[int, ...]
    company: tuple[str, ...]
    user: tuple[str, ...]
    next_day: tuple[str, str] | None = None  # per company, per user; the same in every tier


@dataclass(frozen=True, slots=True)
class Minimum:
    """A monthly minimum: first month of the contract, steps of (month index from, to, amount), last month if agreed."""

    start: Period
    steps: tuple[tuple[int, int, str], ...]
    end: Period | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """A partner with its company count in the last month; `since` is its first month with companies."""

    id: int
    name: str
    companies: int
    since: Period
    pricing: Pricing | None
    customer: str | None
    minimum: Minimum | None = None
    silent: Period | None = None  # a month in which its usage is not in the export

    @property
    def settled(self) -> bool:
        """Priced and mapped to a customer: nothing about the partner itself needs a decision."""
        return self.pricing is not None and self.customer is not None

    def reports_in(self, period: Period) -> bool:
        """Whether the export of `period` has rows of this partner."""
        return self.since <= period and period != self.silent


# fmt: off
PARTNERS = (
    Partner(
        id=3104, name="Harborline HR", companies=412, since=Period(2022, 4), customer="C3104 Harborline HR, Inc.",
        pricing=Pricing(
            metric="IU", starts=(1, 2501, 6001), company=("12.00", "10.50", "9.00"), user=("4.25", "3.95", "3.625"),
            next_day=("2.50", "0.35"),
        ),
    ),
    Partner(
        id=3111, name="Tidewater Books", companies=360, since=Period(2022, 5), customer="C3111 Tidewater Books LLC",
        pricing=Pricing(
            metric="ER", included=1, starts=(1, 101, 331), company=("38.00", "34.50", "31.25"),
            user=("5.00", "4.50", "4.15"), next_day=("3.00", "0.40"),
        ),
        minimum=Minimum(Period(2025, 1), ((1, 12, "12000.00"), (13, 999, "15000.00"))),
    ),
    Partner(
        id=3118, name="Copperleaf POS", companies=310, since=Period(2022, 4), customer="C3118 Copperleaf Systems, Inc.",
        pricing=Pricing(
            metric="IU", mode="SPLIT", included=1, starts=(1, 501, 2501), company=("22.00", "20.00", "18.50"),
            user=("3.75", "3.375", "2.9950"), next_day=("2.00", "0.25"),
        ),
    ),
    Partner(
        id=3125, name="Quillstone Ledger", companies=262, since=Period(2023, 3), customer="C3125 Quillstone Ledger Ltd",
        pricing=Pricing(metric="FLAT", starts=(1,), company=("41.50",), user=("2.10",)),
    ),
    Partner(
        id=3132, name="Fernway Staffing", companies=220, since=Period(2022, 6), customer="C3132 Fernway Staffing Group",
        pricing=Pricing(
            metric="IU_PER_ER", included=1, starts=(0, 11, 51), company=("29.00", "27.00", "24.00"),
            user=("4.10", "3.60", "3.05"), next_day=("2.75", "0.30"),
        ),
        minimum=Minimum(Period(2025, 7), ((1, 6, "6000.00"), (7, 24, "9500.00"))),
    ),
    Partner(
        id=3139, name="Northpine Workforce", companies=190, since=Period(2023, 6), customer="C3139 Northpine Workforce",
        pricing=Pricing(
            metric="ER", mode="SPLIT", starts=(1, 51, 151), company=("44.00", "39.00", "35.50"),
            user=("3.20", "2.95", "2.70"), next_day=("3.50", "0.45"),
        ),
    ),
    Partner(
        id=3146, name="Blue Heron Dental Suite", companies=170, since=Period(2023, 2),
        customer="C3146 Blue Heron Dental",
        pricing=Pricing(metric="IU", included=1, starts=(1, 1001), company=("26.50", "24.00"), user=("3.90", "3.45")),
    ),
    Partner(
        id=3153, name="Marlowe & Finch Accounting", companies=150, since=Period(2022, 4),
        customer="C3153 Marlowe & Finch Accounting, LLP",
        pricing=Pricing(
            metric="ER", starts=(1, 51, 141), company=("36.00", "33.00", "29.75"), user=("3.10", "2.85", "2.6250"),
        ),
    ),
    Partner(
        id=3160, name="Kestrel Timeclock", companies=130, since=Period(2024, 2),
        customer="C3160 Kestrel Timeclock, Inc.",
        pricing=Pricing(
            metric="IU_PER_ER", mode="SPLIT", starts=(0, 6, 26, 101), company=("18.00", "18.00", "16.00", "15.00"),
            user=("5.25", "4.75", "4.20", "3.80"), next_day=("1.75", "0.20"),
        ),
    ),
    Partner(
        id=3167, name="Saltmarsh Hospitality", companies=115, since=Period(2023, 10),
        customer="C3167 Saltmarsh Hospitality Software",
        pricing=Pricing(
            metric="IU", starts=(1, 801, 2001), company=("0", "0", "0"), user=("5.60", "5.10", "4.65"),
            next_day=("2.25", "0.125"),
        ),
        minimum=Minimum(Period(2025, 4), ((1, 12, "9000.00"), (13, 24, "13500.00"))),
    ),
    Partner(
        id=3174, name="Ironbark Contractors Hub", companies=100, since=Period(2024, 1),
        customer="C3174 Ironbark Hub Pty Ltd",
        pricing=Pricing(
            metric="ER", included=1, starts=(1, 96), company=("33.00", "30.00"), user=("4.40", "4.05"),
            next_day=("2.50", "0.30"),
        ),
    ),
    Partner(
        id=3181, name="Juniper Row Salons", companies=90, since=Period(2024, 5), customer="C3181 Juniper Row, Inc.",
        pricing=Pricing(
            metric="FLAT", included=1, starts=(1,), company=("35.00",), user=("3.25",), next_day=("2", "0.30"),
        ),
    ),
    Partner(
        id=3188, name="Café Ardoise POS", companies=80, since=Period(2024, 3),
        customer="C3188 Ardoise Technologies SARL",
        pricing=Pricing(
            metric="IU", mode="SPLIT", starts=(1, 251, 1001), company=("15.00", "13.50", "12.00"),
            user=("4.80", "4.35", "3.95"),
        ),
    ),
    Partner(
        id=3195, name="Stonebridge Credit Union", companies=72, since=Period(2023, 8),
        customer="C3195 Stonebridge Credit Union",
        pricing=Pricing(
            metric="ER", starts=(1, 26, 76), company=("31.00", "28.50", "26.00"), user=("2.75", "2.50", "2.25"),
            next_day=("3.00", "0.50"),
        ),
        minimum=Minimum(Period(2024, 10), ((1, 12, "3000.00"), (13, 24, "6500.00"))),
    ),
    Partner(
        id=3202, name="O'Dell Bookkeeping", companies=64, since=Period(2024, 7),
        customer="C3202 O'Dell Bookkeeping LLC",
        pricing=Pricing(
            metric="IU_PER_ER", starts=(0, 21), company=("27.50", "25.00"), user=("3.85", "3.30"),
            next_day=("2.00", "0.25"),
        ),
    ),
    Partner(
        id=3209, name="Meadowlark Home Care", companies=55, since=Period(2024, 9),
        customer="C3209 Meadowlark Care, Inc.",
        pricing=Pricing(
            metric="FLAT", mode="SPLIT", starts=(1, 26, 51), company=("40.00", "36.00", "33.00"),
            user=("2.40", "2.20", "2.05"),
        ),
        minimum=Minimum(Period(2025, 10), ((1, 3, "1500.00"), (4, 6, "4500.00"), (7, 36, "5500.00"))),
    ),
    Partner(
        id=3216, name="Trellis Childcare Manager", companies=48, since=Period(2024, 11),
        customer="C3216 Trellis Software, Inc.",
        pricing=Pricing(
            metric="IU", included=1, starts=(1, 301), company=("21.00", "19.50"), user=("4.05", "3.70"),
            next_day=("1.50", "0.20"),
        ),
    ),
    Partner(
        id=3223, name="Granite Pass Fitness", companies=40, since=Period(2025, 1),
        customer="C3223 Granite Pass Fitness",
        pricing=Pricing(
            metric="ER", mode="SPLIT", included=1, starts=(1, 21), company=("30.00", "27.00"), user=("3.60", "3.2875"),
        ),
    ),
    Partner(
        id=3230, name="Sorrel, Vance & Partners", companies=34, since=Period(2024, 6),
        customer="C3230 Sorrel, Vance & Partners",
        pricing=Pricing(metric="IU", starts=(1, 201, 501), company=("19", "17", "15"), user=("4.50", "4.10", "3.75")),
        minimum=Minimum(Period(2025, 4), ((1, 999, "4000.00"),), end=Period(2026, 3)),
    ),
    Partner(
        id=3237, name="Paperbark Legal", companies=28, since=Period(2025, 2), customer="C3237 Paperbark Legal, PLLC",
        pricing=Pricing(
            metric="IU_PER_ER", mode="SPLIT", included=1, starts=(0, 16), company=("34.00", "31.00"),
            user=("4.20", "3.65"), next_day=("2.50", "0.35"),
        ),
        minimum=Minimum(Period(2025, 2), ((1, 12, "1000.00"), (13, 24, "2750.00"))),
        silent=Period(2026, 4),
    ),
    Partner(
        id=3244, name="Lakehouse Vet Desk", companies=22, since=Period(2025, 5),
        customer="C3244 Lakehouse Vet Desk LLC",
        pricing=Pricing(metric="FLAT", starts=(1,), company=("48.00",), user=("0",), next_day=("3.25", "0.40")),
    ),
    Partner(
        id=3251, name="Rosewater Nonprofit Cloud", companies=18, since=Period(2026, 4),
        customer="C3251 Rosewater Cloud, Inc.",
        pricing=Pricing(
            metric="IU", mode="SPLIT", starts=(1, 101), company=("20.00", "18.00"), user=("4.15", "3.80"),
            next_day=("2.00", "0.30"),
        ),
        minimum=Minimum(Period(2026, 4), ((1, 2, "500.00"), (3, 12, "2500.00"))),
    ),
    Partner(  # a customer record does not exist yet: its lines are held
        id=3258, name="Windrose Logistics Pay", companies=14, since=Period(2026, 2), customer=None,
        pricing=Pricing(metric="ER", starts=(1, 11), company=("37.00", "34.00"), user=("3.40", "3.15")),
    ),
    Partner(
        id=3265, name="Thistle & Thorne Florists", companies=10, since=Period(2025, 8),
        customer="C3265 Thistle & Thorne Trading Co.",
        pricing=Pricing(metric="ER", starts=(1,), company=("32.00",), user=("3.00",)),
        minimum=Minimum(Period(2025, 8), ((1, 6, "400.00"), (7, 12, "900.00"), (13, 24, "1200.00"))),
    ),
    Partner(  # went live before its prices were entered
        id=3272, name="Emberfield Farm Manager", companies=6, since=Period(2026, 6),
        customer="C3272 Emberfield AgTech, Inc.", pricing=None,
    ),
)
# fmt: on
