"""The lecture's augmentation, on whole batches and on the device of the batch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.v2 import Transform

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pawsight_training.recipes import Augmentation


class RandomAffineBatch(Transform):  # type: ignore[misc]
    """Changes each picture of a batch by its own random affine map, bilinear, nearest fill.

    Takes [B, 3, H, W] of any type and returns float32 of the same range. The map is drawn from
    torch's default generator on the CPU, so that a seed gives the same pictures on every device.
    """

    def __init__(self, ranges: Augmentation) -> None:
        super().__init__()
        self.ranges = ranges

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the map of each picture, output to input coordinates, [B, 2, 3]."""
        batch, _, height, width = flat_inputs[0].shape
        ranges = self.ranges
        rotation, down, right, shear, zoom_y, zoom_x, flip = torch.empty(7, batch).uniform_(-1, 1)
        rotation = rotation * math.radians(ranges.rotation_deg)
        shear = shear * ranges.shear
        zero, one = torch.zeros(batch), torch.ones(batch)
        mirror = torch.where(flip < 0, -one, one) if ranges.flip else one
        # Pixels from the centre, (x, y): as in Keras, rotation after shift, shear and zoom.
        turn = _matrix(
            (rotation.cos(), rotation.sin(), zero), (-rotation.sin(), rotation.cos(), zero)
        )
        move = _matrix(
            (one, zero, right * ranges.shift * width), (zero, one, down * ranges.shift * height)
        )
        slant = _matrix((shear.cos(), zero, zero), (-shear.sin(), one, zero))
        scale = _matrix(
            ((1 + zoom_x * ranges.zoom) * mirror, zero, zero),
            (zero, 1 + zoom_y * ranges.zoom, zero),
        )
        # affine_grid counts each side from -1 to 1.
        extent = torch.tensor([width / 2, height / 2, 1.0])
        matrix = (turn @ move @ slant @ scale) * extent / extent[:, None]
        return {"matrix": matrix[:, :2]}

    def transform(self, inpt: Tensor, params: Mapping[str, Any]) -> Tensor:
        """Sample the changed pictures."""
        matrix = params["matrix"].to(inpt.device)
        grid = F.affine_grid(matrix, list(inpt.shape), align_corners=False)
        return F.grid_sample(
            inpt.to(torch.float32), grid, padding_mode="border", align_corners=False
        )


def _matrix(*rows: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    batch = rows[0][0].shape[0]
    last = torch.tensor([0.0, 0.0, 1.0]).expand(batch, 1, 3)
    return torch.cat([torch.stack([torch.stack(row, dim=-1) for row in rows], dim=1), last], dim=1)
