from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from pawsight_training.data.augmentation import RandomAffineBatch
from pawsight_training.recipes import Augmentation

STILL = Augmentation(rotation_deg=0, shift=0, shear=0, zoom=0, flip=False)


def pictures(batch: int = 16, height: int = 40, width: int = 60) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(
        0, 256, (batch, 3, height, width), dtype=torch.uint8, generator=generator
    ).contiguous(memory_format=torch.channels_last)


def matrices(ranges: Augmentation, *, batch: int = 500, size: tuple[int, int] = (50, 50)) -> Tensor:
    torch.manual_seed(0)
    matrix = RandomAffineBatch(ranges).make_params([torch.empty(batch, 3, *size)])["matrix"]
    assert isinstance(matrix, Tensor)
    return matrix


def test_no_change_gives_the_same_pixels() -> None:
    batch = pictures()
    changed = RandomAffineBatch(STILL)(batch)
    assert changed.dtype == torch.float32
    torch.testing.assert_close(changed, batch.float(), atol=0.02, rtol=0)


def test_a_seed_gives_the_same_pictures_and_another_others() -> None:
    augment, results = RandomAffineBatch(Augmentation()), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        results.append(augment(pictures()))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_each_picture_is_changed_in_its_own_way() -> None:
    matrix = matrices(Augmentation())
    assert len({tuple(row.flatten().tolist()) for row in matrix}) == len(matrix)


def test_half_of_the_pictures_are_mirrored() -> None:
    matrix = matrices(Augmentation(rotation_deg=0, shift=0, shear=0, zoom=0, flip=True))
    mirrored = (matrix[:, 0, 0] == -1).float().mean().item()
    assert mirrored == pytest.approx(0.5, abs=0.07)
    batch = pictures()
    torch.manual_seed(0)
    changed = RandomAffineBatch(Augmentation(0, 0, 0, 0, flip=True))(batch)
    for before, after in zip(batch.float(), changed, strict=True):
        same = torch.allclose(after, before, atol=0.02)
        assert same != torch.allclose(after, before.flip(-1), atol=0.02)


def test_rotation_keeps_shapes_of_oblong_pictures_and_its_range() -> None:
    height, width = 40, 80
    turned = matrices(
        Augmentation(rotation_deg=40, shift=0, shear=0, zoom=0, flip=False), size=(height, width)
    )
    pixels = turned[:, :, :2] * torch.tensor([[1.0, width / height], [height / width, 1.0]])
    angle = torch.atan2(pixels[:, 1, 0], pixels[:, 0, 0]).rad2deg()
    assert torch.allclose(pixels @ pixels.mT, torch.eye(2), atol=1e-5)
    assert 38 < angle.abs().max() <= 40
    assert angle.min() < -30 < 30 < angle.max()


def test_shifts_are_shares_of_the_sides() -> None:
    ranges = Augmentation(rotation_deg=0, shift=0.2, shear=0, zoom=0, flip=False)
    moved = matrices(ranges, size=(40, 80))
    # affine_grid's unit is half a side.
    for side in moved[:, :, 2].T:
        assert -0.4 <= side.min() < -0.38 < 0.38 < side.max() <= 0.4
    assert torch.allclose(moved[:, :, :2], torch.eye(2))


def test_zoom_scales_each_side_for_itself() -> None:
    scaled = matrices(Augmentation(rotation_deg=0, shift=0, shear=0, zoom=0.2, flip=False))
    right, down = scaled[:, 0, 0], scaled[:, 1, 1]
    for side in (right, down):
        assert 0.8 <= side.min() < 0.82 < 1.18 < side.max() <= 1.2
    assert not torch.allclose(right, down)


def test_shear_is_an_angle_in_radians() -> None:
    sheared = matrices(Augmentation(rotation_deg=0, shift=0, shear=0.2, zoom=0, flip=False))
    assert 0.19 < sheared[:, 1, 0].abs().max() <= math.sin(0.2) + 1e-6
    assert torch.allclose(sheared[:, 0, 0] ** 2 + sheared[:, 1, 0] ** 2, torch.ones(500))


def test_what_comes_in_from_outside_is_the_nearest_pixel() -> None:
    batch = torch.full((8, 3, 20, 20), 200.0)
    torch.manual_seed(0)
    changed = RandomAffineBatch(Augmentation())(batch)
    torch.testing.assert_close(changed, batch)
