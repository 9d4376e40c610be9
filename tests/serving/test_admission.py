from __future__ import annotations

import pytest

from pawsight_serving.admission import Admission
from pawsight_serving.errors import Overloaded


def test_who_comes_when_all_places_are_taken_is_refused_at_once() -> None:
    admission = Admission(2)
    with admission.place(), admission.place():
        assert admission.in_flight == 2
        with pytest.raises(Overloaded, match="2 requests"), admission.place():
            pass
        with pytest.raises(Overloaded):
            admission.check()
    assert admission.in_flight == 0
    assert admission.refused == 2
    admission.check()


def test_a_failure_gives_its_place_back() -> None:
    admission = Admission(1)
    with pytest.raises(ZeroDivisionError), admission.place():
        raise ZeroDivisionError
    assert admission.in_flight == 0
