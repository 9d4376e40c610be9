from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from pawsight_serving.errors import ModelNotFound
from pawsight_training.errors import (
    DataInvalid,
    RecipeInvalid,
    RunInvalid,
    TrainingError,
    TrainingInterrupted,
    WeightsInvalid,
)
from pawsight_training.options import InputSize, one_sentence


@pytest.mark.parametrize(
    ("text", "size"), [("150", (150, 150)), ("120x160", (120, 160)), ("64x64", (64, 64))]
)
def test_an_input_size_is_a_side_or_two(text: str, size: tuple[int, int]) -> None:
    assert InputSize().convert(text, None, None) == size


@pytest.mark.parametrize("text", ["wide", "12x", "x12", "1x2x3", "0", "-4"])
def test_other_input_sizes_are_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        InputSize().convert(text, None, None)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        *(
            (kind("What to do."), 1, "Error: What to do.")
            for kind in TrainingError.__subclasses__()
            if kind is not TrainingInterrupted
        ),
        (ModelNotFound("a", ("b",)), 1, "Error: Model 'a' is not served here; the models are: b."),
        (TrainingInterrupted("Go on with --resume."), 130, "Go on with --resume."),
        (KeyboardInterrupt(), 130, "Stopped."),
    ],
)
def test_errors_end_in_a_sentence_and_a_code(error: BaseException, code: int, said: str) -> None:
    @click.command()
    @one_sentence
    def fails() -> None:
        raise error

    result = CliRunner().invoke(fails)
    assert result.exit_code == code
    assert result.stderr.strip() == said


def test_a_variable_that_nothing_reads_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    @one_sentence
    def passes() -> None:
        pass

    monkeypatch.setenv("PAWSIGHT_REPOSITORI", "here")
    result = CliRunner().invoke(passes)
    assert result.exit_code == 2
    assert "PAWSIGHT_REPOSITORI is unknown; did you mean PAWSIGHT_REPOSITORY?" in result.stderr


def test_the_tree_is_what_is_tested() -> None:
    assert set(TrainingError.__subclasses__()) == {
        DataInvalid,
        RecipeInvalid,
        RunInvalid,
        WeightsInvalid,
        TrainingInterrupted,
    }


def test_a_fault_of_ours_is_not_hidden() -> None:
    @click.command()
    @one_sentence
    def fails() -> None:
        raise ZeroDivisionError

    assert isinstance(CliRunner().invoke(fails).exception, ZeroDivisionError)
