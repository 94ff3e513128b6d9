"""The names of findings and events: what is in them, what is not, and that they never change."""

from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

from billing_pipeline.engine.audit.keys import event_key, finding_key

AT = datetime(2026, 1, 9, 10, tzinfo=UTC)


def test_a_finding_key_is_the_first_20_digits_of_the_hash_of_its_six_parts() -> None:
    text = "EDIT_AFTER_CLOSE|S1|1|quantity|edit_after_close|"
    assert (
        finding_key("EDIT_AFTER_CLOSE", "S1", "1", "quantity", "edit_after_close")
        == (sha256(text.encode()).hexdigest()[:20])
    )


def test_an_event_key_counts_the_instant_in_milliseconds() -> None:
    text = "S1|1|quantity|1767952800000|2|5"
    assert event_key("S1", "1", "quantity", AT, "2", "5") == sha256(text.encode()).hexdigest()[:20]
    assert event_key("S1", "1", "quantity", AT + timedelta(microseconds=999), "2", "5") == (
        event_key("S1", "1", "quantity", AT, "2", "5")
    )


def test_an_instant_is_the_same_in_every_zone() -> None:
    there = AT.astimezone(timezone(timedelta(hours=-6)))
    assert event_key("S1", "1", "quantity", there, "2", "5") == event_key("S1", "1", "quantity", AT, "2", "5")


def test_every_part_makes_another_key() -> None:
    keys = {
        finding_key("A", "S1", "1", "price", "r"),
        finding_key("B", "S1", "1", "price", "r"),
        finding_key("A", "S2", "1", "price", "r"),
        finding_key("A", "S1", "2", "price", "r"),
        finding_key("A", "S1", "1", "quantity", "r"),
        finding_key("A", "S1", "1", "price", "s"),
        finding_key("A", "S1", "1", "price", "r", "5.00"),
    }
    assert len(keys) == 7


def test_a_missing_value_is_as_an_empty_one() -> None:
    assert event_key("S1", "1", "price", AT, None, "5.00") == event_key("S1", "1", "price", AT, "", "5.00")
