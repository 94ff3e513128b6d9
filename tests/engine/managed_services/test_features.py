"""What a client is told it has: its plan's features, its own in their place, and of the rest that it has them not."""

import polars as pl

from billing_pipeline.engine.managed_services import effective_features

KNOWN = ["antivirus", "soc", "password_manager", "sat", "email_security", "network_management"]
CLIENTS = [("A", "Gold", "1 Year")]
PLAN_FEATURES = [("Gold", "1 Year", "soc", "SOC-1"), ("Gold", "2 Year", "soc", "SOC-2")]


def features(
    plan: list[tuple[str, str, str, str]], own: list[tuple[str, str, str]], clients: list[tuple[str, str, str]]
) -> pl.DataFrame:
    frames = (
        pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
        for rows, names in (
            (clients, ("account", "plan", "term")),
            (plan, ("plan", "term", "feature", "value")),
            (own, ("account", "feature", "value")),
        )
    )
    return effective_features(*frames)


def told(
    plan: list[tuple[str, str, str, str]], own: list[tuple[str, str, str]] | None = None
) -> dict[str, tuple[str, bool]]:
    """Of one client on Gold for a year."""
    return {row[1]: (row[2], row[3]) for row in features(plan, own or [], CLIENTS).rows()}


def test_a_client_whose_plan_says_nothing_has_none_of_the_six_known_features() -> None:
    assert told([]) == dict.fromkeys(KNOWN, ("Not Included", False))
    assert list(told([])) == KNOWN


def test_the_features_are_those_of_the_plan_for_the_client_s_term() -> None:
    assert told(PLAN_FEATURES)["soc"] == ("SOC-1", False)
    assert told(PLAN_FEATURES[1:])["soc"] == ("Not Included", False)


def test_a_feature_of_the_plan_that_is_not_known_is_left_out() -> None:
    assert told([("Gold", "1 Year", "web_filtering", "WF-1")]) == told([])


def test_a_feature_without_a_value_is_not_included() -> None:
    assert told([("Gold", "1 Year", "soc", "")]) == told([])


def test_a_client_s_own_value_replaces_the_plan_s_even_when_it_says_the_same() -> None:
    assert told(PLAN_FEATURES, [("A", "soc", "SOC-9")])["soc"] == ("SOC-9", True)
    assert told(PLAN_FEATURES, [("A", "soc", "SOC-1")])["soc"] == ("SOC-1", True)
    assert told(PLAN_FEATURES, [("A", "soc", "Not Included")])["soc"] == ("Not Included", True)


def test_a_client_s_own_feature_is_added_after_the_known_ones_by_name() -> None:
    found = told([], [("A", "web_filtering", "WF-1"), ("A", "dns_filtering", "DNS-1")])
    assert list(found) == [*KNOWN, "dns_filtering", "web_filtering"]
    assert found["dns_filtering"] == ("DNS-1", True)


def test_a_blank_value_of_a_client_is_no_override() -> None:
    assert told(PLAN_FEATURES, [("A", "soc", " "), ("A", "dns_filtering", "")]) == told(PLAN_FEATURES)


def test_clients_stay_in_their_order_and_one_s_features_are_no_other_s() -> None:
    clients = [("B", "Gold", "1 Year"), ("A", "Silver", "1 Year")]
    found = features(PLAN_FEATURES, [("A", "sat", "SAT-1"), ("Z", "soc", "SOC-9")], clients)
    assert found["account"].to_list() == ["B"] * 6 + ["A"] * 6
    had = found.filter(pl.col("value") != "Not Included")
    assert had.rows() == [("B", "soc", "SOC-1", False), ("A", "sat", "SAT-1", True)]
