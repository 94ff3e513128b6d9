"""Secrets are taken out of what drivers and vendors say; the rest stays readable."""

import pytest

from billing_pipeline.resources.redaction import redacted


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("postgresql://billing:pa55@db:5432/billing is away", "postgresql://***@db:5432/billing is away"),
        ("postgresql+psycopg2://pa55@db/billing", "postgresql+psycopg2://***@db/billing"),
        ("POST https://hooks.slack.com/services/T1/B1/abc failed", "POST https://hooks.slack.com/*** failed"),
        ("htp://hooks.slack-gov.com/services/T1", "htp://hooks.slack-gov.com/***"),
        ("b'Bearer xoxb-12-ab'", "b'Bearer ***'"),
        ("token xapp-1-A2-b3 expired", "token *** expired"),
        ("key AKIAIOSFODNN7EXAMPLE is unknown", "key *** is unknown"),
        ("https://b/k?X-Amz-Signature=0a1b&part=2", "https://b/k?X-Amz-Signature=***&part=2"),
        ("{'password': 'a b', 'host': 'db'}", "{'password': ***, 'host': 'db'}"),
        ("AccountKey=abc==;EndpointSuffix=x", "AccountKey=***;EndpointSuffix=x"),
        ("Authorization token: Bearer abc", "Authorization token: ***"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(said: str, told: str) -> None:
    assert redacted(said) == told


def test_a_known_secret_is_hidden_wherever_it_stands_the_longer_one_first() -> None:
    assert redacted("got abcdef and abcd", ["abcd", "abcdef"]) == "got *** and ***"


@pytest.mark.parametrize(
    "said",
    [
        "2026.01_REDASH_usage.csv, line 7, PARTNER_ID: is missing",
        "see http://localhost:3000/runs/1f2e and mail billing@example.com",
        "no such secret",
    ],
)
def test_ordinary_words_stay(said: str) -> None:
    assert redacted(said, ["", "a"]) == said
