"""The order of the examples: first those that a newcomer should see."""

from __future__ import annotations

FIRST = ["wages", "contraception", "restaurants", "schools", "sleep", "growth"]


class Order:
    """Key by which sphinx-gallery sorts the scripts of a folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __call__(self, script: str) -> tuple[int, str]:
        name = script.removeprefix("plot_").removesuffix(".py")
        return FIRST.index(name) if name in FIRST else len(FIRST), name
