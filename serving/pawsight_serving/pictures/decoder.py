"""Decodes a request's pictures into one batch, in threads."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pawsight_serving.errors import ImageInvalid, ImageMissing, RequestError
from pawsight_serving.observability.observation import current, stage
from pawsight_serving.pictures.reading import PictureLimits, decode_picture

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pawsight_serving.requests.deadlines import Deadline
    from pawsight_serving.settings import SharedSettings
    from pawsight_serving.threads.thread_pool import ThreadPool


class Decoder:
    """Decodes requests' pictures within the server's limits.

    Args:
        workers: the threads to decode in.
        settings: the limits on a picture, and on the pictures of a request.
    """

    def __init__(self, workers: ThreadPool, settings: SharedSettings) -> None:
        self._workers = workers
        self._max_pictures = settings.max_pictures
        self.limits = PictureLimits(settings.max_picture_bytes, settings.max_picture_pixels)
        # Pillow loads its formats when it is first asked; the first caller should not wait for it.
        with suppress(ImageInvalid):
            decode_picture(b"none", (1, 1), self.limits)

    async def decode(
        self, pictures: Sequence[bytes], size: tuple[int, int], deadline: Deadline
    ) -> NDArray[np.uint8]:
        """Return the pictures as one batch: RGB, uint8, [batch, height, width, 3].

        Raises:
            ImageMissing, ImageInvalid, ImageTooLarge: as `decode_picture`; where there are
                several pictures the sentence says which one.
            RequestError: more pictures than a request may hold.
            DeadlineExceeded: the deadline passed first.
        """
        self.check_count(len(pictures))
        with stage("decode"):
            decoded = await self._workers.run_each(
                [
                    self._decoding(picture, size, number if len(pictures) > 1 else None)
                    for number, picture in enumerate(pictures, 1)
                ],
                deadline,
            )
        return decoded[0][np.newaxis] if len(decoded) == 1 else np.stack(decoded)

    def preparing(
        self, pictures: Sequence[bytes], size: tuple[int, int]
    ) -> Callable[[], NDArray[np.uint8]]:
        """Return what decodes the one picture as `decode` does, in the thread that calls it.

        It takes the picture out of `pictures` only then: a gRPC message copies it on each access.
        """
        observed = current()

        def prepare() -> NDArray[np.uint8]:
            started_s = time.perf_counter()
            image = decode_picture(pictures[0], size, self.limits)[np.newaxis]
            if observed is not None:
                observed.add("decode", time.perf_counter() - started_s)
            return image

        return prepare

    def check_count(self, pictures: int) -> None:
        """Raise `ImageMissing` or `RequestError` where a request cannot hold so many pictures."""
        if pictures == 0:
            raise ImageMissing("The request holds no picture; send at least one.")
        if pictures > self._max_pictures:
            raise RequestError(
                f"The request holds {pictures} pictures; send at most {self._max_pictures} at once."
            )

    def _decoding(
        self, picture: bytes, size: tuple[int, int], number: int | None
    ) -> Callable[[], NDArray[np.uint8]]:
        decode = partial(decode_picture, picture, size, self.limits)
        return decode if number is None else partial(_naming, decode, number)


def _naming(decode: Callable[[], NDArray[np.uint8]], number: int) -> NDArray[np.uint8]:
    try:
        return decode()
    except RequestError as error:
        raise type(error)(f"Picture {number}: {error}") from error
