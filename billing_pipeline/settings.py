"""Every setting of the product: typed, from the environment, with its default and one line of help."""

import re
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from billing_pipeline.engine.errors import InputError, Problem


class Settings(BaseSettings):
    """Settings named `BILLING_*` in the environment. Paths may be relative to the working directory."""

    model_config = SettingsConfigDict(env_prefix="BILLING_", env_ignore_empty=True, frozen=True)

    data_dir: Path = Field(default=Path("data"), description="state: frames between assets, drafts, locks")
    usage_dir: Path | None = Field(
        default=None, description="folder of usage files YYYY.MM_*.csv (default: <data>/usage)"
    )
    rules_file: Path | None = Field(
        default=None, description="rules workbook (default: gep_billing_rules.xlsx beside the usage)"
    )
    outputs_dir: Path | None = Field(default=None, description="published files (default: <data>/outputs)")
    profile: Path | None = Field(
        default=None, description="TOML file with the company's names, items, products and prefixes"
    )
    start_month: str = Field(default="2020-01", description="first month that can be billed, YYYY-MM")
    timezone: str = Field(default="UTC", description="zone in which months begin and schedules tick")
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

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("is not a time zone name such as UTC or Europe/Berlin")
        return value

    @property
    def usage_folder(self) -> Path:
        return self.usage_dir or self.data_dir / "usage"

    @property
    def rules_path(self) -> Path:
        return self.rules_file or self.usage_folder / RULES_NAME

    @property
    def outputs_folder(self) -> Path:
        return self.outputs_dir or self.data_dir / "outputs"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


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
