"""The error tree of training.

    TrainingError
    ├── DataInvalid         the folder of pictures cannot be learned from
    ├── RecipeInvalid       an option that does not exist or does not fit
    ├── RunInvalid          a run folder that is unfinished, damaged or in the way
    ├── WeightsInvalid      a weights file that is missing, damaged or of another net
    └── TrainingInterrupted Ctrl-C, or a signal; `--resume` goes on from there

An error is one sentence that says what to do.
"""

from __future__ import annotations


class TrainingError(Exception):
    """Root of the tree; `str(error)` is a sentence fit for the command line."""


class DataInvalid(TrainingError):
    """The folder of pictures cannot be learned from."""


class RecipeInvalid(TrainingError):
    """An option does not exist or does not fit the others."""


class RunInvalid(TrainingError):
    """A run folder is unfinished, damaged or in the way."""


class WeightsInvalid(TrainingError):
    """A weights file is missing, damaged or belongs to another net."""


class TrainingInterrupted(TrainingError):
    """The training was stopped from outside."""
