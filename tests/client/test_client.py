"""The same questions over both transports, from both clients."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from pawsight_client import (
    AsyncClient,
    Client,
    ClientClosed,
    Colormap,
    Curve,
    DeadlineExceeded,
    EngineUnavailable,
    Explanation,
    Faithfulness,
    ImageInvalid,
    ImageUnreadable,
    InternalError,
    Layer,
    Method,
    ModelNotFound,
    OptionInvalid,
    Overloaded,
    PawsightError,
    Prediction,
    ServerUnreachable,
    Unauthenticated,
    Unavailable,
)
from tests.client.twin import (
    DIGEST,
    MANIFEST,
    MAP,
    MODEL,
    OVERLAY,
    OVERLOADED,
    PROBABILITIES,
    SHEET,
    UNAVAILABLE,
    WEIGHTS,
    Failure,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.client.twin import Twin

UNREACHABLE = {"grpc": "grpc://127.0.0.1:1", "http": "http://127.0.0.1:1"}


def prediction(label: str) -> Prediction:
    probabilities = PROBABILITIES[label]
    return Prediction(label, probabilities[label], probabilities, MODEL, "3", DIGEST, "request-1")


def test_predict(client: Any) -> None:
    assert client.predict(b"cat") == prediction("cat")


def test_predict_reads_files(client: Any, tmp_path: Path) -> None:
    (tmp_path / "dog.jpg").write_bytes(b"dog")
    assert client.predict(tmp_path / "dog.jpg").label == "dog"


def test_model_and_version_are_passed_on(client: Any, twin: Twin) -> None:
    twin.models.append("odd name?")
    client.predict(b"cat", model="odd name?", version="2")
    assert (twin.seen[0]["model"], twin.seen[0]["version"]) == ("odd name?", "2")


def test_explain(client: Any) -> None:
    assert client.explain(b"cat") == Explanation(
        method="grad-cam",
        layer="conv4",
        target="cat",
        height=2,
        width=2,
        evidence=True,
        digest=DIGEST,
        prediction=prediction("cat"),
        map=tuple(map(tuple, MAP)),
        overlay_png=OVERLAY,
        weights_sha256=WEIGHTS,
        precision="fp32",
        probability=0.75,
    )


def test_explain_options_are_passed_on(client: Any, twin: Twin) -> None:
    explanation = client.explain(b"cat", layer="conv2", target="dog", overlay=False)
    assert (explanation.layer, explanation.target) == ("conv2", "dog")
    assert explanation.overlay_png == b""
    assert twin.seen[0]["method"] == "grad-cam"


def test_numbers_and_flags_may_be_whatever_python_takes_for_them(client: Any, twin: Twin) -> None:
    client.explain(
        b"cat", samples=True, seed=True, alpha=Fraction(1, 2), faithfulness="yes", overlay=0
    )
    assert (twin.seen[-1]["samples"], twin.seen[-1]["seed"]) == ("1", "1")
    client.activations(b"cat", layer="conv4", channels=[True], top=True)
    assert (twin.seen[-1]["channels"], twin.seen[-1]["top"]) == ("1", "1")


def test_method_samples_and_colours_are_passed_on(client: Any, twin: Twin) -> None:
    client.explain(b"cat", method="grad-cam++", colormap="magma", alpha=0.5, samples=9, seed=3)
    asked = twin.seen[0]
    assert [asked[name] for name in ("method", "colormap", "samples", "seed")] == [
        "grad-cam++",
        "magma",
        "9",
        "3",
    ]


def test_whatever_a_model_offers_can_be_asked_for_as_it_is_typed(url: str, twin: Twin) -> None:
    colours: Colormap = "magma"
    with Client(url) as client:
        offered: tuple[Method, ...] = client.get_model(MODEL).methods
        for method in offered:
            client.explain(b"cat", method=method, colormap=colours)
    assert twin.seen[-1]["method"] == offered[-1] == "activations"


def test_faithfulness_is_two_curves(client: Any) -> None:
    measured = client.explain(b"cat", faithfulness=True).faithfulness
    assert measured == Faithfulness(Curve(0.25, (1.0, 0.5)), Curve(0.75, (0.5, 1.0)))
    assert client.explain(b"cat").faithfulness is None


def test_several_layers_and_classes_come_in_their_order(client: Any, tmp_path: Path) -> None:
    explanations = client.explain_all(
        b"cat", layers=["conv1", "conv4"], targets=["cat", "dog"], sheet=True
    )
    assert [(each.layer, each.target) for each in explanations] == [
        ("conv1", "cat"),
        ("conv1", "dog"),
        ("conv4", "cat"),
        ("conv4", "dog"),
    ]
    assert [each.probability for each in explanations] == [0.75, 0.25] * 2
    explanations[0].save(tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").read_bytes() == SHEET


@pytest.mark.parametrize("options", [{"layer": "all"}, {"target": "cat,dog"}])
def test_explain_is_for_one_layer_and_class(client: Any, options: dict[str, str]) -> None:
    with pytest.raises(OptionInvalid, match="explain_all"):
        client.explain(b"cat", **options)


def test_activations(client: Any) -> None:
    explanation = client.activations(b"dog", layer="pool1", channels=[3, 5])
    assert (explanation.method, explanation.layer, explanation.target) == (
        "activations",
        "pool1",
        "",
    )
    assert (explanation.height, explanation.width, explanation.map) == (2, 2, ())
    assert [channel.channel for channel in explanation.channels] == [3, 5]
    assert explanation.channels[0].map == tuple(map(tuple, MAP))
    assert (explanation.channels[0].max, explanation.channels[0].zeros) == (1.5, 0.25)
    assert explanation.overlay_png == OVERLAY


def test_models(client: Any) -> None:
    (model,) = client.models()
    assert model == client.get_model(MODEL)
    assert model.classes == ("cat", "dog")
    assert model.layers == (Layer("conv4", "conv", 128, 2, 2),)
    assert (model.state, model.manifest) == ("READY", MANIFEST)


def test_predict_many_keeps_the_order(client: Any) -> None:
    pictures = [b"cat", b"dog", b"dog", b"cat"] * 10
    labels = [each.label for each in client.predict_many(pictures, in_flight=7)]
    assert labels == [picture.decode() for picture in pictures]


def test_predict_many_of_nothing(client: Any) -> None:
    assert list(client.predict_many([])) == []


def test_predict_many_holds_no_more_than_in_flight(client: Any, twin: Twin) -> None:
    taken = 0

    def pictures() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(40):
            taken += 1
            yield b"cat"

    for answered, _ in enumerate(client.predict_many(pictures(), in_flight=5), start=1):
        assert taken <= answered + 5
    assert taken == 40
    assert twin.most_in_flight <= 5


def test_predict_many_raises_at_the_picture_that_fails(client: Any) -> None:
    answers = client.predict_many([b"cat", b"???", b"dog"])
    assert next(answers).label == "cat"
    with pytest.raises(ImageInvalid) as raised:
        next(answers)
    assert raised.value.request_id == "request-1"


def test_predict_many_returns_errors_in_their_places(client: Any, tmp_path: Path) -> None:
    pictures = [b"cat", b"???", tmp_path / "none.jpg", b"dog"]
    cat, invalid, unreadable, dog = client.predict_many(pictures, on_error="return")
    assert (cat.label, dog.label) == ("cat", "dog")
    assert isinstance(invalid, ImageInvalid)
    assert isinstance(unreadable, ImageUnreadable)


@pytest.mark.parametrize("failure", [OVERLOADED, Failure("", 503, grpc.StatusCode.UNAVAILABLE)])
def test_predict_many_retries_what_passes(client: Any, twin: Twin, failure: Failure) -> None:
    twin.failures.extend([failure, failure])
    pictures = [b"cat", b"dog", b"cat", b"cat", b"dog"]
    labels = [each.label for each in client.predict_many(pictures, in_flight=2)]
    assert labels == ["cat", "dog", "cat", "cat", "dog"]
    assert not twin.failures


def test_predict_many_can_be_left_early(client: Any) -> None:
    answers = client.predict_many([b"cat"] * 50)
    assert next(answers).label == "cat"
    answers.close()
    assert client.predict(b"dog").label == "dog"


def test_predict_many_waits_no_longer_than_told(client: Any, twin: Twin) -> None:
    twin.held.clear()
    with pytest.raises(DeadlineExceeded):
        list(client.predict_many([b"cat"] * 3, timeout_s=0.2))


def test_a_picture_that_is_asked_again_has_no_more_time_for_it(client: Any, twin: Twin) -> None:
    twin.held.clear()
    twin.failures.append(OVERLOADED)
    release = threading.Timer(0.5, twin.held.set)
    release.start()
    list(client.predict_many([b"cat"], timeout_s=5))
    release.join()
    assert twin.seen[-1]["timeout_s"] < 4.6


@pytest.mark.parametrize("failure", [OVERLOADED, UNAVAILABLE])
def test_what_passes_is_retried(client: Any, twin: Twin, failure: Failure) -> None:
    twin.failures.extend([failure, failure])
    assert client.predict(b"cat").label == "cat"
    assert len(twin.seen) == 3


def test_retries_end(client: Any, twin: Twin) -> None:
    twin.failures.extend([UNAVAILABLE] * 4)
    with pytest.raises(EngineUnavailable) as raised:
        client.predict(b"cat")
    assert len(twin.seen) == 3
    assert (raised.value.code, raised.value.request_id) == ("ENGINE_UNAVAILABLE", "request-1")
    assert str(raised.value) == "Do something else."


def test_a_retry_that_would_come_too_late_is_not_made(client: Any, twin: Twin) -> None:
    twin.failures.append(
        Failure("OVERLOADED", 429, grpc.StatusCode.RESOURCE_EXHAUSTED, retry_after="60")
    )
    with pytest.raises(Overloaded) as raised:
        client.predict(b"cat")
    assert raised.value.retry_after_s == 60
    assert len(twin.seen) == 1


def test_what_will_not_pass_is_not_retried(client: Any, twin: Twin) -> None:
    with pytest.raises(ImageInvalid):
        client.predict(b"???")
    assert len(twin.seen) == 1


@pytest.mark.parametrize("name", ["none", "../x", "a b/ü", ".."])
def test_unknown_model(client: Any, name: str) -> None:
    with pytest.raises(ModelNotFound):
        client.get_model(name)
    with pytest.raises(ModelNotFound):
        client.predict(b"cat", model=name)


def test_methods_of_many_passes_may_take_longer(flavour: Any, url: str, twin: Twin) -> None:
    with flavour(url) as client:
        client.explain(b"cat")
        client.explain(b"cat", method="rise")
        client.explain(b"cat", method="rise", timeout_s=3)
    with flavour(url, timeout_s=4) as client:
        client.explain(b"cat", method="rise")
    limits = [10, 30, 3, 4]
    assert all(
        limit - 1 < seen["timeout_s"] < limit + 0.1
        for limit, seen in zip(limits, twin.seen, strict=True)
    )


def test_wrong_arguments_are_errors_of_the_client(client: Any) -> None:
    with pytest.raises(OptionInvalid, match="target must be text, not int"):
        client.explain(b"cat", target=0)
    with pytest.raises(OptionInvalid, match="layers must be a list"):
        client.explain_all(b"cat", layers="conv1")
    with pytest.raises(OptionInvalid, match="channels must be a list"):
        client.activations(b"cat", layer="conv4", channels=3)
    with pytest.raises(OptionInvalid, match="ask predict"):
        next(client.predict_many("cat.jpg"))
    with pytest.raises(OptionInvalid, match="on_error"):
        next(client.predict_many([], on_error="skip"))


@pytest.mark.parametrize("kind", [AsyncClient, Client])
def test_a_client_without_time_is_refused(kind: Any, url: str) -> None:
    with pytest.raises(OptionInvalid, match="timeout_s"):
        kind(url, timeout_s=0)


def test_a_new_default_model_is_found(client: Any, twin: Twin) -> None:
    assert client.predict(b"cat").label == "cat"
    twin.models[:] = ["another"]
    assert client.predict(b"cat").label == "cat"
    assert twin.seen[-1]["model"] in {"", "another"}


def test_an_answer_may_be_larger_than_grpcs_own_limit(client: Any, twin: Twin) -> None:
    twin.models[:] = ["x" * 5 * 2**20]
    assert [model.name for model in client.models()] == twin.models


def test_a_code_of_a_newer_server_keeps_its_name(client: Any, twin: Twin) -> None:
    twin.failures.append(Failure("MOON_INVALID", 400, grpc.StatusCode.INVALID_ARGUMENT))
    with pytest.raises(PawsightError) as raised:
        client.predict(b"cat")
    assert raised.value.code == "MOON_INVALID"


@pytest.mark.parametrize(
    ("status", "grpc_status", "kind"),
    [
        (401, grpc.StatusCode.UNAUTHENTICATED, Unauthenticated),
        (500, grpc.StatusCode.INTERNAL, InternalError),
        (503, grpc.StatusCode.UNAVAILABLE, Unavailable),
        (504, grpc.StatusCode.DEADLINE_EXCEEDED, DeadlineExceeded),
    ],
)
def test_a_proxy_says_it_without_a_code(
    flavour: Any,
    url: str,
    twin: Twin,
    status: int,
    grpc_status: grpc.StatusCode,
    kind: type[PawsightError],
) -> None:
    twin.failures.append(Failure("", status, grpc_status))
    with flavour(url, retries=0) as client, pytest.raises(kind):
        client.predict(b"cat")


def test_no_answer_in_time(client: Any, twin: Twin) -> None:
    twin.held.clear()
    with pytest.raises(DeadlineExceeded):
        client.predict(b"cat", timeout_s=0.2)


def test_the_server_is_told_the_time_left(flavour: Any, url: str, twin: Twin) -> None:
    with flavour(url, timeout_s=5) as client:
        client.predict(b"cat")
        client.predict(b"cat", timeout_s=2)
    assert 4 < twin.seen[0]["timeout_s"] < 5.1
    assert 1 < twin.seen[1]["timeout_s"] < 2.1


@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_nothing_listens(flavour: Any, transport: str) -> None:
    with flavour(UNREACHABLE[transport], retries=1) as client:
        with pytest.raises(ServerUnreachable, match=rf"{UNREACHABLE[transport]};"):
            client.predict(b"cat")
        with pytest.raises(ServerUnreachable):
            next(client.predict_many([b"cat"]))


def test_the_api_key_goes_with_every_call(flavour: Any, url: str, twin: Twin) -> None:
    with flavour(url, api_key="secret") as client:
        client.predict(b"cat")
        list(client.predict_many([b"cat"]))
    assert {seen["authorization"] for seen in twin.seen} == {"Bearer secret"}


def test_a_closed_client_says_so(flavour: Any, url: str) -> None:
    with flavour(url) as client:
        client.close()
        with pytest.raises(ClientClosed):
            client.predict(b"cat")


@pytest.mark.parametrize("retries", [0, 2])
def test_what_waits_is_told_that_another_thread_closed_its_client(
    url: str, twin: Twin, retries: int
) -> None:
    client = Client(url, retries=retries)
    twin.held.clear()
    with ThreadPoolExecutor() as pool:
        waiting: list[Future[Any]] = [
            pool.submit(client.predict, b"cat"),
            pool.submit(list, client.predict_many([b"dog"] * 4, in_flight=2)),
        ]
        assert twin.wait_for_in_flight(2)
        client.close()
        assert [type(each.exception(timeout=10)) for each in waiting] == [ClientClosed] * 2


def test_pictures_sent_after_their_client_was_closed_are_told_so(url: str) -> None:
    client = Client(url)
    answers = client.predict_many([b"cat"] * 4, in_flight=1, on_error="return")
    assert isinstance(next(answers), Prediction)
    client.close()
    assert {type(each) for each in answers} == {ClientClosed}


def test_threads_share_a_client(url: str) -> None:
    labels: list[str] = []
    with Client(url) as client:
        threads = [
            threading.Thread(target=lambda: labels.append(client.predict(b"dog").label))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=10)
    assert labels == ["dog"] * 8


def test_a_proxy_does_not_come_between_a_client_and_its_own_machine(
    flavour: Any, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with flavour(url, retries=0) as client:
        assert client.predict(b"cat").label == "cat"


def test_probabilities_are_in_the_classes_order(client: Any) -> None:
    assert list(client.predict(b"dog").probabilities) == ["cat", "dog"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("grpc://localhost", "grpc://localhost:50051"),
        ("grpcs://example.org:443", "grpcs://example.org:443"),
        ("http://me:password@localhost:8080/cats", "http://localhost:8080/cats"),
    ],
)
async def test_what_a_client_shows_is_its_address_and_no_secret(url: str, said: str) -> None:
    with Client(url, api_key="secret") as client:
        assert repr(client) == f"Client({said!r})"
    async with AsyncClient(url, api_key="secret") as async_client:
        assert repr(async_client) == f"AsyncClient({said!r})"
