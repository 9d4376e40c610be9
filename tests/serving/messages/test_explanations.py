from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pawsight_proto.v1 import pawsight_pb2 as pb
from pawsight_serving.explanations.results import (
    ActivationMaps,
    ChannelMap,
    ClassMap,
    Curve,
    Explained,
    Explanation,
    Faithfulness,
)
from pawsight_serving.messages.explanations import explain_response
from pawsight_serving.messages.tensors import read_tensor
from pawsight_serving.predictions import Prediction, Predictions

if TYPE_CHECKING:
    from pawsight_serving.explanations.results import Maps

VALUES = np.array([[0, 1 / 3, 2.5], [1e-30, 7e8, 0]], np.float32)


def sent(maps: Maps, *, tensors: bool) -> pb.Explanation:
    predictions = Predictions(model="m", version="1", digest="sha256:0", predictions=())
    explained = Explained("grad-cam", predictions, "w", "int8", [Explanation(maps)])
    answer = explain_response(explained, "an-id", tensors=tensors)
    return type(answer).FromString(answer.SerializeToString()).explanations[0]


def test_an_answer_keeps_everything() -> None:
    prediction = Prediction("cat", 0.75, {"cat": 0.75, "dog": 0.25})
    explanation = Explanation(
        ClassMap("conv1", "dog", np.full((1, 2), 0.5, np.float32)),
        0.25,
        b"drawn",
        Faithfulness(Curve((1.0, 0.0)), Curve((0.5, 1.0))),
    )
    explained = Explained(
        "rise", Predictions("m", "2", "sha256:0", (prediction,)), "w", "int8", [explanation], [b"s"]
    )
    assert explain_response(explained, "an-id", tensors=False) == pb.ExplainResponse(
        model="m",
        version="2",
        predictions=[
            pb.Prediction(label="cat", score=0.75, probabilities=prediction.probabilities)
        ],
        explanations=[
            pb.Explanation(
                method="rise",
                layer="conv1",
                target="dog",
                map=pb.Map(height=1, width=2, values=[0.5, 0.5]),
                evidence=True,
                overlay_png=b"drawn",
                digest="sha256:0",
                weights_sha256="w",
                precision="int8",
                probability=0.25,
                faithfulness=pb.Faithfulness(
                    deletion=pb.Curve(probabilities=[1, 0], area=0.5),
                    insertion=pb.Curve(probabilities=[0.5, 1], area=0.75),
                ),
            )
        ],
        digest="sha256:0",
        request_id="an-id",
        sheets=[b"s"],
    )


def test_of_activations_nothing_is_said_that_is_a_class_maps() -> None:
    values = np.array([[0, 3]], np.float32)
    message = sent(ActivationMaps("conv1", [ChannelMap(3, values)]), tensors=False)
    assert message.channels[0] == pb.Channel(
        channel=3, mean=1.5, max=3, zeros=0.5, map=pb.Map(height=1, width=2, values=[0, 3])
    )
    for field in ("map", "tensor", "probability", "faithfulness"):
        assert not message.HasField(field)
    assert message.target == ""


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
