"""Pictures as arrays: decoded once, as serving decodes them, and kept in a cache on disk."""

from __future__ import annotations

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import PIL

from pawsight_serving.errors import RequestError
from pawsight_serving.pictures.reading import DECODER_VERSION, decode_picture
from pawsight_training.data.folders import SPLITS, PictureFile, check_classes, list_pictures
from pawsight_training.data.unreadable import reason
from pawsight_training.errors import DataInvalid
from pawsight_training.progress import tracked

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from numpy.typing import NDArray

CHUNK: Final = 256


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that could not be read, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """The pictures of one split, in the order of the folders.

    Attributes:
        pictures: RGB, uint8, [N, H, W, 3], read-only and memory-mapped.
        labels: index of the class, int64, [N].
        names: file names below the data folder, that folder's name included.
        digest: sha256 over the bytes of the files and their labels.
        skipped: the files that could not be read.
    """

    pictures: NDArray[np.uint8]
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    digest: str
    skipped: tuple[Skipped, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """The splits of one or several data folders.

    Attributes:
        classes: their names, in the order of the labels.
        sources: names of the data folders.
        splits: by name; at least one.
        held_out: whether `validation` was taken from `train`.
    """

    classes: tuple[str, ...]
    sources: tuple[str, ...]
    splits: dict[str, Split]
    held_out: bool = False

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) of the pictures, in pixels."""
        _, height, width, _ = next(iter(self.splits.values())).pictures.shape
        return height, width

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The files of all splits that could not be read."""
        return tuple(file for split in self.splits.values() for file in split.skipped)

    def repeated(self) -> dict[str, tuple[str, ...]]:
        """Return split to the names of its pictures that a split before it has too.

        They are compared as they are decoded: a copy in another format may go unnoticed.
        """
        before: set[bytes] = set()
        found: dict[str, tuple[str, ...]] = {}
        for name in (name for name in SPLITS if name in self.splits):
            split = self.splits[name]
            digests = [hashlib.sha256(picture.tobytes()).digest() for picture in split.pictures]
            again = [
                known for known, each in zip(split.names, digests, strict=True) if each in before
            ]
            if again:
                found[name] = tuple(again)
            before.update(digests)
        return found


def pictures_cache() -> Path:
    """Return the folder for decoded pictures below the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "pawsight" / "pictures"


def load_dataset(
    folders: Sequence[Path],
    input_size: tuple[int, int],
    *,
    cache: Path | None = None,
    classes: Sequence[str] = (),
    seed: int = 0,
    only: Collection[str] = (),
) -> Dataset:
    """Decode the pictures of the data folders, or take them from the cache.

    Args:
        folders: data folders, as `list_pictures` reads them.
        input_size: (height, width) in pixels that the pictures are squashed to.
        cache: folder for decoded pictures; None is `pictures_cache()`.
        classes: names that replace those of the folders.
        seed: of what is held out where there is no validation folder.
        only: the splits to load, as they lie on disk; empty is all, with `validation` held out
            of `train` where there is none.

    Raises:
        DataInvalid: nothing to learn from, a file that may not be read, or the cache cannot be
            written.
    """
    listing = list_pictures(folders, seed=seed, classes=classes, hold_out=not only)
    splits = {
        name: _load_split(name, files, input_size, cache or pictures_cache())
        for name, files in listing.splits.items()
        if not only or name in only
    }
    if missing := [name for name in SPLITS if name in only and name not in splits]:
        raise DataInvalid(
            f"There are no {' and no '.join(missing)} pictures in {', '.join(listing.sources)}, "
            f"only {' and '.join(listing.splits)} pictures; add a folder {missing[0]} with a "
            "folder for each class, or choose another split or other pictures."
        )
    check_classes({name: split.labels.tolist() for name, split in splits.items()}, listing.classes)
    return Dataset(listing.classes, listing.sources, splits, listing.held_out)


def _load_split(
    name: str, files: Sequence[PictureFile], input_size: tuple[int, int], cache: Path
) -> Split:
    entry = cache / _key(files, input_size)
    index, pixels = entry.with_suffix(".json"), entry.with_suffix(".rgb")
    # What cleans caches may take one file and leave the other.
    if not (index.exists() and pixels.exists()):
        try:
            cache.mkdir(parents=True, exist_ok=True)
            _decode(name, files, input_size, index, pixels)
        except OSError as error:
            raise DataInvalid(
                f"The decoded pictures cannot be kept in {cache} ({error.strerror}); "
                "free some space or give another folder with --cache."
            ) from error
    stored = json.loads(index.read_text())
    kept = [files[row] for row in stored["rows"]]
    shape = (len(kept), *input_size, 3)
    pictures = np.memmap(pixels, np.uint8, "r", shape=shape) if kept else np.empty(shape, np.uint8)
    return Split(
        pictures=pictures,
        labels=np.array([file.label for file in kept], dtype=np.int64),
        names=tuple(file.name for file in kept),
        digest=stored["digest"],
        skipped=tuple(Skipped(**file) for file in stored["skipped"]),
    )


def _key(files: Sequence[PictureFile], input_size: tuple[int, int]) -> str:
    digest = hashlib.sha256(f"{input_size} {PIL.__version__} {DECODER_VERSION}".encode())
    for file in files:
        try:
            status = file.path.stat()
        except OSError as error:
            raise _closed(file, error) from error
        digest.update(f"\n{file.name} {file.label} {status.st_size} {status.st_mtime_ns}".encode())
    return digest.hexdigest()[:32]


def _decode(
    name: str, files: Sequence[PictureFile], input_size: tuple[int, int], index: Path, pixels: Path
) -> None:
    """Write the pixels, then the index: what has an index is whole."""
    rows: list[int] = []
    skipped: list[dict[str, str]] = []
    digest = hashlib.sha256()
    partial = pixels.with_suffix(f".{os.getpid()}.part")
    try:
        with partial.open("wb") as out:
            for row, (content, picture) in enumerate(_read_each(name, files, input_size)):
                file = files[row]
                if isinstance(picture, str):
                    skipped.append({"name": file.name, "reason": picture})
                    continue
                rows.append(row)
                digest.update(content + file.label.to_bytes(4, "big"))
                out.write(picture.tobytes())
        partial.replace(pixels)
        partial.write_text(
            json.dumps({"rows": rows, "skipped": skipped, "digest": digest.hexdigest()})
        )
        partial.replace(index)
    finally:
        partial.unlink(missing_ok=True)


def _read_each(
    name: str, files: Sequence[PictureFile], input_size: tuple[int, int]
) -> Iterator[tuple[bytes, NDArray[np.uint8] | str]]:
    """Yield each file's sha256 and its picture, or why there is none; no more than a chunk ahead.

    Raises:
        DataInvalid: a file may not be read.
    """

    def read(file: PictureFile) -> tuple[bytes, NDArray[np.uint8] | str]:
        try:
            data = file.path.read_bytes()
        except OSError as error:
            # It may be readable tomorrow, and what is skipped is kept in the cache.
            raise _closed(file, error) from error
        try:
            return hashlib.sha256(data).digest(), decode_picture(data, input_size)
        except RequestError as error:
            return b"", reason(error)

    with ThreadPoolExecutor() as pool:
        for start in tracked(range(0, len(files), CHUNK), f"Decoding {name} pictures"):
            yield from pool.map(read, files[start : start + CHUNK])


def _closed(file: PictureFile, error: OSError) -> DataInvalid:
    return DataInvalid(
        f"The file {file.path} cannot be read ({error.strerror}); "
        "make it readable, or take it out of the folder."
    )
