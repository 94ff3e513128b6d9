"""The company directory: the clients, their people, devices and backup volumes, by its API and a service token.

What belongs here: addresses and fields. What does not: what a value means once it is read (the engine), and HTTP.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from urllib.parse import quote

import polars as pl

from billing_pipeline.engine.managed_services.pulled import COMPANIES, CONTACTS, DEVICES, VOLUMES
from billing_pipeline.resources.upstream import PATIENT, NotFoundError, Options, UpstreamClient
from billing_pipeline.resources.upstream_answers import Answer, listing
from billing_pipeline.resources.upstream_tokens import Tokens, seconds_left

SOURCE = "directory"
_SYSTEM = "the company directory"
_URL, _CORE = "BILLING_DIRECTORY_URL", "BILLING_DIRECTORY_IDENTITY_URL"
_TOKEN_SECONDS = 5.0  # for a service token


class Directory:
    """One pull of the directory: what is read once is kept, so that every listing is of the same moment.

    `core_url`: the identity service that signs tokens for `calling_service`. Source: spec 2.1, 4.1.
    """

    def __init__(
        self,
        url: str,
        core_url: str,
        *,
        calling_service: str = "ledger",
        target_service: str = "codex",
        options: Options = PATIENT,
    ) -> None:
        self._services = {"calling_service": calling_service, "target_service": target_service}
        self._core = UpstreamClient(
            "the identity service",
            core_url,
            setting_url=_CORE,
            setting_key=_CORE,
            options=replace(options, timeout=min(options.timeout, _TOKEN_SECONDS)),
        )
        self._client = UpstreamClient(
            _SYSTEM, url, setting_url=_URL, setting_key=_CORE, authorization=Tokens(self._token), options=options
        )

    def companies(self) -> pl.DataFrame:
        """Every client. One whose plan is `Inactive` is not active (spec 1.5; Q41). UpstreamError."""
        answer = self._companies
        return listing(COMPANIES, (_company(answer, record) for record in answer.rows()))

    def contacts(self) -> pl.DataFrame:
        """Every person of every client; one of two clients stands there twice. UpstreamError."""
        return listing(CONTACTS, (_contact(one, record) for one in self._clients for record in one.contacts.rows()))

    def devices(self) -> pl.DataFrame:
        """Every device of every client. UpstreamError."""
        return listing(DEVICES, (_device(one, record) for one in self._clients for record in one.assets.rows()))

    def volumes(self) -> pl.DataFrame:
        """What every device has in backup, in whole bytes. UpstreamError. Source: Q5."""
        return listing(VOLUMES, (_volume(one, record) for one in self._clients for record in one.assets.rows()))

    def _token(self) -> tuple[str, float]:
        answer = self._core.post("/service-token", document=self._services)
        token = answer.text(answer.document, "token", required=True)
        if not token:
            raise answer.misshapen("a `token`")
        return token, seconds_left(token)

    @cached_property
    def _companies(self) -> Answer:
        return self._client.get("/api/companies")

    @cached_property
    def _clients(self) -> "list[_Client]":
        try:
            return list(_in_bulk(self._client.get("/api/companies/bulk")))
        except NotFoundError:  # an older directory
            return list(self._one_by_one())

    def _one_by_one(self) -> "Iterator[_Client]":
        companies = self._companies
        accounts = [companies.text(record, "account_number", required=True) for record in companies.rows()]
        for account in dict.fromkeys(account for account in accounts if account):
            path = f"/api/companies/{quote(account, safe='')}"
            yield _Client(account, self._client.get(f"{path}/assets"), self._client.get(f"{path}/contacts"))


@dataclass(frozen=True, slots=True)
class _Client:
    account: str | None
    assets: Answer
    contacts: Answer


def _in_bulk(answer: Answer) -> Iterator[_Client]:
    for entry in answer.rows():
        one = replace(answer, document=entry)
        account = one.text(entry, "company", "account_number", required=True)
        assets, contacts = (replace(answer, document=one.rows(name)) for name in ("assets", "contacts"))
        yield _Client(account, assets, contacts)


def _company(answer: Answer, record: dict[str, Any]) -> dict[str, str | None]:
    plan = answer.text(record, "billing_plan")
    return {
        "account": answer.text(record, "account_number", required=True),
        "name": answer.text(record, "name", required=True),
        "active": "no" if (plan or "").strip().casefold() == "inactive" else "yes",
        "plan": plan,
        "term": answer.text(record, "contract_term_length"),
        "contract_start": answer.text(record, "contract_start_date"),
        "contract_end": answer.text(record, "contract_end_date"),
    }


def _contact(client: _Client, record: dict[str, Any]) -> dict[str, str | None]:
    text = client.contacts.text
    external = text(record, "external_id")
    return {
        "source": (external and text(record, "external_source")) or SOURCE,
        "source_id": external or text(record, "id", required=True),
        "account": client.account,
        "name": text(record, "name", required=True),
        "email": text(record, "email"),
        "active": text(record, "active"),
    }


def _device(client: _Client, record: dict[str, Any]) -> dict[str, str | None]:
    text = client.assets.text
    return {
        "source": SOURCE,
        "source_id": text(record, "id", required=True),
        "account": client.account,
        "site": text(record, "rmm_site_name"),
        "name": text(record, "hostname", required=True),
        "category": text(record, "device_type") or text(record, "hardware_type"),
    }


def _volume(client: _Client, record: dict[str, Any]) -> dict[str, str | None]:
    text = client.assets.text
    return {
        "source": SOURCE,
        "source_id": text(record, "id", required=True),
        "account": client.account,
        "bytes": text(record, "backup_data_bytes", required=True),
    }
