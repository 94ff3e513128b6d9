"""The usage file of a run that a sensor started: the file and the content it was started for, and no other."""

from hashlib import sha256

import pytest

from billing_pipeline.build import build_defs
from billing_pipeline.engine.errors import InputError
from tests.literals import usage_csv
from tests.months import QUIET, Month, one_company


def read(month: Month, **tags: str) -> str:
    """The name of the file that a run with these tags (billing/...) reads."""
    job = build_defs(month.resources()).resolve_job_def("scan_month")
    named = {f"billing/{name}": value for name, value in tags.items()}
    result = job.execute_in_process(partition_key="2026-01", run_config=QUIET, tags=named)
    return str(result.output_for_node("usage_file")["name"][0])


def test_of_two_files_of_a_month_the_one_that_was_taken_is_read(month: Month) -> None:
    month.usage(one_company())
    later = month.inputs / "late" / "2026.01_second.csv"
    later.parent.mkdir()
    later.write_bytes(usage_csv(one_company(TOTAL_INDIVIDUAL_USERS="6")))
    digest = sha256(later.read_bytes()).hexdigest()
    assert read(month, file="late/2026.01_second.csv", sha256=digest) == "2026.01_second.csv"


def test_a_file_that_has_changed_since_it_was_taken_is_refused(month: Month) -> None:
    month.usage(one_company())
    with pytest.raises(InputError, match="has other contents than when it was taken"):
        read(month, file=month.usage_file.name, sha256="0" * 64)


def test_a_tag_leads_to_no_file_outside_the_usage_folder(month: Month) -> None:
    month.usage(one_company())
    with pytest.raises(InputError):
        read(month, file="../gep_billing_rules.xlsx", sha256="0" * 64)
