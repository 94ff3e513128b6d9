"""The only place where the parts are put together; tests and the command line call it with other resources."""

from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from billing_pipeline.assets import billing, publication, usage
from billing_pipeline.jobs import close_month, scan_month
from billing_pipeline.profile import Profile, load_profile
from billing_pipeline.resources.frames import FrameIOManager
from billing_pipeline.resources.gate import Gate
from billing_pipeline.resources.inputs import Inputs
from billing_pipeline.resources.outputs import Outputs
from billing_pipeline.settings import Settings, load_settings


def build_defs(resources: Mapping[str, object] | None = None) -> dg.Definitions:
    """The whole pipeline. `resources` replaces resources by name; the rest comes from the settings."""
    wired = {**resources_from(load_settings()), **(resources or {})}
    return dg.Definitions(
        assets=dg.load_assets_from_modules([usage, billing, publication]),
        asset_checks=[publication.control_checks],
        jobs=[close_month, scan_month],
        resources=wired,
        executor=dg.in_process_executor,  # Polars already uses every core; a process per step costs seconds
    )


def resources_from(settings: Settings) -> dict[str, object]:
    """The resources of an installation: its data folder keeps the state, its outputs folder what is published."""
    profile = load_profile(settings.profile)
    return local_resources(
        usage_dir=settings.usage_folder.resolve(),
        rules_file=settings.rules_path.resolve(),
        outputs_dir=settings.outputs_folder.resolve(),
        state_dir=settings.data_dir.resolve(),
        profile=profile,
        gate=Gate(gated=True, readback_rows=settings.readback_rows),
    )


def local_resources(
    *,
    usage_dir: Path,
    rules_file: Path,
    outputs_dir: Path,
    state_dir: Path,
    profile: Profile,
    gate: Gate,
    usage_file: Path | None = None,
    overrides_file: Path | None = None,
) -> dict[str, object]:
    """Resources over local folders."""
    published = outputs_dir / f"{profile.file_prefix}_data_review" / "billing_overrides.json"
    return {
        "inputs": Inputs(
            usage_dir=str(usage_dir),
            rules_file=str(rules_file),
            usage_file=str(usage_file or ""),
            overrides_file=str(overrides_file or ""),
            default_overrides=str(published),
        ),
        "outputs": Outputs(outputs_dir=str(outputs_dir), state_dir=str(state_dir)),
        "io_manager": FrameIOManager(base_dir=str(state_dir / "frames")),
        "profile": dg.ResourceDefinition.hardcoded_resource(profile),
        "gate": gate,
    }
