"""The version of the package, which saved models carry with them."""

from __future__ import annotations

from typing import Any

from .._data.checks import warn
from ..exceptions import VersionWarning

__version__ = "0.1.0"
STAMP = "_skmixed_version"


class Stamped:
    """Stands before BaseEstimator: a saved estimator says which version saved it, and a loaded one
    whether that was another.
    """

    def __getstate__(self) -> dict[str, Any]:
        state: Any = super().__getstate__()
        return dict(state) | {STAMP: __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        saved = state.pop(STAMP, "of unknown age")
        if saved != __version__:
            warn(
                f"This {type(self).__name__} was saved by scikit-mixed {saved} and is loaded by "
                f"{__version__}.\nWhere answers matter, load it with the version that saved it, or "
                "fit it again.",
                VersionWarning,
            )
        super().__setstate__(state)  # type: ignore[misc]
