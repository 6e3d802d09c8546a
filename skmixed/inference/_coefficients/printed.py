"""Contrasts as statsmodels has them, with printed forms that name their hypothesis."""

from __future__ import annotations

from html import escape

from statsmodels.stats.contrast import ContrastResults

from ..._report.words import p_value

MOST_ROWS = 6  # of a joint hypothesis that are printed


class NamedContrasts(ContrastResults):
    """Rows of a hypothesis tested one by one."""

    def __init__(self, hypotheses, **numbers):
        super().__init__(**numbers)
        self.c_names = list(hypotheses)

    def __repr__(self):
        return str(self)

    def _repr_html_(self):
        return self.summary().as_html()


class JointContrasts(ContrastResults):
    """Rows of a hypothesis tested together."""

    def __init__(self, hypotheses, **numbers):
        super().__init__(**numbers)
        self.hypotheses = list(hypotheses)

    def summary(self, *args, **kwargs):
        """The same as the printed form."""
        return str(self)

    def __str__(self):
        shown = ", ".join(self.hypotheses[:MOST_ROWS])
        more = len(self.hypotheses) - MOST_ROWS
        shown += f" and {more} more" if more > 0 else ""
        degrees = f"{self.df_denom:g}"
        if self.distribution == "F":
            degrees = f"{self.df_num:g}, {self.df_denom:.1f}"
        result = f"{self.distribution}({degrees}) = {float(self.statistic):.4g}"
        return f"Wald test: {shown}\n{result}, {p_value(float(self.pvalue))}"

    def __repr__(self):
        return str(self)

    def _repr_html_(self):
        return f"<pre>{escape(str(self))}</pre>"
