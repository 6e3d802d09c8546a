"""statsmodels' ``MixedLM`` on this library's fit: change the import, keep the script.

``import skmixed.statsmodels as sm`` has ``sm.MixedLM``, ``sm.mixedlm`` (formulas, as in
``statsmodels.formula.api``), ``sm.MixedLMParams`` and ``sm.VCSpec``, with statsmodels' arguments,
attributes and shapes.  Where it differs on purpose: ``docs/coming_from/statsmodels_dropin.md``.
"""

from ._model import MixedLM
from ._params import MixedLMParams, VCSpec
from ._results import MixedLMResults

__all__ = ["MixedLM", "MixedLMParams", "MixedLMResults", "VCSpec"]

#: as ``statsmodels.formula.api.mixedlm``
mixedlm = MixedLM.from_formula
