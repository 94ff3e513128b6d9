"""The recorded dashboard: whom the reference leaves out without a trace is told here, in one place, with the reason.

Amounts differ where the recommended policy does: a device of a source without types has a backup fee and its allowance.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from billing_pipeline.engine.managed_services.tables import RATES
from tests.client_apis import client_apis
from tests.client_office import Office, office

__all__ = ["office"]
CASES = Path(__file__).parent / "managed-services"
SEPTEMBER = "2025-09"


@pytest.fixture
def billed(office: Office, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The recorded bulk feed, served by the directory, billed for its month."""
    feed = json.loads((CASES / "api-01-dashboard.json").read_bytes())["bulk_feed"]
    rates = json.loads((CASES / "api-02-billing.json").read_bytes())["expected"]["effective_rates"]
    gold = {name: rates[name] for name in RATES}
    terms = ("Month to Month", "1 Year", "2 Year")
    office.book(plans=[{"plan": "Gold", "term": term, "valid_from": "2020-01-01"} | gold for term in terms])
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with client_apis() as apis:
        monkeypatch.setenv("BILLING_DIRECTORY_URL", apis.directory_url)
        monkeypatch.setenv("BILLING_DIRECTORY_IDENTITY_URL", apis.core_url)
        apis.faults = {
            "/directory/api/companies/bulk": [f"body {json.dumps(feed)}"],
            "/directory/api/companies": [f"body {json.dumps([entry['company'] for entry in feed])}"],
        }
        return office.bill(SEPTEMBER, "--account", "100002", code=3)


def test_everybody_is_billed_excluded_or_an_exception_with_the_reason(billed: dict[str, Any]) -> None:
    assert (billed["clients"], billed["billed"], billed["excluded"]) == (7, 2, 2), "the reference shows 2 of 7"
    assert {one["account"] for one in billed["left_out"]} == {"100003", "100004"}
    assert {one["account"]: one["reason"] for one in billed["exceptions"]} == {
        "": "has no account, and is left out",
        "100005": "there is no plan 'No such plan'",
        "100006": "it has no plan",
    }


def test_a_client_is_billed_as_the_reference_does_but_for_the_backup_policy(billed: dict[str, Any]) -> None:
    money = billed["bill"]["money"]
    assert (money["total_asset_charges"], money["total_user_charges"]) == ("100.00", "14.50")
    assert money["backup_charge"] == "10.00", "the reference: 1.5 TB, all of it overage, 15.00"
