"""How commands find their server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest

from tests.client.twin import Failure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    from tests.client.twin import Stand, Twin


def test_the_environment_names_the_server_and_the_key(
    run: Callable[..., Result],
    url: str,
    cat: Path,
    twin: Twin,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PAWSIGHT_SERVER", url)
    monkeypatch.setenv("PAWSIGHT_API_KEY", "secret")
    assert run("explain", cat, "--out", tmp_path / "overlay.png").exit_code == 0
    assert twin.seen[0]["authorization"] == "Bearer secret"


def test_the_flag_goes_before_the_environment(
    run: Callable[..., Result],
    stand: Stand,
    twin: Twin,
    cat: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PAWSIGHT_SERVER", "http://127.0.0.1:1")
    assert run("predict", cat, "--server", stand.urls["http"]).exit_code == 0


def test_what_is_no_url_is_one_sentence(run: Callable[..., Result], cat: Path) -> None:
    result = run("predict", cat, "--server", "localhost:8080")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: 'localhost:8080' is not the URL of a server")


def test_the_timeout_is_passed_on(
    run: Callable[..., Result], url: str, cat: Path, twin: Twin, tmp_path: Path
) -> None:
    run("explain", cat, "--out", tmp_path / "overlay.png", "--timeout", "3", "--server", url)
    assert 2 < twin.seen[0]["timeout_s"] < 3.1


@pytest.mark.parametrize("seconds", ["0", "inf", "1e9", "soon"])
def test_a_timeout_that_no_clock_counts_is_told_by_its_flag(
    run: Callable[..., Result], cat: Path, seconds: str
) -> None:
    result = run("predict", cat, "--timeout", seconds)
    assert result.exit_code == 2
    assert "Invalid value for '--timeout'" in result.stderr


def test_the_environment_names_the_timeout_too(
    run: Callable[..., Result],
    url: str,
    cat: Path,
    twin: Twin,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PAWSIGHT_TIMEOUT_S", "3")
    run("explain", cat, "--out", tmp_path / "overlay.png", "--server", url)
    assert 2 < twin.seen[0]["timeout_s"] < 3.1


@pytest.mark.parametrize("command", ["predict", "explain"])
def test_who_waited_in_vain_hears_of_both_limits(
    run: Callable[..., Result], url: str, cat: Path, twin: Twin, tmp_path: Path, command: str
) -> None:
    twin.held.clear()
    out = ["--out", tmp_path / "overlay.png"] if command == "explain" else []
    result = run(command, cat, *out, "--timeout", "0.2", "--server", url)
    assert result.exit_code == 1
    assert "waits up to --timeout seconds; the server has its own limit" in result.stderr


@pytest.mark.parametrize("command", ["predict", "explain"])
def test_who_is_not_let_in_hears_where_the_key_is_read_from(
    run: Callable[..., Result], url: str, cat: Path, twin: Twin, tmp_path: Path, command: str
) -> None:
    sentence = "Send yours as `Authorization: Bearer KEY`."
    refused = Failure("UNAUTHENTICATED", 401, grpc.StatusCode.UNAUTHENTICATED, sentence=sentence)
    twin.failures.extend([refused] * 2)
    out = ["--out", tmp_path / "overlay.png"] if command == "explain" else []
    result = run(command, cat, *out, "--server", url)
    assert result.exit_code == 1
    assert f"{sentence} The key is read from PAWSIGHT_API_KEY." in result.stderr


@pytest.mark.parametrize("timeout", ["0", "-1", "soon"])
def test_a_timeout_is_above_zero(run: Callable[..., Result], cat: Path, timeout: str) -> None:
    assert run("predict", cat, "--timeout", timeout).exit_code == 2
