"""What a browser is shown: the page, and the documentation with its assets from here."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Final

from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles
from swagger_ui_bundle import swagger_ui_path

if TYPE_CHECKING:
    from starlette.requests import Request

DOCS_ASSETS: Final = "/docs/assets"
_POLICY: Final = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS: Final = {
    "content-security-policy": _POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Pages:
    """The pages, read once."""

    def __init__(self) -> None:
        folder = resources.files(__package__).joinpath("static")
        self._index = folder.joinpath("index.html").read_text(encoding="utf-8")
        self._docs = folder.joinpath("docs.html").read_text(encoding="utf-8")
        self.docs_assets = StaticFiles(directory=swagger_ui_path)

    async def index(self, request: Request) -> HTMLResponse:  # noqa: ARG002
        """Return the page that takes a picture and shows the answer."""
        return HTMLResponse(self._index, headers=_HEADERS)

    async def docs(self, request: Request) -> HTMLResponse:  # noqa: ARG002
        """Return the documentation of the HTTP interface."""
        return HTMLResponse(self._docs, headers=_HEADERS)
