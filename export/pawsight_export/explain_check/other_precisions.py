"""Do the precisions of one set of weights see the same?"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import numpy as np

from pawsight_export.checks.likeness import correlation
from pawsight_export.explain_check.checked_model import CheckedModel
from pawsight_serving.errors import RepositoryInvalid
from pawsight_serving.repository.directory import (
    model_names,
    published_versions,
    readable_manifests,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pawsight_serving.repository.manifest import Manifest

Figures = dict[str, float | str]


def read_published(repository: Path) -> list[Manifest]:
    """Return every published manifest that can be read.

    Broken ones are of what is not compared; `pawsight repository verify` tells them.
    """
    manifests = []
    for name in model_names(repository):
        with contextlib.suppress(RepositoryInvalid):
            versions = published_versions(repository, name)
            manifests += readable_manifests(repository, name, versions)
    return manifests


def other_precisions(checked: CheckedModel, manifests: Sequence[Manifest]) -> list[CheckedModel]:
    """Return the published models of the same weights in another precision, which run here."""
    own = checked.manifest
    return [
        CheckedModel(checked.repository, each)
        for each in manifests
        if each.weights_sha256 == own.weights_sha256
        and each.precision != own.precision
        and each.engine != "tensorrt"
    ]


def compare_precisions(
    checked: CheckedModel, other: CheckedModel, pictures: NDArray[np.uint8]
) -> Figures:
    """Compare the last layer's Grad-CAM of the class that `checked` predicts.

    Returns:
        The median and the lowest twentieth of the maps' correlations, and the share of pictures
        that both give the same class.
    """
    labels = checked.probabilities(pictures).argmax(axis=1)
    others = other.probabilities(pictures).argmax(axis=1)
    places = np.arange(len(pictures))
    own, theirs = (each.maps("grad-cam", pictures)[places, labels] for each in (checked, other))
    alike = [correlation(a, b) for a, b in zip(own, theirs, strict=True)]
    manifest = other.manifest
    return {
        "with": f"{manifest.name} {manifest.version} ({manifest.precision})",
        "median correlation": float(np.median(alike)),
        "lowest twentieth": float(np.quantile(alike, 0.05)),
        "same class": float((labels == others).mean()),
    }
