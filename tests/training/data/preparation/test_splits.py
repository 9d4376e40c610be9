from __future__ import annotations

import io
import json
import shutil
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from pawsight_training.data.folders import list_pictures
from pawsight_training.data.preparation import find_labelled, prepare, splits
from pawsight_training.data.preparation.splits import REPORT
from pawsight_training.errors import DataInvalid
from tests.training.data.preparation.patchwork import patchwork

if TYPE_CHECKING:
    from pathlib import Path

SIZES = {"train": 4, "validation": 2, "test": 2}


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Ten good pictures of each class, and one each of what must be left out."""
    for first, folder in ((0, "Cat"), (100, "Dog")):
        (tmp_path / "raw" / folder).mkdir(parents=True)
        for index in range(10):
            (tmp_path / "raw" / folder / f"{index}.jpg").write_bytes(patchwork(first + index))
    cats = tmp_path / "raw" / "Cat"
    (cats / "a-broken.jpg").write_bytes(patchwork(50)[:200])
    (cats / "dog.77.jpg").write_bytes(patchwork(51))
    shutil.copy(cats / "3.jpg", cats / "copy.jpg")
    out = io.BytesIO()
    Image.open(cats / "4.jpg").resize((60, 60)).save(out, "JPEG", quality=70)
    (cats / "scaled.jpg").write_bytes(out.getvalue())
    return tmp_path / "raw"


def test_a_link_to_nothing_is_reported(raw: Path, tmp_path: Path) -> None:
    (raw / "Dog" / "lost.jpg").symlink_to(tmp_path / "nothing")
    report = prepare(find_labelled(raw), tmp_path / "ready", SIZES)
    assert report.unreadable["Dog/lost.jpg"].startswith("The file cannot be read (No such file")


def test_pictures_without_a_class_are_listed_and_left_out(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    for first, name in ((0, "cat"), (100, "dog")):
        for index in range(2):
            (raw / f"{name}.{index}.jpg").write_bytes(patchwork(first + index))
    (raw / "stray.jpg").write_bytes(patchwork(200))
    report = prepare(find_labelled(raw), tmp_path / "ready", {"train": 2})
    assert report.unlabelled == ["stray.jpg"]
    assert report.clean == {"cat": 2, "dog": 2}
    assert len(files(tmp_path / "ready")) == 4


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.jpg")}


def test_good_pictures_are_copied_and_others_reported(raw: Path, tmp_path: Path) -> None:
    report = prepare(find_labelled(raw), tmp_path / "ready", SIZES)
    assert report.unreadable == {
        "Cat/a-broken.jpg": "The file is not a whole JPEG, PNG, WEBP, GIF, BMP or TIFF."
    }
    assert report.mislabelled == {"Cat/dog.77.jpg": "dog"}
    assert report.duplicates == {"Cat/copy.jpg": "Cat/3.jpg"}
    assert report.near_duplicates == {"Cat/scaled.jpg": "Cat/4.jpg"}
    assert report.clean == {"cat": 10, "dog": 10}
    written = json.loads((tmp_path / "ready" / "report.json").read_text())
    assert written["near_duplicates"] == report.near_duplicates
    copied = files(tmp_path / "ready")
    assert len(copied) == 16
    assert not any("broken" in name or "copy" in name or "scaled" in name for name in copied)
    listing = list_pictures([tmp_path / "ready"])
    assert listing.classes == ("cat", "dog")
    assert {split: len(found) for split, found in listing.splits.items()} == {
        split: 2 * size for split, size in SIZES.items()
    }


def test_the_same_picture_under_two_labels_is_left_out_under_both(
    raw: Path, tmp_path: Path
) -> None:
    for folder in ("Cat", "Dog"):
        (raw / folder / "same.jpg").write_bytes(patchwork(60))
    (raw / "Dog" / "smaller.jpg").write_bytes(patchwork(61, side=64))
    (raw / "Cat" / "larger.jpg").write_bytes(patchwork(61))
    report = prepare(find_labelled(raw), tmp_path / "ready", SIZES)
    assert report.conflicting == {
        "Cat/same.jpg": "Dog/same.jpg",
        "Dog/same.jpg": "Cat/same.jpg",
        "Cat/larger.jpg": "Dog/smaller.jpg",
        "Dog/smaller.jpg": "Cat/larger.jpg",
    }
    assert report.clean == {"cat": 10, "dog": 10}


def test_what_looks_like_a_copy_alone_is_kept(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy is left out, so that nothing is left that it could repeat."""
    found = [picture for picture in find_labelled(raw) if picture.name.endswith(("1.jpg", "2.jpg"))]
    monkeypatch.setattr(splits, "near_pairs", lambda _: iter([(0, 1), (1, 2), (2, 3)]))
    report = prepare(found, tmp_path / "ready", {"train": 1})
    assert report.near_duplicates == {"Cat/2.jpg": "Cat/1.jpg", "Dog/2.jpg": "Dog/1.jpg"}
    assert report.conflicting == {}
    assert report.clean == {"cat": 1, "dog": 1}


def test_a_split_of_no_pictures_has_no_folder(raw: Path, tmp_path: Path) -> None:
    sizes = {"train": 2, "validation": 0, "test": 1}
    report = prepare(find_labelled(raw), tmp_path / "ready", sizes)
    assert {path.name for path in (tmp_path / "ready").iterdir()} == {"train", "test", REPORT}
    assert report.chosen == json.loads((tmp_path / "ready" / REPORT).read_text())["chosen"] == sizes


def test_where_no_picture_is_asked_for_nothing_is_written(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(DataInvalid, match="No picture is asked for; give --train"):
        prepare(find_labelled(raw), tmp_path / "ready", {"train": 0})
    assert not (tmp_path / "ready").exists()


def test_where_no_picture_can_be_read_it_is_said(raw: Path, tmp_path: Path) -> None:
    for path in raw.rglob("*.jpg"):
        path.write_bytes(b"no picture")
    with pytest.raises(DataInvalid, match="of 'cat', 1 are asked for and 0 can be taken"):
        prepare(find_labelled(raw), tmp_path / "ready", {"train": 1})


def test_no_picture_is_in_two_splits(raw: Path, tmp_path: Path) -> None:
    prepare(find_labelled(raw), tmp_path / "ready", SIZES)
    contents = [path.read_bytes() for path in (tmp_path / "ready").rglob("*.jpg")]
    assert len(set(contents)) == len(contents)


def test_the_choice_follows_from_the_seed(raw: Path, tmp_path: Path) -> None:
    chosen = []
    for number, seed in enumerate((1, 1, 2)):
        prepare(find_labelled(raw), tmp_path / str(number), SIZES, seed=seed)
        chosen.append(files(tmp_path / str(number)))
    assert chosen[0] == chosen[1] != chosen[2]


def test_too_few_pictures_are_counted(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(DataInvalid, match="of 'cat', 11 are asked for and 10 can be taken"):
        prepare(find_labelled(raw), tmp_path / "ready", {"train": 11})
    assert not (tmp_path / "ready").exists()


def test_a_folder_that_is_there_is_left_alone(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "ready").mkdir()
    with pytest.raises(DataInvalid, match="is there already"):
        prepare(find_labelled(raw), tmp_path / "ready", SIZES)


def test_a_full_disk_leaves_nothing_behind(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = []

    def full(source: Path, target: Path) -> None:
        copied.append(source)
        if len(copied) > 3:
            raise OSError(28, "No space left on device")
        target.write_bytes(source.read_bytes())

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(DataInvalid, match="No space left on device"):
        prepare(find_labelled(raw), tmp_path / "ready", SIZES)
    assert {path.name for path in tmp_path.iterdir()} == {"raw"}


def test_what_was_killed_is_made_again_and_a_folder_of_a_like_name_stays(
    raw: Path, tmp_path: Path
) -> None:
    killed = tmp_path / ".ready.part" / "train" / "cat"
    killed.mkdir(parents=True)
    (killed / "half.jpg").touch()
    mine = tmp_path / "ready.part"
    mine.mkdir()
    prepare(find_labelled(raw), tmp_path / "ready", {"train": 2}, seed=0)
    assert len(list((tmp_path / "ready" / "train" / "cat").iterdir())) == 2
    assert mine.is_dir()
    assert not (tmp_path / ".ready.part").exists()


def test_pictures_whose_paths_spell_alike_stay_apart(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    cats = ("a/b/cat/1.jpg", "a_b/cat/1.jpg", "a_b/cat/1-2.jpg")
    names = (*cats, "dog/1.jpg", "dog/2.jpg", "dog/3.jpg")
    for index, name in enumerate(names):
        (raw / name).parent.mkdir(parents=True, exist_ok=True)
        (raw / name).write_bytes(patchwork(index))
    prepare(find_labelled(raw), tmp_path / "ready", {"train": 3})
    copied = {path.read_bytes() for path in (tmp_path / "ready").rglob("*.jpg")}
    assert copied == {(raw / name).read_bytes() for name in names}
