from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pawsight_serving.explanations.results import (
    ActivationMaps,
    ChannelMap,
    ClassMap,
    Explained,
    Explanation,
)
from pawsight_serving.messages.explanations import explain_response
from pawsight_serving.messages.tensors import read_tensor
from pawsight_serving.predictions import Predictions

if TYPE_CHECKING:
    from pawsight_proto.v1 import pawsight_pb2 as pb
    from pawsight_serving.explanations.results import Maps

VALUES = np.array([[0, 1 / 3, 2.5], [1e-30, 7e8, 0]], np.float32)


def sent(maps: Maps, *, tensors: bool) -> pb.Explanation:
    predictions = Predictions(model="m", version="1", digest="sha256:0", predictions=())
    explained = Explained("grad-cam", predictions, "w", "int8", [Explanation(maps)])
    answer = explain_response(explained, "an-id", tensors=tensors)
    return type(answer).FromString(answer.SerializeToString()).explanations[0]


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_map_is_sent_row_by_row(order: str) -> None:
    values = np.asarray(VALUES, order="C" if order == "C" else "F")
    message = sent(ClassMap("conv1", "cat", values), tensors=False)
    assert (message.map.height, message.map.width) == (2, 3)
    assert list(message.map.values) == VALUES.ravel().tolist()
    assert not message.HasField("tensor")


def test_a_map_without_evidence_is_sent_whole() -> None:
    message = sent(ClassMap("conv1", "cat", np.zeros((2, 2), np.float32)), tensors=False)
    assert (message.evidence, list(message.map.values)) == (False, [0, 0, 0, 0])


def test_a_map_is_sent_as_a_tensor_instead() -> None:
    message = sent(ClassMap("conv1", "cat", VALUES), tensors=True)
    np.testing.assert_array_equal(read_tensor(message.tensor), VALUES)
    assert not message.HasField("map")


@pytest.mark.parametrize("tensors", [False, True])
def test_channels_are_sent_with_their_maps_or_in_one_tensor(*, tensors: bool) -> None:
    channels = [ChannelMap(3, VALUES), ChannelMap(0, VALUES * 2)]
    message = sent(ActivationMaps("conv1", channels), tensors=tensors)
    assert [channel.channel for channel in message.channels] == [3, 0]
    assert [channel.HasField("map") for channel in message.channels] == [not tensors] * 2
    if tensors:
        np.testing.assert_array_equal(read_tensor(message.tensor), [VALUES, VALUES * 2])
    else:
        assert list(message.channels[1].map.values) == (VALUES * 2).ravel().tolist()
