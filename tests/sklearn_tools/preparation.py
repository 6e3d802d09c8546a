"""Steps before the model, and whether the grouping column survives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from skmixed import MixedLinearRegressor

NAMES = {"verbose_feature_names_out": False}
NUMBERS = ["x0", "x1"]
RECIPE = '`verbose_feature_names_out=False` and `set_output(transform="pandas")`.'


def kept(model, step=None):
    """A step for the numbers; the column of groups, if there is one, comes last."""
    step = StandardScaler() if step is None else step
    return scaled(step=step, remainder="passthrough", **NAMES).set_output(transform="pandas")


def scaled(step=None, **options):
    return make_column_transformer((step or StandardScaler(), NUMBERS), **options)


class Step(NamedTuple):
    """A line of the page: what comes before ``MixedLinearRegressor(groups=...)``.

    Attributes
    ----------
    name : as it is shown
    make : the step
    way_out : what to do where it does not pass
    text : whether the labels are text
    groups : parameter of the model
    """

    name: str
    make: Callable
    way_out: str = RECIPE
    text: bool = True
    groups: str | int = "id"

    def run(self, style):
        model = MixedLinearRegressor(groups=self.groups)
        return style.of_numbers(make_pipeline(self.make(), model))


def encoded():
    return make_column_transformer(
        (OneHotEncoder(), ["x0"]), remainder="passthrough", **NAMES
    ).set_output(transform="pandas")


def selected():
    numbers = make_column_selector(dtype_include="number")
    chosen = make_column_transformer((StandardScaler(), numbers), remainder="passthrough", **NAMES)
    return chosen.set_output(transform="pandas")


def joined():
    names = FunctionTransformer(lambda X: X[["id"]], feature_names_out=lambda *_: ["id"])
    return make_union(scaled(**NAMES), names, verbose_feature_names_out=False).set_output(
        transform="pandas"
    )


def passing(kind=None, **options):
    def make():
        step = scaled(remainder="passthrough", **options)
        return step.set_output(transform=kind) if kind else step

    return make


LIST = "List the columns, or make text of the labels: numbers are scaled like any column."
STEPS = [
    Step(
        "`StandardScaler` on all columns, labels are text", StandardScaler, "A ColumnTransformer."
    ),
    Step(
        "`StandardScaler` on all columns, labels are numbers",
        lambda: StandardScaler().set_output(transform="pandas"),
        LIST,
        text=False,
    ),
    Step('`ColumnTransformer(remainder="passthrough")`', passing(), RECIPE + " Or `groups=-1`."),
    Step("the same, `groups=-1`", passing(), groups=-1),
    Step('the same, `set_output(transform="pandas")`', passing("pandas")),
    Step("the same, `verbose_feature_names_out=False` too", passing("pandas", **NAMES)),
    Step('the same, `set_output(transform="polars")`', passing("polars", **NAMES)),
    Step(
        '`ColumnTransformer(remainder="drop")`, the default',
        lambda: scaled(**NAMES).set_output(transform="pandas"),
        '`remainder="passthrough"`.',
    ),
    Step("`OneHotEncoder()` with pandas output", encoded, "`OneHotEncoder(sparse_output=False)`."),
    Step('`make_column_selector(dtype_include="number")`, labels are text', selected),
    Step(
        '`make_column_selector(dtype_include="number")`, labels are numbers',
        selected,
        LIST,
        text=False,
    ),
    Step("`FeatureUnion(verbose_feature_names_out=False)`", joined),
]
