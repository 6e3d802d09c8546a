"""Fits that are watched: by ``verbose``, and by scikit-learn's callbacks where there are such.

Callbacks came with scikit-learn 1.9, on trial: a bar of progress over a search of models and the
fits in it, or a function of one's own that ends a fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .._report.progress import say_iteration

try:
    from sklearn.callback import CallbackSupportMixin as CallbackSupport
except ImportError:  # before scikit-learn 1.9

    class CallbackSupport:  # type: ignore[no-redef]
        """No callbacks."""


Reporter = Callable[[float, float, float], "bool | None"]


class Watched(CallbackSupport):
    """An estimator whose iterations are reported."""

    verbose: int

    @contextmanager
    def _watching(self, X: Any, y: Any) -> Iterator[Reporter | None]:
        """What a search reports to; it answers whether to stop."""
        reporters: list[Reporter] = [say_iteration] if self.verbose else []
        if not getattr(self, "_skl_callbacks", None):
            yield reporters[0] if reporters else None
            return
        data = {"estimator": self, "X": X, "y": y}
        context = self._init_callback_context(max_subtasks=None).call_on_fit_task_begin(**data)
        yield lambda *numbers: any([*(r(*numbers) for r in reporters), _iteration(context, data)])
        context.call_on_fit_task_end(**data)


def _iteration(context, data):
    """Tell the callbacks of one; whether any of them wants to stop."""
    step = context.subcontext(task_name="iteration").call_on_fit_task_begin(**data)
    return bool(step.call_on_fit_task_end(**data))
