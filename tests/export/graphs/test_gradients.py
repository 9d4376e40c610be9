"""The explicit backward pass against autograd."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pawsight_export.graphs.gradients import (
    sum_through_conv,
    through_conv,
    through_dense,
    through_max_pool,
    through_relu,
)


def autograd(layer: nn.Module, entered: Tensor, gradient: Tensor) -> Tensor:
    entered = entered.clone().requires_grad_()
    layer(entered).backward(gradient)
    assert entered.grad is not None
    return entered.grad


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_relu() -> None:
    entered, gradient = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    entered[0, 0] = 0.0
    expected = autograd(nn.ReLU(), entered, gradient)
    assert torch.equal(through_relu(gradient, F.relu(entered)), expected)


def test_dense() -> None:
    layer = nn.Linear(6, 4)
    entered, gradient = torch.randn(3, 6), torch.randn(3, 4)
    torch.testing.assert_close(through_dense(gradient, layer), autograd(layer, entered, gradient))


@pytest.mark.parametrize("padding", [0, 1])
def test_conv(padding: int) -> None:
    layer = nn.Conv2d(3, 5, 3, padding=padding)
    entered = torch.randn(2, 3, 9, 7)
    gradient = torch.randn_like(layer(entered))
    torch.testing.assert_close(through_conv(gradient, layer), autograd(layer, entered, gradient))


@pytest.mark.parametrize("padding", [(0, 0), (1, 1), (0, 2)])
def test_the_sum_of_a_gradient_before_a_convolution_needs_no_gradient(
    padding: tuple[int, int],
) -> None:
    layer = nn.Conv2d(3, 5, (3, 5), padding=padding)
    entered = torch.randn(2, 3, 9, 7)
    gradient = torch.randn_like(layer(entered))
    expected = autograd(layer, entered, gradient).sum((2, 3))
    found = sum_through_conv(gradient, layer, (9, 7))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("size", [(8, 8), (9, 8), (8, 7), (5, 5), (2, 3)])
def test_max_pool(size: tuple[int, int]) -> None:
    entered = torch.randn(2, 3, *size)
    pooled = F.max_pool2d(entered, 2)
    gradient = torch.randn_like(pooled)
    expected = autograd(nn.MaxPool2d(2), entered, gradient)
    assert torch.equal(through_max_pool(gradient, entered, pooled), expected)


def test_of_a_flat_window_the_first_position_wins() -> None:
    entered = torch.randint(0, 2, (4, 8, 10, 10)).float()
    entered[0] = 0.0
    pooled = F.max_pool2d(entered, 2)
    gradient = torch.randn_like(pooled)
    expected = autograd(nn.MaxPool2d(2), entered, gradient)
    assert torch.equal(through_max_pool(gradient, entered, pooled), expected)
