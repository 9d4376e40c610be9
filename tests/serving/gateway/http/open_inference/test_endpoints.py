from __future__ import annotations

import base64
import gzip
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from pawsight_serving.errors import EngineUnavailable, ExplainerUnavailable
from tests.serving.fakes import SIDE, FakeEngine, manifest, picture

if TYPE_CHECKING:
    import httpx

    from pawsight_serving.readiness import Readiness
    from tests.serving.gateway.conftest import FakeSidecar

RED = picture("red")
UNSUPPORTED = "MEDIA_TYPE_UNSUPPORTED"
INFER = "/v2/models/tiny/infer"


def body(*pictures: bytes, **fields: Any) -> dict[str, Any]:
    data = [base64.b64encode(each).decode() for each in pictures]
    image = {"name": "image", "datatype": "BYTES", "shape": [len(data)], "data": data}
    return {"inputs": [image], **fields}


async def test_json_in_and_out(http: httpx.AsyncClient) -> None:
    answer = await http.post(INFER, json=body(RED, id="mine"), headers={"X-Request-Id": "here"})
    assert answer.status_code == 200
    assert answer.headers["x-request-id"] == "here"
    document = answer.json()
    assert (document["model_name"], document["model_version"]) == ("tiny", "1")
    assert document["id"] == "mine"
    probabilities, gradcam = document["outputs"]
    assert probabilities["shape"] == [1, 2]
    assert probabilities["data"][1] > 0.9
    assert gradcam["shape"] == [1, 2, 2, 2]


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "Application/JSON"])
async def test_json_by_its_name(http: httpx.AsyncClient, media_type: str) -> None:
    sent = orjson.dumps(body(RED))
    answer = await http.post(INFER, content=sent, headers={"Content-Type": media_type})
    assert answer.status_code == 200


async def test_a_bomb_is_too_large(http: httpx.AsyncClient) -> None:
    bomb = gzip.compress(bytes(1 << 20))
    assert len(bomb) < 20_000
    answer = await http.post(INFER, content=bomb, headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["code"]) == (413, "IMAGE_TOO_LARGE")


async def test_a_picture_as_the_whole_body(http: httpx.AsyncClient) -> None:
    answer = await http.post(INFER, content=RED, headers={"Inference-Header-Content-Length": "0"})
    length = int(answer.headers["inference-header-content-length"])
    outputs = orjson.loads(answer.content[:length])["outputs"]
    assert [each["parameters"]["binary_data_size"] for each in outputs] == [8, 32]
    assert len(answer.content) == length + 40


async def test_versions_in_the_path(http: httpx.AsyncClient, engine: FakeEngine) -> None:
    engine.served = [manifest(version="1"), manifest(version="2")]
    old = await http.post("/v2/models/tiny/versions/1/infer", json=body(RED))
    new = await http.post(INFER, json=body(RED))
    assert [each.json()["model_version"] for each in (old, new)] == ["1", "2"]
    assert (await http.get("/v2/models/tiny")).json()["versions"] == ["1", "2"]


@pytest.mark.parametrize(
    ("path", "sent", "status", "code"),
    [
        (INFER, {"content": b"{"}, 400, "REQUEST_INVALID"),
        (INFER, {"json": body()}, 400, "IMAGE_MISSING"),
        (INFER, {"json": body(b"nonsense")}, 400, "IMAGE_INVALID"),
        (INFER, {"json": body(RED, outputs=[{"name": "x"}])}, 400, "OPTION_INVALID"),
        (INFER, {"json": body(b"x" * 10_001)}, 413, "IMAGE_TOO_LARGE"),
        (INFER, {"content": b"x" * 20_001}, 413, "IMAGE_TOO_LARGE"),
        (
            INFER,
            {"content": b"x", "headers": {"Content-Encoding": "br"}},
            415,
            UNSUPPORTED,
        ),
        (
            INFER,
            {"json": body(RED), "headers": {"X-Request-Timeout": "no"}},
            400,
            "OPTION_INVALID",
        ),
        (f"{INFER}?x=1", {"json": body(RED)}, 400, "OPTION_INVALID"),
        ("/v2/repository/index?ready=true", {}, 400, "OPTION_INVALID"),
        ("/v2/models/x/infer", {"json": body(RED)}, 404, "MODEL_NOT_FOUND"),
        ("/v2/models/tiny/versions/9/infer", {"json": body(RED)}, 404, "VERSION_NOT_FOUND"),
        ("/v2/models/tiny/generate", {"json": body(RED)}, 404, "ROUTE_NOT_FOUND"),
        *(
            (INFER, {"content": RED, "headers": {"Content-Type": kind}}, 415, UNSUPPORTED)
            for kind in ("image/png", "text/plain", "multipart/form-data; boundary=b", "")
        ),
        ("/v2/repository/index", {"content": b" " * 1025}, 400, "REQUEST_INVALID"),
        ("/v2/repository/index", {"content": b"[]"}, 400, "REQUEST_INVALID"),
        ("/v2/repository/index", {"json": {"ready": 1}}, 400, "REQUEST_INVALID"),
        ("/v2/repository/models/tiny/load", {}, 404, "ROUTE_NOT_FOUND"),
    ],
)
async def test_the_callers_errors_are_the_contracts(
    http: httpx.AsyncClient, path: str, sent: dict[str, Any], status: int, code: str
) -> None:
    answer = await http.post(path, **sent)
    assert answer.status_code == status
    document = answer.json()
    assert set(document) == {"error", "code", "request_id"}
    assert document["code"] == code


async def test_what_is_down_is_unavailable_and_says_when_to_come_back(
    http: httpx.AsyncClient, engine: FakeEngine, sidecar: FakeSidecar
) -> None:
    engine.failure = EngineUnavailable("Down.")
    sidecar.failure = ExplainerUnavailable("Down.")
    for name, code in (("tiny", "ENGINE"), ("tiny_explain", "EXPLAINER")):
        answer = await http.post(f"/v2/models/{name}/infer", json=body(RED))
        assert (answer.status_code, answer.json()["code"]) == (503, f"{code}_UNAVAILABLE")
        assert answer.headers["retry-after"] == "1"


async def test_a_deadline_that_passes(http: httpx.AsyncClient, engine: FakeEngine) -> None:
    engine.may_answer.clear()
    answer = await http.post(INFER, json=body(RED), headers={"X-Request-Timeout": "0.05"})
    assert (answer.status_code, answer.json()["code"]) == (504, "DEADLINE_EXCEEDED")


async def test_health(http: httpx.AsyncClient, sidecar: FakeSidecar, readiness: Readiness) -> None:
    assert (await http.get("/v2/health/live")).json() == {"live": True}
    assert (await http.get("/v2/health/ready")).json() == {"ready": True}
    assert (await http.get("/v2/models/tiny/ready")).json() == {"name": "tiny", "ready": True}
    sidecar.alive = False
    down = await http.get("/v2/models/tiny_explain/versions/1/ready")
    assert (down.status_code, down.json()["code"]) == (503, "EXPLAINER_UNAVAILABLE")
    await readiness.stop()
    for path in ("/v2/health/ready", "/v2/models/tiny/ready"):
        down = await http.get(path)
        assert (down.status_code, down.json()["code"]) == (503, "ENGINE_UNAVAILABLE")
    assert (await http.get("/v2/health/live")).status_code == 200


async def test_descriptions(http: httpx.AsyncClient) -> None:
    server = (await http.get("/v2")).json()
    assert server["name"] == "pawsight"
    assert {"binary_tensor_data", "classification"} <= set(server["extensions"])
    metadata = (await http.get("/v2/models/tiny_explain")).json()
    assert metadata["inputs"][0]["shape"] == [-1, SIDE, SIDE, 3]
    assert "activation:pool1" in {each["name"] for each in metadata["outputs"]}
    config = (await http.get("/v2/models/tiny/versions/1/config")).json()
    assert config["output"][0] == {"name": "probabilities", "data_type": "TYPE_FP32", "dims": [2]}


@pytest.mark.parametrize("path", ["", "/models/tiny", "/models/tiny/config", "/models/stats"])
async def test_descriptions_have_no_options(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(f"/v2{path}?version=1")
    assert (answer.status_code, answer.json()["code"]) == (400, "OPTION_INVALID")


async def test_statistics(http: httpx.AsyncClient) -> None:
    await http.post(INFER, json=body(RED, RED))
    (tiny,) = (await http.get("/v2/models/tiny/stats")).json()["model_stats"]
    assert (tiny["inference_count"], tiny["execution_count"]) == (2, 1)
    assert tiny["inference_stats"]["success"]["ns"] > 0
    # What perf_analyzer looks at.
    assert tiny["inference_stats"]["queue"]["count"] == 1
    assert tiny["inference_stats"]["fail"] == {"count": 0, "ns": 0}
    everything = (await http.get("/v2/models/stats")).json()["model_stats"]
    assert [each["name"] for each in everything] == ["tiny", "tiny_explain"]


async def test_the_index_can_be_of_what_answers(
    http: httpx.AsyncClient, sidecar: FakeSidecar
) -> None:
    sidecar.alive = False
    everything = (await http.post("/v2/repository/index")).json()
    assert [each["state"] for each in everything] == ["READY", "UNAVAILABLE"]
    answering = await http.post("/v2/repository/index", json={"ready": True})
    assert [each["name"] for each in answering.json()] == ["tiny"]


async def test_the_index_waits_for_the_sidecar_no_longer_than_its_caller(
    http: httpx.AsyncClient, sidecar: FakeSidecar
) -> None:
    sidecar.may_answer.clear()
    answer = await http.post("/v2/repository/index", headers={"x-request-timeout": "0.05"})
    assert (answer.status_code, answer.json()["code"]) == (504, "DEADLINE_EXCEEDED")


@pytest.mark.parametrize("levels", [31, 900, 2_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
@pytest.mark.parametrize("field", [b"data", b"shape", b"parameters"])
async def test_deep_json_is_a_clear_400(
    http: httpx.AsyncClient, levels: int, opening: bytes, closing: bytes, field: bytes
) -> None:
    deep = opening * levels + b"0" + closing * levels
    body = b'{"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1], "%b": %b}]}' % (
        field,
        deep,
    )
    answer = await http.post("/v2/models/tiny/infer", content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "REQUEST_INVALID")
    assert "32 levels" in answer.json()["error"]
