"""Dockerfiles as tests read them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parents[2] / "docker"
FILES = sorted(FOLDER.glob("*.Dockerfile"))


@dataclass(frozen=True)
class Image:
    """What a file's target builds."""

    file: Path
    target: str


IMAGES = [
    Image(FOLDER / f"{name}.Dockerfile", target)
    for name, target in (("serving", "explainer"), ("serving", "gateway"), ("trainer", "trainer"))
]


class Instruction(NamedTuple):
    name: str
    text: str


def instructions(file: Path) -> list[Instruction]:
    """Return a file's instructions, without comments and with their lines joined."""
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    parts = [line.strip().partition(" ") for line in joined if line.strip()]
    return [Instruction(name, text.strip()) for name, _, text in parts]


def stages(file: Path) -> dict[str, list[Instruction]]:
    """Return the instructions of each named stage, with those of the stage that it begins from."""
    found: dict[str, list[Instruction]] = {}
    name = ""
    for each in instructions(file):
        if each.name == "FROM":
            base, _, name = each.text.partition(" AS ")
            found[name] = list(found.get(base, []))
        if name:
            found[name].append(each)
    return found


def last(image: Image, name: str) -> str:
    """Return the text of the last instruction of that name; that is the one which holds."""
    return [each.text for each in stages(image.file)[image.target] if each.name == name][-1]


def program(image: Image) -> list[str]:
    """Return what a container runs when it is given a command of its own."""
    words: list[str] = json.loads(last(image, "ENTRYPOINT"))
    return words


def arguments(image: Image) -> list[str]:
    """Return the command that a container runs by default."""
    words: list[str] = json.loads(last(image, "CMD"))
    return words
