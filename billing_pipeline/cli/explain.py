"""`explain`: why each amount of a partner is what it is, from the month's committed run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from billing_pipeline.cli.console import print_json

if TYPE_CHECKING:  # resources are imported by the command that runs
    from billing_pipeline.resources.storage import Storage


def explain(
    month: Annotated[str, typer.Option(help="Billed month, YYYY-MM.")],
    partner: Annotated[str, typer.Option(help="Partner by id or name; capitals make no difference.")],
    company: Annotated[
        str | None, typer.Option(help="One company of the partner, by id or name; default: the first 20.")
    ] = None,
    outputs_dir: Annotated[
        Path | None,
        typer.Option(help="Folder the month was published to; default: the outputs folder of the settings."),
    ] = None,
    json: Annotated[
        bool,
        typer.Option("--json", help="One JSON document, with all rows, on standard output and nothing else there."),
    ] = False,
) -> None:
    """Show why each amount is what it is: the volume, the tier, the rules cells, the rounding, the monthly minimum.

    Reads the latest committed run of the month and the rules it priced with.

    Exit code 0: done. 2: the month, the partner or the company is unknown.

    [bold]Examples[/bold]

      billing-pipeline explain --outputs-dir out --month 2026-01 --partner 101

      billing-pipeline explain --outputs-dir out --month 2026-01 --partner "Acme Pay" --company 1002

      billing-pipeline explain --outputs-dir out --month 2026-01 --partner 101 --json
    """
    from billing_pipeline.cli.explanation import explained_partner, explanation_document, print_explanation
    from billing_pipeline.engine.period import Period
    from billing_pipeline.resources.run_sets import RunSets
    from billing_pipeline.resources.storage import LocalStorage
    from billing_pipeline.run_tags import BILLING

    sets = RunSets(LocalStorage(outputs_dir) if outputs_dir else _configured_storage(), BILLING)
    explained = explained_partner(sets, Period.parse(month), partner, company)
    if json:
        print_json(explanation_document(explained))
    else:
        print_explanation(explained, everything=company is not None)


def _configured_storage() -> "Storage":
    from billing_pipeline.resources.storage import open_storage
    from billing_pipeline.settings import load_settings

    settings = load_settings()
    return open_storage(settings.storage_url or str(settings.outputs_folder), settings.data_dir / "copies")
