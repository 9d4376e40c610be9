from __future__ import annotations

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as triton

from pawsight_serving.repository.version_policy import allowed, policy_of, serve_only

PRESENT = ["2", "9", "10"]


@pytest.mark.parametrize(
    ("text", "served"),
    [
        ("", ["10"]),
        ("version_policy { all {} }", PRESENT),
        ("version_policy { latest {} }", ["10"]),
        ("version_policy { latest { num_versions: 2 } }", ["9", "10"]),
        ("version_policy { specific { versions: [9, 2, 11] } }", ["2", "9"]),
        ("version_policy { specific {} }", []),
    ],
)
def test_a_policy_allows_what_triton_would_load(text: str, served: list[str]) -> None:
    config = text_format.Parse(text, triton.ModelConfig())
    assert allowed(config, PRESENT) == served
    assert allowed(config, []) == []


def test_a_policy_names_its_versions_in_order() -> None:
    assert list(policy_of(["10", "9"]).specific.versions) == [9, 10]


def test_what_is_not_kept_is_forgotten() -> None:
    config = triton.ModelConfig()
    for key in ("manifest:1", "manifest:2", "providers:1", "providers:3", "EXECUTION_ENV_PATH"):
        config.parameters[key].string_value = "x"
    serve_only(config, ["2"], ["2", "3"])
    assert set(config.parameters) == {"manifest:2", "providers:3", "EXECUTION_ENV_PATH"}
    assert allowed(config, ["1", "2", "3"]) == ["2"]
