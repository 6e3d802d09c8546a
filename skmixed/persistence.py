"""Saving and loading of fitted models.

Pickle and joblib need nothing from here.  skops, and mlflow which uses it, load only classes that
somebody trusts.
"""

from __future__ import annotations

from os import PathLike
from typing import Any

__all__ = ["trusted_types"]

OURS = "skmixed."


def trusted_types(model: Any) -> list[str]:
    """Names of the classes of this package that a model, or a file, is made of.

    ``skops.io.load(path, trusted=...)`` and ``mlflow.sklearn.save_model(model, path,
    skops_trusted_types=...)`` ask for them: both refuse every class that neither they nor you
    trust, whose code would run when a file from elsewhere is loaded.  Arrays and most
    estimators of scikit-learn they know; what else is in a pipeline is not named here, and is yours
    to trust.  skops has to be installed.

    Parameters
    ----------
    model : estimator, str or path
        What is to be saved, such as a pipeline; or the file that skops saved.

    Returns
    -------
    list of str
        Sorted.

    Examples
    --------
    >>> from skmixed import MixedLinearRegressor
    >>> from skmixed.datasets import make_mixed_regression
    >>> from skmixed.persistence import trusted_types
    >>> X, y = make_mixed_regression(random_state=0)
    >>> model = MixedLinearRegressor(groups="group").fit(X, y)
    >>> "skmixed.linear.MixedLinearRegressor" in trusted_types(model)
    True
    """
    from skops import io

    if isinstance(model, str | PathLike):
        found = io.get_untrusted_types(file=model)
    else:
        found = io.get_untrusted_types(data=io.dumps(model))
    return sorted(name for name in found if name.startswith(OURS))
