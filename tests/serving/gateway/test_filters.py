"""The grids of filters as the gateway serves them, over both transports."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest

from pawsight_proto.v1 import pawsight_pb2 as pb
from pawsight_proto.v1.pawsight_pb2_grpc import PawsightStub
from pawsight_serving.repository.adding_filters import add_filters
from tests.processes import serving
from tests.serving.fakes import picture
from tests.serving.tiny_repository import publish_tiny

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.processes import Served

GRID = picture("blue", kind="PNG")
DIGEST = f"sha256:{hashlib.sha256(GRID).hexdigest()}"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    repository = tmp_path_factory.mktemp("repository")
    drawn = tmp_path_factory.mktemp("filters")
    (drawn / "conv1.png").write_bytes(GRID)
    for version in ("1", "2"):
        publish_tiny(repository, version=version)
    add_filters(repository, "tiny", drawn, "1")
    with serving(repository) as served:
        yield served


@pytest.fixture
def stub(served: Served) -> Iterator[PawsightStub]:
    with grpc.insecure_channel(served.grpc.removeprefix("grpc://")) as channel:
        yield PawsightStub(channel)


def test_they_are_served_with_their_digest(served: Served, stub: PawsightStub) -> None:
    url = f"{served.http}/v1/models/tiny/versions/1/filters/conv1.png"
    answer = httpx.get(url)
    assert (answer.status_code, answer.content) == (200, GRID)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["x-pawsight-digest"] == DIGEST
    told = stub.GetFilters(pb.GetFiltersRequest(model="tiny", version="1", layer="conv1"))
    assert told == pb.Filters(model="tiny", version="1", layer="conv1", png=GRID, digest=DIGEST)


def test_who_has_kept_them_is_told_that_they_are_the_same(served: Served) -> None:
    url = f"{served.http}/v1/models/tiny/versions/1/filters/conv1.png"
    again = httpx.get(url, headers={"if-none-match": httpx.get(url).headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert httpx.get(url, headers={"if-none-match": '"of another"'}).content == GRID


@pytest.mark.parametrize(
    ("version", "layer", "status", "code"),
    [
        ("1", "conv9", 400, grpc.StatusCode.INVALID_ARGUMENT),
        ("2", "conv1", 404, grpc.StatusCode.NOT_FOUND),
        ("3", "conv1", 404, grpc.StatusCode.NOT_FOUND),
    ],
)
def test_what_there_is_none_of_is_told(
    served: Served,
    stub: PawsightStub,
    version: str,
    layer: str,
    status: int,
    code: grpc.StatusCode,
) -> None:
    url = f"{served.http}/v1/models/tiny/versions/{version}/filters/{layer}.png"
    refused = httpx.get(url, headers={"if-none-match": "*"})
    assert refused.status_code == status
    with pytest.raises(grpc.RpcError) as told:
        stub.GetFilters(pb.GetFiltersRequest(model="tiny", version=version, layer=layer))
    assert told.value.code() is code
    assert told.value.details() == refused.json()["error"]
