"""The devices, backup volumes and people of the sample's managed-services clients, one row each, as a source has them.

What belongs here: single records. What does not: how many a client has (`client_cases`), hours (`client_hours`).
"""

from collections.abc import Mapping
from random import Random
from uuid import UUID

from billing_pipeline.sample.client_cases import CLIENTS, FIREWALL, SHARED, SWITCH, Client
from billing_pipeline.sample.client_words import FIRST, LAST

Row = dict[str, str]

RMM, DESK = "datto", "freshservice"
GIGABYTE = 2**30
_CODES = {
    "Laptop": "LT", "Desktop": "PC", "Workstation": "WS", "Server": "SRV", "ESXI Host": "ESX", "Virtual Machine": "VM",
    SWITCH: "SW", FIREWALL: "FW", "Printer": "PRN",
}  # fmt: skip
_WITHOUT_CLIENT = (("", "Old warehouse"), ("999999", "Closed branch"))  # account and site of two devices


def devices() -> list[Row]:
    """Every device, those of no known client last."""
    return [row for client in known_clients() for row in devices_of(client)] + [
        _device(account, site, "Desktop", f"{site} 1") for account, site in _WITHOUT_CLIENT
    ]


def devices_of(client: Client) -> list[Row]:
    """The devices of a client, in the order that its overrides count them."""
    wanted = _usual(client.people) if client.devices is None else client.devices
    short = "".join(word[0] for word in client.name.split() if word[0].isalnum()).upper()
    return [
        _device(client.account, client.name, category, f"{short}-{_CODES[category]}{number:02d}")
        for category, count in wanted.items()
        for number in range(1, count + 1)
    ]


def volumes() -> list[Row]:
    """The backup volume of every second device of a client that has backups, beginning with its first."""
    return [row for client in known_clients() for row in _volumes_of(client)]


def contacts() -> list[Row]:
    """Every person at every client; one of them at two."""
    first, second = SHARED
    rows = []
    for client in known_clients():
        rows += contacts_of(client)
        if client.account == second:
            rows += [row | {"account": second} for row in rows if row["account"] == first][:1]
    return rows


def contacts_of(client: Client) -> list[Row]:
    """The people of a client, in the order that its overrides count them; those who left are the last."""
    random = _random(client.account, "people")
    stay = client.people - client.inactive
    return [
        {
            "source": DESK,
            "source_id": f"{client.account}{number:03d}",
            "account": client.account,
            "name": f"{random.choice(FIRST)} {random.choice(LAST)}",
            "email": f"person{number:02d}@client{client.account}.example",
            "active": "yes" if number <= stay else "no",
        }
        for number in range(1, client.people + 1)
    ]


def known_clients() -> list[Client]:
    """Each client that records can refer to; of two of one account the first."""
    unique: dict[str, Client] = {}
    for client in CLIENTS:
        unique.setdefault(client.account, client)
    return [client for account, client in unique.items() if account]


def _usual(people: int) -> Mapping[str, int]:
    """What an office of so many people has."""
    virtual = people // 12
    return {
        "Laptop": people - people // 3,
        "Desktop": people // 3,
        "Server": int(people >= 8),
        "ESXI Host": int(virtual > 0),
        "Virtual Machine": 2 * virtual,
        SWITCH: 1 + people // 24,
        FIREWALL: int(people >= 5),
    }


def _device(account: str, site: str, category: str, name: str) -> Row:
    number = UUID(int=_random(account, site, name).getrandbits(128), version=4)
    values = {"source": RMM, "source_id": f"{number}", "account": account, "site": site}
    return values | {"name": name, "category": category}


def _volumes_of(client: Client) -> list[Row]:
    least, most = client.backup
    random = _random(client.account, "backup")
    keys = ("source", "source_id", "account")
    rows = [
        {name: device[name] for name in keys}
        | {"bytes": f"{random.randint(least * GIGABYTE, most * GIGABYTE) if number % 2 == 0 else 0}"}
        for number, device in enumerate(devices_of(client) if most else ())
    ]
    if client.bad_volume:
        rows[0]["bytes"] = "n/a"
    return rows


def _random(*names: str) -> Random:
    """Numbers of a record's own, so that no other client changes them."""
    return Random(" / ".join(names))  # noqa: S311
