"""What browsers and proxies may keep of an answer: nothing, unless they ask again each time."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.datastructures import Headers

ASKED_AGAIN: Final = {"cache-control": "no-cache"}
"""Header of an answer that may be kept by who asks each time whether it has changed."""

_NOT_KEPT: Final = ((b"cache-control", b"no-store"),)


def not_kept(headers: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[bytes, bytes], ...]:
    """Return the header by which an answer is not kept, for one that says nothing of it.

    Health, models and predictions are true of one moment and told to one caller. Where nothing is
    said, a proxy may keep them for as long as it sees fit (RFC 9111, 4.2.2).
    """
    return () if any(name == b"cache-control" for name, _ in headers) else _NOT_KEPT


def unless_it_is_kept(answer: Response, digest: str, asked: Headers) -> Response:
    """Return an answer that may be kept, or 304 for a caller who has kept it (RFC 9110, 13.1.2).

    Args:
        answer: a whole one, with status 200.
        digest: another one whenever the body is another.
        asked: the request's headers.
    """
    tag = f'"{digest}"'
    headers = {**ASKED_AGAIN, "etag": tag}
    kept = {
        # A weak tag is good enough for a body that is to be the same in meaning alone.
        each.strip().removeprefix("W/")
        for line in asked.getlist("if-none-match")
        for each in line.split(",")
    }
    if kept & {tag, "*"}:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    answer.headers.update(headers)
    return answer
