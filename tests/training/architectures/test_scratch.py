from __future__ import annotations

import pytest
import torch
from torch import nn

from pawsight_training.architectures import build
from pawsight_training.errors import RecipeInvalid

FEATURES = [
    f"{kind}{number}{end}"
    for number in range(1, 5)
    for kind, end in (("conv", ""), ("conv", "_relu"), ("pool", ""))
]


def test_it_has_the_lectures_parameters_and_names() -> None:
    net = build("scratch", 2, (150, 150))
    assert sum(weight.numel() for weight in net.parameters()) == 3_453_121
    assert [name for name, _ in net.features.named_children()] == FEATURES
    head = ["flatten", "dropout", "dense1", "dense1_relu", "dense2"]
    assert [name for name, _ in net.head.named_children()] == head


def test_it_starts_as_keras_starts_it() -> None:
    net = build("scratch", 2, (150, 150))
    dense = net.head.get_submodule("dense1")
    assert isinstance(dense, nn.Linear)
    limit = (6 / (6272 + 512)) ** 0.5
    assert dense.weight.abs().max().item() == pytest.approx(limit, rel=1e-3)
    assert all(not weight.any() for name, weight in net.named_parameters() if "bias" in name)


def test_the_smallest_picture_is_46_pixels() -> None:
    assert build("scratch", 2, (46, 46))(torch.zeros(1, 3, 46, 46)).shape == (1, 1)
    with pytest.raises(RecipeInvalid, match="at least 46x46 pixels, not 45x46"):
        build("scratch", 2, (45, 46))
