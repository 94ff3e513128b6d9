"""The recorded features of a client: its plan's, its own in their place, and which of them are its own."""

import json
from pathlib import Path
from typing import Any

import polars as pl

from billing_pipeline.engine.managed_services import effective_features

CASE = Path(__file__).parent / "managed-services" / "ms-32-features.json"


def frame(rows: list[dict[str, Any]], *columns: str) -> pl.DataFrame:
    return pl.DataFrame([{name: row[name] for name in columns} for row in rows], dict.fromkeys(columns, pl.String))


def test_the_features_of_a_recorded_client_are_met() -> None:
    document = json.loads(CASE.read_bytes())
    given, expected = document["inputs"], document["expected"]
    client = {"account": "100001", "plan": expected["effective_plan"], "term": expected["effective_term"]}
    plans = [
        {"plan": plan["plan_name"], "term": plan["term_length"], "feature": feature, "value": value}
        for plan in given["plans"]
        for feature, value in plan["features"].items()
    ]
    overrides = [  # the book holds an override that is on, or none
        {"account": "100001", "feature": one["feature_type"], "value": one["value"]}
        for one in given["feature_overrides"]
        if one["override_enabled"]
    ]
    found = effective_features(
        frame([client], "account", "plan", "term"),
        frame(plans, "plan", "term", "feature", "value"),
        frame(overrides, "account", "feature", "value"),
    )
    assert dict(found.select("feature", "value").rows()) == expected["effective_features"]
    assert (
        dict(found.filter("overridden").select("feature", "overridden").rows()) == expected["feature_override_status"]
    )
