"""Property: after any history, consent stands only where a naive model of the history says so.

The model keeps the list of what was said and answers each question from the whole list.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from loyalty import consent
from loyalty.commands import main
from loyalty.consent.rules import Event, add_months, fold
from loyalty.database import transaction
from tests.consent.builders import CALLER, NOW, World, publish, say, snapshot
from tests.servers import Database

MONTHS = 24
ACTIONS = st.sampled_from(["GRANT", "REFUSE", "WITHDRAW", "CONFIRM", "EXPIRE", "IMPORT", "REOPEN"])


@dataclass(frozen=True)
class Said:
    """One event of a history, as the model sees it."""

    action: str
    at: datetime
    by_form: bool = False


def allows(history: Sequence[Said], now: datetime) -> bool:
    """Return whether consent stands, by looking back over all that was ever said."""
    agreed = [place for place, said in enumerate(history) if counts(history, place)]
    if not agreed:
        return False
    last = agreed[-1]
    after = history[last + 1 :]
    if any(said.action in ("REFUSE", "WITHDRAW", "EXPIRE") for said in after):
        return False
    confirmed = [said.at for said in after if said.action == "CONFIRM"]
    if history[last].by_form and not confirmed:
        return False
    return max(add_months(at, MONTHS) for at in (history[last].at, *confirmed)) > now


def counts(history: Sequence[Said], place: int) -> bool:
    """Return whether an agreement was worth something when it came."""
    said, before = history[place], history[:place]
    if said.action not in ("GRANT", "IMPORT"):
        return False
    refusals = [one.at for one in before if one.action in ("REFUSE", "WITHDRAW")]
    if refusals and (said.action == "IMPORT" or said.at <= max(refusals)):
        return False
    return not (said.action == "IMPORT" and stands_already(before))


def stands_already(history: Sequence[Said]) -> bool:
    """Return whether an import would come on top of a consent that was given to us."""
    agreed = [place for place in range(len(history)) if counts(history, place)]
    if not agreed:
        return False
    after = history[agreed[-1] + 1 :]
    ended = any(said.action in ("REFUSE", "WITHDRAW", "EXPIRE") for said in after)
    pending = history[agreed[-1]].by_form and not any(s.action == "CONFIRM" for s in after)
    return not ended and not pending


HISTORIES = st.lists(
    st.builds(
        Said, ACTIONS, st.integers(0, 1200).map(lambda d: NOW - timedelta(days=d)), st.booleans()
    ),
    max_size=12,
)


@given(HISTORIES)
@settings(max_examples=400, deadline=None)
def test_the_state_allows_only_what_the_model_allows(history: list[Said]) -> None:
    state = None
    for seq, said in enumerate(history, 1):
        by_form = said.by_form and said.action == "GRANT"
        mechanism = "SELF_FORM" if by_form else "BRANCH"
        state = fold(state, Event(seq, said.action, said.at, mechanism), MONTHS)
    plain = [Said(s.action, s.at, s.by_form and s.action == "GRANT") for s in history]
    stands = (
        state is not None
        and state.status == "GRANTED"
        and state.expires_at is not None
        and state.expires_at > NOW
    )
    assert stands == allows(plain, NOW)


@pytest.mark.parametrize("seed", range(4))
def test_in_the_database_too_where_notices_change_and_channels_are_refused(
    world: World, seed: int
) -> None:
    """The gate's question has the model's answer after every step, and after a rebuild."""
    chosen = random.Random(seed)
    history: list[Said] = []
    notice, started = world.notices["offers"].id, 0
    for step in range(25):
        action = chosen.choice(["GRANT", "GRANT", "IMPORT", "REFUSE", "WITHDRAW", "REOPEN", "NEW"])
        at = NOW - timedelta(hours=chosen.randrange(1, 500))
        if action == "NEW":
            with transaction() as session:
                notice = publish(session, world.offers, effective_from=NOW - timedelta(999)).id
            started = len(history)
        elif action == "WITHDRAW":
            with transaction() as session:
                consent.withdraw(
                    session,
                    CALLER,
                    [world.wang],
                    channel="SMS",
                    mechanism="SMS_REPLY",
                    source="sms",
                    reference=f"w-{step}",
                    occurred_at=at,
                )
            history.append(Said("WITHDRAW", at))
        else:
            agrees = action in ("GRANT", "IMPORT")
            say(world, action, occurred_at=at, notice_id=notice if agrees else None)
            history.append(Said(action, at))
        found = snapshot(world.wang)
        stands = found.standing.is_granted and not found.channel_refused
        assert stands == (allows(history, NOW) and is_anew(history, started))
    assert rebuilt() == 0


def is_anew(history: Sequence[Said], started: int) -> bool:
    """Return whether what stands was agreed to since the notice changed in substance."""
    agreed = [place for place in range(len(history)) if counts(history, place)]
    return bool(agreed) and agreed[-1] >= started


def rebuilt() -> int:
    """Rebuild all states by the command and return its exit code."""
    return CliRunner().invoke(main, ["consent", "rebuild"]).exit_code


def test_a_rebuild_finds_and_mends_a_state_that_its_events_do_not_come_to(
    world: World, database: Database
) -> None:
    say(world, "WITHDRAW")
    say(world, "GRANT", world.li)
    with transaction() as session:
        session.execute(
            text("UPDATE loyalty.consent_states SET status = 'GRANTED' WHERE customer_id = :id"),
            {"id": world.wang},
        )
    assert rebuilt() == 1
    assert snapshot(world.wang).standing.status == "WITHDRAWN"
    with transaction() as session:
        session.execute(text("DELETE FROM loyalty.consent_states"))
    assert rebuilt() == 1
    assert rebuilt() == 0
    assert snapshot(world.li).standing.is_granted
