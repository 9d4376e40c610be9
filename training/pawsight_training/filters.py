"""What each filter of a net responds to most: gradient ascent in the space of pictures.

The picture is learnt by its Fourier coefficients, smooth ones first, in decorrelated colours, and
seen through small shifts (Olah et al., Feature Visualization, Distill 2017): plain ascent on pixels
gives noise that excites a filter and that nobody can read.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from pawsight_training.errors import RecipeInvalid
from pawsight_training.machine import best_precision
from pawsight_training.progress import tracked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pawsight_training.architectures import ConvNet

SHIFT: Final = 8
# What lies at the rim is seen by fewer positions, and stays unfinished: it is cut off.
RIM: Final = 12
GAP: Final = 4
LEARNING_RATE: Final = 0.05
LEAK: Final = 0.1
# Colours of natural pictures, as the square root of ImageNet's colour covariance (ibid.).
COLOURS: Final = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))


def conv_layers(net: ConvNet) -> tuple[str, ...]:
    """Return the names of the convolutional layers, in order."""
    return tuple(
        name for name, module in net.features.named_children() if isinstance(module, nn.Conv2d)
    )


def maximise_filters(
    net: ConvNet,
    layer: str,
    filters: Sequence[int],
    *,
    side: int = 128,
    steps: int = 64,
    seed: int = 0,
    batch_size: int = 16,
) -> NDArray[np.uint8]:
    """Return a picture for each filter that excites it strongly, uint8 [N, side, side, 3].

    Args:
        net: in eval mode; on its device the work is done.
        layer: name of a convolutional layer; its response is measured after a ReLU that leaks, so
            that a filter that is silent at first can be found too. Before any ReLU the mean of a
            first layer's response depends on the mean colour alone, and edges would never show.
        filters: indices of the filters.
        side: of the pictures, in pixels.
        steps: of the ascent.
        seed: of the first picture and of the shifts.
        batch_size: filters at a time.

    Raises:
        RecipeInvalid: no such layer.
    """
    if layer not in conv_layers(net):
        raise RecipeInvalid(f"Layer {layer!r} is not one of: {', '.join(conv_layers(net))}.")
    names = [name for name, _ in net.features.named_children()]
    base = nn.Sequential(net.normalise, *net.features[: names.index(layer) + 1])
    chunks = [filters[start : start + batch_size] for start in range(0, len(filters), batch_size)]
    return np.concatenate(
        [
            _ascend(base, chunk, side, steps, seed)
            for chunk in tracked(chunks, f"Filters of {layer}")
        ]
    )


def _ascend(
    base: nn.Sequential, filters: Sequence[int], side: int, steps: int, seed: int
) -> NDArray[np.uint8]:
    device = next(base.parameters()).device
    # Two thirds of the time where the hardware has it, and the pictures look the same.
    fast = best_precision(device.type) == "bf16"
    side += 2 * RIM
    chance = torch.Generator().manual_seed(seed)
    start = torch.randn(len(filters), 3, side, side // 2 + 1, 2, generator=chance) * 0.01
    spectrum = start.to(device).requires_grad_()
    optimiser = torch.optim.Adam([spectrum], lr=LEARNING_RATE)
    rows = torch.arange(len(filters), device=device)
    columns = torch.tensor(list(filters), device=device)
    for _ in range(steps):
        down, right = torch.randint(-SHIFT, SHIFT + 1, (2,), generator=chance).tolist()
        shifted = torch.roll(_pictures(spectrum, side), (down, right), dims=(2, 3))
        shifted = shifted.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=fast):
            response = leaky_relu(base(shifted)[rows, columns].float(), LEAK).mean(dim=(1, 2))
        (spectrum.grad,) = torch.autograd.grad(-response.sum(), spectrum)
        optimiser.step()
    with torch.no_grad():
        pixels = _pictures(spectrum, side).permute(0, 2, 3, 1)
    whole: NDArray[np.uint8] = pixels.round().to(torch.uint8).cpu().numpy()
    return whole[:, RIM:-RIM, RIM:-RIM]


def _pictures(spectrum: Tensor, side: int) -> Tensor:
    """Return pictures float [N, 3, side, side], values 0 to 255, of Fourier coefficients."""
    down = torch.fft.fftfreq(side, device=spectrum.device)[:, None]
    right = torch.fft.rfftfreq(side, device=spectrum.device)[None]
    frequency = (down**2 + right**2).sqrt().clamp(min=1 / side)
    values = torch.fft.irfft2(torch.view_as_complex(spectrum) / frequency, s=(side, side))
    colours = torch.tensor(COLOURS, device=spectrum.device)
    mixed = torch.einsum("nchw,dc->ndhw", values, colours / colours.norm(dim=1).max())
    return (mixed * side / 4).sigmoid() * 255


def write_filters(
    net: ConvNet, out: Path, layers: Sequence[str] = (), count: int = 64, **options: int
) -> Iterator[Path]:
    """Write a grid of the first filters of each layer as PNG, and yield its path.

    Args:
        net: in eval mode.
        out: the folder; it is made where it is not there.
        layers: names; empty is every convolutional layer.
        count: filters a layer, at most.
        **options: `side`, `steps` and `seed` of `maximise_filters`.

    Raises:
        RecipeInvalid: no such layer, or the folder cannot be written.
    """
    _make_folder(out)
    for layer in layers or conv_layers(net):
        module = dict(net.features.named_children()).get(layer)
        channels = module.out_channels if isinstance(module, nn.Conv2d) else 1
        pictures = maximise_filters(net, layer, range(min(count, channels)), **options)
        path = out / f"{layer}.png"
        try:
            Image.fromarray(grid(pictures)).save(path)
        except OSError as error:
            raise RecipeInvalid(
                f"{path} cannot be written ({error.strerror}); free some space, or name another "
                "folder with --out."
            ) from error
        yield path


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecipeInvalid(
            f"{out} cannot be made a folder ({error.strerror}); name another one with --out."
        ) from error


def grid(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay pictures [N, side, side, 3] out in rows, a gap of black between them."""
    count, side, _, _ = pictures.shape
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    step = side + GAP
    sheet = np.zeros((rows * step - GAP, columns * step - GAP, 3), np.uint8)
    for index, picture in enumerate(pictures):
        top, left = index // columns * step, index % columns * step
        sheet[top : top + side, left : left + side] = picture
    return sheet
