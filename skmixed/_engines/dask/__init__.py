"""Dask: partitions are summed where they are, and asked where they are.

Every task is a function of its arguments, so that whoever runs it, and how often, is no matter: a
worker that is lost costs the time of its tasks.  What runs them is Dask's affair: threads, or the
client that is there.
"""

from .again import rows
from .answers import applied
from .partitions import takes
from .rounds import placed
from .sums import stream

__all__ = ["applied", "placed", "rows", "stream", "takes"]
