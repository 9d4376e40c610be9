from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import pytest

from pawsight_serving.errors import EngineUnavailable
from pawsight_serving.triton_server import environment as module
from pawsight_serving.triton_server.environment import Environment, environments_cache, prepare


@pytest.fixture
def supported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for a Python that Triton's backend runs on, whichever runs the tests."""
    monkeypatch.setattr(platform, "python_version", lambda: "3.12.1")


@pytest.mark.triton
def test_it_holds_the_server_and_numpy_1(triton_environment: Environment) -> None:
    assert os.access(triton_environment.executable, os.X_OK)
    python = triton_environment.folder / "bin" / "python"
    said = subprocess.run(
        [python, "-c", "import numpy, onnxruntime; print(numpy.__version__)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert said.stdout.startswith("1.")


@pytest.mark.triton
def test_what_was_made_is_found_again(triton_environment: Environment) -> None:
    said: list[str] = []
    found = prepare(said.append, triton_environment.folder.parent)
    assert (found, said) == (triton_environment, [])


@pytest.mark.usefixtures("supported")
def test_what_cannot_be_installed_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "bin" / "uv"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho no network here; exit 2\n")
    broken.chmod(0o755)
    monkeypatch.setattr(module, "_installer", lambda folder: ([str(broken)], [str(broken)]))
    said: list[str] = []
    with pytest.raises(EngineUnavailable, match="could not be installed") as caught:
        prepare(said.append, tmp_path / "cache")
    assert "network here" not in str(caught.value)
    assert "1/3" in said[1]
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.usefixtures("supported")
def test_an_installer_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_installer", lambda folder: (["sleep", "60"], []))
    with pytest.raises(EngineUnavailable, match="could not be installed"):
        prepare(lambda _: None, tmp_path, timeout_s=0.2)


def test_a_python_without_numpy_1_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "python_version", lambda: "3.14.1")
    with pytest.raises(EngineUnavailable, match=r"3\.11 and 3\.12, and this is 3\.14;"):
        prepare(lambda _: None, tmp_path)


def test_the_cache_lies_where_the_user_keeps_caches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert environments_cache() == tmp_path / "pawsight" / "triton"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert environments_cache().is_relative_to(Path.home())


ALL = """#!/bin/sh
mkdir -p $(dirname "$0")/../packages/pytriton/tritonserver/bin
touch $(dirname "$0")/../packages/pytriton/tritonserver/bin/tritonserver
echo '{"python": "3.11", "packages": "'$(dirname "$0")'/../packages", "library": ""}'
"""


def make(folder: Path) -> None:
    """Make what describes itself as an environment does."""
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(ALL)
    python.chmod(0o755)


@pytest.fixture
def installing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in the place of the installer: it makes an environment in no time."""

    def installer(folder: Path) -> tuple[list[str], list[str]]:
        if not folder.exists():
            make(folder)
        return ["true"], ["true"]

    monkeypatch.setattr(module, "_installer", installer)


@pytest.mark.usefixtures("supported", "installing")
def test_the_environment_of_who_was_faster_is_taken(tmp_path: Path) -> None:
    first: list[Environment] = []

    def say(what: str) -> None:
        # Another process begins and ends while this one still installs.
        if "3/3" in what and not first:
            first.append(prepare(lambda _: None, tmp_path))
            (first[0].folder / "first").touch()

    assert prepare(say, tmp_path) == first[0]
    assert (first[0].folder / "first").exists()
    assert list(tmp_path.iterdir()) == [first[0].folder]


@pytest.mark.usefixtures("supported", "installing")
def test_an_environment_that_works_no_more_is_made_again(tmp_path: Path) -> None:
    broken = prepare(lambda _: None, tmp_path).folder
    (broken / "bin" / "python").write_text("#!/bin/sh\nexit 1\n")
    (broken / "old").touch()
    assert prepare(lambda _: None, tmp_path).folder == broken
    assert not (broken / "old").exists()
