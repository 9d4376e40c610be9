from __future__ import annotations

import pytest
import torch
from torch import nn

from pawsight_training.architectures import ARCHITECTURES, ConvNet, Normalise, build, map_size
from pawsight_training.architectures.convnet import outputs_for
from pawsight_training.errors import RecipeInvalid

EXPORTABLE = {nn.Conv2d, nn.ReLU, nn.MaxPool2d, nn.Flatten, nn.Linear, nn.Dropout}


def test_pixels_are_normalised_by_channel() -> None:
    normalise = Normalise(mean=(10, 20, 30), std=(2, 4, 5))
    pixels = torch.tensor([12, 24, 35], dtype=torch.uint8).reshape(1, 3, 1, 1)
    assert normalise(pixels).flatten().tolist() == [1.0, 1.0, 1.0]


def test_the_preprocessing_travels_with_the_weights() -> None:
    assert {"normalise.mean", "normalise.std"} <= build("scratch", 2, (46, 46)).state_dict().keys()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_nets_are_made_of_what_export_knows(name: str) -> None:
    net = build(name, 2, (64, 64))
    assert {type(module) for module in (*net.features, *net.head)} <= EXPORTABLE


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize(("classes", "outputs"), [(2, 1), (3, 3)])
def test_two_classes_share_one_logit(name: str, classes: int, outputs: int) -> None:
    net = build(name, classes, (64, 50)).eval()
    pictures = torch.randint(0, 256, (2, 3, 64, 50), dtype=torch.uint8)
    assert net(pictures).shape == (2, outputs)
    assert outputs_for(classes) == outputs


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("size", [(64, 50), (150, 150), (99, 47)])
def test_the_size_of_the_last_map_is_known_beforehand(name: str, size: tuple[int, int]) -> None:
    net: ConvNet = build(name, 2, size)
    assert net.features(torch.zeros(1, 3, *size)).shape[2:] == map_size(net.features, size)


def test_an_unknown_architecture_is_named() -> None:
    with pytest.raises(RecipeInvalid, match="'resnet' is not one of: scratch, vgg16"):
        build("resnet", 2, (64, 64))
