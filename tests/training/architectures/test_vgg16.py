from __future__ import annotations

import pytest
import torch
from torchvision.models import vgg16 as torchvision_vgg16

from pawsight_training.architectures import build
from pawsight_training.errors import RecipeInvalid


def test_it_has_the_lectures_parameters_and_names() -> None:
    net = build("vgg16", 2, (150, 150), 0.5)
    counts = [sum(w.numel() for w in part.parameters()) for part in (net.features, net.head)]
    assert counts == [14_714_688, 2_097_665]
    convs = [name for name, _ in net.features.named_parameters() if name.endswith("weight")]
    assert [name.removesuffix(".weight") for name in convs] == [
        *("block1_conv1", "block1_conv2", "block2_conv1", "block2_conv2"),
        *("block3_conv1", "block3_conv2", "block3_conv3"),
        *("block4_conv1", "block4_conv2", "block4_conv3"),
        *("block5_conv1", "block5_conv2", "block5_conv3"),
    ]
    assert "block5_pool" in dict(net.features.named_children())
    head = ["flatten", "dense1", "dense1_relu", "dropout", "dense2"]
    assert [name for name, _ in net.head.named_children()] == head


def test_its_last_map_is_4x4x512() -> None:
    net = build("vgg16", 2, (150, 150))
    assert net.features(torch.zeros(1, 3, 150, 150)).shape == (1, 512, 4, 4)


def test_its_base_is_torchvisions() -> None:
    theirs, ours = torchvision_vgg16().features, build("vgg16", 2, (32, 32)).features
    ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True)))
    pictures = torch.rand(2, 3, 64, 64)
    assert torch.equal(theirs(pictures), ours(pictures))


def test_pictures_that_are_too_small_are_refused() -> None:
    with pytest.raises(RecipeInvalid, match="at least 32x32 pixels, not 32x31"):
        build("vgg16", 2, (32, 31))
