"""Labelled pictures in the layouts that they are published in."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pawsight_training.data.folders import SUFFIXES, files_below, label_of
from pawsight_training.errors import DataInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

KAGGLE_NAME: Final = re.compile(r"([A-Za-z]+)\..+")
# A download may have grown a few other files: with more than these it is not Kaggle's.
STRAY_SHARE: Final = 0.25
SPECIES: Final = {"1": "cat", "2": "dog"}


@dataclass(frozen=True, slots=True)
class Labelled:
    """A picture file and its label.

    Attributes:
        path: where it is.
        name: its path below the source.
        label: from its folder or its name, as the layout has it; empty where neither tells.
        named: the label that its file name claims, if it claims one.
    """

    path: Path
    name: str
    label: str
    named: str | None = None


def find_labelled(source: Path) -> list[Labelled]:
    """Find the pictures below a folder, in the order of their names.

    Two layouts are known: Kaggle's, one folder of `cat.0.jpg`, `dog.0.jpg`, … and perhaps a few
    pictures with other names, which have no label; and a folder a class, as Microsoft's
    `PetImages/Cat/0.jpg`. Both may lie some folders deep. Symbolic links are followed, as training
    follows them.

    Raises:
        DataInvalid: no folder there, neither layout in it, or one class alone.
    """
    if not source.is_dir():
        raise DataInvalid(f"There is no folder {source}; give the folder that holds the pictures.")
    by_folder: defaultdict[Path, list[Path]] = defaultdict(list)
    for path in sorted(files_below(source)):
        # A link to nothing is a picture that cannot be read, and is told as one.
        if path.suffix.lower() in SUFFIXES and (path.is_file() or path.is_symlink()):
            by_folder[path.parent].append(path)
    by_name = {
        folder: files
        for folder, files in by_folder.items()
        if _is_kaggles(files, of_class=None if folder == source else label_of(folder.name))
    }
    found = [
        Labelled(
            path=path,
            name=path.relative_to(source).as_posix(),
            label=(_named(path) or "") if by_name else label_of(folder.name),
            named=_named(path),
        )
        for folder, files in (by_name or by_folder).items()
        for path in files
    ]
    if len({picture.label for picture in found} - {""}) < 2:
        raise _not_several(source, found)
    return found


def find_oxford_pets(source: Path) -> list[Labelled]:
    """Find the 7,349 cats and dogs of Oxford-IIIT Pet (Parkhi et al., 2012).

    Args:
        source: folder that torchvision keeps the data set in; it is downloaded where it is not
            there yet.

    Raises:
        DataInvalid: it is not there and cannot be downloaded.
    """
    # It takes seconds to import, and other sources need none of it.
    from torchvision.datasets import OxfordIIITPet

    try:
        OxfordIIITPet(source, download=True)
    except (OSError, RuntimeError) as error:
        raise DataInvalid(
            "Oxford-IIIT Pet cannot be downloaded here; fetch its images and annotations on a "
            f"machine that can, and unpack both below {source / 'oxford-iiit-pet'}."
        ) from error
    root = source / "oxford-iiit-pet"
    return sorted(
        (
            Labelled(root / "images" / f"{name}.jpg", f"{name}.jpg", SPECIES[species])
            for part in ("trainval", "test")
            for name, species in _species(root / "annotations" / f"{part}.txt")
        ),
        key=lambda picture: picture.name,
    )


def _is_kaggles(files: Sequence[Path], *, of_class: str | None) -> bool:
    """Return whether a folder's pictures are named by several classes, and it by none of them."""
    named = [label for path in files if (label := _named(path))]
    strays = len(files) - len(named)
    return len(set(named)) > 1 and of_class not in named and strays <= STRAY_SHARE * len(files)


def _not_several(source: Path, found: Sequence[Labelled]) -> DataInvalid:
    """Return the error of a folder in which there are not two classes to tell apart."""
    # Pictures that lie in the source itself are in no folder of a class.
    classes = {each.named or each.label for each in found if each.named or "/" in each.name}
    if len(classes) == 1:
        return DataInvalid(
            f"{source} holds pictures of one class alone, {classes.pop()}; "
            "add those of a second one, named as dog.0.jpg or in a folder of their own."
        )
    return DataInvalid(
        f"{source} holds neither pictures named as cat.0.jpg nor a folder of pictures a class; "
        "give the folder that holds either."
    )


def _species(annotations: Path) -> Iterator[tuple[str, str]]:
    for line in annotations.read_text().splitlines():
        name, _, species, _ = line.split()
        yield name, species


def _named(path: Path) -> str | None:
    match = KAGGLE_NAME.fullmatch(path.stem)
    return label_of(match[1]) if match else None
