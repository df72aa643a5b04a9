"""A campaign's own quiet hours and caps narrow what the house allows: in preview and at dispatch.

The preview says before what the gate decides later: deferred, by which rule; the decision says
until when. What would leave no hour at all is found when it is saved.
"""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from campaigns import rules
from loyalty.database import transaction
from tests.campaigns.builders import House


def decisions() -> list[Any]:
    with transaction() as session:
        return list(
            session.execute(
                text("SELECT verdict, primary_rule, defer_until, decided_at FROM loyalty.decisions")
            )
        )


def test_in_a_campaigns_quiet_hours_messages_wait_and_the_preview_said_so(house: House) -> None:
    house.agree("C-1")
    now = datetime.now(house.programme.zone)
    first, last = now - timedelta(hours=1), now + timedelta(hours=3)
    hours = {"from": first.hour, "until": last.hour}
    _, preview = house.run(quiet_hours=hours)
    assert (preview["deferred"], preview["sendable"]) == (1, 0)
    assert preview["fired"]["time.quiet-hours"] == 4
    assert house.dispatch().deferred == 1
    (one,) = decisions()
    assert (one.verdict, one.primary_rule) == ("DEFER", "time.quiet-hours")
    assert one.defer_until == last.replace(minute=0, second=0, microsecond=0)
    with transaction() as session:
        assert session.scalar(text("SELECT due_at FROM loyalty.send_queue")) == one.defer_until


def test_a_campaigns_cap_counts_what_others_sent(sending: House) -> None:
    house = sending
    house.agree("C-1")
    house.run(code="first")
    assert house.deliver() == 1
    _, preview = house.run(code="second", caps={"day": 1, "week": 1})
    assert (preview["deferred"], preview["fired"]["freq.cap"]) == (1, 1)
    assert house.dispatch().deferred == 1
    sent, capped = decisions()
    assert (capped.verdict, capped.primary_rule) == ("DEFER", "freq.cap")
    assert capped.defer_until == sent.decided_at + timedelta(days=7)  # the house says: one day


@pytest.mark.parametrize(
    ("hours", "rule"),
    [({"from": 8, "until": 21}, "schedule.quiet"), ({"from": 7, "until": 23}, "schedule.quiet")],
)
def test_hours_that_leave_none_are_found(house: House, hours: Any, rule: str) -> None:
    found = house.draft(quiet_hours=hours)["findings"]
    assert [(one["pointer"], one["rule"]) for one in found] == [("/quiet_hours", rule)]
    assert house.post_draft(quiet_hours={"from": 9, "until": 9}).status_code == 422


clocks = st.integers(0, 23).map("{:02}:00".format)
spans = st.lists(st.tuples(clocks, clocks), max_size=4)


@given(spans, st.integers(0, 23), st.integers(0, 59))
def test_what_is_open_is_what_no_quiet_span_covers(quiet: Any, hour: int, minute: int) -> None:
    clock = f"{hour:02}:{minute:02}"
    is_open = any(first <= clock < last for first, last in rules.open_hours(quiet))
    is_quiet = any(
        first <= clock < last if first <= last else clock >= first or clock < last
        for first, last in quiet
    )
    assert is_open != is_quiet
