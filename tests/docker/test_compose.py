"""The Compose files mean what the images and the program take."""

from __future__ import annotations

from typing import Any

import click
import pytest
import yaml

from tests.docker.accepted import parsed
from tests.docker.dockerfile import FOLDER, Image, arguments, last, program


def services(*names: str) -> dict[str, dict[str, Any]]:
    """Return the services of the files, the later ones laid over the earlier ones."""
    merged: dict[str, dict[str, Any]] = {}
    for name in names:
        for service, content in yaml.safe_load((FOLDER / name).read_text())["services"].items():
            merged[service] = {**merged.get(service, {}), **content}
    return merged


FILES = [("compose.yaml",), ("compose.yaml", "compose.triton.yaml")]
OURS = [
    pytest.param(content, id=f"{name}-{files[-1]}")
    for files in FILES
    for name, content in services(*files).items()
    if "build" in content
]


def image_of(service: dict[str, Any]) -> Image:
    build = service["build"]
    return Image(FOLDER.parent / build["dockerfile"], build["target"])


@pytest.mark.parametrize("service", OURS)
def test_the_program_takes_the_command(service: dict[str, Any]) -> None:
    image = image_of(service)
    words = program(image) + service.get("command", arguments(image))
    if "--help" in words:
        with pytest.raises(click.exceptions.Exit):
            parsed(words, {})
    else:
        parsed(words, service.get("environment", {}))


@pytest.mark.parametrize("service", OURS)
def test_published_ports_are_exposed_and_stay_on_this_machine(service: dict[str, Any]) -> None:
    image = image_of(service)
    for published in service.get("ports", []):
        address, _, port = published.split(":")
        assert address == "127.0.0.1"
        assert port in last(image, "EXPOSE").split()


@pytest.mark.parametrize("files", FILES, ids=lambda files: files[-1])
def test_services_find_one_another(files: tuple[str, ...]) -> None:
    composed = services(*files)
    gateway = composed["gateway"]
    explainer = gateway["command"][gateway["command"].index("--explainer") + 1]
    listening = arguments(image_of(composed["explainer"]))[-1]
    assert explainer == f"explainer:{listening.rpartition(':')[2]}"
    for service in composed.values():
        assert set(service.get("depends_on", ())) <= composed.keys()


def test_triton_is_found_by_both() -> None:
    composed = services("compose.yaml", "compose.triton.yaml")
    for name in ("gateway", "explainer"):
        assert composed[name]["environment"] == {"PAWSIGHT_TRITON": "triton:8001"}
        assert composed[name]["depends_on"] == {"triton": {"condition": "service_healthy"}}


def test_triton_follows_publications_and_rollbacks() -> None:
    command = services("compose.triton.yaml")["triton"]["command"]
    assert {"--model-control-mode=poll", "--repository-poll-secs=1"} <= set(command)


def test_tritons_image_is_named_by_whoever_runs_it() -> None:
    image = services("compose.triton.yaml")["triton"]["image"]
    assert image.startswith("${TRITON_IMAGE:?")
    assert "TRITON_IMAGE" not in (FOLDER / "compose.yaml").read_text()
