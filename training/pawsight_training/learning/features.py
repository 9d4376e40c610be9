"""What a frozen base gives for each picture, computed once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from pawsight_training.progress import tracked

if TYPE_CHECKING:
    from pawsight_training.architectures import ConvNet
    from pawsight_training.data.dataset import Dataset, Split

BATCH: Final = 50


def store_features(net: ConvNet, data: Dataset, device: torch.device) -> Dataset:
    """Return the dataset with each picture replaced by the last map of the net's base.

    The net is left in training mode.
    The maps are float32 [N, h, w, channels], laid out as pictures are; `test` is left out, as a
    training never looks at it.
    """
    base = torch.nn.Sequential(net.normalise, net.features).to(device).eval()
    splits = {
        name: _store(base, split, name, device)
        for name, split in data.splits.items()
        if name != "test"
    }
    net.train()
    return replace(data, splits=splits)


def _store(base: torch.nn.Module, split: Split, name: str, device: torch.device) -> Split:
    maps = []
    with torch.inference_mode():
        for start in tracked(range(0, len(split), BATCH), f"Features of {name}"):
            pictures = torch.from_numpy(np.array(split.pictures[start : start + BATCH]))
            batch = base(pictures.permute(0, 3, 1, 2).to(device))
            maps.append(batch.permute(0, 2, 3, 1).float().cpu().numpy())
    return replace(split, pictures=np.concatenate(maps))
