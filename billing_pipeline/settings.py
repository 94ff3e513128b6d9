"""Every setting of the product: typed, from the environment, with its default and one line of help."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from billing_pipeline.engine.accruals.estimators import Estimator
from billing_pipeline.engine.errors import InputError, Problem


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

    def status_of(self, name: str) -> str:
        """Whether a sensor or schedule starts by itself, as Dagster's statuses are called: RUNNING, STOPPED."""
        return "STOPPED" if name in map(str.strip, self.off.split(",")) else "RUNNING"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


def _place(text: str) -> Path | str:
    return text if "://" in text else Path(text).absolute()


RULES_NAME = "gep_billing_rules.xlsx"


def load_settings() -> Settings:
    """The settings of this process; InputError names every variable that cannot be used."""
    try:
        return Settings()
    except ValidationError as error:
        raise InputError(
            [
                Problem(
                    str(found["msg"]).removeprefix("Value error, "),
                    cell="BILLING_" + "_".join(map(str, found["loc"])).upper(),
                    value=str(found["input"]),
                )
                for found in error.errors()
            ]
        ) from None
