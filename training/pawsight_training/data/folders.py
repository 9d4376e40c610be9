"""Which pictures there are, of which class, in which split: the layout of the folders."""

from __future__ import annotations

import os
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pawsight_training.errors import DataInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SPLITS: Final = ("train", "validation", "test")
SUFFIXES: Final = frozenset((".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"))
# The lecture's folders are plurals, Microsoft's are capitalised; labels are neither.
_LABELS: Final = {"cats": "cat", "dogs": "dog", "Cat": "cat", "Dog": "dog"}
HELD_OUT_SHARE: Final = 0.1
# What others name their splits. Taken for classes they would have test pictures learnt from, and
# beside a `train` nobody would look at them.
_OTHER_SPLITS: Final = frozenset(
    (
        *("train", "training", "training_set", "test", "testing", "test_set"),
        *("val", "valid", "validation", "validation_set"),
    )
)


@dataclass(frozen=True, slots=True)
class PictureFile:
    """One picture on disk.

    Attributes:
        path: where it is.
        name: its path below the data folder, that folder's name included.
        label: the index of its class.
    """

    path: Path
    name: str
    label: int


@dataclass(slots=True)
class Listing:
    """The picture files of each split; see `Dataset` for the other attributes."""

    classes: tuple[str, ...]
    sources: tuple[str, ...]
    splits: dict[str, list[PictureFile]] = field(default_factory=dict)
    held_out: bool = False


def list_pictures(
    folders: Sequence[Path],
    *,
    seed: int = 0,
    classes: Sequence[str] = (),
    hold_out: bool = True,
) -> Listing:
    """Find the pictures of one or several data folders.

    A data folder holds `train/`, and perhaps `validation/` and `test/`, each with a folder a
    class; or it holds the class folders itself and then counts as `train` alone. The splits of
    several folders are joined, where one says `cats` and another `cat` too. Where none has
    `validation/`, a tenth of `train` is held out.

    Args:
        folders: the data folders; they must have the same classes.
        seed: of the choice of what is held out.
        classes: names that replace those of the folders, in folder-name order.
        hold_out: whether there must be `train` and `validation`, the latter taken from the
            former if need be.

    Raises:
        DataInvalid: a folder is missing or empty, a split has another name, the classes do not fit
            or are named alike, or there is one alone.
    """
    roots = [(folder, *split) for folder in folders for split in _split_roots(folder)]
    for _, _, root in roots:
        _check_labels(root)
    labels = _labels_in([root for _, _, root in roots])
    _check_names(classes, labels)
    listing = Listing(tuple(classes) or labels, tuple(folder.name for folder in folders))
    for folder, split, root in roots:
        for path in _folders(root):
            listing.splits.setdefault(split, []).extend(
                PictureFile(
                    file,
                    f"{folder.name}/{file.relative_to(folder).as_posix()}",
                    labels.index(label_of(path.name)),
                )
                for file in sorted(files_below(path))
                if file.suffix.lower() in SUFFIXES
            )
    if hold_out and "train" not in listing.splits:
        raise DataInvalid("There is no train folder to learn from; give one with --data.")
    if hold_out and "validation" not in listing.splits:
        _hold_out(listing, seed)
    check_classes(
        {split: [file.label for file in files] for split, files in listing.splits.items()},
        listing.classes,
    )
    return listing


def files_below(root: Path) -> Iterator[Path]:
    """Yield every file at any depth, but for hidden ones. Symbolic links are followed.

    A folder that is named as a picture counts as one, which cannot be read.
    """
    for name, folders, files in os.walk(root, followlinks=True):
        here = Path(name)
        unreadable = [folder for folder in folders if Path(folder).suffix.lower() in SUFFIXES]
        folders[:] = [
            folder
            for folder in folders
            if not folder.startswith(".")
            and folder not in unreadable
            and not _is_circle(here / folder)
        ]
        yield from (here / file for file in (*files, *unreadable) if not file.startswith("."))


def label_of(name: str) -> str:
    """Return the label that a folder's name, or a file's, stands for."""
    return _LABELS.get(name, name)


def check_classes(labels: Mapping[str, Sequence[int]], classes: Sequence[str]) -> None:
    """Raise `DataInvalid` where a split lacks a class."""
    for split, present in labels.items():
        counts = Counter(present)
        for label, name in enumerate(classes):
            if not counts[label]:
                raise DataInvalid(
                    f"Class {name!r} has no readable picture in {split}; "
                    "add some, or remove its folder."
                )


def _split_roots(folder: Path) -> list[tuple[str, Path]]:
    if not folder.is_dir():
        raise DataInvalid(f"There is no folder {folder}; give the folder of pictures with --data.")
    for path in _folders(folder):
        if path.name not in SPLITS and path.name.lower() in _OTHER_SPLITS:
            raise DataInvalid(
                f"{path} is named as a split, and splits are the folders {', '.join(SPLITS)}; "
                "rename it to one of these, or take it out of the folder."
            )
    roots = [(split, folder / split) for split in SPLITS if (folder / split).is_dir()]
    return roots or [("train", folder)]


def _folders(root: Path) -> list[Path]:
    return sorted(
        path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")
    )


def _labels_in(roots: Sequence[Path]) -> tuple[str, ...]:
    """Return the labels of the class folders, in folder-name order; there must be several."""
    names = sorted({path.name for root in roots for path in _folders(root)})
    labels = tuple(dict.fromkeys(map(label_of, names)))
    if len(labels) < 2:
        raise DataInvalid(
            "There must be at least two class folders to tell apart; "
            f"found: {', '.join(names) or 'none'}. Pictures that are named cat.0.jpg are sorted "
            "into such folders by `pawsight data prepare`."
        )
    return labels


def _check_names(given: Sequence[str], labels: Sequence[str]) -> None:
    """Raise `DataInvalid` where names are given instead of the folders', and do not fit."""
    if given and len(given) != len(labels):
        raise DataInvalid(
            f"{len(given)} class names are given for {len(labels)} class folders, "
            f"those of {', '.join(labels)}; give one for each with --classes."
        )
    if "" in given or len(set(given)) != len(given):
        raise DataInvalid(
            f"Each class needs a name of its own, and these are given: {','.join(given)}; "
            "give others with --classes."
        )


def _check_labels(root: Path) -> None:
    """Raise `DataInvalid` where it cannot be meant that two folders are of one class."""
    names = [path.name for path in _folders(root)]
    if len({label_of(name) for name in names}) != len(names):
        raise DataInvalid(
            f"Two class folders of {root} carry the same label: {', '.join(names)}; "
            "merge them, or rename one."
        )


def _is_circle(folder: Path) -> bool:
    """Return whether a folder is a link to one that it lies in, by the way that led here."""
    return folder.is_symlink() and folder.resolve() in {
        above.resolve() for above in folder.absolute().parents
    }


def _hold_out(listing: Listing, seed: int) -> None:
    """Move a tenth of each class from train to validation; a lone picture stays."""
    choice = random.Random(seed)  # noqa: S311 - it must repeat, and guards nothing
    train: list[PictureFile] = []
    validation: list[PictureFile] = []
    for label in range(len(listing.classes)):
        files = [file for file in listing.splits["train"] if file.label == label]
        share = max(1, round(len(files) * HELD_OUT_SHARE)) if len(files) > 1 else 0
        chosen = set(choice.sample(range(len(files)), k=share))
        for index, file in enumerate(files):
            (validation if index in chosen else train).append(file)
    listing.splits |= {"train": train, "validation": validation}
    listing.held_out = True
