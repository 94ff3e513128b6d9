"""Which month a command works on: in an ad-hoc folder when folders or files are named, else in the installation."""

from dataclasses import dataclass
from pathlib import Path

from billing_pipeline.build import local_resources, resources_from
from billing_pipeline.cli.closing import Month
from billing_pipeline.engine.errors import InputError
from billing_pipeline.engine.period import Period
from billing_pipeline.engine.usage.arrivals import period_of_name
from billing_pipeline.profile import load_profile
from billing_pipeline.resources.estimation import Estimation
from billing_pipeline.resources.gate import Gate
from billing_pipeline.resources.inputs import single_month_of, usage_files
from billing_pipeline.settings import RULES_NAME, Settings, load_settings


@dataclass(frozen=True, slots=True)
class Place:
    """The options that say where a month is, as they were given."""

    outputs_dir: Path | None = None
    inputs_dir: Path | None = None
    usage_file: Path | None = None
    rules_file: Path | None = None
    overrides: Path | None = None

    @property
    def named(self) -> bool:
        return any((self.outputs_dir, self.inputs_dir, self.usage_file, self.rules_file, self.overrides))


def target_month(place: Place, month: str | None, *, gated: bool = True) -> Month:
    """The month and its resources; InputError when the options do not name one usage file, or no month."""
    settings = load_settings()
    if place.named:
        return _adhoc(settings, place, month, gated=gated)
    if month is None:
        raise InputError("say which month with --month, for example --month 2026-01")
    return Month(Period.parse(month), load_profile(settings.profile), resources_from(settings))


def _adhoc(settings: Settings, place: Place, month: str | None, *, gated: bool) -> Month:
    if place.outputs_dir is None:
        raise InputError("say which folder the month is billed into with --outputs-dir")
    if (place.inputs_dir is None) == (place.usage_file is None):
        raise InputError("give either --inputs-dir or --usage-file (with --rules-file)")
    if place.usage_file is not None and place.rules_file is None:
        raise InputError("--usage-file needs --rules-file, the rules workbook to price it by")
    resources = adhoc_resources(
        settings, place, place.outputs_dir, Gate(gated=gated, readback_rows=settings.readback_rows)
    )
    return Month(_period(place, month), load_profile(settings.profile), resources)


def adhoc_resources(
    settings: Settings, place: Place, outputs_dir: Path, gate: Gate, estimation: Estimation | None = None
) -> dict[str, object]:
    """The resources of a folder of one's own: inputs and outputs as named, its state in `.billing` there."""
    folder = place.inputs_dir or (place.usage_file.parent if place.usage_file else Path())
    return local_resources(
        usage_dir=folder,
        rules_file=place.rules_file or folder / RULES_NAME,
        outputs_dir=outputs_dir,
        state_dir=outputs_dir / ".billing",
        profile=load_profile(settings.profile),
        gate=gate,
        usage_file=place.usage_file,
        overrides_file=place.overrides,
        estimation=estimation,
    )


def _period(place: Place, month: str | None) -> Period:
    """The month asked for, else the one the file name claims, else the one all rows of the file name."""
    if month is not None:
        return Period.parse(month)
    if place.usage_file is not None:
        return period_of_name(place.usage_file.name) or single_month_of(place.usage_file)
    found = usage_files(place.inputs_dir) if place.inputs_dir else {}
    if len(found) != 1:
        months = ", ".join(map(str, found)) or "none"
        raise InputError(f"usage files in {place.inputs_dir}: {months}; choose a month with --month")
    return next(iter(found))
