"""Piece: a month end to end, all workbooks included, as Dagster's job in this process.

The seconds are the job's alone; importing Dagster and building the definitions are in the time of the whole process.
"""

import sys
from pathlib import Path

from benchmarks.book import PERIOD, Book
from benchmarks.measure import told
from billing_pipeline.build import build_defs, local_resources
from billing_pipeline.profile import Profile
from billing_pipeline.resources.gate import Gate


def close_month(book: Book, folder: Path) -> None:
    """Run the job on an ephemeral instance: inputs, review, bill, controls, publication."""
    resources = local_resources(
        usage_dir=book.folder,
        rules_file=book.rules,
        outputs_dir=folder / "outputs",
        state_dir=folder / "state",
        profile=Profile(),
        gate=Gate(gated=False),
    )
    job = build_defs(resources).resolve_job_def("close_month")
    quiet = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
    with told():
        job.execute_in_process(partition_key=PERIOD.key, run_config=quiet)


if __name__ == "__main__":
    close_month(Book(Path(sys.argv[1])), Path(sys.argv[2]))
