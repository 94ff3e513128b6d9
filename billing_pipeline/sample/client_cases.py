"""The managed-services clients of the sample book: 48 of them, all invented, with everything a bill can come to.

What belongs here: what each client has, as data. What does not: prices (`client_prices`), the single devices, people
and hours that follow from it (`client_inventory`, `client_hours`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

SWITCH, FIREWALL = "Network Device (Switch)", "Network Device (Firewall)"
When = Literal["monthly", "once", "yearly"]


@dataclass(frozen=True, slots=True)
class Item:
    """A line item: a one-off one is due in the first month of the sample, a yearly one in its last."""

    name: str
    fee: str
    due: When = "monthly"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client: what the directory says of it, how much it has, and what was agreed otherwise.

    devices: how many of each category, by default what `people` usually need. backup: gigabytes of every second device,
    from and to; none for (0, 0). visits: time entries a month of `minutes` each, from and to; the first `unbillable`
    of them are not billable; `spam` ones are of tickets that were deleted; `late` ones were entered a month late.
    began, ended: months before the sample's first, by default a few and never. billed_as, paid_as: the n-th device or
    person, its type and cost.
    """

    account: str
    name: str
    plan: str = "Business"
    term: str = "Month to Month"
    active: str = "yes"
    began: int | None = None
    begins_on: int = 1  # day of that month
    ended: int | None = None
    leap_day: bool = False  # began on 29 February instead
    people: int = 6
    inactive: int = 0  # of them
    devices: Mapping[str, int] | None = None
    backup: tuple[int, int] = (0, 0)
    bad_volume: bool = False  # the first volume is no number
    visits: int = 2
    minutes: tuple[int, int] = (15, 120)
    unbillable: int = 0
    spam: int = 0
    late: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)
    billed_as: tuple[tuple[int, str, str | None], ...] = ()
    paid_as: tuple[tuple[int, str, str | None], ...] = ()
    devices_by_hand: tuple[tuple[str, str, str | None], ...] = ()
    people_by_hand: tuple[tuple[str, str, str | None], ...] = ()
    items: tuple[Item, ...] = ()
    features: Mapping[str, str] = field(default_factory=dict)


SHARED = ("100107", "100108")  # the first person of the first is a contact of the second as well
INCIDENTS = "100128"  # whose time entries are wrong in every way
NEGATIVE, COVERED, PARTLY_COVERED = "100109", "100103", "100106"

# fmt: off
CLIENTS = (
    Client(
        account="100101", name="Harborview Dental Partners", term="1 Year", people=12, visits=5, unbillable=1, spam=1,
        devices={
            "Laptop": 6, "Desktop": 5, "Workstation": 1, "Server": 1, "ESXI Host": 1, "Virtual Machine": 3, SWITCH: 2,
            FIREWALL: 1, "Printer": 2,
        },
        backup=(150, 900), features={"soc": "RocketCyber", "dns_filtering": "DNSFilter"},
    ),
    Client(  # its own prices, and a plan that includes no backup volume
        account="100102", name="Bäckerei Großmann GmbH", plan="Essential", term="2 Year", backup=(80, 400),
        settings={"per_user_cost": "11.11", "per_hour_ticket_cost": "99.99", "backup_per_tb_fee": "14.99"},
    ),
    Client(
        account=COVERED, name='The "Corner" Café, LLC', plan="Essential", people=4, visits=4, minutes=(30, 120),
        settings={"prepaid_hours_monthly": "8.00"},
    ),
    Client(
        account="100104", name="=Equal Partners Law", term="3 Year", people=9, visits=3, minutes=(90, 180),
        settings={"prepaid_hours_yearly": "20.00"}, items=(Item("=10 % loyalty credit", "-25.00"),),
    ),
    Client(
        account="100105", name="Sunny Side 🍳 Diner", plan="Essential", visits=3, minutes=(60, 150),
        settings={"prepaid_hours_monthly": "2.00", "prepaid_hours_yearly": "12.00"},
    ),
    Client(
        account=PARTLY_COVERED, name="O'Brien & Daughters, Masonry", visits=6, minutes=(60, 150),
        settings={"prepaid_hours_monthly": "3.50"}, late=1,
    ),
    Client(account="100107", name="Riverbend Veterinary", term="1 Year", people=7),
    Client(account="100108", name="Riverbend Veterinary", plan="Essential", people=3),
    Client(
        account=NEGATIVE, name="Cascade Community Theatre", plan="Essential", people=1, devices={"Laptop": 1}, visits=0,
        items=(Item("Sponsored service", "-250.00"),),
    ),
    Client(
        account="100110", name="Summit Orthopedics", plan="Essential", term="3 Year", people=18, backup=(300, 1200),
        settings={"plan": "Complete"}, visits=4,
        items=(Item("Internet access", "189.95"), Item("Office move", "1450.00", "once"),
               Item("Penetration test", "2400.00", "yearly")),
    ),
    Client(  # people are free of charge
        account="100111", name="Lakeside Montessori", term="1 Year", settings={"per_user_cost": "0.00"},
        features={"sat": "Not Included"},
    ),
    Client(  # support is unlimited, and hours are billed
        account="100112", name="Ironwood Machine Works", plan="Complete", term="1 Year", visits=3,
        settings={"per_hour_ticket_cost": "125.00"},
    ),
    Client(account="100113", name="Copper Kettle Brewing", people=11, term="2 Year", backup=(40, 600)),
    Client(account="100114", name="Meridian Title & Escrow", people=12, term="2 Year", backup=(1300, 2600)),
    Client(
        account="100115", name="Oakhurst Animal Shelter", plan="Essential", people=5, backup=(50, 200),
        devices={"Desktop": 4, "Laptop": 2, "Server": 1, "Printer": 1},
        billed_as=((0, "Server", None), (1, "Custom", "42.50"), (2, "No Charge", None), (3, "Custom", None)),
    ),
    Client(account="100116", name="Blue Spruce Landscaping", term="1 Year", began=16, ended=4, people=5),
    Client(account="100117", name="Granite State Insurance", term="3 Year", leap_day=True, people=16),
    Client(
        account="100118", name="Pinnacle Fabrication", term="2 Year", people=8,
        devices_by_hand=(("Core switch, hall 2", "Switch", None), ("Guest firewall", "Firewall", None),
                         ("Lab VM", "VM", None), ('=Spare "UPS"', "Custom", "18.75"), ("Kiosk", "No Charge", None)),
        people_by_hand=(("Reception desk", "Paid", None), ("Night shift", "Custom", "7.50"),
                        ("Auditor", "No Charge", None)),
    ),
    Client(
        account="100119", name="Willow Creek Pediatrics", term="1 Year", people=14, inactive=4,
        paid_as=((0, "Custom", "9.75"), (1, "No Charge", None), (13, "Paid", None)),
    ),
    Client(account="100120", name="Tidal Wave Surf Shop", plan="Busines"),
    Client(account="100121", name="Foxglove Florist", term="5 Year"),
    Client(account="100122", name="Sandstone Realty", plan=""),
    Client(account="", name="Northside Food Bank"),
    Client(account="100124", name="Old Mill Antiques", plan="Inactive", people=2, visits=0),
    Client(account="100125", name="Kestrel Aviation", active="no", people=3, visits=0),
    Client(account="100126", name="Juniper Yoga", plan="Essential"),
    Client(account="100126", name="Juniper Physical Therapy"),
    Client(account=INCIDENTS, name="Orchard Lane Nursery", people=9, backup=(100, 700), bad_volume=True, visits=3),
    Client(account="100129", name="Alder & Pine Architects", term="1-Year", people=15),
    Client(account="100130", name="Beacon Hill Books", plan="Essential", term="2 years", people=4),
    Client(account="100131", name="Crestline Plumbing", term="monthly", people=7),
    Client(account="100132", name="Dovetail Woodworks", plan="Essential", term="", people=3),
    Client(account="100133", name="Elm Street Pharmacy", term="1 Year", people=10, unbillable=1),
    Client(account="100134", name="Fieldstone Capital", plan="Complete", term="3 Year", people=26, visits=0),
    Client(account="100135", name="Golden Gate Logistics", term="2 Year", people=34, visits=6),
    Client(account="100136", name="Hollis Engineering", plan="Complete", term="2 Year", people=22, visits=0),
    Client(account="100137", name="Inlet Seafood Co.", people=8, backup=(60, 300)),
    Client(account="100138", name="Jade Garden Restaurants", plan="Essential", term="1 Year", people=12, visits=3),
    Client(account="100139", name="Keystone Credit Union", plan="Complete", people=30, visits=0, backup=(200, 1500)),
    Client(account="100140", name="Larkspur Home Care", term="1 Year", people=19, late=1),
    Client(account="100141", name="Millbrook School District", term="3 Year", people=60, visits=8, backup=(100, 900)),
    Client(account="100142", name="Nordström Möbel", plan="Essential", people=5),
    Client(account="100143", name="Osprey Charter Flights", term="2 Year", people=9),
    Client(account="100144", name="Prairie Wind Energy", plan="Complete", term="1 Year", people=17, visits=0),
    Client(account="100145", name="Quarry Road Garage", plan="Essential", people=3, visits=1),
    Client(account="100146", name="Redwood Senior Living", term="3 Year", people=28, visits=5),
    Client(account="100147", name="Silverton Optical", plan="Essential", term="3 Year", people=6),
    Client(  # in the middle of a month
        account="100148", name="Thistle Event Hall", people=5, began=0, begins_on=16,
        items=(Item("Event Wi-Fi", "75.00"),),
    ),
)
# fmt: on
