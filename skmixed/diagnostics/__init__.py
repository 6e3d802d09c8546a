"""What a fitted model has to say about itself: in plain words, and what is wrong with it."""

from __future__ import annotations

from ._doctor.diagnose import diagnose
from ._doctor.report import Diagnosis, Finding
from ._explain.explain import Explanation, explain

__all__ = ["Diagnosis", "Explanation", "Finding", "diagnose", "explain"]
