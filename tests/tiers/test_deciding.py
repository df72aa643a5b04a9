"""Whatever the score and the state: a decision comes to rest, lifts rightly, and is fair."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from loyalty.tiers.models import REASONS
from loyalty.tiers.rules import Case, Ladder, State, dump_state, load_state, settle
from loyalty.tiers.wording import REASONS as WORDS
from tests.tiers.conftest import ANNIVERSARY, CALENDAR, ROLLING, TIERS

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 6, 15, 4, tzinfo=UTC)
CODES = [tier.code for tier in TIERS]

nearby = st.none() | st.integers(-900, 900).map(lambda days: NOW + timedelta(days=days))
ladders = st.builds(
    replace,
    st.sampled_from((ROLLING, CALENDAR, ANNIVERSARY)),
    grace_days=st.sampled_from((0, 1, 90)),
    downgrade=st.sampled_from(("one", "basic")),
)
cases = st.builds(
    Case,
    ladder=ladders,
    zone=st.just(ZONE),
    joined_at=st.integers(0, 2000).map(lambda days: NOW - timedelta(days=days)),
    score=st.integers(0, 30_000),
    at=st.just(NOW),
    review=st.booleans(),
)


@st.composite
def states(draw: st.DrawFn) -> State:
    until = draw(nearby)
    earned = draw(st.sampled_from(CODES))
    if earned == "standard":
        return State(
            assigned=None if until is None else draw(st.sampled_from(CODES[1:])),
            assigned_until=until,
        )
    return State(
        earned=earned,
        valid_until=draw(nearby),
        met=draw(st.none() | st.sampled_from([tier.threshold for tier in TIERS])),
        grace_until=draw(nearby),
        assigned=None if until is None else draw(st.sampled_from(CODES[1:])),
        assigned_until=until,
    )


def end(case: Case, state: State) -> State:
    steps = settle(case, state)
    return steps[-1].after if steps else state


@given(cases, states())
def test_a_decision_comes_to_rest_and_chains(case: Case, state: State) -> None:
    steps = settle(case, state)
    for earlier, later in pairwise(steps):
        assert earlier.after == later.before
    assert settle(case, end(case, state)) == []
    assert all(step.reason in REASONS for step in steps)


@given(cases, states())
def test_nobody_is_left_below_what_the_score_earns(case: Case, state: State) -> None:
    final = end(case, state)
    ladder = case.ladder
    assert ladder.rank(final.earned) >= ladder.reached(case.score)
    assert ladder.rank(final.tier(ladder)) >= ladder.rank(final.earned)


@given(cases, states())
def test_only_a_review_lets_fall_and_never_further_than_the_ladder_says(
    case: Case, state: State
) -> None:
    ladder, before = case.ladder, case.ladder.rank(state.earned)
    after = ladder.rank(end(case, state).earned)
    if not case.review:
        assert after >= before
    elif after < before and ladder.downgrade == "basic":
        assert after == ladder.reached(case.score)
    elif after < before and ladder.grace_days:
        assert after == max(before - 1, ladder.reached(case.score))


@given(cases, states())
def test_with_grace_nobody_falls_unwarned(case: Case, state: State) -> None:
    falls = case.ladder.rank(end(case, state).earned) < case.ladder.rank(state.earned)
    if falls and case.ladder.grace_days:
        assert state.grace_until is not None
        assert state.grace_until <= case.at


@given(cases, states())
def test_nobody_falls_before_the_day_to_which_the_tier_is_kept(case: Case, state: State) -> None:
    kept = state.valid_until is not None and state.valid_until > case.at
    if kept and (state.met is None or case.score >= state.met):
        reasons = {step.reason for step in settle(case, state)}
        assert not reasons & {"grace-started", "downgraded", "earned-tier-fell", "renewal-lost"}


@given(cases, states())
def test_no_assignment_outlives_its_end(case: Case, state: State) -> None:
    final = end(case, state)
    assert final.assigned_until is None or final.assigned_until > case.at
    still = state.assigned_until is not None and state.assigned_until > case.at
    assert (final.assigned is not None) == still


@given(states())
def test_a_state_reads_back_as_it_was_written(state: State) -> None:
    assert load_state(dump_state(state)) == state


@given(st.integers(0, 30_000))
def test_the_highest_threshold_met_counts(score: int) -> None:
    ladder: Ladder = ROLLING
    rank = ladder.reached(score)
    assert ladder.tiers[rank].threshold <= score
    assert all(tier.threshold > score for tier in ladder.tiers[rank + 1 :])


def test_a_steeper_ladder_takes_back_no_year_that_was_earned() -> None:
    state = State("gold", valid_until=datetime(2027, 12, 31, 16, tzinfo=UTC), met=1_000)
    steeper = replace(CALENDAR, tiers=(TIERS[0], replace(TIERS[1], threshold=1_500), *TIERS[2:]))
    for score, reasons in ((1_000, []), (999, ["renewal-lost"])):
        case = Case(steeper, ZONE, NOW, score, NOW, review=True)
        assert [step.reason for step in settle(case, state)] == reasons


def test_every_reason_has_words() -> None:
    assert set(WORDS) == set(REASONS)
