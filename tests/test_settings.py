"""Settings of the systems that clients are pulled from: addresses that keys may be sent to, and keys beside them."""

import pytest

from billing_pipeline.engine.errors import InputError
from billing_pipeline.settings import load_settings

WHOLE = {
    "BILLING_DIRECTORY_URL": "https://codex.example.com",
    "BILLING_DIRECTORY_IDENTITY_URL": "https://core.example.com/v1",
    "BILLING_FRESHSERVICE_URL": "https://acme.freshservice.com",
    "BILLING_FRESHSERVICE_API_KEY": "hush-key",
    "BILLING_DATTO_URL": "https://pinotage-api.centrastage.net",
    "BILLING_DATTO_API_KEY": "hush-public",
    "BILLING_DATTO_API_SECRET": "hush-secret",
}


@pytest.fixture(autouse=True)
def whole(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in WHOLE.items():
        monkeypatch.setenv(name, value)


def refused() -> list[str]:
    """What is said of the settings as they are."""
    with pytest.raises(InputError) as error:
        load_settings()
    return [str(problem) for problem in error.value.problems]


def test_systems_with_https_addresses_and_their_keys_are_taken() -> None:
    settings = load_settings()
    assert settings.directory_identity_url == "https://core.example.com/v1"
    assert settings.datto_api_secret is not None
    assert settings.datto_api_secret.get_secret_value() == "hush-secret"


@pytest.mark.parametrize(
    ("missing", "problem"),
    [
        ("DIRECTORY_IDENTITY_URL", "is not set, and BILLING_DIRECTORY_URL cannot be used without it"),
        ("FRESHSERVICE_API_KEY", "is not set, and BILLING_FRESHSERVICE_URL cannot be used without it"),
        ("DATTO_API_KEY", "is not set, and BILLING_DATTO_URL cannot be used without it"),
        ("DATTO_API_SECRET", "is not set, and BILLING_DATTO_URL cannot be used without it"),
    ],
)
def test_an_address_without_its_key_is_refused_by_the_name_of_the_key(
    monkeypatch: pytest.MonkeyPatch, missing: str, problem: str
) -> None:
    monkeypatch.setenv(f"BILLING_{missing}", "")
    assert refused() == [f"BILLING_{missing}: {problem}"]


def test_both_missing_keys_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BILLING_DATTO_API_KEY")
    monkeypatch.delenv("BILLING_DATTO_API_SECRET")
    assert [said.split(":")[0] for said in refused()] == ["BILLING_DATTO_API_KEY", "BILLING_DATTO_API_SECRET"]


def test_keys_without_an_address_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DIRECTORY_URL", "FRESHSERVICE_URL", "DATTO_URL"):
        monkeypatch.delenv(f"BILLING_{name}")
    assert load_settings().datto_url is None


@pytest.mark.parametrize("name", ["DIRECTORY_URL", "DIRECTORY_IDENTITY_URL", "FRESHSERVICE_URL", "DATTO_URL"])
def test_keys_never_travel_in_clear_text_to_another_machine(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"BILLING_{name}", "http://codex.example.com")
    (said,) = refused()
    assert said.startswith(f"BILLING_{name}: must begin with https://, because keys would travel in clear text")


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:5030", "[::1]:5030", "127.1.2.3"])
def test_this_machine_may_be_asked_by_http(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("BILLING_DATTO_URL", f"http://{host}/rmm")
    assert load_settings().datto_url == f"http://{host}/rmm"


@pytest.mark.parametrize("host", ["127.0.0.1.example.com", "localhost.example.com", "10.0.0.1", "host"])
def test_a_name_that_only_looks_like_this_machine_is_another(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("BILLING_DATTO_URL", f"http://{host}")
    assert "must begin with https://" in refused()[0]


@pytest.mark.parametrize(
    "address",
    [
        "acme.freshservice.com", "ftp://acme.example.com", "https://", "https://host:port", "https://host:0",
        "https://acme.example.com /api", "http://127.0.0.1\\.example.com", "https://[::1", "file:///etc/passwd",
    ],
)  # fmt: skip
def test_what_is_no_web_address_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("BILLING_FRESHSERVICE_URL", address)
    assert refused() == ["BILLING_FRESHSERVICE_URL: must be an address such as https://host"]


@pytest.mark.parametrize("tail", ["?api_key=hush", "#hush", "?"])
def test_an_address_is_the_address_alone(monkeypatch: pytest.MonkeyPatch, tail: str) -> None:
    monkeypatch.setenv("BILLING_FRESHSERVICE_URL", f"https://acme.example.com/{tail}")
    (said,) = refused()
    assert said.startswith("BILLING_FRESHSERVICE_URL: must be an address without user, password, ? and #")


def test_nothing_of_a_refused_address_is_shown_because_a_key_may_stand_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for address in (
        "https://user:hush@acme.example.com",
        "https://user:hu/sh@acme.example.com",
        "hush",
        "https://u@h?",
    ):
        monkeypatch.setenv("BILLING_FRESHSERVICE_URL", address)
        said = " ".join(refused())
        assert "BILLING_FRESHSERVICE_URL: must be an address" in said
        assert "hu" not in said
