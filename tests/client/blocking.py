"""An `AsyncClient` with the face of a `Client`, so that one test asks both."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

from pawsight_client import AsyncClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


class BlockingAsyncClient:
    def __init__(self, url: str, **options: Any) -> None:
        self._runner = asyncio.Runner()
        self._client = self._runner.run(self._opened(url, options))

    async def _opened(self, url: str, options: dict[str, Any]) -> AsyncClient:
        return AsyncClient(url, **options)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(*arguments: Any, **options: Any) -> Any:
            answer = method(*arguments, **options)
            if inspect.isawaitable(answer):
                return self._runner.run(answer)  # type: ignore[arg-type]
            return self._stepped(answer)

        return call

    def _stepped(self, answers: AsyncIterator[Any]) -> Iterator[Any]:
        async def step() -> Any:
            return await anext(answers)

        try:
            while True:
                try:
                    yield self._runner.run(step())
                except StopAsyncIteration:
                    return
        finally:
            self._runner.run(answers.aclose())  # type: ignore[attr-defined]

    def __enter__(self) -> BlockingAsyncClient:
        return self

    def __exit__(self, *raised: object) -> None:
        try:
            self._runner.run(self._client.close())
        finally:
            self._runner.close()
