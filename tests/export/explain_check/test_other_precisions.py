"""Which published models a version is compared with."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from pawsight_export.explain_check.checked_model import CheckedModel
from pawsight_export.explain_check.other_precisions import other_precisions

if TYPE_CHECKING:
    from pawsight_serving.repository.manifest import Manifest


def manifest(precision: str, engine: str = "onnxruntime", weights: str = "a") -> Manifest:
    described = SimpleNamespace(precision=precision, engine=engine, weights_sha256=weights)
    return cast("Manifest", described)


def test_other_precisions_of_the_same_weights_are_compared_but_plans_do_not_run_here() -> None:
    own, half = manifest("fp32"), manifest("fp16")
    plan, other_weights = manifest("int8", "tensorrt"), manifest("int8", weights="b")
    checked = CheckedModel(Path("repository"), own)
    found = other_precisions(checked, [own, half, plan, other_weights])
    assert found == [CheckedModel(Path("repository"), half)]
