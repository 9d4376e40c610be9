"""The OpenAPI document is true: whatever fits it gets an answer that it describes, and no 5xx."""

from __future__ import annotations

import socket
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from pawsight_serving.gateway.http.openapi import openapi_document
from tests.processes import serving
from tests.serving.fakes import picture
from tests.serving.tiny_repository import publish_tiny

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.processes import Served


def no_server_error(context: Any, answer: Any, case: Any) -> None:
    """Nothing fails at the server but deadlines that its caller has set."""
    assert answer.status_code < 500 or answer.status_code == 504, answer.text


CHECKS = [
    no_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
PICTURES = st.one_of(
    st.sampled_from([picture("red"), picture("blue", kind="JPEG"), b"", b"\xff\xd8\xff"]),
    st.binary(max_size=200),
)
# Each of the 30 operations gets so many; the module takes about half a minute.
EXAMPLES = 40


def known_names(context: Any, parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Name what is served in most requests, as random names all end at the same place."""
    if parameters and len(parameters.get("name", "")) != 1:
        parameters["name"] = "tiny"
    if parameters and len(parameters.get("version", "")) != 1:
        parameters["version"] = "1"
    return parameters


OPERATIONS = [(path, verb) for path, verbs in openapi_document()["paths"].items() for verb in verbs]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    repository = tmp_path_factory.mktemp("repository")
    publish_tiny(repository)
    with serving(repository) as served:
        yield served


@pytest.fixture(scope="module")
def described(served: Served) -> Any:
    for media_type in ("image/*", "application/octet-stream"):
        schemathesis.openapi.media_type(media_type, PICTURES)
    schema = schemathesis.openapi.from_url(f"{served.http}/openapi.json")
    schema.hook("map_path_parameters")(known_names)
    return schema


@pytest.mark.parametrize(("path", "verb"), OPERATIONS)
def test_every_answer_is_as_the_document_says(described: Any, path: str, verb: str) -> None:
    @given(case=described[path][verb.upper()].as_strategy())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def holds(case: Any) -> None:
        case.call_and_validate(checks=CHECKS, timeout=20)

    holds()


@pytest.mark.parametrize(("path", "verb"), OPERATIONS)
@pytest.mark.parametrize(("value", "status"), [("Z\x0e", 400), ("Z" * 2**17, 431)])
def test_what_is_refused_before_its_route_is_known_is_described(
    served: Served, path: str, verb: str, value: str, status: int
) -> None:
    url = urlsplit(served.http)
    with socket.create_connection((url.hostname, url.port), timeout=20) as caller:
        head = f"{verb.upper()} {path} HTTP/1.1\r\nHost: here\r\nX-Request-Id: {value}\r\n\r\n"
        caller.sendall(head.encode())
        answer = HTTPResponse(caller)
        answer.begin()
    assert answer.status == status
    assert str(status) in openapi_document()["paths"][path][verb]["responses"]
