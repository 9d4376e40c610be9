"""Method names and what answers to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pawsight_serving.explainer.methods.activations import Activations
from pawsight_serving.explainer.methods.grad_cam import GradCam

if TYPE_CHECKING:
    from collections.abc import Callable

    from pawsight_serving.explainer.explanations import Query
    from pawsight_serving.explainer.methods.protocol import Method
    from pawsight_serving.repository.manifest import Manifest

DEFAULT_METHOD: Final = "grad-cam"
METHODS: Final[dict[str, Callable[[Manifest, Query], Method]]] = {
    "grad-cam": GradCam.ask,
    "activations": Activations.ask,
}
