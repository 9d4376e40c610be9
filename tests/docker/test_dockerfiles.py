"""The Dockerfiles are clean and mean what the program takes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from tests.docker.accepted import parsed
from tests.docker.dockerfile import FILES, FOLDER, arguments, instructions, last, program

SERVERS = [file for file in FILES if program(file) != ["pawsight"]]


def names(file: Path) -> str:
    return file.stem


def test_each_process_has_its_file() -> None:
    assert [file.name for file in FILES] == [
        "explainer.Dockerfile",
        "gateway.Dockerfile",
        "trainer.Dockerfile",
    ]


@pytest.mark.parametrize("file", FILES, ids=names)
def test_hadolint_finds_nothing(file: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    if (hadolint := shutil.which("hadolint", path=path)) is None:
        pytest.skip("hadolint is not installed")
    linted = subprocess.run(
        [hadolint, file], capture_output=True, text=True, check=False, timeout=60
    )
    assert (linted.returncode, linted.stdout) == (0, "")


@pytest.mark.parametrize("file", FILES, ids=names)
def test_what_is_copied_exists_and_reaches_the_builder(file: Path) -> None:
    root = FOLDER.parent
    sent = {
        line.removeprefix("!")
        for line in (root / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    for each in instructions(file):
        if each.name == "COPY" and not each.text.startswith("--from="):
            for source in each.text.split()[:-1]:
                assert (root / source).exists()
                assert source in sent


@pytest.mark.parametrize("file", FILES, ids=names)
def test_images_are_pinned_and_run_without_root(file: Path) -> None:
    installs = [each.text for each in instructions(file) if "pip install" in each.text]
    assert installs
    assert all("--constraint constraints.txt" in text for text in installs)
    assert last(file, "USER") == "10001"
    assert [each.name for each in instructions(file)].count("FROM") == 2


@pytest.mark.parametrize("file", FILES, ids=names)
def test_the_default_command_is_one_that_the_program_takes(file: Path) -> None:
    words = program(file) + arguments(file)
    if "--help" in words:
        with pytest.raises(click.exceptions.Exit):
            parsed(words, {})
    else:
        parsed(words, {})


@pytest.mark.parametrize("file", SERVERS, ids=names)
def test_servers_listen_where_they_say(file: Path) -> None:
    exposed = last(file, "EXPOSE").split()
    listening = [value.rpartition(":")[2] for value in arguments(file) if ":" in value]
    assert listening == exposed
    assert all(value.startswith("0.0.0.0:") for value in arguments(file) if ":" in value)


@pytest.mark.parametrize("file", SERVERS, ids=names)
def test_health_is_asked_on_a_port_that_is_served(file: Path) -> None:
    check = last(file, "HEALTHCHECK")
    command = json.loads(check[check.index("CMD") + 3 :])
    assert command[:2] == ["python", "-c"]
    compile(command[2], file.name, "exec")
    assert any(f"127.0.0.1:{port}" in command[2] for port in last(file, "EXPOSE").split())


def test_a_trainer_has_no_health() -> None:
    assert last(FOLDER / "trainer.Dockerfile", "HEALTHCHECK") == "NONE"
