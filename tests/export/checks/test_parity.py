"""What the gate before a publication lets pass, and what it stops, on a net of two layers."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pawsight_export.checks import parity
from pawsight_export.checks.checking import check_pictures
from pawsight_export.checks.parity import TOLERANCE, check_parity, relative_deviations
from pawsight_export.checks.references import captum_maps
from pawsight_export.errors import ParityFailed
from pawsight_export.graphs import graphs
from pawsight_export.graphs.gradients import through_conv
from pawsight_export.graphs.graphs import ExplainGraph, HotGraph, class_maps
from tests.export.conftest import SMALL_SIZE, small_net

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from pawsight_training.architectures import ConvNet

PICTURES = check_pictures(SMALL_SIZE)
FIRST_OF_NOISE = 3

Outputs = dict[str, "NDArray[np.float32]"]


def answer(graph: HotGraph | ExplainGraph, pictures: NDArray[np.uint8] = PICTURES) -> Outputs:
    """Return a graph's outputs, as its engine would."""
    with torch.no_grad():
        values = graph(torch.from_numpy(pictures))
    return {
        name: value.numpy().copy() for name, value in zip(graph.output_names, values, strict=True)
    }


def check(net: ConvNet, explain: Outputs, hot: Outputs | None = None) -> dict[str, float]:
    return check_parity(net, PICTURES, hot, explain, "pawsight export again")


@pytest.mark.parametrize("n_logits", [1, 3])
def test_both_graphs_of_a_net_pass(n_logits: int) -> None:
    net = small_net(n_logits)
    figures = check(net, answer(ExplainGraph(net)), answer(HotGraph(net, SMALL_SIZE)))
    assert figures.pop("pictures") == len(PICTURES)
    assert figures.pop("tolerance") == TOLERANCE
    assert set(figures) == {
        "probabilities",
        "explain probabilities",
        "activations",
        "explain grad-cam",
        "explain grad-cam, flat pictures",
        "explain grad-cam, worst picture",
        "explain gradients",
        "explain gradients, flat pictures",
        "grad-cam",
    }
    assert max(figures.values()) <= TOLERANCE


def test_rounding_passes() -> None:
    net = small_net()
    rounds = np.random.default_rng(0)
    explain, hot = (
        {
            name: (values * rounds.uniform(1 - 1e-6, 1 + 1e-6, values.shape)).astype(np.float32)
            for name, values in answer(graph).items()
        }
        for graph in (ExplainGraph(net), HotGraph(net, SMALL_SIZE))
    )
    assert check(net, explain, hot)["explain gradients"] > 0


@pytest.mark.parametrize(
    "parameter",
    ["features.conv1.weight", "features.conv2.weight", "features.conv2.bias", "head.1.weight"],
)
def test_a_parameter_that_is_not_the_nets_is_stopped(parameter: str) -> None:
    net = small_net()
    other = copy.deepcopy(net)
    with torch.no_grad():
        other.get_parameter(parameter)[0] += 0.01
    with pytest.raises(ParityFailed, match="Nothing was published"):
        check(net, answer(ExplainGraph(other)))


def through_other_weights(gradient: Tensor, layer: nn.Conv2d) -> Tensor:
    other = copy.deepcopy(layer)
    with torch.no_grad():
        other.weight[0, 0, 0, 0] += 0.01
    return through_conv(gradient, other)


def swapped_classes(maps: Tensor) -> Tensor:
    return class_maps(maps).flip(1)


def to_every_tie(gradient: Tensor, entered: Tensor, pooled: Tensor) -> Tensor:
    spread = gradient.repeat_interleave(2, 2).repeat_interleave(2, 3)
    largest = pooled.repeat_interleave(2, 2).repeat_interleave(2, 3)
    height, width = spread.shape[2:]
    spread = spread * (entered[..., :height, :width] == largest)
    return nn.functional.pad(spread, (0, entered.shape[3] - width, 0, entered.shape[2] - height))


def past_every_relu(gradient: Tensor, output: Tensor) -> Tensor:
    return gradient + 0 * output


@pytest.mark.parametrize(
    ("step", "wrong", "stopped_by"),
    [
        ("through_conv", through_other_weights, "explain gradients"),
        ("class_maps", swapped_classes, "explain grad-cam"),
        ("through_max_pool", to_every_tie, "explain gradients, flat pictures"),
        ("through_relu", past_every_relu, "explain grad-cam"),
    ],
)
def test_a_wrong_way_back_is_stopped(
    monkeypatch: pytest.MonkeyPatch, step: str, wrong: Callable[..., Tensor], stopped_by: str
) -> None:
    net = small_net()
    with monkeypatch.context() as broken:
        broken.setattr(graphs, step, wrong)
        explain = answer(ExplainGraph(net))
    with pytest.raises(ParityFailed, match=f"{stopped_by} \\d"):
        check(net, explain)


def negated(values: Any) -> Any:
    return -values


def not_a_number(values: Any) -> Any:
    return values * np.nan


def cut_off(values: Any) -> Any:
    return values[..., :-1]


@pytest.mark.parametrize("wrong", [negated, not_a_number])
@pytest.mark.parametrize(
    "output",
    [
        "probabilities",
        "activation:conv1",
        "activation:pool2",
        "gradcam:conv1",
        "gradcam:conv2",
        "gradient:conv2",
        "gradient:input",
    ],
)
def test_every_output_is_checked(output: str, wrong: Callable[[Any], Any]) -> None:
    net = small_net()
    explain = answer(ExplainGraph(net))
    explain[output] = wrong(explain[output])
    with pytest.raises(ParityFailed, match="To repeat this: pawsight export again"):
        check(net, explain)


@pytest.mark.parametrize("logit", [0, 1, 2])
@pytest.mark.parametrize("output", ["gradient:conv1", "gradient:input"])
def test_the_gradients_of_every_logit_are_checked(output: str, logit: int) -> None:
    net = small_net(3)
    explain = answer(ExplainGraph(net))
    explain[output][:, logit] *= -1
    with pytest.raises(ParityFailed, match=r"explain gradients \d"):
        check(net, explain)


@pytest.mark.parametrize(
    "output", ["probabilities", "activation:conv1", "gradcam:conv1", "gradient:conv2"]
)
def test_an_output_of_another_shape_is_stopped(output: str) -> None:
    net = small_net()
    explain = answer(ExplainGraph(net))
    explain[output] = cut_off(explain[output])
    with pytest.raises(ParityFailed, match="inf"):
        check(net, explain)


@pytest.mark.parametrize("output", ["probabilities", "gradcam"])
def test_the_hot_graph_is_checked_where_it_computes_in_float32(output: str) -> None:
    net = small_net()
    explain, hot = answer(ExplainGraph(net)), answer(HotGraph(net, SMALL_SIZE))
    hot[output] = hot[output] * np.float32(1.001)
    with pytest.raises(ParityFailed, match="deviate from the run"):
        check(net, explain, hot)
    check(net, explain)


def test_rounding_may_decide_in_one_picture_but_not_in_two_nor_in_a_flat_one() -> None:
    net = small_net()
    explain = answer(ExplainGraph(net))
    explain["gradcam:conv1"][FIRST_OF_NOISE] *= 1.01
    assert check(net, explain)["explain grad-cam, worst picture"] > TOLERANCE
    explain["gradcam:conv1"][FIRST_OF_NOISE + 1] *= 1.01
    with pytest.raises(ParityFailed, match=r"explain grad-cam \d"):
        check(net, explain)
    explain = answer(ExplainGraph(net))
    seen = explain["gradcam:conv1"][:FIRST_OF_NOISE].max(axis=(1, 2, 3)).argmax()
    explain["gradcam:conv1"][seen] *= 1.01
    with pytest.raises(ParityFailed, match="flat pictures"):
        check(net, explain)


def test_a_deviation_is_in_units_of_its_pictures_largest_value() -> None:
    reference = np.zeros((4, 1, 2, 2), np.float32)
    reference[0, 0, 0, 0], reference[1] = 4, -2
    value = reference.copy()
    value[0, 0, 1, 1], value[1] = 1, -5
    value[3] = 2 * TOLERANCE
    # Without any evidence, as in the last two, every value must be zero.
    np.testing.assert_allclose(relative_deviations(value, reference), [0.25, 1.5, 0, 2])


def test_no_flat_picture_is_needed_and_no_way_to_repeat_it() -> None:
    net, noise = small_net(), PICTURES[FIRST_OF_NOISE:]
    explain = answer(ExplainGraph(net), noise)
    figures = check_parity(net, noise, None, explain)
    assert figures["explain grad-cam, flat pictures"] == 0
    assert figures["explain gradients, flat pictures"] == 0
    with pytest.raises(ParityFailed, match=r"Nothing was published\.$"):
        check_parity(net, noise, None, explain | {"probabilities": 1 - explain["probabilities"]})


def test_where_rounding_breaks_every_pictures_ties_a_wrong_way_back_alone_is_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = small_net()
    kernels = net.get_parameter("features.conv1.weight")
    images = PICTURES // 128 * 255
    with torch.no_grad():
        # As int8 has them: multiples of one number, of which the sums over neighbours are the same.
        kernels.copy_(0.1 * kernels.sign() * (kernels.abs() > kernels.abs().median()))
    rounded = copy.deepcopy(net)
    with torch.no_grad():
        noise = torch.empty_like(kernels).uniform_(1 - 1e-7, 1 + 1e-7)
        rounded.get_parameter("features.conv1.weight").mul_(noise)
    check_parity(net, images, None, answer(ExplainGraph(rounded), images))
    monkeypatch.setattr(graphs, "through_conv", through_other_weights)
    with pytest.raises(ParityFailed, match="explain gradients"):
        check_parity(net, images, None, answer(ExplainGraph(rounded), images))


def test_in_a_flat_picture_a_graph_may_be_off_by_what_captum_is_off_from_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net, really = small_net(), captum_maps
    explain = answer(ExplainGraph(net))
    explain["gradcam:conv1"][0] *= 1 + 1.5 * TOLERANCE
    with pytest.raises(ParityFailed, match="flat pictures"):
        check(net, explain)

    def contradicting(model: ConvNet, *arguments: Any) -> Iterator[tuple[str, Any]]:
        exact = next(model.parameters()).dtype == torch.float64
        for name, maps in really(model, *arguments):
            maps[0] *= 1 + 3 * TOLERANCE * exact
            yield name, maps

    monkeypatch.setattr(parity, "captum_maps", contradicting)
    assert check(net, explain)["explain grad-cam, worst picture"] > TOLERANCE
    explain["gradcam:conv1"][0] *= 1 + 6 * TOLERANCE
    with pytest.raises(ParityFailed, match="flat pictures"):
        check(net, explain)
