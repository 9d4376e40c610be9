"""What the documents name is there: files, headings, and the program's commands and options."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Final

import click
import pytest

from pawsight_client.cli import main

PROJECT: Final = Path(__file__).parent.parent
DOCUMENTS: Final = sorted(
    [PROJECT / "README.md", PROJECT / "CHANGELOG.md"]
    + [
        file
        for folder in ("benchmarks", "docker", "docs")
        for file in (PROJECT / folder).rglob("*.md")
    ]
)
LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
HEADING: Final = re.compile(r"^#+ (.*)$", re.MULTILINE)
CODE: Final = re.compile(r"```\w*\n(.*?)```|`([^`]+)`", re.DOTALL)
SOURCE: Final = re.compile(r"`([\w./-]+\.py)`")
SOURCES: Final = [
    file
    for folder in ("benchmarks", "client", "export", "serving", "tests", "training")
    for file in (PROJECT / folder).rglob("*.py")
]
COMMAND: Final = re.compile(r"^(?:\w+=\S+ )*(pawsight .*)$", re.MULTILINE)


def anchors(document: Path) -> set[str]:
    """Return what the headings of a document are linked by, as GitHub names them."""
    headings = HEADING.findall(document.read_text())
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(document: Path) -> list[str]:
    """Return the command lines of the program in a document's code."""
    found = [block or inline for block, inline in CODE.findall(document.read_text())]
    return [line for text in found for line in COMMAND.findall(text.replace("\\\n", " "))]


def named(path: Path) -> str:
    return str(path.relative_to(PROJECT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_links_lead_somewhere(document: Path) -> None:
    for link in LINK.findall(document.read_text()):
        target, _, anchor = link.partition("#")
        if "://" in target:
            continue
        file = document if not target else (document.parent / target)
        assert file.exists(), link
        assert not anchor or anchor in anchors(file), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_the_source_files_that_are_named_are_there(document: Path) -> None:
    for name in SOURCE.findall(document.read_text()):
        assert any(source.match(name) for source in SOURCES), name


@pytest.mark.parametrize(
    ("document", "line"),
    [
        pytest.param(document, line, id=f"{named(document)}: {line}")
        for document in DOCUMENTS
        for line in dict.fromkeys(commands(document))
    ],
)
def test_the_program_has_what_is_typed(document: Path, line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    command: click.Command = main
    while isinstance(command, click.Group) and words:
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, words[0]
        # The context's command, as one may stand in for another until it is called.
        command = found.make_context(words[0], ["--help"], resilient_parsing=True).command
        words = words[1:]
    known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= known | {"--help"}
