"""Every setting of the product: typed, from the environment, with its default and one line of help."""

import re
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AliasChoices, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from billing_pipeline.engine.accruals.estimators import Estimator
from billing_pipeline.engine.errors import InputError, Problem

SOURCE_SETTINGS = {  # addresses that clients are pulled from, and what each cannot do without
    "directory_url": ("directory_identity_url",),
    "freshservice_url": ("freshservice_api_key",),
    "datto_url": ("datto_api_key", "datto_api_secret"),
}
_BESIDE = {**SOURCE_SETTINGS, "narrative_url": ("narrative_model",)}


class Settings(BaseSettings):
    """Settings named `BILLING_*` in the environment. Paths may be relative to the working directory."""

    model_config = SettingsConfigDict(env_prefix="BILLING_", env_ignore_empty=True, frozen=True)

    data_dir: Path = Field(
        default=Path("data"), description="state: database, frames between assets, drafts, Dagster's home"
    )
    usage_dir: str | None = Field(
        default=None,
        description="folder of usage files YYYY.MM_*.csv, or s3://, gs://, az:// (default: <data>/usage)",
    )
    rules_file: str | None = Field(
        default=None, description="rules workbook (default: gep_billing_rules.xlsx beside the usage)"
    )
    outputs_dir: Path | None = Field(default=None, description="published files (default: <data>/outputs)")
    profile: Path | None = Field(
        default=None, description="TOML file with the company's names, items, products and prefixes"
    )
    start_month: str = Field(default="2020-01", description="first month that can be billed, YYYY-MM")
    timezone: str = Field(default="UTC", description="zone in which months begin and schedules tick")
    storage_url: str | None = Field(
        default=None,
        description="where published files and run sets are kept, s3://, gs:// or az://; without it the outputs folder",
    )
    database_url: SecretStr | None = Field(
        default=None, description="the application's database, postgresql://...; without it a file in the data folder"
    )
    dagster_postgres_url: SecretStr | None = Field(
        default=None, description="Dagster's storage, postgresql://...; without it files in DAGSTER_HOME"
    )
    poll_seconds: int = Field(default=1800, ge=1, description="seconds between two looks at the usage folder")
    max_age_months: int = Field(
        default=2, ge=0, description="usage files of months longer ago than this are left alone by the sensor"
    )
    usage_deadline_day: int = Field(
        default=3, ge=0, le=28, description="day of the month by which last month's usage is expected; 0: never asked"
    )
    accrual_day: int = Field(
        default=25,
        ge=0,
        le=31,
        description="day of the month on which it is accrued, or its last day; 0: not by itself",
    )
    accrual_time: str = Field(default="06:00", description="time of that day, HH:MM, in the zone of the months")
    accrual_estimator: Estimator = Field(
        default="prior-month", description="what an accrual is estimated from; `backtest` says how good each would be"
    )
    materiality_percent: Decimal = Field(
        default=Decimal(5), ge=0, description="a variance is material above this percentage of the estimate"
    )
    materiality_amount: Decimal | None = Field(
        default=None, ge=0, description="and above this amount; without it the percentage alone decides"
    )
    clients_dir: Path | None = Field(
        default=None,
        description="folder with companies.csv, devices.csv, … of managed-services clients (default: <data>/clients)",
    )
    clients_largest_drop: Decimal = Field(
        default=Decimal("0.2"), ge=0, le=1, description="share of a listing that may be gone at once; more is an error"
    )
    directory_url: str | None = Field(
        default=None, description="company directory with companies, devices and contacts; without it the folder"
    )
    directory_identity_url: str | None = Field(
        default=None, validate_default=True, description="identity service that gives the directory's service tokens"
    )
    freshservice_url: str | None = Field(
        default=None, description="https://<account>.freshservice.com for tickets and time; without it the folder"
    )
    freshservice_api_key: SecretStr | None = Field(
        default=None, validate_default=True, description="API key of a Freshservice agent"
    )
    tickets_overlap_hours: int = Field(
        default=48, ge=0, description="hours before the last pull from which tickets are asked for again"
    )
    datto_url: str | None = Field(
        default=None, description="Datto RMM's address for devices and backups; without it the folder"
    )
    datto_api_key: SecretStr | None = Field(
        default=None, validate_default=True, description="Datto RMM's public API key"
    )
    datto_api_secret: SecretStr | None = Field(
        default=None, validate_default=True, description="Datto RMM's secret API key"
    )
    datto_backup_field: int = Field(
        default=6, ge=1, le=30, description="user-defined field of a device that holds its backed-up bytes"
    )
    pull_timeout_seconds: float = Field(
        default=30, gt=0, le=600, description="seconds that a source may be silent before it is asked again"
    )
    audit_dir: Path | None = Field(
        default=None, description="folder of audited sheets as CSV files, without an account (default: <data>/audit)"
    )
    smartsheet_api_token: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("BILLING_SMARTSHEET_API_TOKEN", "SMARTSHEET_API_TOKEN"),
        description="token of Smartsheet (also SMARTSHEET_API_TOKEN); without it the folder is audited",
    )
    smartsheet_api_base: str = Field(
        default="https://api.smartsheet.com/2.0",
        validation_alias=AliasChoices("BILLING_SMARTSHEET_API_BASE", "SMARTSHEET_API_BASE"),
        description="address of Smartsheet's API (also SMARTSHEET_API_BASE)",
    )
    audit_sheets: str = Field(default="", description="ids of the audited sheets, separated by commas")
    audit_folders: str = Field(default="", description="ids of folders whose sheets are audited, separated by commas")
    audit_sheet_id: str = Field(
        default="",
        validation_alias=AliasChoices("BILLING_AUDIT_SHEET_ID", "AUDIT_SHEET_ID"),
        description="id of the log sheet that findings are written to (also AUDIT_SHEET_ID)",
    )
    target_sheet_id: str = Field(
        default="",
        validation_alias=AliasChoices("BILLING_TARGET_SHEET_ID", "TARGET_SHEET_ID"),
        description="id of the sheet whose rows get the weekly workbooks (also TARGET_SHEET_ID); none: they are files",
    )
    audit_history_calls: int = Field(
        default=40, ge=0, description="cells at most whose history one audit asks for: 30 a minute is all there is"
    )
    audit_reports: bool = Field(
        default=True,
        validation_alias=AliasChoices("BILLING_AUDIT_REPORTS", "ENABLE_AUDIT_REPORTS"),
        description="whether the audit makes its workbook (also ENABLE_AUDIT_REPORTS)",
    )
    narrative_url: str | None = Field(
        default=None,
        description="a service that speaks OpenAI's chat completions, https://host/v1: it is given the audit's figures,"
        " no name and no text, and words them for the summary; without it there is no such text",
    )
    narrative_model: str | None = Field(default=None, validate_default=True, description="model of that service")
    narrative_key: SecretStr | None = Field(default=None, description="API key of that service, if it asks for one")
    unbilled_dir: Path | None = Field(
        default=None,
        description="folder with time_logs*.csv and contracts*.csv, or .parquet, of unbilled hours"
        " (default: <data>/unbilled)",
    )
    approvers: int = Field(
        default=1, ge=0, le=2, description="different people who approve a reviewed month; 0: deciding is enough"
    )
    publish: Literal["automatic", "manual"] = Field(
        default="automatic", description="whether a month without questions is published by itself or by a person"
    )
    retry_seconds: int = Field(
        default=60, ge=1, description="seconds before a failed run is tried again; doubled with every attempt"
    )
    attempts: int = Field(default=5, ge=1, description="runs of one usage file that may fail before a person is needed")
    lease_seconds: int = Field(
        default=30, ge=2, description="a run that was silent for this long has died, and another may take its month"
    )
    off: str = Field(
        default="", description="sensors and schedules that do not start by themselves, separated by commas"
    )
    slack_webhook: SecretStr | None = Field(default=None, description="Slack's incoming webhook that notices go to")
    slack_token: SecretStr | None = Field(
        default=None, description="Slack's bot token; with slack_channel, instead of a webhook"
    )
    slack_channel: str | None = Field(
        default=None, description="id of the channel (C0123456789) that the bot posts to; by a name it cannot look back"
    )
    slack_api: str = Field(default="https://slack.com/api/", description="address of Slack's Web API")
    ui_url: str = Field(default="http://localhost:3000", description="where people open the pages: links in notices")
    keep_runs_days: int = Field(
        default=400, ge=1, description="days that Dagster keeps finished runs and their event logs"
    )
    keep_run_sets_days: int = Field(
        default=400, ge=1, description="days that drafts and run sets of no release are kept; releases stay for ever"
    )
    readback_rows: int = Field(
        default=50_000,
        ge=0,
        description="partner workbooks are read back in full up to this many rows, then sampled, and said",
    )

    @field_validator("start_month")
    @classmethod
    def _month(cls, value: str) -> str:
        if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", value):
            raise ValueError("must be a month written YYYY-MM")
        return value

    @field_validator("accrual_time")
    @classmethod
    def _time(cls, value: str) -> str:
        if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
            raise ValueError("must be a time of day written HH:MM, from 00:00 to 23:59")
        return value

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("is not a time zone name such as UTC or Europe/Berlin")
        return value

    @field_validator("directory_url", "directory_identity_url", "freshservice_url", "datto_url", "narrative_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is not None and (wrong := _wrong_address(value)):
            raise ValueError(wrong)
        return value

    @field_validator(*(other for others in _BESIDE.values() for other in others))
    @classmethod
    def _beside_its_address(cls, value: str | SecretStr | None, info: ValidationInfo) -> str | SecretStr | None:
        url = next(url for url, others in _BESIDE.items() if info.field_name in others)
        if value is None and info.data.get(url):
            raise ValueError(f"is not set, and {variable(url)} cannot be used without it")
        return value

    @property
    def usage_folder(self) -> Path | str:
        """A path; a URL stays text, because a path would lose one of its slashes."""
        return _place(self.usage_dir) if self.usage_dir else self.data_dir.absolute() / "usage"

    @property
    def rules_path(self) -> Path | str:
        """Likewise."""
        if self.rules_file:
            return _place(self.rules_file)
        folder = self.usage_folder
        return f"{folder.rstrip('/')}/{RULES_NAME}" if isinstance(folder, str) else folder / RULES_NAME

    @property
    def outputs_folder(self) -> Path:
        return self.outputs_dir or self.data_dir / "outputs"

    @property
    def clients_folder(self) -> Path:
        return self.clients_dir or self.data_dir / "clients"

    @property
    def audit_folder(self) -> Path:
        return self.audit_dir or self.data_dir / "audit"

    @property
    def unbilled_folder(self) -> Path:
        return self.unbilled_dir or self.data_dir / "unbilled"

    def status_of(self, name: str) -> str:
        """Whether a sensor or schedule starts by itself, as Dagster's statuses are called: RUNNING, STOPPED."""
        return "STOPPED" if name in map(str.strip, self.off.split(",")) else "RUNNING"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


def variable(name: str) -> str:
    """What the setting is called in the environment."""
    return f"BILLING_{name.upper()}"


def _place(text: str) -> Path | str:
    return text if "://" in text else Path(text).absolute()


def _wrong_address(url: str) -> str:
    """Why a system cannot be asked there; "" when it can. Keys go with every call, never in clear text over a wire."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return _NO_ADDRESS
    if not usable or not re.fullmatch(r"[!-\[\]-~]+", url):  # no blank, no backslash: readers differ about those
        return _NO_ADDRESS
    if parts.username is not None or "?" in url or "#" in url:
        return "must be an address without user, password, ? and #; keys have settings of their own"
    if parts.scheme == "http" and not _is_here(parts.hostname or ""):
        return "must begin with https://, because keys would travel in clear text; http:// is for this machine only"
    return ""


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


RULES_NAME = "gep_billing_rules.xlsx"
_NO_ADDRESS = "must be an address such as https://host"
_NEVER_SHOWN = {*_BESIDE, *(name for others in _BESIDE.values() for name in others)}


def load_settings() -> Settings:
    """The settings of this process; InputError names every variable that cannot be used."""
    try:
        return Settings()
    except ValidationError as error:
        raise InputError(
            [
                Problem(
                    str(found["msg"]).removeprefix("Value error, "),
                    cell=variable("_".join(map(str, found["loc"]))),
                    value="" if found["loc"][0] in _NEVER_SHOWN else str(found["input"]),
                )
                for found in error.errors()
            ]
        ) from None
