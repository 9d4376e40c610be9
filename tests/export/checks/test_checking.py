"""What is looked at before a version is published, and which figures it then carries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pawsight_export.checks import checking
from pawsight_export.checks.checking import check_pictures, check_staged
from pawsight_export.errors import PrecisionInsufficient
from pawsight_training.data.dataset import Split
from tests.export.conftest import SIZE
from tests.serving.tiny_repository import SIDE, publish_tiny

if TYPE_CHECKING:
    from pathlib import Path

    from pawsight_export.graphs.precisions import Precision
    from pawsight_serving.repository.manifest import Manifest

MODEL, EXPLAINED = object(), object()
PARITY = {"explain probabilities": 1e-7}


def labelled_pictures() -> Split:
    """Return three red pictures and a blue one, of which the tiny model mistakes one."""
    pictures = np.zeros((4, SIDE, SIDE, 3), np.uint8)
    pictures[:3, ..., 0] = 200
    pictures[3, ..., 2] = 200
    return Split(pictures, np.array([1, 1, 0, 0]), ("1", "2", "3", "4"), "0" * 64)


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Return what was given to the parity check, which passes; the tiny model has no net."""
    given: list[tuple[Any, ...]] = []

    def check_parity(*arguments: Any) -> dict[str, float]:
        given.append(arguments)
        return PARITY

    monkeypatch.setattr(checking, "check_parity", check_parity)
    return given


def check(staged: Path, manifest: Manifest, test: Split | None) -> Manifest:
    net: Any = MODEL
    explained: Any = EXPLAINED
    return check_staged(staged, manifest, net, explained, test, "again", lambda _: None)


def test_the_accuracy_is_the_exported_graphs(
    tmp_path: Path, compared: list[tuple[Any, ...]]
) -> None:
    earlier = {"validation": {"accuracy": 0.5}}
    staged = publish_tiny(tmp_path).model_copy(update={"metrics": earlier})
    checked = check(tmp_path, staged, labelled_pictures())
    assert checked.metrics == earlier | {"test, as exported": {"accuracy": 0.75, "pictures": 4}}
    assert staged.metrics == {"validation": {"accuracy": 0.5}}
    assert (checked.parity, checked.agreement) == (PARITY, {})
    net, pictures, hot, explain, repeat = compared[0]
    assert (net, repeat) == (EXPLAINED, "again")
    assert set(hot) == set(staged.graphs["tiny"].outputs)
    assert set(explain) == set(staged.graphs["tiny_explain"].outputs)
    assert len(pictures) == len(hot["probabilities"]) == len(explain["probabilities"])
    assert (pictures[-4:] == labelled_pictures().pictures).all()


def test_without_test_pictures_nothing_is_said_of_accuracy(
    tmp_path: Path, compared: list[tuple[Any, ...]]
) -> None:
    checked = check(tmp_path, publish_tiny(tmp_path), None)
    assert checked.metrics == {}
    assert checked.parity == PARITY
    assert len(compared) == 1


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_below_float32_the_graph_is_held_against_the_runs_own_net(
    tmp_path: Path,
    compared: list[tuple[Any, ...]],
    monkeypatch: pytest.MonkeyPatch,
    precision: Precision,
) -> None:
    test = labelled_pictures()
    asked: list[tuple[Any, ...]] = []

    def reference_outputs(*arguments: Any) -> dict[str, np.ndarray]:
        asked.append(arguments)
        red = (test.pictures[..., 0].mean(axis=(1, 2)) / 255).astype(np.float32)
        maps = np.zeros((4, 2, 2, 2), np.float32)
        return {"probabilities": np.stack([1 - red, red], axis=1), "gradcam": maps}

    monkeypatch.setattr(checking, "reference_outputs", reference_outputs)
    checked = check(tmp_path, publish_tiny(tmp_path, precision=precision), test)
    assert compared[0][2] is None, "the hot graph has no parity with a net in float32"
    ((net, pictures, size),) = asked
    assert net is MODEL
    assert pictures is test.pictures
    assert size == (SIDE, SIDE)
    assert checked.agreement["pictures"] == 4
    assert checked.agreement["label flips"] == 0


def test_what_disagrees_with_the_net_is_refused(
    tmp_path: Path, compared: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def opposite(*_: Any) -> dict[str, np.ndarray]:
        cats = np.array([[1, 0], [1, 0], [1, 0], [0, 1]], np.float32)
        return {"probabilities": cats, "gradcam": np.zeros((4, 2, 2, 2), np.float32)}

    monkeypatch.setattr(checking, "reference_outputs", opposite)
    staged = publish_tiny(tmp_path, precision="fp16")
    with pytest.raises(PrecisionInsufficient, match=r"label flips 4, allowed 0\..* again$"):
        check(tmp_path, staged, labelled_pictures())
    assert compared


def test_flat_pictures_are_always_checked() -> None:
    real = np.random.default_rng(1).integers(0, 256, (3, *SIZE, 3), np.uint8)
    for pictures in (
        check_pictures(SIZE),
        check_pictures(SIZE, real),
        check_pictures(SIZE, real[:0]),
    ):
        flat = [picture for picture in pictures if picture.std() == 0]
        assert {int(picture.max()) for picture in flat} == {0, 128, 255}


@pytest.mark.parametrize(("there", "chosen"), [(1, 1), (5, 5), (16, 16), (100, 16)])
def test_real_pictures_are_taken_from_the_first_to_the_last_and_noise_beside_them(
    there: int, chosen: int
) -> None:
    real = np.zeros((there, SIDE, SIDE, 3), np.uint8)
    real[:, 0, 0, 0] = np.arange(there) + 1
    pictures = check_pictures((SIDE, SIDE), real)
    taken = pictures[-chosen:, 0, 0, 0].astype(int)
    assert (taken[0], taken[-1]) == (1, there)
    assert len(set(taken)) == chosen
    assert not pictures[-chosen:, 1:].any()
    beside = pictures[3:-chosen]
    assert len(beside) >= 3
    assert (beside.reshape(len(beside), -1).std(axis=1) > 50).all()
