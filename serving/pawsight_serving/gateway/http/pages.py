"""The web page, and the documentation of the HTTP interface with its assets."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles
from swagger_ui_bundle import swagger_ui_path

from pawsight_serving.gateway.http.caching import ASKED_AGAIN

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

DOCS_ASSETS: Final = "/docs/assets"
_POLICY: Final = (
    "default-src 'none'; script-src {scripts}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS: Final = {
    "cross-origin-opener-policy": "same-origin",
    **ASKED_AGAIN,
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
}
_SCRIPT: Final = re.compile(r"<script>(.*?)</script>", re.DOTALL)


class Pages:
    """The pages, read once."""

    def __init__(self) -> None:
        folder = resources.files(__package__).joinpath("static")
        self._index, self._docs = (
            _page(folder.joinpath(name).read_text(encoding="utf-8"))
            for name in ("index.html", "docs.html")
        )
        self.docs_assets = _WholeFiles(directory=swagger_ui_path)

    async def index(self, request: Request) -> HTMLResponse:  # noqa: ARG002
        """Return the page that takes a picture and shows the answer."""
        return HTMLResponse(self._index[0], headers=self._index[1])

    async def docs(self, request: Request) -> HTMLResponse:  # noqa: ARG002
        """Return the documentation of the HTTP interface."""
        return HTMLResponse(self._docs[0], headers=self._docs[1])


class _WholeFiles(StaticFiles):
    """Files that are not sent in ranges, whose errors Starlette would answer in its own way."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [header for header in scope["headers"] if header[0] != b"range"]
        await super().__call__({**scope, "headers": headers}, receive, send)

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers.update({"accept-ranges": "none", **ASKED_AGAIN})
        return response


def _page(text: str) -> tuple[str, dict[str, str]]:
    """Return a page with its headers, which let its own scripts run and no other."""
    digests = (hashlib.sha256(script.encode()).digest() for script in _SCRIPT.findall(text))
    scripts = (f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    policy = _POLICY.format(scripts=" ".join(["'self'", *scripts]))
    return text, {"content-security-policy": policy, **_HEADERS}
