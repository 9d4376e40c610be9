"""Does a staged graph compute what the run computes? Against PyTorch, and against Captum.

Below the last layer Grad-CAM is no continuous function of the activations: a ReLU passes a gradient
or none, a max-pool sends it to one position or another, and rounding decides where a value is
within 1e-7 of zero or of its neighbour. Captum in single precision is off from Captum in double
precision by up to 6e-3 in the first layers, for one picture in a hundred of the scratch net and one
in six of VGG16. So a picture's maps are held against both, and must agree with one. A few pictures
may still deviate by more than the tolerance; a wrong graph deviates on nearly all of them. Flat
pictures, where a wrong way through a max-pool shows most, may not by more than Captum contradicts
itself there; and the worst picture is reported.
"""

from __future__ import annotations

import copy
import itertools
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from pawsight_export.checks.references import captum_gradients, captum_maps, layer_activations
from pawsight_export.errors import ParityFailed
from pawsight_training.evaluation.evaluation import probabilities_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from pawsight_training.architectures import ConvNet

    Outputs = Mapping[str, NDArray[np.float32]]
    Deviation = tuple[str, float | np.floating[Any]]

TOLERANCE: Final = 1e-4
# The pictures in which rounding may decide, a layer.
UNDECIDED_SHARE: Final = 0.05
# A gradient has many more values than its map, and a flipped one is not averaged out: of the first
# so many pictures half must agree. Flat ones come on top, and are compared otherwise.
_GRADIENT_PICTURES: Final = 9
_REPORTED_ALONE: Final = "explain grad-cam, worst picture"


def check_parity(
    model: ConvNet,
    pictures: NDArray[np.uint8],
    hot: Outputs | None,
    explain: Outputs,
    repeat: str = "",
) -> dict[str, float]:
    """Compare both graphs' outputs with the model's own.

    Deviations of probabilities are absolute; those of maps are relative to the picture's largest
    value in that layer, over all classes.

    Args:
        model: the net whose weights the graphs hold, in eval mode.
        pictures: what both graphs were given, uint8 [N, H, W, 3].
        hot: outputs of the graph NAME; None where it computes in a lower precision than the model
            and is compared otherwise.
        explain: outputs of the graph NAME_explain.
        repeat: the command that repeats the check, for who has to find the deviation.

    Returns:
        The largest deviation of each check, and how many pictures it was measured on. Of "explain
        grad-cam" it is the largest over all pictures but `UNDECIDED_SHARE` of them a layer.

    Raises:
        ParityFailed: a deviation is over `TOLERANCE`.
    """
    flat = pictures.reshape(len(pictures), -1).std(axis=1) == 0
    images = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
    nets = model, copy.deepcopy(model).double()
    with torch.no_grad():
        answers = probabilities_of(model(images)).numpy()
    figures: dict[str, float] = {}
    for check, deviation in itertools.chain(
        _of_answers(answers, hot, explain),
        _of_activations(model, images, explain),
        _of_maps(nets, images, flat, answers.shape[1], hot, explain),
        _of_gradients(nets, images, flat, answers.shape[1], explain),
    ):
        # Python's own max would take zero for what is no number.
        figures[check] = float(np.maximum(figures.get(check, 0.0), deviation))
    _refuse_deviations(figures, repeat)
    return {**figures, "pictures": float(len(pictures)), "tolerance": TOLERANCE}


def _of_answers(
    answers: NDArray[np.float32], hot: Outputs | None, explain: Outputs
) -> Iterator[Deviation]:
    if hot is not None:
        yield "probabilities", _absolute(hot["probabilities"], answers)
    yield "explain probabilities", _absolute(explain["probabilities"], answers)


def _of_activations(model: ConvNet, images: Tensor, explain: Outputs) -> Iterator[Deviation]:
    for name, activation in layer_activations(model, images):
        yield "activations", relative_deviations(explain[f"activation:{name}"], activation).max()


def _of_maps(
    nets: tuple[ConvNet, ConvNet],
    images: Tensor,
    flat: NDArray[np.bool_],
    n_classes: int,
    hot: Outputs | None,
    explain: Outputs,
) -> Iterator[Deviation]:
    references = (captum_maps(net, images, n_classes) for net in nets)
    for (name, maps), (_, exact) in zip(*references, strict=True):
        deviations = _nearer(explain[f"gradcam:{name}"], maps, exact)
        yield "explain grad-cam", np.quantile(deviations, 1 - UNDECIDED_SHARE, method="lower")
        # Where channels cancel out in a flat picture, what is left is rounding: a graph may be off
        # by what Captum is off from itself, and no further.
        own = relative_deviations(maps, exact)
        beyond = np.where(own > TOLERANCE, deviations - own, deviations)
        yield "explain grad-cam, flat pictures", beyond[flat].max(initial=0.0)
        yield _REPORTED_ALONE, deviations.max()
        last_maps = maps
    if hot is not None:
        yield "grad-cam", relative_deviations(hot["gradcam"], last_maps).max()


def _of_gradients(
    nets: tuple[ConvNet, ConvNet],
    images: Tensor,
    flat: NDArray[np.bool_],
    n_classes: int,
    explain: Outputs,
) -> Iterator[Deviation]:
    some = np.flatnonzero(flat | (np.cumsum(~flat) <= _GRADIENT_PICTURES))
    references = (captum_gradients(net, images[some], n_classes) for net in nets)
    for (name, gradients), (_, exact) in zip(*references, strict=True):
        logits = [_by_logit(each) for each in (explain[f"gradient:{name}"][some], gradients, exact)]
        # Where positions tie, rounding says which of them a max-pool sends the gradient to; what it
        # amounts to over all of them no tie decides. In flat pictures all tie, and int8 weights,
        # which are multiples of one number, make ties in any picture: there Captum contradicts
        # itself.
        sums = _nearer(*(each.sum(axis=(2, 3), keepdims=True) for each in logits))
        deviations = _nearer(*logits)
        tied = ~(relative_deviations(logits[1], logits[2]) <= TOLERANCE)
        deviations = np.where(tied, np.minimum(deviations, sums), deviations)
        sums, deviations = (each.reshape(len(some), -1) for each in (sums, deviations))
        # Each logit for itself: one that is wrong must not hide among many that are right.
        yield "explain gradients", np.median(deviations[~flat[some]], axis=0).max()
        yield "explain gradients, flat pictures", sums[flat[some]].max(initial=0.0)


def _by_logit(gradients: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Return [N, L, K, h, w] as [N * L, K, h, w]: each logit as one more picture."""
    return gradients.reshape(-1, *gradients.shape[2:])


def _refuse_deviations(figures: Mapping[str, float], repeat: str) -> None:
    over = [
        f"{check} {value:.2g}"
        for check, value in figures.items()
        if check != _REPORTED_ALONE and not value <= TOLERANCE
    ]
    if over:
        raise ParityFailed(
            f"The exported graphs deviate from the run by more than {TOLERANCE:g}: "
            f"{', '.join(over)}. Nothing was published."
            + (f" To repeat this: {repeat}" if repeat else "")
        )


def _nearer(
    value: NDArray[np.floating[Any]],
    single: NDArray[np.floating[Any]],
    double: NDArray[np.floating[Any]],
) -> NDArray[np.floating[Any]]:
    """Return each picture's deviation from that of the two references which it is nearer to."""
    nearer: NDArray[np.floating[Any]] = np.minimum(
        relative_deviations(value, single), relative_deviations(value, double)
    )
    return nearer


def _absolute(value: NDArray[np.float32], reference: NDArray[np.float32]) -> float:
    if value.shape != reference.shape:
        return float("inf")
    return float(np.abs(value - reference).max())


def relative_deviations(
    value: NDArray[np.floating[Any]], reference: NDArray[np.floating[Any]]
) -> NDArray[np.floating[Any]]:
    """Return each picture's largest deviation, in units of its largest value."""
    if value.shape != reference.shape:
        return np.full(len(reference), np.inf)
    scale = np.abs(reference).max(axis=(1, 2, 3))
    deviation = np.abs(value - reference).max(axis=(1, 2, 3))
    # A picture without any evidence has no scale: there every value must be zero.
    relative: NDArray[np.floating[Any]] = deviation / np.where(scale > 0, scale, TOLERANCE)
    return relative
