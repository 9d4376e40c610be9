from __future__ import annotations

import asyncio
import base64
import io
import zlib
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import numpy as np
import pytest

from pawsight_serving.errors import (
    EngineUnavailable,
    ExplainerUnavailable,
    LayerUnknown,
    TargetUnknown,
)
from pawsight_serving.explanations.queries import Query
from pawsight_serving.requests.service_time import ServiceTime
from pawsight_serving.settings import MAX_NUMBERS
from tests.serving.fakes import LAYERS, manifest, picture

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from pawsight_serving.addresses import Address
    from pawsight_serving.gateway.core import Gateway
    from tests.serving.fakes import FakeEngine
    from tests.serving.gateway.conftest import FakeExplainer

RED, BLUE = picture("red"), picture("blue")
PREDICT, EXPLAIN = "/v1/models/tiny:predict", "/v1/models/tiny:explain"
JPEG = {"content-type": "image/jpeg", "x-request-id": "mine"}


def failed(answer: httpx.Response, status: int, code: str) -> str:
    """Check an error's answer, and return its sentence."""
    body = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), body
    assert set(body) == {"error", "code", "request_id"}
    assert body["request_id"] == answer.headers["x-request-id"]
    assert ("retry-after" in answer.headers) == (status in {429, 503})
    return str(body["error"])


async def test_a_prediction_is_the_contracts_word_for_word(http: httpx.AsyncClient) -> None:
    answer = await http.post(PREDICT, content=RED, headers=JPEG)
    assert answer.status_code == 200
    body = answer.json()
    (prediction,) = body.pop("predictions")
    assert body == {
        "model": "tiny",
        "version": "1",
        "digest": "sha256:" + "a" * 64,
        "request_id": "mine",
    }
    assert set(prediction) == {"label", "score", "probabilities"}
    assert prediction["label"] == "dog"
    assert prediction["score"] == prediction["probabilities"]["dog"] > 0.99
    assert list(prediction["probabilities"]) == ["cat", "dog"]


async def test_a_version_can_be_named(http: httpx.AsyncClient) -> None:
    path = "/v1/models/tiny/versions/{}:predict"
    assert (await http.post(path.format(1), content=RED, headers=JPEG)).json()["version"] == "1"
    failed(await http.post(path.format(2), content=RED, headers=JPEG), 404, "VERSION_NOT_FOUND")


async def test_grad_cam_is_the_contracts_word_for_word(http: httpx.AsyncClient) -> None:
    answer = await http.post(EXPLAIN, content=RED, headers=JPEG)
    assert answer.status_code == 200
    body = answer.json()
    assert list(body["predictions"][0]["probabilities"]) == ["cat", "dog"]
    assert set(body) == {
        *("model", "version", "predictions", "explanations", "digest", "request_id")
    }
    assert body["explanations"] == [
        {
            "method": "grad-cam",
            "layer": "conv2",
            "target": "dog",
            "height": 2,
            "width": 3,
            "map": [[0, 1, 2], [3, 4, 5]],
            "evidence": True,
            "overlay_png": base64.b64encode(b"PNG").decode(),
            "digest": "sha256:b",
            "weights_sha256": "c",
            "precision": "fp32",
            "probability": 0.75,
        }
    ]


async def test_activations_are_the_contracts_word_for_word(http: httpx.AsyncClient) -> None:
    answer = await http.post(f"{EXPLAIN}?method=activations", content=RED, headers=JPEG)
    (explanation,) = answer.json()["explanations"]
    assert explanation == {
        "method": "activations",
        "layer": "conv2",
        "height": 2,
        "width": 3,
        "channels": [
            {"channel": 7, "mean": 2.5, "max": 5, "zeros": 0.25, "map": [[0, 1, 2], [3, 4, 5]]}
        ],
        "evidence": True,
        "overlay_png": base64.b64encode(b"PNG").decode(),
        "digest": "sha256:b",
        "weights_sha256": "c",
        "precision": "fp32",
    }


async def test_the_options_reach_the_sidecar(
    http: httpx.AsyncClient, explainer: FakeExplainer
) -> None:
    query = "?method=activations&layer=conv1&channels=3,0,17&overlay=false"
    body = (await http.post(EXPLAIN + query, content=RED, headers=JPEG)).json()
    (asked, call), *_ = explainer.asked
    assert asked == Query(
        model="tiny",
        version="1",
        method="activations",
        layer="conv1",
        channels=(3, 0, 17),
        max_values=MAX_NUMBERS,
    )
    assert call.request_id == "mine"
    assert "overlay_png" not in body["explanations"][0]


async def test_png_is_the_drawing(http: httpx.AsyncClient) -> None:
    png = {**JPEG, "accept": "image/png"}
    answer = await http.post(f"{EXPLAIN}?overlay=false", content=RED, headers=png)
    assert (answer.headers["content-type"], answer.content) == ("image/png", b"PNG")
    assert answer.headers["x-request-id"] == "mine"
    two = await http.post(
        EXPLAIN, files=[("image", RED), ("image", BLUE)], headers={"accept": "image/png"}
    )
    assert "one picture" in failed(two, 400, "OPTION_INVALID")


async def test_webp_is_drawn_where_it_is_wanted(http: httpx.AsyncClient) -> None:
    answer = await http.post(EXPLAIN, content=RED, headers={**JPEG, "accept": "image/webp"})
    assert (answer.headers["content-type"], answer.content) == ("image/webp", b"WEBP")


@pytest.mark.parametrize("query", ["sheet=true", "layer=all", "target=cat,dog"])
async def test_a_picture_of_several_explanations_is_a_sheet(
    http: httpx.AsyncClient, query: str
) -> None:
    png = {**JPEG, "accept": "image/png"}
    answer = await http.post(f"{EXPLAIN}?{query}", content=RED, headers=png)
    assert answer.content == b"SHEET"


async def test_sheets_stand_in_the_json_where_they_are_asked_for(http: httpx.AsyncClient) -> None:
    body = (await http.post(f"{EXPLAIN}?sheet=true", content=RED, headers=JPEG)).json()
    assert body["sheets"] == [base64.b64encode(b"SHEET").decode()]
    assert "overlay_png" not in body["explanations"][0]


async def test_faithfulness_stands_in_the_json_where_it_is_asked_for(
    http: httpx.AsyncClient,
) -> None:
    body = (await http.post(f"{EXPLAIN}?faithfulness=true", content=RED, headers=JPEG)).json()
    assert body["explanations"][0]["faithfulness"] == {
        "deletion": {"area": 0.5, "probabilities": [1, 0]},
        "insertion": {"area": 0.5, "probabilities": [1, 0]},
    }


@pytest.mark.parametrize("media_type", ["image/png", "image/webp", "application/x-npy"])
async def test_faithfulness_is_not_measured_for_an_answer_that_cannot_tell_it(
    http: httpx.AsyncClient, explainer: FakeExplainer, media_type: str
) -> None:
    headers = {**JPEG, "accept": media_type}
    answer = await http.post(f"{EXPLAIN}?faithfulness=true", content=RED, headers=headers)
    assert "application/json" in failed(answer, 400, "OPTION_INVALID")
    assert not explainer.asked


async def test_raw_values_are_numpys_file(http: httpx.AsyncClient) -> None:
    npy = {**JPEG, "accept": "application/x-npy"}
    answer = await http.post(f"{EXPLAIN}?method=activations", content=RED, headers=npy)
    assert answer.headers["content-type"] == "application/x-npy"
    assert answer.headers["x-pawsight-channels"] == "7"
    assert answer.headers["x-pawsight-layer"] == "conv2"
    values = np.load(io.BytesIO(answer.content))
    assert (values.dtype, values.tolist()) == (np.float32, [[[0, 1, 2], [3, 4, 5]]])
    answer = await http.post(EXPLAIN, content=RED, headers=npy)
    assert np.load(io.BytesIO(answer.content)).shape == (2, 3)
    assert answer.headers["x-pawsight-target"] == "dog"


@pytest.mark.parametrize(
    ("query", "asked"),
    [("layer=all", 0), ("method=activations&layer=conv1,pool1", 0), ("target=cat,dog", 1)],
)
async def test_maps_that_do_not_fit_one_array_are_refused_before_the_sidecar_is_asked(
    http: httpx.AsyncClient, explainer: FakeExplainer, query: str, asked: int
) -> None:
    npy = {**JPEG, "accept": "application/x-npy"}
    answer = await http.post(f"{EXPLAIN}?{query}", content=RED, headers=npy)
    assert len(explainer.asked) == asked
    if not asked:
        sentence = failed(answer, 400, "OPTION_INVALID")
        assert sentence == "application/x-npy is for maps of one size; ask for one layer at a time."


async def test_names_of_any_script_stand_in_the_headers_percent_encoded(
    http: httpx.AsyncClient, engine: FakeEngine, explainer: FakeExplainer
) -> None:
    explainer.classes = ("犬, groß", "cat")
    engine.served = [manifest().model_copy(update={"classes": explainer.classes})]
    npy = {**JPEG, "accept": "application/x-npy"}
    answer = await http.post(EXPLAIN, content=RED, headers=npy)
    assert answer.status_code == 200
    assert answer.headers["x-pawsight-target"] == "%E7%8A%AC%2C%20gro%C3%9F"
    assert unquote(answer.headers["x-pawsight-target"]) == explainer.classes[0]


async def test_a_version_that_the_sidecar_alone_has_is_answered(
    http: httpx.AsyncClient, explainer: FakeExplainer
) -> None:
    explainer.without, explainer.version = "1", "2"
    explainer.classes = ("dog", "bird")
    answer = await http.post(EXPLAIN, content=RED, headers=JPEG)
    assert (answer.status_code, answer.json()["version"]) == (200, "2")
    assert list(answer.json()["predictions"][0]["probabilities"]) == ["dog", "bird"]


async def test_more_numbers_than_json_takes_are_refused_before_the_sidecar_is_asked(
    http: httpx.AsyncClient, engine: FakeEngine, explainer: FakeExplainer
) -> None:
    wide = LAYERS[0].model_copy(update={"height": 1000, "width": 1001})
    engine.served = [manifest().model_copy(update={"layers": (wide, *LAYERS[1:])})]
    path = f"{EXPLAIN}?layer=conv1&target=all"
    sentence = failed(await http.post(path, content=RED, headers=JPEG), 400, "OPTION_INVALID")
    assert "2002000 numbers" in sentence
    assert "application/x-npy" in sentence
    assert explainer.asked == []
    npy = {**JPEG, "accept": "application/x-npy"}
    assert (await http.post(path, content=RED, headers=npy)).status_code == 200
    one = await http.post(f"{EXPLAIN}?layer=conv1", content=RED, headers=JPEG)
    assert one.status_code == 200


async def test_more_numbers_than_the_manifest_told_are_refused_too(
    http: httpx.AsyncClient, explainer: FakeExplainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pawsight_serving.gateway.http.options.MAX_NUMBERS", 5)
    sentence = failed(await http.post(EXPLAIN, content=RED, headers=JPEG), 400, "OPTION_INVALID")
    assert "6 numbers" in sentence
    assert len(explainer.asked) == 1


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("method=lime", "OPTION_INVALID"),
        ("layer=conv9", "LAYER_UNKNOWN"),
        ("target=mouse", "TARGET_UNKNOWN"),
        ("colormap=jet", "OPTION_INVALID"),
        ("method=rise&channels=1", "OPTION_INVALID"),
    ],
)
async def test_a_bad_option_is_the_callers_error_while_the_sidecar_is_down(
    http: httpx.AsyncClient, explainer: FakeExplainer, query: str, code: str
) -> None:
    explainer.failure = ExplainerUnavailable("Down.")
    failed(await http.post(f"{EXPLAIN}?{query}", content=RED, headers=JPEG), 400, code)
    assert explainer.asked == []


@pytest.mark.parametrize("path", [PREDICT, EXPLAIN])
async def test_several_pictures_are_answered_in_their_order(
    http: httpx.AsyncClient, path: str
) -> None:
    body = (await http.post(path, files=[("image", RED), ("image", BLUE)])).json()
    assert len(body["predictions"]) == 2
    if path == PREDICT:
        assert [each["label"] for each in body["predictions"]] == ["dog", "cat"]


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("layr=conv1", "'layr'"),
        ("channels=one", "'channels'"),
        ("channels=-1", "'channels'"),
        ("channels=1,", "'channels'"),
        ("channels=99999999999", "'channels'"),
        ("overlay=perhaps", "'overlay'"),
    ],
)
async def test_a_bad_option_is_named(http: httpx.AsyncClient, query: str, word: str) -> None:
    answer = await http.post(f"{EXPLAIN}?{query}", content=RED, headers=JPEG)
    assert word in failed(answer, 400, "OPTION_INVALID")


@pytest.mark.parametrize(
    ("query", "word"), [("version=2", "/versions/2"), ("layer=conv1", "'layer'"), ("x=", "'x'")]
)
@pytest.mark.parametrize("path", [PREDICT, "/v1/models/tiny/versions/1:predict"])
async def test_a_prediction_has_no_options(
    http: httpx.AsyncClient, path: str, query: str, word: str
) -> None:
    answer = await http.post(f"{path}?{query}", content=RED, headers=JPEG)
    assert word in failed(answer, 400, "OPTION_INVALID")


async def test_options_sent_several_times_reach_the_sidecar(
    http: httpx.AsyncClient, explainer: FakeExplainer
) -> None:
    query = "?method=activations&channels=3&channels=0,17&layer=conv1"
    await http.post(EXPLAIN + query, content=RED, headers=JPEG)
    assert list(explainer.asked[0][0].channels) == [3, 0, 17]
    twice = await http.post(f"{EXPLAIN}?top=1&top=2", content=RED, headers=JPEG)
    assert "'top'" in failed(twice, 400, "OPTION_INVALID")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (LayerUnknown("x", ("conv1",)), 400, "LAYER_UNKNOWN"),
        (TargetUnknown("x", ("cat",)), 400, "TARGET_UNKNOWN"),
        (ExplainerUnavailable("Down."), 503, "EXPLAINER_UNAVAILABLE"),
        (EngineUnavailable("Down."), 503, "ENGINE_UNAVAILABLE"),
    ],
)
async def test_the_sidecars_errors_are_the_callers(
    http: httpx.AsyncClient, explainer: FakeExplainer, error: Exception, status: int, code: str
) -> None:
    explainer.failure = error
    answer = await http.post(EXPLAIN, content=RED, headers=JPEG)
    assert failed(answer, status, code) == str(error)


@pytest.mark.parametrize(
    ("path", "body", "media_type", "status", "code"),
    [
        (PREDICT, b"nonsense", "image/jpeg", 400, "IMAGE_INVALID"),
        (PREDICT, RED[:60], "image/png", 400, "IMAGE_INVALID"),
        (PREDICT, b"", "image/png", 400, "IMAGE_MISSING"),
        (PREDICT, b"x" * 10_001, "image/png", 413, "IMAGE_TOO_LARGE"),
        (PREDICT, RED, "text/plain", 415, "MEDIA_TYPE_UNSUPPORTED"),
        ("/v1/models/other:predict", RED, "image/png", 404, "MODEL_NOT_FOUND"),
        ("/v1/models/other:explain", RED, "image/png", 404, "MODEL_NOT_FOUND"),
    ],
)
async def test_the_callers_errors_are_the_contracts(
    http: httpx.AsyncClient, path: str, body: bytes, media_type: str, status: int, code: str
) -> None:
    answer = await http.post(path, content=body, headers={"content-type": media_type})
    failed(answer, status, code)


async def test_a_bomb_is_refused_by_its_header(http: httpx.AsyncClient) -> None:
    bomb = bytearray(RED)
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2
    bomb[29:33] = zlib.crc32(bomb[12:29]).to_bytes(4, "big")
    answer = await http.post(PREDICT, content=bytes(bomb), headers=JPEG)
    failed(answer, 413, "IMAGE_TOO_LARGE")


async def test_beyond_the_bound_a_request_is_refused(
    http: httpx.AsyncClient, engine: FakeEngine, gateway: Gateway
) -> None:
    before = len(engine.asked)
    engine.may_answer.clear()
    waiting = [asyncio.create_task(http.post(PREDICT, content=RED, headers=JPEG)) for _ in "12"]
    await engine.wait_asked(before + 2)
    failed(await http.post(PREDICT, content=RED, headers=JPEG), 429, "OVERLOADED")
    explained = await http.post(EXPLAIN, content=RED, headers=JPEG)
    assert explained.status_code == 200, "explanations have places of their own"
    engine.may_answer.set()
    assert [answer.status_code for answer in await asyncio.gather(*waiting)] == [200, 200]
    assert gateway.admission.in_flight == 0


async def test_who_would_be_answered_too_late_is_told_before_its_body_is_read(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ServiceTime, "until_done_s", lambda _, pictures=1: 60.0)
    read: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        read.append(RED)
        yield RED

    answer = await http.post(PREDICT, content=body(), headers=JPEG)
    assert "busy for another 60.0 seconds" in failed(answer, 429, "OVERLOADED")
    assert answer.headers["retry-after"] == "60"
    assert not read


async def test_the_engines_failure_is_503(http: httpx.AsyncClient, engine: FakeEngine) -> None:
    engine.failure = EngineUnavailable("The engine is down; try again.")
    answer = await http.post(PREDICT, content=RED, headers=JPEG)
    assert failed(answer, 503, "ENGINE_UNAVAILABLE") == "The engine is down; try again."


async def test_the_callers_deadline_ends_the_request(
    http: httpx.AsyncClient, engine: FakeEngine
) -> None:
    engine.may_answer.clear()
    headers = {**JPEG, "x-request-timeout": "0.05"}
    failed(await http.post(PREDICT, content=RED, headers=headers), 504, "DEADLINE_EXCEEDED")


@pytest.mark.parametrize("value", ["soon", "0", "-1", "nan", "inf", "1_0", ""])
async def test_a_bad_deadline_is_refused(http: httpx.AsyncClient, value: str) -> None:
    headers = {**JPEG, "x-request-timeout": value}
    answer = await http.post(PREDICT, content=RED, headers=headers)
    assert "X-Request-Timeout" in failed(answer, 400, "OPTION_INVALID")


async def test_an_unforeseen_failure_tells_nothing(
    http: httpx.AsyncClient, engine: FakeEngine
) -> None:
    engine.failure = ZeroDivisionError("a secret at /srv/models")
    answer = await http.post(PREDICT, content=RED, headers=JPEG)
    assert "secret" not in failed(answer, 500, "INTERNAL")


async def test_v1_json_is_read_in_both_spellings(http: httpx.AsyncClient) -> None:
    def b64(data: bytes) -> dict[str, Any]:
        return {"b64": base64.b64encode(data).decode()}

    body = {"instances": [b64(RED), {"image_bytes": b64(BLUE)}]}
    answer = (await http.post(PREDICT, json=body)).json()
    assert [each["label"] for each in answer["predictions"]] == ["dog", "cat"]


def nested(levels: int, kind: str, tail: bytes = b"") -> bytes:
    opening, closing = (b"[", b"]") if kind == "arrays" else (b'{"b64":', b"}")
    return opening * levels + b"0" + closing * levels + tail


@pytest.mark.parametrize("path", ["/v1/models/tiny:predict", "/v1/models/tiny:explain"])
@pytest.mark.parametrize("levels", [31, 900, 2_000])
@pytest.mark.parametrize("kind", ["arrays", "objects"])
async def test_deep_json_is_a_clear_400(
    http: httpx.AsyncClient, path: str, levels: int, kind: str
) -> None:
    body = b'{"instances": [' + nested(levels, kind) + b"]}"
    answer = await http.post(path, content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "REQUEST_INVALID")
    assert "32 levels" in answer.json()["error"]


@pytest.mark.parametrize("path", ["other:predict", "other:explain", "tiny/versions/9:predict"])
async def test_no_body_is_sent_for_what_is_not_served(http_address: Address, path: str) -> None:
    reader, writer = await asyncio.open_connection(*http_address)
    writer.write(
        f"POST /v1/models/{path} HTTP/1.1\r\nhost: here\r\nexpect: 100-continue\r\n"
        "content-length: 9000\r\n\r\n".encode()
    )
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"connection: close\r\n" in answer, "the next request would be taken for the body"
