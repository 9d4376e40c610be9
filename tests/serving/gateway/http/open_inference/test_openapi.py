from __future__ import annotations

from typing import Any

from pawsight_serving.gateway.http.open_inference.openapi import open_inference_paths


def paths() -> dict[str, Any]:
    return open_inference_paths(
        lambda *statuses: {str(status): {} for status in statuses}, (400, 504), {"name": "timeout"}
    )


def test_running_a_model_is_described_with_its_limits_and_both_forms() -> None:
    for path in ("/v2/models/{name}/infer", "/v2/models/{name}/versions/{version}/infer"):
        infer = paths()[path]["post"]
        assert {"400", "504"} <= set(infer["responses"])
        for content in (infer["requestBody"]["content"], infer["responses"]["200"]["content"]):
            assert set(content) == {"application/json", "application/octet-stream"}
        names = [parameter["name"] for parameter in infer["parameters"]]
        assert names[-2:] == ["Inference-Header-Content-Length", "timeout"]


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for item in paths().values() for operation in item.values()]
    assert len(set(names)) == len(names) == len(paths())
