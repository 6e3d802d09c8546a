"""Settings of all tests."""

import pytest
from hypothesis import settings
from pytest import DoctestItem

# the same examples on every machine: a failure is a change, not chance
settings.register_profile("same everywhere", derandomize=True, deadline=None, database=None)
settings.load_profile("same everywhere")


def pytest_collection_modifyitems(items):
    """The examples of the docstrings are a test of each kind."""
    for item in items:
        if isinstance(item, DoctestItem):
            item.add_marker(pytest.mark.smoke)
