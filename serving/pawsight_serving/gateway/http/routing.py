"""A route whose path ends where it says."""

from __future__ import annotations

import re
from typing import Any

import starlette.routing


class Route(starlette.routing.Route):
    """Starlette's route, whose pattern ends with `$` and so takes a line feed behind the path too.

    With it, `/healthz%0A` would be `/healthz`.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.path_regex = re.compile(rf"{self.path_regex.pattern.removesuffix('$')}\Z")
