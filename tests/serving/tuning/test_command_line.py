"""`pawsight tune` as its user starts it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from pawsight_client.cli import main
from pawsight_serving.repository.served import read_graph_config
from pawsight_serving.repository.verification import verify
from pawsight_serving.tuning import command_line as module
from pawsight_serving.tuning import configuration
from pawsight_serving.tuning.measurements import Load, Trial
from pawsight_serving.tuning.settings import Setting
from tests.serving.tiny_repository import publish_tiny

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from pawsight_serving.triton_server.environment import Environment

TRIALS = [
    Trial(Setting(1, 1, 0), Load(1, 50.0, 5.0, 8.0)),
    Trial(Setting(2, 8, 500), Load(16, 200.0, 50.0, 80.0)),
]


class Fake:
    """A client that measures nothing."""

    name = "nothing"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    publish_tiny(tmp_path / "repository", engine="python")
    return tmp_path / "repository"


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_search", lambda *arguments, **_: TRIALS)


def tune(repository: Path, *options: str) -> Result:
    plot = str(repository.parent / "plot.png")
    command = ["tune", "tiny", "--repository", str(repository), "--plot", plot, *options]
    return CliRunner().invoke(main, command)


@pytest.mark.usefixtures("measured")
def test_the_best_within_the_target_is_written(repository: Path) -> None:
    done = tune(repository, "--latency-ms", "10")
    assert done.exit_code == 0, done.output
    config = read_graph_config(repository, "tiny")
    assert (config.max_batch_size, config.instance_group[0].count) == (1, 1)
    tuned = json.loads(config.parameters["tuned"].string_value)
    assert tuned.items() >= {"latency_target_ms": 10.0, "p99_ms": 8.0, "callers": 1}.items()
    assert not [fault for found in verify(repository) for fault in found.faults]
    assert (repository.parent / "plot.png").is_file()


@pytest.mark.usefixtures("measured")
@pytest.mark.parametrize(
    ("options", "status", "said"),
    [((), 0, "Nothing was written"), (("--latency-ms", "5"), 1, "within 5 ms")],
)
def test_without_a_target_or_within_none_nothing_is_written(
    repository: Path, options: tuple[str, ...], status: int, said: str
) -> None:
    before = (repository / "tiny" / "config.pbtxt").read_text()
    done = tune(repository, *options)
    assert (done.exit_code, said in done.output) == (status, True)
    assert (repository / "tiny" / "config.pbtxt").read_text() == before


@pytest.mark.usefixtures("measured")
def test_a_repository_that_cannot_be_written_is_one_sentence(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(configuration, "replace_file", full)
    done = tune(repository, "--latency-ms", "10")
    assert done.exit_code == 1
    assert "could not be written: No space left on device; mend that" in done.output
    assert "--instances 1 --batches 1 --delays-us 0, the best found." in done.output
    assert (repository.parent / "plot.png").is_file()


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (("--latency-ms", "10"), 1, "of it may not be written; mend that, or leave out --latency"),
        ((), 0, "Nothing was written"),
    ],
)
def test_what_could_not_be_written_is_refused_before_it_is_measured(
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    status: int,
    said: str,
) -> None:
    measured: list[object] = []

    def search(*arguments: object, **_: object) -> list[Trial]:
        measured.append(arguments)
        return TRIALS

    monkeypatch.setattr(module, "_search", search)
    monkeypatch.setattr(
        configuration, "fault_of", lambda folder: "the folder of it may not be written"
    )
    done = tune(repository, *options)
    assert (done.exit_code, said in done.output) == (status, True), done.output
    assert len(measured) == (status == 0)


@pytest.mark.parametrize("name", ["nowhere/plot.png", "plot.bmpx", "plot"])
def test_a_plot_that_could_not_be_written_is_refused_before_it_is_measured(
    repository: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delattr(module, "_search")
    done = tune(repository, "--plot", str(repository.parent / name))
    assert done.exit_code == 1
    assert "with --plot" in done.output


@pytest.mark.usefixtures("measured")
def test_a_plot_that_cannot_be_written_costs_no_measurement(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "plot", full)
    done = tune(repository, "--latency-ms", "10", "--plot", str(repository.parent / "plot.png"))
    assert done.exit_code == 1
    assert "name another file with --plot" in done.output
    assert "tuned" in read_graph_config(repository, "tiny").parameters


@pytest.mark.usefixtures("measured")
@pytest.mark.parametrize(
    ("during", "said", "written"),
    [
        ("_search", "Stopped; the configuration of tiny is as it was, and no plot was drawn.", 0),
        ("plot", "Stopped; the plot was not drawn.", 1),
    ],
)
def test_ctrl_c_says_what_was_changed(
    repository: Path, monkeypatch: pytest.MonkeyPatch, during: str, said: str, written: bool
) -> None:
    def stopped(*arguments: object, **_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, during, stopped)
    done = tune(repository, "--latency-ms", "10")
    assert (done.exit_code, done.stderr) == (130, f"{said}\n")
    assert ("tuned" in read_graph_config(repository, "tiny").parameters) == written
    assert not (repository.parent / "plot.png").exists()


@pytest.mark.parametrize(
    ("engine", "wanted"),
    [
        ("python", [Setting(2, 1, 0), Setting(2, 8, 0), Setting(2, 8, 500)]),
        ("openvino", [Setting(2, 1, 0)]),
    ],
)
def test_a_model_without_batches_is_tried_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: Any, wanted: list[Setting]
) -> None:
    publish_tiny(tmp_path, engine=engine)
    tried: list[Setting] = []

    async def search(*arguments: Any) -> list[Trial]:
        tried.extend(arguments[4])
        return TRIALS

    monkeypatch.setattr("pawsight_serving.triton_server.environment.prepare", lambda *_: None)
    monkeypatch.setattr("pawsight_serving.tuning.clients.choose_client", lambda *_, **__: Fake())
    monkeypatch.setattr("pawsight_serving.tuning.search.search", search)
    options = ("--instances", "2", "--batches", "1,8", "--delays-us", "0,500")
    command = ["tune", "tiny", "--repository", str(tmp_path), *options]
    done = CliRunner().invoke(main, [*command, "--plot", str(tmp_path / "plot.png")])
    assert done.exit_code == 0, done.output
    assert tried == wanted


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (("--batches", "0,8"), 2, "'0,8' is no list of numbers from 1 on"),
        (("--callers", "many"), 2, "'many' is no list of numbers"),
        (("--delays-us", "-1"), 2, "no list of numbers from 0 on"),
        (("--latency-ms", "0"), 2, "--latency-ms"),
    ],
)
def test_wrong_options_are_refused(
    repository: Path, options: tuple[str, ...], status: int, said: str
) -> None:
    done = tune(repository, *options)
    assert (done.exit_code, said in done.output) == (status, True), done.output


@pytest.mark.usefixtures("measured")
@pytest.mark.parametrize("option", ["--latency-ms", "--measure-s", "--limit-s"])
@pytest.mark.parametrize(
    ("number", "said"), [("nan", "'nan' is not a number."), ("inf", "inf is not in the range")]
)
def test_what_is_no_number_or_has_no_end_is_refused(
    repository: Path, option: str, number: str, said: str
) -> None:
    done = tune(repository, option, number)
    assert done.exit_code == 2
    assert f"Invalid value for '{option}': {said}" in done.output


def test_a_model_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    publish_tiny(tmp_path, name="other")
    done = tune(tmp_path)
    assert done.exit_code == 1
    assert "Model 'tiny' is not served here; the models are: other." in done.output


@pytest.mark.triton
def test_a_real_triton_is_tuned(repository: Path, triton_environment: Environment) -> None:
    options = ("--instances", "1", "--batches", "4", "--delays-us", "0", "--callers", "1,2")
    done = tune(repository, *options, "--measure-s", "0.2", "--own-client", "--latency-ms", "9999")
    assert done.exit_code == 0, done.output
    config = read_graph_config(repository, "tiny")
    assert config.max_batch_size == 4
    assert json.loads(config.parameters["tuned"].string_value)["pictures_per_s"] > 0
