from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pawsight_training.data.folders import list_pictures
from pawsight_training.errors import DataInvalid

if TYPE_CHECKING:
    from pathlib import Path


def fill(root: Path, *folders: str, count: int = 3) -> Path:
    for folder in folders:
        (root / folder).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            (root / folder / f"{index}.jpg").touch()
    return root


def test_splits_and_labels_come_from_the_folders(tmp_path: Path) -> None:
    (fill(tmp_path, "train/cats", "train/dogs", "validation/cats", "validation/dogs"))
    (tmp_path / "train" / "cats" / "notes.txt").touch()
    (tmp_path / "train" / "cats" / ".hidden.jpg").touch()
    listing = list_pictures([tmp_path])
    assert listing.classes == ("cat", "dog")
    assert {split: len(files) for split, files in listing.splits.items()} == {
        "train": 6,
        "validation": 6,
    }
    assert [file.label for file in listing.splits["train"]] == [0, 0, 0, 1, 1, 1]
    assert listing.splits["train"][0].name == f"{tmp_path.name}/train/cats/0.jpg"
    assert not listing.held_out


def test_pictures_in_folders_below_a_class_are_of_it(tmp_path: Path) -> None:
    fill(tmp_path, "cats/siamese/young", "dogs", "dogs/.ipynb_checkpoints")
    (tmp_path / "cats" / "self").symlink_to(tmp_path / "cats")
    listing = list_pictures([tmp_path], hold_out=False)
    assert listing.classes == ("cat", "dog")
    assert [file.label for file in listing.splits["train"]] == [0, 0, 0, 1, 1, 1]
    assert listing.splits["train"][0].name == f"{tmp_path.name}/cats/siamese/young/0.jpg"


def test_a_linked_folder_below_a_class_is_of_it(tmp_path: Path) -> None:
    source = fill(tmp_path / "source", "cats", "dogs", count=1)
    fill(tmp_path, "elsewhere", count=2)
    (source / "cats" / "siamese").symlink_to(tmp_path / "elsewhere")
    names = [file.name for file in list_pictures([source], hold_out=False).splits["train"]]
    assert names == [
        "source/cats/0.jpg",
        "source/cats/siamese/0.jpg",
        "source/cats/siamese/1.jpg",
        "source/dogs/0.jpg",
    ]


def test_a_folder_that_is_named_as_a_picture_is_one_picture(tmp_path: Path) -> None:
    fill(tmp_path, "cats", "dogs", "dogs/album.JPG", "dogs/.hidden.jpg", count=1)
    names = [file.path.name for file in list_pictures([tmp_path], hold_out=False).splits["train"]]
    assert names == ["0.jpg", "0.jpg", "album.JPG"]


def test_hidden_folders_are_no_classes(tmp_path: Path) -> None:
    fill(tmp_path, "cats", "dogs", ".cache")
    assert list_pictures([tmp_path]).classes == ("cat", "dog")


def test_what_is_not_to_be_learnt_from_needs_no_train_folder(tmp_path: Path) -> None:
    fill(tmp_path, "test/cats", "test/dogs")
    assert list(list_pictures([tmp_path], hold_out=False).splits) == ["test"]


@pytest.mark.parametrize(("count", "held_out"), [(1, 0), (2, 1), (14, 1), (16, 2)])
def test_a_lone_picture_is_learnt_from(tmp_path: Path, count: int, held_out: int) -> None:
    fill(tmp_path, "cats", count=count)
    fill(tmp_path, "dogs", count=20)
    if not held_out:
        with pytest.raises(DataInvalid, match="Class 'cat' has no readable picture in validation"):
            list_pictures([tmp_path])
        return
    validation = list_pictures([tmp_path]).splits["validation"]
    assert [file.label for file in validation] == [0] * held_out + [1] * 2


@pytest.mark.parametrize(
    ("folders", "labels"),
    [(("Cat", "Dog"), ("cat", "dog")), (("bus", "glass", "car"), ("bus", "car", "glass"))],
)
def test_only_known_plurals_and_capitals_are_changed(
    tmp_path: Path, folders: tuple[str, ...], labels: tuple[str, ...]
) -> None:
    assert list_pictures([fill(tmp_path, *folders)]).classes == labels


def test_names_can_be_given(tmp_path: Path) -> None:
    fill(tmp_path, "cats", "dogs")
    assert list_pictures([tmp_path], classes=("Katze", "Hund")).classes == ("Katze", "Hund")
    with pytest.raises(DataInvalid, match="1 class names are given for 2 class folders"):
        list_pictures([tmp_path], classes=("Katze",))
    for alike in (("Katze", "Katze"), ("Katze", "")):
        with pytest.raises(DataInvalid, match="a name of its own"):
            list_pictures([tmp_path], classes=alike)


def test_several_folders_are_joined(tmp_path: Path) -> None:
    small = fill(tmp_path / "small", "train/cats", "train/dogs", "validation/cats", "test/cats")
    fill(small, "validation/dogs", "test/dogs", count=1)
    large = fill(tmp_path / "large", "cats", "dogs", count=5)
    listing = list_pictures([small, large])
    assert listing.sources == ("small", "large")
    assert {split: len(files) for split, files in listing.splits.items()} == {
        "train": 16,
        "validation": 4,
        "test": 4,
    }


def test_folders_that_name_the_same_classes_otherwise_are_joined(tmp_path: Path) -> None:
    lectures = fill(tmp_path / "lectures", "train/cats", "train/dogs", "validation/cats")
    fill(lectures, "validation/dogs")
    prepared = fill(tmp_path / "prepared", "train/cat", "train/dog", "test/Cat", "test/Dog")
    listing = list_pictures([lectures, prepared])
    assert listing.classes == ("cat", "dog")
    for split in ("train", "test"):
        for file in listing.splits[split]:
            assert listing.classes[file.label] in file.name.lower()
    named = list_pictures([lectures, prepared], classes=("Katze", "Hund"))
    assert named.splits == listing.splits


def test_a_tenth_is_held_out_where_there_is_no_validation(tmp_path: Path) -> None:
    fill(tmp_path, "cats", "dogs", count=30)
    one, same, other = (list_pictures([tmp_path], seed=seed) for seed in (1, 1, 2))
    assert one.held_out
    assert one.splits == same.splits != other.splits
    assert [file.label for file in one.splits["validation"]] == [0, 0, 0, 1, 1, 1]
    names = {split: {file.name for file in files} for split, files in one.splits.items()}
    assert not names["train"] & names["validation"]
    assert len(names["train"] | names["validation"]) == 60
    whole = list_pictures([tmp_path], hold_out=False)
    assert len(whole.splits["train"]) == 60


def test_data_that_cannot_be_learnt_from_is_refused(tmp_path: Path) -> None:
    for folders, sentence in (
        ((), "There is no folder"),
        (("cats",), "at least two class folders to tell apart; found: cats"),
        (("train/cats", "train/dogs", "validation/cats"), "'dog' has no readable .* validation"),
        (("test/cats", "test/dogs"), "no train folder"),
        (("cat", "cats"), "carry the same label"),
        (("train",), "found: none.*`pawsight data prepare`"),
        (("Train/cats", "Train/dogs", "Test/cats"), "Test is named as a split.*rename it"),
        (("training_set/a", "training_set/b", "test_set/a"), "test_set is named as a split"),
        (("train/cats", "train/dogs", "val/cats", "val/dogs"), "val is named as a split"),
    ):
        root = tmp_path / str(len(folders)) / "-".join(folders).replace("/", "-")
        with pytest.raises(DataInvalid, match=sentence):
            list_pictures([fill(root, *folders)])


def test_an_empty_class_is_named(tmp_path: Path) -> None:
    fill(tmp_path, "cats", "dogs")
    (tmp_path / "birds").mkdir()
    with pytest.raises(DataInvalid, match="Class 'birds' has no readable picture in train"):
        list_pictures([tmp_path])
