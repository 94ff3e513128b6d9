"""The time entries of the sample's managed-services clients: what was worked on which ticket, and a few that are wrong.

What belongs here: time. What does not: how much a client needs of it (`client_cases`).
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from random import Random

from billing_pipeline.engine.period import Period
from billing_pipeline.sample.client_cases import INCIDENTS, Client
from billing_pipeline.sample.client_inventory import DESK, Row, known_clients
from billing_pipeline.sample.client_words import SUBJECTS

_EASTERN = timezone(timedelta(hours=-5))
_STEP = 15  # minutes that time is kept in


def entries(months: Sequence[Period]) -> list[Row]:
    """The entries of the months, and of the year before for clients with yearly prepaid hours.

    A month's entries are the same whichever other months are asked for, but for those that are wrong in some way: they
    stand in the last month.
    """
    year_before = _year_before(months[0])
    rows = []
    for client in known_clients():
        earlier = year_before if "prepaid_hours_yearly" in client.settings else []
        rows += [row for month in (*earlier, *months) for row in _entries(client, month)]
    return rows + _wrong(months[-1])


def _year_before(first: Period) -> list[Period]:
    found = [first.previous]
    while len(found) < 12:
        found.append(found[-1].previous)
    return found[::-1]


def _entries(client: Client, month: Period) -> Iterator[Row]:
    """A client's entries of a month: the unbillable first, then billable ones, those of deleted tickets, late ones."""
    random = Random(f"{client.account} / {month}")  # noqa: S311
    for number in range(client.visits + client.spam + client.late):
        late = number >= client.visits + client.spam
        day = month.previous.last if late else month.first + timedelta(days=random.randrange(month.last.day))
        zone = (UTC, _EASTERN)[random.randrange(4) == 0]
        at = datetime(day.year, day.month, day.day, 9, tzinfo=zone) + timedelta(minutes=_STEP * random.randrange(32))
        minutes = _STEP * random.randint(client.minutes[0] // _STEP, client.minutes[1] // _STEP)
        yield _entry(client.account, month, number, _text(at), _worked(minutes, number), random.choice(SUBJECTS)) | {
            "billable": "no" if number < client.unbillable else ("yes", "")[number % 2],
            "deleted": "yes" if client.visits <= number < client.visits + client.spam else "",
        }


def _wrong(month: Period) -> list[Row]:
    """Entries that cannot be used as they are: without a zone, without a time, below zero, of no known company."""
    usual = f"{month.first}T10:00:00Z"
    given = (
        (INCIDENTS, f"{month.first}T16:30:00", "0:45", "Time without a zone"),
        (INCIDENTS, "", "1:15", "Time that nobody dated"),
        (INCIDENTS, usual, "-0:30", "Hours below zero"),
        (INCIDENTS, usual, "half an hour", "Hours in words"),
        ("", usual, "0:30", "Caller of no known company"),
    )
    return [
        _entry(account, month, number, at, worked, subject) | {"billable": "yes", "deleted": ""}
        for number, (account, at, worked, subject) in enumerate(given, start=90)
    ]


def _entry(account: str, month: Period, number: int, at: str, worked: str, subject: str) -> Row:
    ticket = f"{account[-3:] or '999'}{month.compact[2:]}{number:02d}"
    return {
        "source": DESK,
        "source_id": f"5{ticket}",
        "account": account,
        "ticket_id": ticket,
        "ticket": f"SR-{ticket}",
        "subject": subject,
        "at": at,
        "worked": worked,
    }


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _worked(minutes: int, number: int) -> str:
    """In the spellings that sources have: hours and minutes, with seconds, or decimal hours."""
    if number % 5 == 3:
        return f"{minutes // 60}.{minutes % 60 * 100 // 60:02d}"
    return f"{minutes // 60:02d}:{minutes % 60:02d}" + (":00" if number % 5 == 4 else "")
