"""Dockerfiles as tests read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parents[2] / "docker"
FILES = sorted(FOLDER.glob("*.Dockerfile"))


class Instruction(NamedTuple):
    name: str
    text: str


def instructions(file: Path) -> list[Instruction]:
    """Return a file's instructions, without comments and with their lines joined."""
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    parts = [line.strip().partition(" ") for line in joined if line.strip()]
    return [Instruction(name, text.strip()) for name, _, text in parts]


def last(file: Path, name: str) -> str:
    """Return the text of the last instruction of that name; that is the one which holds."""
    return [each.text for each in instructions(file) if each.name == name][-1]


def program(file: Path) -> list[str]:
    """Return what a container runs when it is given a command of its own."""
    words: list[str] = json.loads(last(file, "ENTRYPOINT"))
    return words


def arguments(file: Path) -> list[str]:
    """Return the command that a container runs by default."""
    words: list[str] = json.loads(last(file, "CMD"))
    return words
