"""How an installation estimates, and which variances it calls material: the policy of its accruals."""

from decimal import Decimal
from typing import cast

import dagster as dg

from billing_pipeline.engine.accruals import Estimator, Materiality


class Estimation(dg.ConfigurableResource["Estimation"]):
    """`estimator`: one of engine.accruals.ESTIMATORS. `materiality_*`: decimals as text; an empty amount is none.

    `save_detail`: the estimate's rows are kept as a workbook of their own as well.
    """

    estimator: str = "prior-month"
    materiality_percent: str = "5"
    materiality_amount: str = ""
    save_detail: bool = False

    @property
    def chosen(self) -> Estimator:
        return cast(Estimator, self.estimator)

    @property
    def materiality(self) -> Materiality:
        amount = Decimal(self.materiality_amount) if self.materiality_amount else None
        return Materiality(Decimal(self.materiality_percent), amount)
