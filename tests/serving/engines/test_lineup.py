from __future__ import annotations

from pawsight_serving.engines.lineup import Lineup
from pawsight_serving.engines.loading import LoadedVersion
from pawsight_serving.joint_work import JointWork
from tests.serving.fakes import manifest


def version(name: str, number: str) -> LoadedVersion:
    return LoadedVersion(
        manifest(name, number), {}, JointWork(lambda batches: [{} for _ in batches], 1)
    )


def change(lineup: Lineup, *keys: str, kept: tuple[str, ...] = (), now_s: float = 0.0) -> None:
    wanted = {(key[:-1], key[-1]): version(key[:-1], key[-1]) for key in keys}
    lineup.change(wanted, kept, now_s)


def listed(lineup: Lineup) -> list[str]:
    return [m.name + m.version for m in lineup.manifests]


def test_versions_come_newest_last_within_a_name() -> None:
    lineup = Lineup(10)
    change(lineup, "b2", "b1", "a9")
    assert listed(lineup) == ["a9", "b1", "b2"]
    assert lineup.get("b", "2") is not None
    assert lineup.get("b", "3") is None


def test_what_goes_answers_for_a_while_and_never_as_the_newest() -> None:
    lineup = Lineup(10)
    change(lineup, "b1", "b2")
    change(lineup, "b1", now_s=5)
    assert listed(lineup) == ["b2", "b1"]
    assert lineup.get("b", "2") is not None
    assert not lineup.drop_expired(14.9)
    assert lineup.drop_expired(15)
    assert listed(lineup) == ["b1"]
    assert lineup.get("b", "2") is None


def test_what_comes_back_stays() -> None:
    lineup = Lineup(10)
    change(lineup, "b1", "b2")
    change(lineup, "b1")
    change(lineup, "b1", "b2", now_s=5)
    assert not lineup.drop_expired(100)
    assert listed(lineup) == ["b1", "b2"]


def test_a_model_whose_newest_was_refused_stays_as_it_was() -> None:
    lineup = Lineup(10)
    change(lineup, "a1", "b1")
    change(lineup, kept=("b",))
    assert listed(lineup) == ["a1", "b1"]
    assert (lineup.serves("a"), lineup.serves("b")) == (False, True)
    assert lineup.drop_expired(10)
    assert listed(lineup) == ["b1"]


def test_a_version_is_loaded_where_it_is_the_very_same() -> None:
    lineup = Lineup(10)
    change(lineup, "b1")
    published = manifest("b", "1")
    assert lineup.loaded(published) is not None
    assert lineup.loaded(published.model_copy(update={"architecture": "other"})) is None
    lineup.clear()
    assert lineup.loaded(published) is None
