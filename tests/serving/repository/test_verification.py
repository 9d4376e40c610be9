from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pawsight_serving.errors import ModelNotFound
from pawsight_serving.repository import verification
from pawsight_serving.repository.served import read_graph_config
from pawsight_serving.repository.triton_config import write_config
from pawsight_serving.repository.verification import verify
from tests.serving.forbidden_folder import forbid
from tests.serving.tiny_repository import publish_tiny

Break = Callable[[Path], object]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    publish_tiny(tmp_path, version="1")
    publish_tiny(tmp_path, version="2")
    publish_tiny(tmp_path, name="other")
    return tmp_path


def policy(root: Path, graph: str, *versions: int) -> None:
    config = read_graph_config(root, graph)
    config.version_policy.specific.versions[:] = versions
    (root / graph / "config.pbtxt").write_text(write_config(config))


def faults(root: Path, name: str = "") -> list[str]:
    return [f"{found}: {fault}" for found in verify(root, name) for fault in found.faults]


def test_what_was_published_is_whole(repository: Path) -> None:
    assert faults(repository) == []
    assert [str(found) for found in verify(repository, "tiny")] == [
        "tiny version 1",
        "tiny version 2",
        "tiny",
    ]


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (
            lambda root: (root / "tiny" / "1" / "model.onnx").write_bytes(b"other"),
            "tiny version 1: tiny/1/model.onnx is not the file that was published",
        ),
        (
            lambda root: (root / "tiny_explain" / "2" / "model.onnx").write_bytes(b"other"),
            "tiny version 2: tiny_explain/2/model.onnx is not the file that was published",
        ),
        (
            lambda root: (root / "tiny_explain" / "2" / "model.onnx").unlink(),
            "tiny version 2: tiny_explain/2/model.onnx is missing",
        ),
        (
            lambda root: (root / "tiny_explain" / "2" / "manifest.json").unlink(),
            "tiny version 2: tiny_explain/2/manifest.json is missing",
        ),
        (
            lambda root: (root / "tiny" / "labels.txt").write_bytes(b"\xff"),
            "tiny: tiny/labels.txt does not list the classes of version 2",
        ),
        (
            lambda root: (root / "tiny" / "2" / "model.py").write_text("import os"),
            "tiny version 2: tiny/2/model.py was not published",
        ),
        (
            lambda root: shutil.rmtree(root / "tiny_explain" / "1"),
            "tiny version 1: tiny_explain has no such version",
        ),
        (
            lambda root: (root / "tiny" / "1" / "manifest.json").write_text("{"),
            "tiny version 1: The manifest of tiny version 1 cannot be read; "
            "export the model again.",
        ),
        (
            lambda root: (root / "tiny_explain" / "1" / "manifest.json").write_text("{}"),
            "tiny version 1: the manifests of its two graphs differ",
        ),
        (
            lambda root: (root / "tiny_explain" / "labels.txt").write_text("dog\ncat\n"),
            "tiny: tiny_explain/labels.txt does not list the classes of version 1",
        ),
        (
            lambda root: shutil.copy(root / "other" / "config.pbtxt", root / "tiny"),
            "tiny: its configuration has another manifest of version 1",
        ),
        (
            lambda root: policy(root, "tiny_explain", 1, 2, 3),
            "tiny: tiny_explain/config.pbtxt serves version 3, which is not there",
        ),
        (
            lambda root: policy(root, "tiny", 1, 2, 3),
            "tiny: tiny/config.pbtxt serves version 3, which is not there",
        ),
        (
            lambda root: policy(root, "tiny"),
            "tiny: no version is served",
        ),
        (
            lambda root: policy(root, "tiny_explain", 2),
            "tiny: tiny_explain/config.pbtxt does not serve version 1, which tiny does",
        ),
        (
            lambda root: publish_tiny(root, version="3", side=4),
            "tiny: tiny_explain/config.pbtxt does not have the input and outputs of version 2",
        ),
        (
            lambda root: (root / "tiny_explain" / "config.pbtxt").unlink(),
            "tiny: The graph tiny_explain has no configuration; export the model again.",
        ),
    ],
)
def test_what_differs_is_named(repository: Path, break_it: Break, told: str) -> None:
    break_it(repository)
    assert told in faults(repository)
    assert faults(repository, "other") == []


def test_code_that_nobody_published_is_a_fault_of_a_python_backend_too(tmp_path: Path) -> None:
    publish_tiny(tmp_path, engine="python")
    (tmp_path / "tiny" / "1" / "model.py").write_text("import os")
    assert faults(tmp_path) == ["tiny version 1: tiny/1/model.py was not published"]


def test_a_model_that_lost_its_folder_is_a_fault(repository: Path) -> None:
    shutil.rmtree(repository / "tiny")
    assert "tiny version 1: tiny has no such version" in faults(repository)
    assert faults(repository, "tiny") == faults(repository)


def test_a_model_that_is_not_there_is_named(repository: Path) -> None:
    with pytest.raises(ModelNotFound, match="other, tiny"):
        verify(repository, "tony")


def test_a_folder_that_may_not_be_looked_into_is_a_fault(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "lost+found").mkdir()
    forbid(repository / "lost+found", monkeypatch)
    (fault,) = [found for found in verify(repository) if found.faults]
    assert fault.name == "lost+found"
    assert "may not look into" in fault.faults[0]


def test_what_may_not_be_read_is_a_fault(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(verification, "_sha256", forbidden)
    assert "tiny version 1: a file of it cannot be read (Permission denied)" in faults(repository)
