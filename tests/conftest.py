"""Settings of all tests."""

from hypothesis import settings

# the same examples on every machine: a failure is a change, not chance
settings.register_profile("same everywhere", derandomize=True, deadline=None, database=None)
settings.load_profile("same everywhere")
