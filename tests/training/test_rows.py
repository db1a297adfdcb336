"""The order of the data and the rate at every step are pure functions of the schedule."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nshot.training.rows import Schedule, batches

lengths = st.lists(st.integers(1, 200), min_size=1, max_size=80)


@given(lengths, st.integers(1, 9), st.integers(1, 4), st.integers(0, 3))
def test_every_row_is_taken_once_an_epoch(lengths, size, epochs, seed):
    plan = batches(lengths, Schedule(1e-3, epochs=epochs, batch_size=size, seed=seed))
    assert len(plan) == epochs * math.ceil(len(lengths) / size)
    assert max(map(len, plan)) <= size
    assert Counter(i for batch in plan for i in batch) == dict.fromkeys(range(len(lengths)), epochs)


@given(lengths, st.integers(1, 9), st.integers(0, 3))
def test_no_batch_is_much_shorter_than_another(lengths, size, seed):
    sizes = [len(batch) for batch in batches(lengths, Schedule(1e-3, batch_size=size, seed=seed))]
    assert max(sizes) - min(sizes) <= 1


@given(st.lists(st.integers(1, 200), min_size=3, max_size=40), st.integers(2, 9), st.integers(0, 3))
def test_which_rows_meet_changes_with_the_epoch(lengths, size, seed):
    """With few rows, too, where all of an epoch's batches are sorted together."""
    size = min(size, len(lengths) - 1)
    plan = batches(lengths, Schedule(1e-3, epochs=20, batch_size=size, seed=seed))
    each = math.ceil(len(lengths) / size)
    epochs = {frozenset(map(frozenset, plan[at : at + each])) for at in range(0, len(plan), each)}
    assert len(epochs) > 1


@pytest.mark.parametrize(("rows", "size"), [(5, 4), (9, 4), (9, 8), (33, 16)])
def test_a_row_weighs_the_same_whatever_its_length(rows, size):
    """Its share of the losses of 2000 epochs, each of which is a mean over its batch."""
    plan = batches([10 * i for i in range(rows)], Schedule(1.0, epochs=2000, batch_size=size))
    weight = Counter()
    for batch in plan:
        weight.update({i: 1 / len(batch) for i in batch})
    mean = len(plan) / rows
    assert all(weight[i] == pytest.approx(mean, rel=0.07) for i in range(rows))


def test_the_plan_depends_on_the_seed_and_nothing_else():
    lengths = [i % 17 + 3 for i in range(50)]
    plans = [batches(lengths, Schedule(rate, epochs=2, seed=s)) for rate, s in ((1, 0), (2, 0))]
    assert plans[0] == plans[1]
    assert plans[0] != batches(lengths, Schedule(1, epochs=2, seed=1))


def test_rows_of_similar_length_meet():
    lengths = [(i * 37) % 101 + 1 for i in range(128)]
    plan = batches(lengths, Schedule(1e-3, batch_size=8))
    padded = sum(max(lengths[i] for i in batch) * len(batch) for batch in plan)
    assert padded < 1.1 * sum(lengths)


def test_max_steps_caps_the_epochs():
    schedule = Schedule(1e-3, epochs=100, batch_size=4, max_steps=7)
    assert schedule.steps(20) == 7 == len(batches([5] * 20, schedule))


@pytest.mark.parametrize("shape", ["linear", "cosine"])
def test_the_rate_rises_to_its_peak_and_falls_towards_zero(shape):
    schedule = Schedule(2.0, epochs=1, warmup=0.2, shape=shape)
    rates = [schedule.rate(step, 20) for step in range(20)]
    assert rates[:4] == [0.5, 1.0, 1.5, 2.0]
    assert rates[4] == 2.0
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert 0 < rates[-1] < 0.2


def test_without_warm_up_the_first_step_has_the_full_rate():
    assert Schedule(1.0, warmup=0.0).rate(0, 10) == 1.0
    assert Schedule(1.0, warmup=0.1).rate(0, 1) == 1.0
