"""Every public name of the library, where it is defined and what a user calls it.

Public are the names in ``__all__`` of the package and of its modules without an underscore, and
the methods and properties of the classes among them.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from sklearn.base import BaseEstimator

import skmixed


def public_modules() -> list[str]:
    """The package and its modules and packages without an underscore."""
    names = [module.name for module in pkgutil.iter_modules(skmixed.__path__)]
    return ["skmixed", *(f"skmixed.{name}" for name in names if not name.startswith("_"))]


def public_values() -> dict[str, Any]:
    """Functions and classes that ``__all__`` names, each once, by the lowest module that has it."""
    found: dict[int, tuple[str, Any]] = {}
    for module in map(importlib.import_module, reversed(public_modules())):
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if inspect.isfunction(value) or inspect.isclass(value):
                found.setdefault(id(value), (f"{module.__name__}.{name}", value))
    return dict(found.values())


def public_objects() -> dict[str, Any]:
    """The public values and the members of the classes, each once."""
    values = public_values()
    found = {id(value): (name, value) for name, value in values.items()}
    for name, value in [pair for pair in values.items() if inspect.isclass(pair[1])]:
        for member, function in members(value):
            found.setdefault(id(function), (f"{name}.{member}", function))
    return dict(found.values())


def members(cls: type) -> Iterator[tuple[str, Any]]:
    """Methods and properties of a class, but those that are scikit-learn's own."""
    for name in set(dir(cls)) - set(dir(BaseEstimator)):
        value = inspect.getattr_static(cls, name)
        owner = next((base for base in cls.__mro__ if name in vars(base)), object)
        if name.startswith("_") or not owner.__module__.startswith("skmixed"):
            continue
        value = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        if inspect.isfunction(value) or isinstance(value, property | cached_property):
            yield name, value


def module_to_import(value: Any) -> str:
    """The module a user imports it from: the first of ``public_modules`` that has it."""
    return next(
        name
        for name in public_modules()
        if value.__name__ in getattr(importlib.import_module(name), "__all__", ())
        and getattr(importlib.import_module(name), value.__name__) is value
    )
