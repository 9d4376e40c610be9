"""From raw pictures to a data folder that training reads."""

from __future__ import annotations

from pawsight_training.data.preparation.sources import Labelled, find_labelled, find_oxford_pets
from pawsight_training.data.preparation.splits import Report, prepare

__all__ = ["Labelled", "Report", "find_labelled", "find_oxford_pets", "prepare"]
