"""The tables [clients], [audit] and [unbilled] of a profile, refused with their key when they cannot be meant."""

from dataclasses import fields
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from billing_pipeline.engine.audit.thresholds import Thresholds
from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.managed_services import Policy
from billing_pipeline.engine.managed_services.proration import Options
from billing_pipeline.engine.managed_services.terms import ClientTerms
from billing_pipeline.engine.unbilled.terms import ClientLimit, UnbilledTerms
from billing_pipeline.profile import load_profile


def terms(folder: Path, *settings: str) -> ClientTerms:
    path = folder / "profile.toml"
    path.write_text("\n".join(["[clients]", *settings]), "utf-8")
    return load_profile(path).clients


def refused(folder: Path, *settings: str) -> list[tuple[str, str]]:
    """The key and the message of everything that is wrong."""
    with pytest.raises(InputError) as error:
        terms(folder, *settings)
    assert {problem.file for problem in error.value.problems} == {str(folder / "profile.toml")}
    return [(problem.cell, problem.message) for problem in error.value.problems]


def test_without_a_table_clients_are_billed_as_is_recommended(tmp_path: Path) -> None:
    path = tmp_path / "profile.toml"
    path.write_text('brand = "Acme"\n', "utf-8")
    for profile in (load_profile(None), load_profile(path)):
        assert (profile.clients.policy, profile.clients.options) == (Policy(), Options())


def test_every_choice_can_be_made(tmp_path: Path) -> None:
    found = terms(
        tmp_path,
        "zero_included_tb_means_zero = false",
        "backup_counts_by_effective_type = false",
        "overrides_apply_to_typed_devices = false",
        'prepaid_year = "all-history"',
        'prepaid_drains = "gross"',
        'billable_contacts = "all"',
        "honour_billable_flag = false",
        "prorate = true",
        'tax_percent = "8.875"',
    )
    assert found.policy == Policy(
        zero_included_tb_means_zero=False,
        backup_counts_by_effective_type=False,
        overrides_apply_to_typed_devices=False,
        prepaid_year="all-history",
        prepaid_drains="gross",
        billable_contacts="all",
        honour_billable_flag=False,
    )
    assert found.options == Options(prorate=True, tax_percent=Decimal("8.875"))


def test_everything_of_the_policy_can_be_chosen_but_the_rounding(tmp_path: Path) -> None:
    """Bills whose components are not rounded do not tie out with their files."""
    chosen = {field.name for field in fields(ClientTerms)} & {field.name for field in fields(Policy)}
    assert {field.name for field in fields(Policy)} - chosen == {"round_each_component"}
    assert refused(tmp_path, "round_each_component = false")[0][0] == "clients.round_each_component"


@pytest.mark.parametrize(
    ("setting", "key", "message"),
    [
        ('prorate = "yes"', "clients.prorate", "is true or false"),
        ("prorate = 1", "clients.prorate", "is true or false"),
        ('prepaid_year = "fiscal"', "clients.prepaid_year", "is one of calendar, contract, all-history"),
        ("prepaid_drains = true", "clients.prepaid_drains", "is one of net, gross"),
        ('billable_contacts = ["all"]', "clients.billable_contacts", "is one of active, all"),
        ("tax_percent = 19", "clients.tax_percent", "is not a setting of the profile, or not a text"),
        ("tax_percent = 8.875", "clients.tax_percent", "is not a setting of the profile, or not a text"),
        ("prorated = true", "clients.prorated", "is not a setting of the profile, or not a text"),
        ("[clients.tax]", "clients.tax", "is not a setting of the profile, or not a text"),
    ],
)
def test_a_value_of_another_type_and_an_unknown_key_are_refused_by_name(
    tmp_path: Path, setting: str, key: str, message: str
) -> None:
    assert refused(tmp_path, setting) == [(key, message)]


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    assert [key for key, _ in refused(tmp_path, "prorate = 0", 'prepaid_year = ""', "x = 1")] == [
        "clients.prorate",
        "clients.prepaid_year",
        "clients.x",
    ]


@pytest.mark.parametrize("percent", ["19 %", "nineteen", "8,875", "-1", "101", "NaN", "Infinity", "1.0000001", " "])
def test_a_tax_that_is_no_percentage_is_refused(tmp_path: Path, percent: str) -> None:
    ((key, message),) = refused(tmp_path, f'tax_percent = "{percent}"')
    assert key == "clients.tax_percent"
    assert "is no percentage" in message


@pytest.mark.parametrize("percent", ["0", "100", "0.000001", "8.875000"])
def test_a_tax_is_a_percentage_of_up_to_six_decimals(tmp_path: Path, percent: str) -> None:
    assert terms(tmp_path, f'tax_percent = "{percent}"').options.tax_percent == Decimal(percent)


def test_a_table_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "profile.toml"
    path.write_text("clients = true\n", "utf-8")
    with pytest.raises(InputError, match="clients"):
        load_profile(path)


def limits(folder: Path, *settings: str) -> Thresholds:
    path = folder / "profile.toml"
    path.write_text("\n".join(["[audit]", *settings]), "utf-8")
    return load_profile(path).audit


def test_every_threshold_of_the_audit_can_be_set(tmp_path: Path) -> None:
    settings = {
        "high_dollars": ("500.50", Decimal("500.50")),
        "medium_dollars": ("50", Decimal(50)),
        "grace": ('"12 hours"', timedelta(hours=12)),
        "look_back": ('"14 days"', timedelta(days=14)),
        "repeat_edits": ("2", 2),
        "repeat_within": ('"1 day"', timedelta(days=1)),
        "day_starts": ("7", 7),
        "day_ends": ("24", 24),
        "oldest_years": ("5", 5),
        "furthest_years": ("1", 1),
        "rate_cents": ("0.05", Decimal("0.05")),
        "rate_share": ("0", Decimal(0)),
        "rates_from": ("2026-01-01", date(2026, 1, 1)),
        "anomaly_score": ("5", Decimal(5)),
        "anomaly_samples": ("20", 20),
        "severities": ('{ LATE_ENTRY = "HIGH" }', {"LATE_ENTRY": "HIGH"}),
    }
    assert set(settings) == {field.name for field in fields(Thresholds)}
    found = limits(tmp_path, *(f"{name} = {text}" for name, (text, _) in settings.items()))
    assert {name: getattr(found, name) for name in settings} == {name: value for name, (_, value) in settings.items()}
    assert found.fixed["LATE_ENTRY"] == "HIGH"
    assert found.fixed["DATE_TOO_FUTURE"] == "HIGH"  # the defaults of the others stay


@pytest.mark.parametrize(
    ("setting", "key", "message"),
    [
        ('high_dollars = "500"', "audit.high_dollars", "is a number, not below 0"),
        ("high_dollars = nan", "audit.high_dollars", "is a number, not below 0"),
        ("rate_share = -0.1", "audit.rate_share", "is a number, not below 0"),
        ("grace = 12", "audit.grace", 'is a time such as "12 hours" or "7 days"'),
        ('grace = "a day"', "audit.grace", 'is a time such as "12 hours" or "7 days"'),
        ("repeat_edits = 2.5", "audit.repeat_edits", "is a whole number, zero or more"),
        ("repeat_edits = true", "audit.repeat_edits", "is a whole number, zero or more"),
        ("rates_from = 2026-01-01T00:00:00", "audit.rates_from", "is a day YYYY-MM-DD"),
        ("severities = { LATE_ENTRY = 1 }", "audit.severities", "is a table of texts"),
        ("severity = 1", "audit.severity", "is not a setting of the profile, or not a text"),
        ("medium_dollars = 2000", "audit", "medium_dollars is more than high_dollars"),
        ("day_starts = 20", "audit", "day_starts has to be before day_ends, and that no later than 24"),
        (
            'severities = { LATE = "HIGH" }',
            "audit",
            "severities: LATE is no category, or its severity not HIGH, MEDIUM, LOW, INFO",
        ),
    ],
)
def test_a_threshold_that_cannot_be_meant_is_refused(tmp_path: Path, setting: str, key: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        limits(tmp_path, setting)
    assert [(problem.cell, problem.message) for problem in error.value.problems] == [(key, message)]


def unbilled(folder: Path, *settings: str) -> UnbilledTerms:
    path = folder / "profile.toml"
    path.write_text("\n".join(["[unbilled]", *settings]), "utf-8")
    return load_profile(path).unbilled


def test_the_limits_of_unbilled_hours_can_be_set_for_all_and_for_each_client(tmp_path: Path) -> None:
    found = unbilled(
        tmp_path,
        "threshold = 900.5",
        "growth = 100",
        "old_days = 30",
        '[unbilled.clients."Global Commerce"]',
        "threshold = 250",
        "days = 14",
        "[unbilled.clients.Acme]",
        "days = 7",
    )
    assert (found.threshold, found.growth, found.old_days) == (Decimal("900.5"), Decimal(100), 30)
    assert found.clients == {"Global Commerce": ClientLimit(Decimal(250), 14), "Acme": ClientLimit(None, 7)}


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("clients = 3", "is a table of tables with threshold, days"),
        ("clients = { Acme = 3 }", "is a table of tables with threshold, days"),
        ("clients = { Acme = { limit = 3 } }", "of 'Acme' may have threshold, days"),
        ('clients = { Acme = { days = "7" } }', "is a whole number, zero or more"),
    ],
)
def test_a_limit_of_a_client_that_cannot_be_meant_is_refused(tmp_path: Path, setting: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        unbilled(tmp_path, setting)
    assert [(problem.cell, problem.message) for problem in error.value.problems] == [("unbilled.clients", message)]
