from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tritonclient.grpc.model_config_pb2 import ModelConfig

from pawsight_serving.errors import RepositoryInvalid
from pawsight_serving.repository.triton_config import model_config
from pawsight_serving.tuning.settings import (
    Setting,
    apply,
    candidates,
    carry_over,
    remember,
    setting_of,
)
from tests.serving.tiny_repository import publish_tiny

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def config(tmp_path: Path) -> ModelConfig:
    return model_config([publish_tiny(tmp_path)], "tiny")


def test_a_batch_of_one_is_tried_without_delay_alone() -> None:
    assert candidates((1, 2), (1, 8), (0, 500)) == [
        Setting(1, 1, 0),
        Setting(1, 8, 0),
        Setting(1, 8, 500),
        Setting(2, 1, 0),
        Setting(2, 8, 0),
        Setting(2, 8, 500),
    ]


def test_a_batch_of_two_may_wait() -> None:
    assert candidates((1,), (2,), (100, 500)) == [Setting(1, 2, 100), Setting(1, 2, 500)]


def test_a_setting_is_said_in_words() -> None:
    assert str(Setting(1, 8, 1500)) == "1 instance, batches to 8, delay 1.5 ms"
    assert str(Setting(2, 1, 0)) == "2 instances, batches to 1, delay 0 ms"


@pytest.mark.parametrize(
    ("largest", "preferred", "warm_ups"),
    [(1, [1], [1]), (2, [2], [1, 2]), (8, [8], [1, 8]), (24, [8, 16, 24], [1, 24])],
)
def test_a_setting_changes_all_that_hangs_on_it(
    config: ModelConfig, largest: int, preferred: list[int], warm_ups: list[int]
) -> None:
    policy = config.dynamic_batching.default_queue_policy
    policy.max_queue_size = 7
    before = policy.SerializeToString()
    apply(config, Setting(instances=3, largest_batch=largest, delay_us=500))
    assert config.max_batch_size == largest
    assert [group.count for group in config.instance_group] == [3]
    assert setting_of(config) == Setting(3, largest, 500)
    assert config.dynamic_batching.max_queue_delay_microseconds == 500
    assert list(config.dynamic_batching.preferred_batch_size) == preferred
    assert [warm_up.batch_size for warm_up in config.model_warmup] == warm_ups
    assert config.dynamic_batching.default_queue_policy.SerializeToString() == before


def test_a_model_without_warm_ups_is_given_none(config: ModelConfig) -> None:
    del config.model_warmup[:]
    apply(config, Setting(instances=2, largest_batch=8, delay_us=0))
    assert not config.model_warmup


def test_a_model_that_was_tuned_to_single_pictures_warms_up_batches_again(
    config: ModelConfig,
) -> None:
    fresh = config.__deepcopy__()
    apply(config, Setting(instances=2, largest_batch=1, delay_us=0))
    apply(config, setting_of(fresh))
    assert list(config.model_warmup) == list(fresh.model_warmup)


def test_a_model_without_batches_is_tuned_in_its_instances_alone(tmp_path: Path) -> None:
    config = model_config([publish_tiny(tmp_path, engine="openvino")], "tiny")
    wanted = config.__deepcopy__()
    wanted.instance_group[0].count = 3
    apply(config, Setting(instances=3, largest_batch=8, delay_us=500))
    assert config == wanted


def test_what_a_configuration_does_not_say_is_tritons_default() -> None:
    assert setting_of(ModelConfig()) == Setting(instances=1, largest_batch=1, delay_us=0)


def test_what_was_tuned_goes_over_to_the_next_version(tmp_path: Path, config: ModelConfig) -> None:
    remember(config, Setting(2, 8, 500), {"p99_ms": 12.5})
    assert json.loads(config.parameters["tuned"].string_value) == {
        "instances": 2,
        "largest_batch": 8,
        "delay_us": 500,
        "p99_ms": 12.5,
    }
    fresh = model_config([publish_tiny(tmp_path / "next", version="2")], "tiny")
    carry_over(config, fresh)
    assert setting_of(config) == setting_of(fresh) == Setting(2, 8, 500)
    assert fresh.dynamic_batching == config.dynamic_batching
    assert list(fresh.model_warmup) == list(config.model_warmup)
    assert fresh.parameters["tuned"] == config.parameters["tuned"]


def test_a_figure_that_was_measured_may_be_of_any_size(config: ModelConfig) -> None:
    tuned, fresh = config.__deepcopy__(), config.__deepcopy__()
    remember(tuned, Setting(2, 8, 500), {"at": 2.0**31, "callers": 4})
    carry_over(tuned, fresh)
    assert fresh == tuned


@pytest.mark.parametrize(
    "changed",
    [
        {"instances": 0},
        {"instances": 1.5},
        {"instances": 2**31},
        {"largest_batch": 0},
        {"largest_batch": 2**31},
        {"largest_batch": "many"},
        {"delay_us": -1},
        {"delay_us": None},
        {"p99_ms": "slow"},
        {"p99_ms": -1},
    ],
)
def test_what_is_no_setting_is_not_carried_over(
    config: ModelConfig, changed: dict[str, object]
) -> None:
    tuned, before = config.__deepcopy__(), config.__deepcopy__()
    remember(tuned, Setting(2, 8, 500), {"p99_ms": 12.5})
    facts = json.loads(tuned.parameters["tuned"].string_value)
    tuned.parameters["tuned"].string_value = json.dumps(facts | changed)
    with pytest.raises(RepositoryInvalid, match="What tiny was tuned to cannot be read; tune it"):
        carry_over(tuned, config)
    assert config == before


def test_what_was_not_tuned_stays_as_it_is(tmp_path: Path, config: ModelConfig) -> None:
    fresh = model_config([publish_tiny(tmp_path / "next", version="2")], "tiny")
    before = fresh.SerializeToString(deterministic=True)
    carry_over(config, fresh)
    assert fresh.SerializeToString(deterministic=True) == before
