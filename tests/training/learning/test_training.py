from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor

from pawsight_training.errors import RecipeInvalid, RunInvalid, TrainingInterrupted
from pawsight_training.learning.training import _moving_average, train
from pawsight_training.machine import Machine
from pawsight_training.runs.history import History
from pawsight_training.runs.run import load_run
from pawsight_training.runs.run_folder import sole_training
from pawsight_training.runs.weights import read_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pawsight_training.data.dataset import Dataset
    from pawsight_training.learning.job import Job
    from pawsight_training.runs.run import Run

PROGRAM = "from pawsight_client.cli import main; main()"


def state_of(run: Run) -> Mapping[str, Tensor]:
    return run.model().state_dict()


def moved(run: Run, start: Mapping[str, Tensor]) -> set[str]:
    """Return the first parts of the names of the weights that are not what they were."""
    return {
        name.split(".")[0] if name.startswith("head") else name.split(".")[1].split("_")[0]
        for name, value in state_of(run).items()
        if not torch.equal(value, start[name])
    }


def test_the_scratch_net_learns_to_tell_discs_from_stripes(finished_run: Run) -> None:
    assert finished_run.manifest.metrics["test"]["accuracy"] >= 0.9
    assert finished_run.manifest.epochs_trained == 6


def test_the_same_job_gives_the_same_weights(
    data: Dataset, make_job: Callable[..., Job], tmp_path: Path
) -> None:
    runs = [
        train(make_job("scratch-augmented", data, seed=seed), tmp_path / str(number))
        for number, seed in enumerate((1, 1, 2))
    ]
    one, same, other = (run.manifest.weights_sha256 for run in runs)
    assert one == same != other


def test_end_to_end_moves_every_layer_and_leaves_a_plain_net(vgg_run: Run) -> None:
    manifest = vgg_run.manifest
    assert manifest.parameters == manifest.trainable_parameters == 14_714_688 + 131_585
    assert not [name for name in state_of(vgg_run) if "_bn" in name]
    assert all(torch.isfinite(value).all() for value in state_of(vgg_run).values())


@pytest.mark.parametrize(
    ("name", "trainable", "parts"),
    [
        ("features", 131_585, {"head"}),
        ("frozen-augmented", 131_585, {"head"}),
        ("fine-tune", 131_585 + 3 * (512 * 512 * 9 + 512), {"head", "block5"}),
    ],
)
def test_transfer_moves_what_it_says_and_nothing_else(
    small_data: Dataset,
    make_job: Callable[..., Job],
    vgg_run: Run,
    tmp_path: Path,
    name: str,
    trainable: int,
    parts: set[str],
) -> None:
    weights = read_weights(str(vgg_run.path))
    run = train(make_job(name, small_data, weights=weights), tmp_path / "run")
    assert moved(run, weights.tensors) == parts
    assert run.manifest.trainable_parameters == trainable
    assert run.manifest.initial_weights == {
        "source": "vgg",
        "sha256": vgg_run.manifest.weights_sha256,
    }


def test_three_classes_are_learnt_too(
    data: Dataset, make_job: Callable[..., Job], tmp_path: Path
) -> None:
    splits = {
        name: replace(split, labels=split.labels + (torch.arange(len(split)) % 4 == 0).numpy())
        for name, split in data.splits.items()
    }
    three = replace(data, classes=("a", "b", "c"), splits=splits)
    run = train(make_job("scratch", three), tmp_path / "run")
    assert run.model()(torch.zeros(1, 3, 46, 46)).shape == (1, 3)


def test_a_moving_average_wears_nothing_away() -> None:
    average = _moving_average(0.998)
    constant = torch.tensor([123.675, 116.28, 103.53, 58.395])
    kept = constant.clone()
    for _ in range(1_000):
        kept = average(kept, constant, 0)
    assert torch.equal(kept, constant)
    moved = average(torch.tensor([1.0]), torch.tensor([2.0]), 0)
    assert moved.item() == pytest.approx(1.002)


def test_what_is_kept_is_the_moving_average_and_not_the_last_step(
    data: Dataset, make_job: Callable[..., Job], tmp_path: Path
) -> None:
    averaged, plain = (
        state_of(train(make_job("scratch", data, average=average), tmp_path / str(average)))
        for average in (0.9, 0.0)
    )
    assert not any(torch.equal(averaged[name], plain[name]) for name in plain if "conv" in name)


def test_it_stops_early_when_nothing_gets_better(
    data: Dataset, make_job: Callable[..., Job], tmp_path: Path
) -> None:
    job = make_job("scratch", data, epochs=20, learning_rate=1e-12, patience=2)
    run = train(job, tmp_path / "run")
    assert (run.manifest.best_epoch, run.manifest.epochs_trained) == (1, 3)


def test_one_that_stopped_early_and_was_killed_then_goes_no_further(
    data: Dataset, make_job: Callable[..., Job], tmp_path: Path
) -> None:
    job = make_job("scratch", data, epochs=20, learning_rate=1e-3, patience=2)
    whole = train(job, tmp_path / "run").manifest
    (tmp_path / "run" / "manifest.json").unlink()
    resumed = train(job, tmp_path / "run", resume=True).manifest
    assert resumed.epochs_trained == whole.epochs_trained < 20
    assert resumed.weights_sha256 == whole.weights_sha256


def test_one_that_was_killed_between_its_first_two_checkpoints_starts_again(
    finished_run: Run, data: Dataset, make_job: Callable[..., Job], tmp_path: Path
) -> None:
    checkpoints = tmp_path / "run" / "checkpoints"
    checkpoints.mkdir(parents=True)
    (checkpoints / "best.ckpt").write_bytes(b"of the training that was killed")
    job = make_job("scratch", data, epochs=6, learning_rate=1e-3)
    resumed = train(job, tmp_path / "run", resume=True)
    assert resumed.manifest.weights_sha256 == finished_run.manifest.weights_sha256
    assert {path.name for path in checkpoints.iterdir()} == {"best.ckpt", "last.ckpt"}


def test_checkpoints_need_no_folder_for_temporary_files(
    data: Dataset, make_job: Callable[..., Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nothing"))
    run = train(make_job("scratch", data), tmp_path / "run")
    written = {path.name for path in (run.path / "checkpoints").iterdir()}
    assert written == {"best.ckpt", "last.ckpt"}


@pytest.mark.parametrize("resume", [False, True])
def test_two_trainings_never_write_to_one_folder(
    data: Dataset, make_job: Callable[..., Job], tmp_path: Path, resume: bool
) -> None:
    job = make_job("scratch", data, epochs=1)
    with sole_training(tmp_path), pytest.raises(RunInvalid, match="Another training is writing"):
        train(job, tmp_path, resume=resume)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit(143)])
def test_what_was_stopped_goes_on_to_the_same_weights(
    data: Dataset,
    make_job: Callable[..., Job],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stop: BaseException,
) -> None:
    job = make_job("scratch-augmented", data, epochs=4, schedule="cosine", average=0.9)
    whole = train(job, tmp_path / "whole")
    write = History._write

    def stopping(self: History) -> None:
        write(self)
        if len(self.rows) == 3:
            raise stop

    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patched:
        patched.setattr(History, "_write", stopping)
        with pytest.raises(TrainingInterrupted, match="go on with --resume"):
            train(job, tmp_path / "stopped")
    signal.signal(signal.SIGINT, before)
    with pytest.raises(RunInvalid, match="is unfinished; go on with --resume"):
        load_run(tmp_path / "stopped")
    with pytest.raises(RunInvalid, match="is not empty; go on with --resume"):
        train(job, tmp_path / "stopped")
    resumed = train(job, tmp_path / "stopped", resume=True)
    assert resumed.manifest.weights_sha256 == whole.manifest.weights_sha256
    assert resumed.manifest.epochs_trained == 4
    last = [
        torch.load(run.path / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for run in (whole, resumed)
    ]
    assert all(torch.equal(value, last[1][name]) for name, value in last[0].items())


def test_a_full_disk_is_one_sentence_and_no_finished_run(
    data: Dataset,
    make_job: Callable[..., Job],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pawsight_training.learning.finishing.write_weights", full)
    with pytest.raises(RunInvalid, match=r"cannot be written to .* \(No space left on device\)"):
        train(make_job("scratch", data), tmp_path / "run")
    with pytest.raises(RunInvalid, match="is unfinished"):
        load_run(tmp_path / "run")


@pytest.mark.parametrize(
    "machine",
    [
        Machine(accelerator="abacus"),
        Machine(accelerator="cpu", strategy="telepathy"),
    ],
)
def test_a_machine_that_is_not_there_is_refused(
    data: Dataset, make_job: Callable[..., Job], tmp_path: Path, machine: Machine
) -> None:
    with pytest.raises(RecipeInvalid, match="This machine cannot train with accelerator"):
        train(make_job("scratch", data, machine=machine), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def command(drawn: Path, cache: Path, out: Path, *options: str) -> list[str]:
    script = out.parent / "train.py"
    script.write_text(PROGRAM)
    return [
        *(sys.executable, str(script), "train", "scratch-augmented", "--data", str(drawn)),
        *("--cache", str(cache), "--out", str(out), "--input-size", "46", "--batch-size", "10"),
        *("--accelerator", "cpu", *options),
    ]


def environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1"}


def test_a_killed_process_resumes_to_the_same_weights(
    drawn: Path, cache: Path, data: Dataset, make_job: Callable[..., Job], tmp_path: Path
) -> None:
    options = ("--epochs", "8", "--schedule", "one-cycle", "--average", "0.9", "--precision", "32")
    arguments = command(drawn, cache, tmp_path / "killed", *options)
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "epoch   3/8" in line:
                process.kill()
        assert process.wait(60) == -signal.SIGKILL
    job = make_job("scratch-augmented", data, epochs=8, schedule="one-cycle", average=0.9)
    whole = train(job, tmp_path / "whole").manifest
    resumed = train(job, tmp_path / "killed", resume=True).manifest
    assert resumed.weights_sha256 == whole.weights_sha256
    assert (resumed.best_epoch, resumed.epochs_trained) == (whole.best_epoch, 8)


def test_a_signal_ends_cleanly(drawn: Path, cache: Path, tmp_path: Path) -> None:
    statuses = {signal.SIGINT: 130, signal.SIGTERM: 143}
    with ExitStack() as stack:
        # Side by side: to start takes most of the time.
        processes = {}
        for number in statuses:
            out = tmp_path / number.name
            out.mkdir()
            processes[number] = subprocess.Popen(
                command(drawn, cache, out / "run", "--epochs", "1000"),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment(),
            )
            stack.enter_context(processes[number])
            stack.callback(processes[number].kill)
        for number, process in processes.items():
            said = stopped_after_an_epoch(process, number)
            assert process.wait(60) == statuses[number]
            assert said.strip() == "The training was stopped; go on with --resume."


def stopped_after_an_epoch(process: subprocess.Popen[str], number: signal.Signals) -> str:
    """Send a training a signal, and return what it says on standard error until it has ended."""
    assert process.stdout is not None
    assert process.stderr is not None
    for line in process.stdout:
        if "epoch   1/1000" in line:
            process.send_signal(number)
            break
    process.stdout.read()
    return process.stderr.read()


def test_two_processes_train_one_net(drawn: Path, cache: Path, tmp_path: Path) -> None:
    arguments = command(
        *(drawn, cache, tmp_path / "run", "--devices", "2", "--strategy", "ddp"),
        *("--epochs", "2", "--precision", "32"),
    )
    done = subprocess.run(
        arguments, timeout=180, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    run = load_run(tmp_path / "run")
    assert run.manifest.epochs_trained == 2
    assert done.stdout.count("epoch   2/2") == 1
