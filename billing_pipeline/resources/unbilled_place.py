"""Where the time logs and contracts of an installation are."""

from pathlib import Path

import dagster as dg

from billing_pipeline.resources.unbilled_folder import UnbilledFolder


class UnbilledPlace(dg.ConfigurableResource[UnbilledFolder]):
    """`folder`: of the settings; it need not be there when managed services have time of their own."""

    folder: str

    def create_resource(self, context: dg.InitResourceContext) -> UnbilledFolder:  # noqa: ARG002
        return UnbilledFolder(Path(self.folder))
