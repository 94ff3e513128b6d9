"""The controls as asset checks: what Dagster shows of them for a month."""

import dagster as dg

from billing_pipeline.build import build_defs
from tests.engine.rules.books import book, tier
from tests.literals import company
from tests.months import QUIET, Month


def test_every_control_is_a_check_with_its_figures_and_one_that_asks_for_review_does_not_stop_the_month(
    month: Month,
) -> None:
    month.rules(book([tier(er_fee=10, iu_fee=1)], (), (), mapping=()))
    month.usage(company(1), company(2, PARTNER_ID="999"))
    result = (
        build_defs(month.resources())
        .resolve_job_def("close_month")
        .execute_in_process(partition_key="2026-01", run_config=QUIET)
    )
    assert result.success
    checks = {evaluation.check_name: evaluation for evaluation in result.get_asset_check_evaluations()}
    assert len(checks) == 13
    assert {name for name, check in checks.items() if not check.passed} == {
        "netsuite_tie_out",
        "rows_with_missing_tier_bad_data",
    }
    assert {check.severity for check in checks.values()} == {dg.AssetCheckSeverity.WARN}
    figures = {key: value.value for key, value in checks["netsuite_tie_out"].metadata.items()}
    assert {key: value for key, value in figures.items() if key != "draft"} == {
        "control check": "NetSuite Tie-Out",
        "input": "15.0000",
        "output": "15.0000",
        "variance": "0.0000",
        "status": "REVIEW REQUIRED",
    }
