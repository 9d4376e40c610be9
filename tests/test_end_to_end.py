"""Train, export, serve, predict, explain: the whole path, through real processes and sockets."""

from __future__ import annotations

import io
import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest
from PIL import Image

from pawsight_client import Client, ExplainerUnavailable, PawsightError
from tests.drawn_pictures import draw_folder, jpeg
from tests.processes import Served, pawsight, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("end_to_end")
    draw_folder(home / "pictures", {"train": 60, "validation": 20, "test": 20})
    pawsight(
        *("train", "scratch", "--data", "pictures", "--out", "run", "--cache", "cache"),
        *("--input-size", "64", "--epochs", "4", "--learning-rate", "1e-3", "--batch-size", "10"),
        cwd=home,
    )
    pawsight(
        *("export", "run", "--name", "shapes", "--repository", "repository", "--data", "pictures"),
        cwd=home,
    )
    with serving(home / "repository") as served:
        yield served


@pytest.fixture(params=["http", "grpc"])
def client(request: pytest.FixtureRequest, served: Served) -> Iterator[Client]:
    with Client(getattr(served, request.param)) as client:
        yield client


def test_the_exported_model_was_measured(served: Served) -> None:
    manifest = json.loads((served.repository / "shapes" / "1" / "manifest.json").read_text())
    assert manifest["metrics"]["test, as exported"]["accuracy"] >= 0.9
    assert manifest["classes"] == ["cat", "dog"]


@pytest.mark.parametrize(("shape", "label"), [("disc", "cat"), ("stripes", "dog")])
def test_pictures_it_never_saw_are_told_apart(client: Client, shape: str, label: str) -> None:
    predictions = [client.predict(jpeg(shape, 77_000 + number)) for number in range(10)]
    assert [p.label for p in predictions].count(label) >= 9
    assert all(abs(sum(p.probabilities.values()) - 1) < 1e-5 for p in predictions)


def test_both_protocols_and_the_manifest_agree(served: Served) -> None:
    picture = jpeg("disc", 1)
    with Client(served.http) as over_http, Client(served.grpc) as over_grpc:
        one, other = over_http.predict(picture), over_grpc.predict(picture)
        maps = [c.explain(picture, layer="conv2", target="cat").map for c in (over_http, over_grpc)]
    assert one.label == other.label
    assert one.score == pytest.approx(other.score, abs=1e-6)
    np.testing.assert_allclose(maps[0], maps[1], rtol=1e-5)
    manifest = json.loads((served.repository / "shapes" / "1" / "manifest.json").read_text())
    assert one.digest == other.digest == f"sha256:{manifest['graphs']['shapes']['sha256']}"


@pytest.mark.parametrize("layer", ["conv1", "conv2", "conv3", "conv4"])
def test_every_layer_explains_both_classes(client: Client, layer: str) -> None:
    picture = jpeg("stripes", 3)
    maps = [client.explain(picture, layer=layer, target=target) for target in ("cat", "dog")]
    assert [m.target for m in maps] == ["cat", "dog"]
    assert any(m.evidence for m in maps)
    for explanation in maps:
        assert len(explanation.map) == explanation.height
        assert explanation.evidence == (max(map(max, explanation.map)) > 0)
        assert min(map(min, explanation.map)) >= 0


def test_the_heat_lies_on_the_disc(client: Client) -> None:
    """The evidence for a disc is where the disc is, more than anywhere else."""
    side, found = 80, 0
    for seed in range(8):
        picture = jpeg("disc", 500 + seed)
        explanation = client.explain(picture, target="cat", layer="conv2")
        grey = np.asarray(Image.open(io.BytesIO(picture)).convert("L"), dtype=float)
        threshold = (grey.min() + grey.max()) / 2
        row, column = max(
            ((r, c) for r in range(explanation.height) for c in range(explanation.width)),
            key=lambda at: explanation.map[at[0]][at[1]],
        )
        x = int((column + 0.5) / explanation.width * side)
        y = int((row + 0.5) / explanation.height * side)
        near = grey[max(0, y - 8) : y + 8, max(0, x - 8) : x + 8]
        found += bool(near.max() > threshold)
    assert found >= 6


def test_an_overlay_is_a_picture_of_the_pictures_size(served: Served) -> None:
    answer = httpx.post(
        f"{served.http}/v1/models/shapes:explain",
        content=jpeg("disc", 5),
        headers={"Content-Type": "image/jpeg", "Accept": "image/png"},
        timeout=20,
    )
    assert answer.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(answer.content)).size == (80, 80)


def test_the_command_line_predicts_and_explains(served: Served, tmp_path: Path) -> None:
    (tmp_path / "disc.jpg").write_bytes(jpeg("disc", 9))
    said = pawsight("predict", "disc.jpg", "--server", served.http, cwd=tmp_path)
    assert "cat" in said
    pawsight("explain", "disc.jpg", "--server", served.grpc, "--out", "why.png", cwd=tmp_path)
    assert size_of(tmp_path / "why.png") == (80, 80)
    pawsight(
        *("activations", "disc.jpg", "--server", served.http, "--layer", "conv1"),
        *("--out", "maps.png"),
        cwd=tmp_path,
    )
    assert size_of(tmp_path / "maps.png")[0] > 100


def test_without_the_sidecar_predictions_go_on_and_explanations_come_back(served: Served) -> None:
    picture = jpeg("disc", 11)
    with Client(served.grpc, retries=0) as client:
        before = client.predict(picture)
        sidecar, *_ = children(served.process.pid)  # the first one; the second is its spare
        os.kill(sidecar, signal.SIGKILL)
        killed_s = time.monotonic()
        failures: list[PawsightError] = []
        while True:
            assert client.predict(picture).probabilities == before.probabilities
            try:
                client.explain(picture)
            except ExplainerUnavailable as error:
                failures.append(error)
            else:
                break
            assert time.monotonic() - killed_s < 5, "no explanation within 5 s"
    assert failures, "the sidecar was back before it was missed"
    assert "predictions" in str(failures[0])
