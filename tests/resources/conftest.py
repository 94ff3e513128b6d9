"""Fixtures of the doors to the outside."""

from collections.abc import Iterator

import pytest

from billing_pipeline.resources.smartsheet import Smartsheet
from billing_pipeline.resources.smartsheet_client import Pace
from billing_pipeline.resources.upstream import Options
from tests.client_apis import ClientApis, client_apis
from tests.databases import database
from tests.object_store import bucket, object_store, s3_bucket, s3_server
from tests.postgres import postgres_server, postgres_url
from tests.smartsheet_api import TOKEN, SmartsheetApi, smartsheet_api

__all__ = ["bucket", "database", "object_store", "postgres_server", "postgres_url", "s3_bucket", "s3_server"]


@pytest.fixture
def apis(monkeypatch: pytest.MonkeyPatch) -> Iterator[ClientApis]:
    """The systems of managed services on loopback, reached without the proxies of this machine."""
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with client_apis() as systems:
        yield systems


@pytest.fixture
def waits() -> list[float]:
    """The seconds that a client with `quick` options would have waited."""
    return []


@pytest.fixture
def quick(waits: list[float]) -> Options:
    """A client that gives up after three attempts and only notes its waits."""
    return Options(timeout=20, deadline=30, attempts=3, sleep=waits.append)


@pytest.fixture
def smartsheets(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmartsheetApi]:
    """A Smartsheet on loopback, reached without the proxies of this machine."""
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with smartsheet_api() as account:
        yield account


@pytest.fixture
def pace(waits: list[float]) -> Pace:
    """A client of Smartsheet that only notes its waits, and takes ten rows in a page."""
    return Pace(timeout=20, page=10, sleep=waits.append)


@pytest.fixture
def client(smartsheets: SmartsheetApi, pace: Pace) -> Smartsheet:
    """A client of the Smartsheet on loopback."""
    return Smartsheet(TOKEN, smartsheets.base, pace=pace)
