"""A listener that keeps what it hears of requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pawsight_serving.observability.observed import Observed
    from pawsight_serving.predictions import Predictions


class Heard:
    """See `Listener`."""

    def __init__(self) -> None:
        self.requests: list[Observed] = []

    def began(self, observed: Observed) -> None:
        pass

    def ended(self, observed: Observed) -> None:
        self.requests.append(observed)

    def predicted(
        self, observed: Observed, predictions: Predictions, pictures: Sequence[object]
    ) -> None:
        pass

    def said(self) -> list[tuple[str, str]]:
        """Return each request's method and code."""
        return [(each.method, each.code) for each in self.requests]
