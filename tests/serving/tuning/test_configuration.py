from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pawsight_serving.errors import RepositoryInvalid
from pawsight_serving.repository.served import read_graph_config
from pawsight_serving.repository.writing import exclusive_writer
from pawsight_serving.tuning import configuration
from pawsight_serving.tuning.configuration import check_writable, write_best
from pawsight_serving.tuning.measurements import Load, Trial
from pawsight_serving.tuning.settings import Setting, setting_of
from tests.serving.tiny_repository import publish_tiny

if TYPE_CHECKING:
    from pathlib import Path

BEST = Trial(Setting(2, 8, 500), Load(4, 123.45, 9.0, 12.345))


def test_the_setting_is_written_with_what_was_measured(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    write_best(tmp_path, "tiny", BEST, 20.0)
    config = read_graph_config(tmp_path, "tiny")
    assert setting_of(config) == BEST.setting
    figures = json.loads(config.parameters["tuned"].string_value)
    assert (figures["callers"], figures["pictures_per_s"], figures["p99_ms"]) == (4, 123.5, 12.35)
    assert figures["latency_target_ms"] == 20.0


def test_a_model_that_another_command_changes_is_left_to_it(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    before = read_graph_config(tmp_path, "tiny")
    with exclusive_writer(tmp_path, "tiny"), pytest.raises(RepositoryInvalid, match="try again"):
        write_best(tmp_path, "tiny", BEST, 20.0)
    assert read_graph_config(tmp_path, "tiny") == before


def test_what_may_not_be_written_is_known_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_tiny(tmp_path)
    check_writable(tmp_path, "tiny")
    monkeypatch.setattr(configuration, "fault_of", lambda folder: f"{folder} may not be written")
    check_writable(tmp_path, "missing")
    with pytest.raises(RepositoryInvalid, match="may not be written; mend that"):
        check_writable(tmp_path, "tiny")
