from __future__ import annotations

from pawsight_serving.requests.byte_budget import ByteBudget


def test_bytes_are_held_up_to_the_limit_and_given_back() -> None:
    budget = ByteBudget(100)
    assert budget.take(60)
    assert not budget.take(41)
    assert budget.take(40)
    assert budget.held == budget.limit == 100
    budget.give(60)
    assert budget.held == 40


def test_without_a_limit_all_fits() -> None:
    assert ByteBudget().take(2**40)
