from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from pawsight_training.architectures import build
from pawsight_training.learning.features import store_features

if TYPE_CHECKING:
    from pawsight_training.data.dataset import Dataset


def test_stored_features_are_those_of_the_base(data: Dataset) -> None:
    torch.manual_seed(0)
    net = build("scratch", 2, (46, 46), dropout=0.5)
    stored = store_features(net, data, torch.device("cpu"))
    assert stored.splits.keys() == {"train", "validation"}
    assert net.training
    split = data.splits["validation"]
    pictures = torch.from_numpy(np.array(split.pictures)).permute(0, 3, 1, 2)
    with torch.inference_mode():
        maps = net.features(net.normalise(pictures)).permute(0, 2, 3, 1).numpy()
    assert stored.splits["validation"].pictures.shape == (16, 1, 1, 128)
    np.testing.assert_allclose(stored.splits["validation"].pictures, maps, rtol=1e-4, atol=1e-6)
    assert np.array_equal(stored.splits["validation"].labels, split.labels)
