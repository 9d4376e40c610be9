"""The standard input and output, and files of other formats."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from pawsight_client.cli import main
from tests.client.twin import OVERLAY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    from tests.client.twin import Twin

COMMANDS = [["explain"], ["activations", "--layer", "conv4"]]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: str(command[0]))
def test_a_picture_comes_in_and_a_drawing_goes_out(url: str, command: list[str]) -> None:
    arguments = [*command, "-", "--out", "-", "--server", url]
    result = CliRunner().invoke(main, arguments, input=b"cat")
    assert result.exit_code == 0, result.output
    assert result.stdout_bytes == OVERLAY
    assert "conv4" in result.stderr


def test_predict_reads_the_standard_input(url: str, dog: Path) -> None:
    result = CliRunner().invoke(main, ["predict", "-", str(dog), "--server", url], input=b"cat")
    assert [line.split()[1] for line in result.stdout.splitlines()] == ["cat", "dog"]


def test_a_standard_input_without_an_end_is_told_and_the_others_are_answered(
    url: str, dog: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pawsight_client._pictures.MOST_BYTES", 4)
    arguments = ["predict", "-", str(dog), "--server", url]
    given = io.BytesIO(bytes(2**24))
    result = CliRunner().invoke(main, arguments, input=given)
    assert (result.exit_code, len(result.stdout.splitlines())) == (1, 1)
    assert "-: The picture has more than 4 bytes; send a smaller picture." in result.stderr
    assert given.tell() < 2**24


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: str(command[0]))
@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("drawing.jpg", "end in .png, not .jpg"),
        ("drawing.webp", "end in .png, not .webp"),
        ("drawing.xyz", "end in .png, not .xyz"),
        ("none/drawing.png", "cannot be written: make the folder"),
        ("folder.png", "cannot be written: it is a folder"),
    ],
)
def test_what_no_drawing_can_be_written_to_is_refused_before_anything_is_asked(
    run: Callable[..., Result],
    url: str,
    twin: Twin,
    cat: Path,
    tmp_path: Path,
    command: list[str],
    out: str,
    said: str,
) -> None:
    (tmp_path / "folder.png").mkdir()
    result = run(*command, cat, "--out", tmp_path / out, "--server", url)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())
    assert not twin.seen


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: str(command[0]))
def test_no_name_at_all_is_asked_for(
    run: Callable[..., Result], url: str, twin: Twin, cat: Path, command: list[str]
) -> None:
    result = run(*command, cat, "--out", "", "--server", url)
    assert result.exit_code == 2
    assert "Name a file; - is the standard output." in result.stderr
    assert not twin.seen


def test_the_standard_input_is_named_once(run: Callable[..., Result], url: str, twin: Twin) -> None:
    result = run("predict", "-", "-", "--server", url)
    assert result.exit_code == 2
    assert "Name - once" in result.stderr
    assert not twin.seen


@pytest.mark.parametrize("command", [["predict"], *COMMANDS], ids=lambda command: str(command[0]))
def test_names_do_not_command_the_terminal(
    url: str, cat: Path, tmp_path: Path, command: list[str]
) -> None:
    odd = tmp_path / "new\nline\x1b[31m\x9b.png"
    odd.write_bytes(cat.read_bytes())
    arguments = [*command, str(odd), "--server", url]
    if command != ["predict"]:
        arguments += ["--out", str(odd)]
    result = CliRunner().invoke(main, arguments, color=True)
    assert result.exit_code == 0, result.output
    assert r"new\nline\x1b[31m\x9b.png" in result.stdout
    assert not {"\x1b", "\x9b"} & {*result.output}


def test_a_name_that_fails_does_not_command_the_terminal(url: str) -> None:
    result = CliRunner().invoke(main, ["predict", "\x1b[31m.png", "--server", url], color=True)
    assert result.stderr.startswith(r"\x1b[31m.png: '\x1b[31m.png' cannot be read")


def in_a_shell(line: str) -> subprocess.CompletedProcess[str]:
    """Run a line in which `pawsight` means the program."""
    function = f'pawsight() {{ "{sys.executable}" -m pawsight_client "$@"; }}\n{line}'
    return subprocess.run(
        ["bash", "-c", function],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", ["predict -", "explain - --out drawing.png"])
def test_a_closed_standard_input_holds_no_picture(url: str, command: str) -> None:
    result = in_a_shell(f"pawsight {command} --server {url} <&-")
    assert (result.returncode, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1, result.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: str(command[0]))
def test_a_drawing_does_not_go_to_a_closed_standard_output(
    url: str, cat: Path, command: list[str]
) -> None:
    result = in_a_shell(f"pawsight {' '.join(command)} '{cat}' --out - --server {url} >&-")
    assert result.returncode == 1
    assert "The standard output is closed; give --out a file's name." in result.stderr
