"""The layers of a net, as a table would show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from pawsight_training.architectures import ConvNet


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One layer: its name, kind, output shape without the batch, and parameters."""

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    trainable: int


def describe(net: ConvNet, input_size: tuple[int, int]) -> list[LayerRow]:
    """Return the layers of a net in order, for pictures of (height, width) `input_size`."""
    rows: list[LayerRow] = []
    device = next(net.parameters()).device
    values = torch.zeros(1, 3, *input_size, device=device)
    training = net.training
    net.eval()
    with torch.inference_mode():
        for name, module in (*net.features.named_children(), *net.head.named_children()):
            values = module(values)
            weights = list(module.parameters())
            rows.append(
                LayerRow(
                    name=name,
                    kind=type(module).__name__,
                    output=tuple(values.shape[1:]),
                    parameters=sum(weight.numel() for weight in weights),
                    trainable=sum(weight.numel() for weight in weights if weight.requires_grad),
                )
            )
    net.train(training)
    return rows
