from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, get_args

from openapi_spec_validator import validate
from starlette.routing import Route

from pawsight_client._choices import Colormap, Method
from pawsight_serving.gateway.http.openapi import openapi_document
from pawsight_serving.gateway.http.options import ExplainOptions

if TYPE_CHECKING:
    import httpx
    from starlette.applications import Starlette


def documented() -> set[tuple[str, str]]:
    return {
        (path, method.upper())
        for path, item in openapi_document()["paths"].items()
        for method in item
    }


def test_every_route_is_documented_and_every_document_has_a_route(app: Starlette) -> None:
    routes = {
        (route.path, method)
        for route in app.routes
        if isinstance(route, Route) and route.include_in_schema
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert documented() == routes


def test_every_reference_leads_somewhere() -> None:
    text = json.dumps(openapi_document())
    schemas = openapi_document()["components"]["schemas"]
    references = set(re.findall(r'"\$ref": "#/components/schemas/(\w+)"', text))
    assert references
    assert references <= set(schemas)


def test_every_parameter_of_a_path_is_declared_and_every_operation_named_once() -> None:
    operations: list[str] = []
    for path, item in openapi_document()["paths"].items():
        for operation in item.values():
            declared = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
            assert declared == set(re.findall(r"{(\w+)}", path))
            operations.append(operation["operationId"])
    assert len(set(operations)) == len(operations)


def test_the_options_of_explain_are_described() -> None:
    operation: dict[str, Any] = openapi_document()["paths"]["/v1/models/{name}:explain"]["post"]
    options = {p["name"]: p for p in operation["parameters"] if p["in"] == "query"}
    assert set(options) == set(ExplainOptions.model_fields)
    assert {"method", "layer", "target", "channels", "overlay"} <= set(options)
    assert "16" in options["channels"]["description"]


def test_what_there_is_to_choose_from_is_what_the_sdk_has() -> None:
    operation: dict[str, Any] = openapi_document()["paths"]["/v1/models/{name}:explain"]["post"]
    options = {p["name"]: p["schema"] for p in operation["parameters"]}
    assert set(options["method"]["enum"]) == set(get_args(Method))
    assert set(options["colormap"]["enum"]) == set(get_args(Colormap))


def test_it_is_what_generators_of_clients_take() -> None:
    validate(openapi_document())


def test_methods_have_names_of_their_own_in_generated_clients() -> None:
    operation: dict[str, Any] = openapi_document()["paths"]["/v1/models/{name}:explain"]["post"]
    (method,) = (p["schema"] for p in operation["parameters"] if p["name"] == "method")
    assert len(set(method["x-enum-varnames"])) == len(method["enum"])
    assert all(name.isidentifier() for name in method["x-enum-varnames"])


async def test_it_is_served(http: httpx.AsyncClient) -> None:
    assert (await http.get("/openapi.json")).json() == openapi_document()
