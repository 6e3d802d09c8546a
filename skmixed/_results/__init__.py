"""Parts of the results of a fit, put together in :mod:`skmixed.results`."""
