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
from tests.docker.dockerfile import (
    FILES,
    FOLDER,
    IMAGES,
    Image,
    arguments,
    instructions,
    last,
    program,
    stages,
)

SERVERS = [image for image in IMAGES if program(image) != ["pawsight"]]


def names(given: Path | Image) -> str:
    return given.stem if isinstance(given, Path) else given.target


def test_every_stage_is_known() -> None:
    assert {file.stem: list(stages(file)) for file in FILES} == {
        "serving": ["build", "serving", "explainer", "gateway"],
        "trainer": ["build", "trainer"],
    }


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
def test_images_are_pinned(file: Path) -> None:
    installs = [each.text for each in instructions(file) if "pip install" in each.text]
    assert installs
    assert all("--constraint constraints.txt" in text for text in installs)


@pytest.mark.parametrize("image", IMAGES, ids=names)
def test_images_hold_no_source_and_run_without_root(image: Image) -> None:
    assert last(image, "USER") == "10001"
    assert "--from=build /pawsight /pawsight" in [
        each.text for each in stages(image.file)[image.target] if each.name == "COPY"
    ]
    assert not any("pip install" in each.text for each in stages(image.file)[image.target])


@pytest.mark.parametrize("image", IMAGES, ids=names)
def test_the_default_command_is_one_that_the_program_takes(image: Image) -> None:
    words = program(image) + arguments(image)
    if "--help" in words:
        with pytest.raises(click.exceptions.Exit):
            parsed(words, {})
    else:
        parsed(words, {})


@pytest.mark.parametrize("image", SERVERS, ids=names)
def test_servers_listen_where_they_say(image: Image) -> None:
    exposed = last(image, "EXPOSE").split()
    listening = [value.rpartition(":")[2] for value in arguments(image) if ":" in value]
    assert listening == exposed
    assert all(value.startswith("0.0.0.0:") for value in arguments(image) if ":" in value)


@pytest.mark.parametrize("image", SERVERS, ids=names)
def test_health_is_asked_on_a_port_that_is_served(image: Image) -> None:
    check = last(image, "HEALTHCHECK")
    command = json.loads(check[check.index("CMD") + 3 :])
    assert command[:2] == ["python", "-c"]
    compile(command[2], image.target, "exec")
    assert any(f"127.0.0.1:{port}" in command[2] for port in last(image, "EXPOSE").split())


def test_a_trainer_has_no_health() -> None:
    assert last(IMAGES[-1], "HEALTHCHECK") == "NONE"
