"""What the systems of managed services hold, as records of their own APIs: the book behind `tests.client_apis`."""

from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

Record = dict[str, Any]


@dataclass
class Book:
    """Lists and dicts of records, to be changed at will; keys of the dicts are accounts, ticket and site ids."""

    companies: list[Record] = field(default_factory=list)  # of the directory
    assets: dict[str, list[Record]] = field(default_factory=dict)
    contacts: dict[str, list[Record]] = field(default_factory=dict)
    departments: list[Record] = field(default_factory=list)  # of Freshservice
    tickets: list[Record] = field(default_factory=list)
    time_entries: dict[int, list[Record]] = field(default_factory=dict)
    sites: list[Record] = field(default_factory=list)  # of Datto RMM
    variables: dict[str, list[Record]] = field(default_factory=dict)
    devices: dict[str, list[Record]] = field(default_factory=dict)

    def client(self, account: str, name: str, plan: str | None = "Gold", term: str | None = "1 Year") -> Record:
        """A client that every system knows: as a company, a department, and a site with its account number."""
        company = {
            "account_number": account,
            "name": name,
            "billing_plan": plan,
            "contract_term_length": term,
            "contract_start_date": "2025-07-01T00:00:00Z",
            "contract_end_date": "2026-06-30",
        }
        self.companies.append(company)
        fields = {"account_number": account, "plan_selected": plan}
        self.departments.append({"id": _department(account), "name": name, "custom_fields": fields})
        self.sites.append({"uid": _site(account), "name": f"{name} Main"})
        self.variables[_site(account)] = [{"name": "Region", "value": "x"}, {"name": "AccountNumber", "value": account}]
        return company

    def device(self, account: str, uid: str, name: str, category: str, backup: int = 0) -> None:
        """A device in Datto RMM, and the directory's copy of it."""
        device = {"uid": uid, "hostname": name, "siteName": "Main", "deviceType": {"category": category, "type": "x"}}
        self.devices.setdefault(_site(account), []).append(device | {"udf": {"udf6": str(backup) if backup else None}})
        asset = {"id": len(self.assets.get(account, [])) + 1, "hostname": name, "hardware_type": category}
        self.assets.setdefault(account, []).append(asset | {"device_type": None, "backup_data_bytes": backup})

    def contact(self, account: str, number: int, name: str, *, active: bool = True) -> None:
        """A person of a client, known to the directory."""
        email = f"{name.replace(' ', '.').lower()}@example.com"
        self.contacts.setdefault(account, []).append({"id": number, "name": name, "email": email, "active": active})

    def ticket(self, account: str, number: int, *entries: Record, updated: str = "2026-01-20T12:00:00Z") -> Record:
        """A ticket of a client, with time entries as Freshservice gives them."""
        times = {"created_at": "2026-01-02T08:00:00Z", "updated_at": updated}
        ticket = {"id": number, "subject": f"Ticket {number}", "status": 2, "department_id": _department(account)}
        self.tickets.append(ticket | times)
        self.time_entries[number] = list(entries)
        return self.tickets[-1]


def entry(number: int, worked: str | None, at: str | None = "2026-01-20T10:00:00Z", **more: Any) -> Record:
    """A time entry."""
    return {"id": number, "time_spent": worked, "executed_at": at, "created_at": "2026-01-21T09:00:00Z", **more}


def _department(account: str) -> int:
    return 7_000_000_000 + crc32(account.encode())


def _site(account: str) -> str:
    return f"site-{account}"
