"""Datto RMM: the devices of every client, and what each has in backup, from a field the technicians' scripts fill.

What belongs here: the token, addresses, paging and fields. What does not: types of devices and sizes (the engine).
Source: spec 2.3; quirks Q2, Q5, Q38, Q40.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from urllib.parse import quote

import polars as pl

from billing_pipeline.engine.errors import UpstreamError
from billing_pipeline.engine.managed_services.pulled import DEVICES, VOLUMES
from billing_pipeline.resources.upstream import PATIENT, Options, UpstreamClient
from billing_pipeline.resources.upstream_answers import Answer, listing
from billing_pipeline.resources.upstream_tokens import Tokens

SOURCE = "datto"
_URL, _KEYS = "BILLING_DATTO_URL", "BILLING_DATTO_API_KEY and BILLING_DATTO_API_SECRET"
_PUBLIC_CLIENT = "Basic cHVibGljLWNsaWVudDpwdWJsaWM="  # public-client:public, as the vendor publishes it
_GROUPED = re.compile(r"[1-9]\d{0,2}(,\d{3})+")
_ACCOUNT = "AccountNumber"  # the site's variable
_FOR_EVER = float("inf")


class DattoRmm:
    """One pull of an account: what is read once is kept, so that devices and volumes are of the same moment.

    `backup_field`: the number of the user-defined field that holds the bytes in backup.
    """

    def __init__(self, url: str, key: str, secret: str, *, backup_field: int = 6, options: Options = PATIENT) -> None:
        self._login = {"grant_type": "password", "username": key, "password": secret}
        self._field = f"udf{backup_field}"
        self._door = UpstreamClient(
            "Datto RMM",
            url,
            setting_url=_URL,
            setting_key=_KEYS,
            authorization=_PUBLIC_CLIENT,
            secrets=(key, secret),
            options=options,
        )
        self._client = UpstreamClient(
            "Datto RMM",
            url,
            setting_url=_URL,
            setting_key=_KEYS,
            authorization=Tokens(self._token),
            secrets=(key, secret),
            options=options,
        )

    def devices(self) -> pl.DataFrame:
        """Every device of every site; the account of a site without an account number is null. UpstreamError."""
        return listing(DEVICES, (_device(site, record) for site in self._sites for record in site.devices.rows()))

    def volumes(self) -> pl.DataFrame:
        """The bytes in backup of every device, as the field says; 0 of an empty one. UpstreamError. Source: Q5, Q40."""
        return listing(VOLUMES, (self._volume(site, record) for site in self._sites for record in site.devices.rows()))

    def _token(self) -> tuple[str, float]:
        answer = self._door.post("/auth/oauth/token", data=self._login)
        token = answer.text(answer.document, "access_token", required=True)
        if not token:
            raise answer.misshapen("an `access_token`")
        seconds = answer.number(answer.document, "expires_in")
        return token, _FOR_EVER if seconds is None else float(seconds)

    @cached_property
    def _sites(self) -> "list[_Site]":
        return list(self._read())

    def _read(self) -> "Iterator[_Site]":
        sites = self._paged("/api/v2/account/sites", "sites")
        for site in sites.rows():
            path = f"/api/v2/site/{quote(sites.text(site, 'uid', required=True) or '', safe='')}"
            variables = self._paged(f"{path}/variables", "variables")
            values = [variables.text(row, "value") for row in variables.rows() if row.get("name") == _ACCOUNT]
            account = (values[0] or "").strip() or None if values else None
            yield _Site(account, sites.text(site, "name"), self._paged(f"{path}/devices", "devices"))

    def _paged(self, path: str, name: str) -> Answer:
        """The records of all pages. Fewer than the vendor says are there is an incomplete answer."""
        answer = self._page(path, name)
        rows = [*answer.rows(name, "items")]
        asked = {path}
        while url := _next(answer):
            if url in asked:
                raise UpstreamError(f"{answer.where} names the same next page again", permanent=False)
            asked.add(url)
            answer = self._page(url, name)
            rows += answer.rows(name, "items")
        total = answer.number(answer.document, "pageDetails", "totalCount")
        if total is not None and total > len(rows):
            raise answer.incomplete(len(rows), total)
        return replace(answer, document=rows)

    def _page(self, url: str, name: str) -> Answer:
        answer = self._client.get(url)
        given = len(answer.rows(name, "items"))
        said = answer.number(answer.document, "pageDetails", "count")
        if said is not None and said > given:
            raise answer.incomplete(given, said)
        return answer

    def _volume(self, site: "_Site", record: dict[str, Any]) -> dict[str, str | None]:
        text = site.devices.text
        volume = (text(record, "udf", self._field) or "").strip()
        return {
            "source": SOURCE,
            "source_id": text(record, "uid", required=True),
            "account": site.account,
            "bytes": volume.replace(",", "") if _GROUPED.fullmatch(volume) else volume or "0",
        }


@dataclass(frozen=True, slots=True)
class _Site:
    account: str | None
    name: str | None
    devices: Answer


def _next(answer: Answer) -> str | None:
    details = answer.text(answer.document, "pageDetails", "nextPageUrl")
    return details or answer.text(answer.document, "nextPageUrl")


def _device(site: _Site, record: dict[str, Any]) -> dict[str, str | None]:
    text = site.devices.text
    return {
        "source": SOURCE,
        "source_id": text(record, "uid", required=True),
        "account": site.account,
        "site": text(record, "siteName") or site.name,
        "name": text(record, "hostname"),
        "category": text(record, "deviceType", "category"),
    }
