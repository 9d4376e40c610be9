"""The methods by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pawsight_serving.errors import OptionInvalid
from pawsight_serving.explanations.methods import (
    activations,
    grad_cam,
    occlusion,
    rise,
    saliency,
    smooth_grad,
)
from pawsight_serving.explanations.methods.activations import Activations
from pawsight_serving.explanations.methods.grad_cam import GradCam
from pawsight_serving.explanations.methods.grad_cam_plus_plus import GRAD_CAM_PLUS_PLUS
from pawsight_serving.explanations.methods.hires_cam import HIRES_CAM
from pawsight_serving.explanations.methods.layer_cam import LAYER_CAM
from pawsight_serving.explanations.methods.occlusion import Occlusion
from pawsight_serving.explanations.methods.rise import Rise
from pawsight_serving.explanations.methods.saliency import Saliency
from pawsight_serving.explanations.methods.smooth_grad import SmoothGrad

if TYPE_CHECKING:
    from pawsight_serving.explanations.methods.protocol import Method, MethodKind
    from pawsight_serving.explanations.queries import Query
    from pawsight_serving.repository.manifest import Manifest

DEFAULT_METHOD: Final = grad_cam.NAME
METHODS: Final[dict[str, MethodKind]] = {
    grad_cam.NAME: GradCam,
    activations.NAME: Activations,
    HIRES_CAM.name: HIRES_CAM,
    LAYER_CAM.name: LAYER_CAM,
    GRAD_CAM_PLUS_PLUS.name: GRAD_CAM_PLUS_PLUS,
    saliency.NAME: Saliency,
    smooth_grad.NAME: SmoothGrad,
    occlusion.NAME: Occlusion,
    rise.NAME: Rise,
}


def offered_methods(manifest: Manifest) -> tuple[str, ...]:
    """Return the names of the methods that the model's graphs have what is needed for."""
    return tuple(name for name, kind in METHODS.items() if kind.offered(manifest))


def find_method(manifest: Manifest, query: Query) -> tuple[str, Method]:
    """Return the name of the method that a query asks for, and the method with its options.

    Raises:
        LayerUnknown, TargetUnknown, OptionInvalid: an option does not fit, or the model's graphs
            are of a time before the method.
    """
    name = query.method or DEFAULT_METHOD
    offered = offered_methods(manifest)
    if name not in METHODS:
        raise OptionInvalid(f"Method {name!r} is not one of: {', '.join(offered)}.")
    if name not in offered:
        raise OptionInvalid(
            f"{manifest.name} version {manifest.version} was exported without what the method "
            f"{name!r} needs; export it again, or ask for one of: {', '.join(offered)}."
        )
    return name, METHODS[name].ask(manifest, query)
