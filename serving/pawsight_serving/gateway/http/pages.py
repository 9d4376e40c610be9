"""What a browser is shown: the page, and the documentation with its assets from here."""

from __future__ import annotations

from importlib import resources
from typing import Final

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles
from swagger_ui_bundle import swagger_ui_path

_ASSETS: Final = "/docs/assets"
_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
        "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def page_routes() -> APIRouter:
    """Return the routes for browsers."""
    routes = APIRouter(include_in_schema=False)
    page = resources.files(__package__).joinpath("index.html").read_text(encoding="utf-8")

    @routes.get("/")
    async def index() -> HTMLResponse:
        return HTMLResponse(page, headers=_HEADERS)

    @routes.get("/docs")
    async def documentation() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="Pawsight: HTTP",
            swagger_js_url=f"{_ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{_ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{_ASSETS}/favicon-32x32.png",
        )

    routes.mount(_ASSETS, StaticFiles(directory=swagger_ui_path))
    return routes
