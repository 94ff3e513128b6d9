"""The text in words: it is given numbers only, may speak of no other, and whatever it does, nothing fails."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from billing_pipeline.resources.narrative import Narrative, NarrativeService, narrative
from tests.language_model import Model, language_model

KEY = "sk-hush-this-is-secret"
FIGURES = {
    "run": {"new": 3, "resolved": 0, "dollars_at_stake": Decimal("1750.50")},
    "week_all": {"findings": 12, "percent": Decimal("-41.3"), "dollars_percent": None},
}


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[Model]:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with language_model() as served:
        yield served


def service(model: Model, **values: Any) -> NarrativeService:
    return NarrativeService(**{"url": model.url, "model": "any-model", "key": KEY, "timeout": 5.0} | values)


def test_without_a_service_there_is_no_text_and_a_reason() -> None:
    assert narrative(FIGURES, None) == Narrative(None, "no service is set")


def test_the_text_is_what_the_service_said(model: Model) -> None:
    model.said = "  3 findings are new;\n1,750.50 is at stake, 41.3% less than 7 days before. "
    assert narrative(FIGURES, service(model)) == Narrative(
        "3 findings are new; 1,750.50 is at stake, 41.3% less than 7 days before."
    )


def test_it_is_asked_once_as_the_protocol_wants_it(model: Model) -> None:
    narrative(FIGURES, service(model))
    [(path, headers, body)] = model.asked
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert body["model"] == "any-model"
    assert [one["role"] for one in body["messages"]] == ["system", "user"]


def test_what_is_sent_are_the_figures_alone(model: Model) -> None:
    narrative(FIGURES, service(model))
    [(_, _, body)] = model.asked
    assert json.loads(body["messages"][1]["content"]) == {
        "run": {"new": 3, "resolved": 0, "dollars_at_stake": "1750.50"},
        "week_all": {"findings": 12, "percent": "-41.3", "dollars_percent": None},
    }


@pytest.mark.parametrize(
    "figures",
    [
        {"run": {"editor": "pat@example.com"}},
        {"run": {"work_request": "10000001"}},
        {"run": {"pat@example.com": 3}},
        {"Feeder 12": {"findings": 3}},
        {"run": {"10000001": 3}},
        {"run": {"flag": True}},
        {"run": {"share": 0.5}},
    ],
)
def test_names_and_texts_never_leave(model: Model, figures: Any) -> None:
    answer = narrative(figures, service(model))
    assert answer == Narrative(None, "the figures hold something else than numbers: nothing was sent")
    assert model.asked == []


@pytest.mark.parametrize(
    ("said", "invented"),
    [("98.7% is excellent.", "98.7"), ("There are 4 new ones.", "4"), ("1,750.5012 lost", "1,750.5012")],
)
def test_a_text_with_a_number_that_is_no_figure_is_not_used(model: Model, said: str, invented: str) -> None:
    model.said = said
    assert narrative(FIGURES, service(model)) == Narrative(
        None, f"the text speaks of {invented}, which is no figure of this run"
    )


@pytest.mark.parametrize("status", [302, 400, 401, 404, 429, 500])
def test_a_refusal_is_a_reason_without_the_key(model: Model, status: int) -> None:
    model.status, model.body = status, KEY.encode()
    answer = narrative(FIGURES, service(model))
    assert answer.text is None
    assert f"narrative service: POST /v1/chat/completions answered {status}" in answer.reason
    assert KEY not in answer.reason
    assert len(model.asked) == 1


@pytest.mark.parametrize("body", [b"<html>sign in</html>", b"[]", b"{}", b'{"choices": [{"message": "text"}]}', b""])
def test_an_answer_of_another_shape_is_a_reason(model: Model, body: bytes) -> None:
    model.body = body
    answer = narrative(FIGURES, service(model))
    assert answer.text is None
    assert answer.reason


@pytest.mark.parametrize("body", [b'{"choices": []}', b'{"choices": [{"message": {"content": null}}]}'])
def test_an_answer_without_a_text_is_a_reason(model: Model, body: bytes) -> None:
    model.body = body
    assert narrative(FIGURES, service(model)) == Narrative(None, "the service gave no text")


def test_a_service_that_does_not_answer_is_not_waited_for(model: Model) -> None:
    model.status = 0
    answer = narrative(FIGURES, service(model, timeout=0.3))
    assert answer.text is None
    assert "gave no whole answer in time" in answer.reason


def test_a_service_that_is_not_there_is_a_reason() -> None:
    answer = narrative(FIGURES, NarrativeService("http://127.0.0.1:9/v1", "any-model", KEY, timeout=5))
    assert answer.text is None
    assert "cannot be reached" in answer.reason


def test_an_endless_text_is_cut_and_control_characters_are_shown_replaced(model: Model) -> None:
    model.said = "\x1b[31m " + "word " * 1_000
    text = narrative({"run": {"new": 31}}, service(model)).text
    assert text is not None
    assert text.startswith("\N{REPLACEMENT CHARACTER}[31m word")
    assert len(text) == 1_500


def test_the_key_is_not_shown_where_the_service_is() -> None:
    assert KEY not in repr(NarrativeService("http://127.0.0.1/v1", "any-model", KEY))
