from __future__ import annotations

import torch
from torch import nn

from pawsight_training.architectures import add_batch_norm, build, fold_batch_norm


def test_a_norm_follows_each_convolution() -> None:
    net = add_batch_norm(build("vgg16", 2, (32, 32)))
    names = [name for name, _ in net.features.named_children()]
    assert names[:3] == ["block1_conv1", "block1_conv1_bn", "block1_conv1_relu"]
    assert sum(isinstance(module, nn.BatchNorm2d) for module in net.features) == 13


def test_folding_changes_no_answer_and_leaves_the_plain_net() -> None:
    torch.manual_seed(0)
    plain = build("scratch", 2, (46, 46))
    net = add_batch_norm(plain)
    pictures = torch.randint(0, 256, (8, 3, 46, 46), dtype=torch.uint8)
    for _ in range(3):
        net(pictures)
    for module in net.features:
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.normal_(module.bias)
    expected = net.eval()(pictures)
    folded = fold_batch_norm(net)
    assert folded.state_dict().keys() == plain.state_dict().keys()
    torch.testing.assert_close(folded(pictures), expected, rtol=1e-4, atol=1e-4)
    assert not folded.training


def test_a_net_without_norms_folds_into_itself() -> None:
    net = build("scratch", 2, (46, 46))
    folded = fold_batch_norm(net)
    assert all(
        torch.equal(one, other)
        for one, other in zip(net.parameters(), folded.parameters(), strict=True)
    )
