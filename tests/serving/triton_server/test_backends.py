from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from pawsight_serving.errors import EngineUnavailable
from pawsight_serving.triton_server import backends
from pawsight_serving.triton_server.backends import link_backends, missing_libraries, variables
from pawsight_serving.triton_server.environment import Environment

NOWHERE = Path("/nonexistent")


@pytest.mark.triton
def test_the_backend_is_made_of_links(triton_environment: Environment, tmp_path: Path) -> None:
    python = link_backends(triton_environment, tmp_path) / "python"
    assert {file.name for file in python.iterdir()} == {
        "libtriton_python.so",
        "triton_python_backend_stub",
        "triton_python_backend_utils.py",
    }
    assert all(file.is_symlink() and file.exists() for file in python.iterdir())


@pytest.mark.triton
def test_a_stub_that_could_not_start_is_refused(
    triton_environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "missing_libraries", lambda *_: ["libpython3.11.so.1.0"])
    with pytest.raises(EngineUnavailable, match=r"needs libpython3\.11\.so\.1\.0"):
        link_backends(triton_environment, tmp_path)


@pytest.mark.triton
def test_a_python_without_a_stub_is_refused(
    triton_environment: Environment, tmp_path: Path
) -> None:
    foreign = dataclasses.replace(triton_environment, python="2.7")
    with pytest.raises(EngineUnavailable, match=r"Python 2\.7"):
        link_backends(foreign, tmp_path)


def test_libraries_that_are_there_are_not_missing() -> None:
    assert missing_libraries(Path("/bin/sh"), os.environ) == []


def test_missing_libraries_are_read_from_ldd(tmp_path: Path) -> None:
    ldd = tmp_path / "ldd"
    ldd.write_text(
        "#!/bin/sh\n"
        "echo '\tlibc.so.6 => /lib/libc.so.6 (0x1)'\n"
        "echo '\tlibpython3.11.so.1.0 => not found'\n"
    )
    ldd.chmod(0o755)
    found = missing_libraries(NOWHERE, {"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert found == ["libpython3.11.so.1.0"]


def test_the_stub_finds_its_own_python_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    monkeypatch.setenv("PYTHONHOME", "elsewhere")
    environment = Environment(tmp_path / "environment", "3.11", NOWHERE, NOWHERE)
    given = variables(environment, tmp_path)
    assert given["PATH"].startswith(f"{tmp_path / 'environment' / 'bin'}:")
    assert given["LD_LIBRARY_PATH"].startswith(str(tmp_path / "libraries"))
    assert "PYTHONPATH" not in given
    assert "PYTHONHOME" not in given
