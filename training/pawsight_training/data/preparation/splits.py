"""A clean, balanced data set of `train/validation/test` folders out of raw pictures."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import shutil
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from pawsight_serving.errors import RequestError
from pawsight_training.data.preparation.fingerprints import fingerprint, near_pairs
from pawsight_training.data.unreadable import reason
from pawsight_training.errors import DataInvalid
from pawsight_training.progress import tracked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pawsight_training.data.preparation.sources import Labelled

REPORT: Final = "report.json"
CHUNK: Final = 256


@dataclass(slots=True)
class Report:
    """What was left out, by name, and why; and how many pictures of each class there are.

    Attributes:
        unlabelled: files that neither a folder nor their name puts in a class.
        unreadable: file to reason.
        duplicates: file to the one that it repeats byte for byte.
        near_duplicates: file to the one that it looks the same as.
        mislabelled: file to the class that its name claims, against its folder.
        conflicting: file to the one that is the same, or looks it, and has another label; which of
            the two is wrong nobody can tell, so both are left out.
        clean: class to the pictures that are left to choose from.
        chosen: split to pictures of each class.
    """

    unlabelled: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    duplicates: dict[str, str] = field(default_factory=dict)
    near_duplicates: dict[str, str] = field(default_factory=dict)
    mislabelled: dict[str, str] = field(default_factory=dict)
    conflicting: dict[str, str] = field(default_factory=dict)
    clean: dict[str, int] = field(default_factory=dict)
    chosen: dict[str, int] = field(default_factory=dict)


def prepare(
    pictures: Sequence[Labelled], destination: Path, sizes: Mapping[str, int], *, seed: int = 0
) -> Report:
    """Copy as many good pictures of each class into each split, and a report beside them.

    The destination appears whole or not at all.

    Args:
        pictures: what there is, of two classes or more; those without a label are left out.
        destination: a folder that is not there yet.
        sizes: split to pictures of each class.
        seed: of the choice.

    Raises:
        DataInvalid: nothing is asked for, the destination is in the way or cannot be written, or a
            class has too few good pictures.
    """
    wanted = sum(sizes.values())
    if not wanted:
        raise DataInvalid(
            "No picture is asked for; give --train, --validation or --test a number above 0."
        )
    if destination.exists():
        raise DataInvalid(f"{destination} is there already; give another folder to write.")
    unlabelled = [picture.name for picture in pictures if not picture.label]
    pictures = [picture for picture in pictures if picture.label]
    report = Report(unlabelled, chosen=dict(sizes))
    clean = _by_label(_clean(pictures, report))
    report.clean = {label: len(found) for label, found in clean.items()}
    for label in sorted({picture.label for picture in pictures}):
        if len(clean[label]) < wanted:
            raise DataInvalid(
                f"Of the pictures of {label!r}, {wanted} are asked for and {len(clean[label])} can "
                "be taken; ask for fewer with --train, --validation and --test."
            )
    with _whole(destination) as folder:
        _copy(clean, folder, sizes, seed)
        (folder / REPORT).write_text(json.dumps(asdict(report), indent=2) + "\n")
    return report


@contextlib.contextmanager
def _whole(destination: Path) -> Iterator[Path]:
    """Yield a folder to fill, which takes its place when the body is done and not before.

    Raises:
        DataInvalid: it cannot be written.
    """
    partial = destination.with_name(f".{destination.name}.part")
    try:
        if partial.exists():
            # What was killed while it copied.
            shutil.rmtree(partial)
        yield partial
        partial.rename(destination)
    except OSError as error:
        raise DataInvalid(
            f"The pictures cannot be written to {destination} ({error.strerror}); free some space, "
            "or give another folder."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _clean(pictures: Sequence[Labelled], report: Report) -> list[Labelled]:
    """Return the pictures that are readable, once each and not mislabelled by name."""
    labels = {picture.label for picture in pictures}
    first: dict[bytes, Labelled] = {}
    kept: list[Labelled] = []
    looks: list[NDArray[np.float32]] = []
    with ThreadPoolExecutor() as pool:
        for start in tracked(range(0, len(pictures), CHUNK), "Looking at the pictures"):
            chunk = pictures[start : start + CHUNK]
            for picture, seen in zip(chunk, pool.map(_look, chunk), strict=True):
                if isinstance(seen, str):
                    report.unreadable[picture.name] = seen
                elif picture.named in labels and picture.named != picture.label:
                    report.mislabelled[picture.name] = picture.named or ""
                elif (earlier := first.setdefault(seen[0], picture)) is not picture:
                    _note_repeated(earlier, picture, report.duplicates, report)
                else:
                    kept.append(picture)
                    looks.append(seen[1])
    if looks:
        for row, later in near_pairs(np.stack(looks)):
            if kept[row].name not in report.near_duplicates:
                _note_repeated(kept[row], kept[later], report.near_duplicates, report)
    left_out = report.near_duplicates.keys() | report.conflicting.keys()
    return [picture for picture in kept if picture.name not in left_out]


def _note_repeated(
    earlier: Labelled, later: Labelled, repeated: dict[str, str], report: Report
) -> None:
    if earlier.label == later.label:
        repeated.setdefault(later.name, earlier.name)
    else:
        report.conflicting.setdefault(earlier.name, later.name)
        report.conflicting.setdefault(later.name, earlier.name)


def _look(picture: Labelled) -> tuple[bytes, NDArray[np.float32]] | str:
    try:
        return fingerprint(picture.path.read_bytes())
    except RequestError as error:
        return reason(error)
    except OSError as error:
        return f"The file cannot be read ({error.strerror})."


def _by_label(pictures: Sequence[Labelled]) -> defaultdict[str, list[Labelled]]:
    found: defaultdict[str, list[Labelled]] = defaultdict(list)
    for picture in pictures:
        found[picture.label].append(picture)
    return found


def _copy(
    clean: Mapping[str, list[Labelled]], out: Path, sizes: Mapping[str, int], seed: int
) -> None:
    choice = random.Random(seed)  # noqa: S311 - it must repeat, and guards nothing
    for label in sorted(clean):
        chosen = iter(choice.sample(clean[label], sum(sizes.values())))
        for split, size in sizes.items():
            folder = out / split / label
            if size:
                folder.mkdir(parents=True)
            for _ in range(size):
                picture = next(chosen)
                shutil.copyfile(picture.path, _new_file(folder, picture.name))


def _new_file(folder: Path, name: str) -> Path:
    """Return where a picture goes; those of a/b.jpg and a_b.jpg must not end in one file."""
    first = target = folder / name.replace("/", "_")
    for number in itertools.count(2):
        if not target.exists():
            break
        target = first.with_stem(f"{first.stem}-{number}")
    return target
