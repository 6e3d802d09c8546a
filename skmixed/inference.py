"""What may be concluded from a fit: functions of the small fitted value, not methods of a large result.

Every function takes fitted estimators.
"""

from __future__ import annotations

from ._boundary import LikelihoodRatioTest
from ._contrasts import WaldTest

__all__ = ["LikelihoodRatioTest", "WaldTest"]
