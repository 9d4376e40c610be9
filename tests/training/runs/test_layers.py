from __future__ import annotations

import torch

from pawsight_training.architectures import build
from pawsight_training.runs.layers import describe


def test_layers_are_described_in_order() -> None:
    net = build("scratch", 2, (150, 150), dropout=0.5)
    net.features.requires_grad_(False)
    rows = describe(net, (150, 150))
    assert (rows[0].name, rows[0].kind, rows[0].output) == ("conv1", "Conv2d", (32, 148, 148))
    assert (rows[0].parameters, rows[0].trainable) == (896, 0)
    dense = next(row for row in rows if row.name == "dense1")
    assert (dense.output, dense.parameters, dense.trainable) == ((512,), 3_211_776, 3_211_776)
    assert sum(row.parameters for row in rows) == 3_453_121


def test_looking_at_a_net_changes_nothing() -> None:
    net = build("scratch", 2, (46, 46), dropout=0.5)
    before = torch.get_rng_state()
    describe(net, (46, 46))
    assert net.training
    assert torch.equal(before, torch.get_rng_state())
