"""A schedule rings once per period, however many schedulers look at the clock."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from loyalty.database import transaction
from loyalty.outbox import Daily, jobs, queries, registry, rules, scheduling
from tests.outbox.conftest import earn
from tests.servers import Database

INSTANTS = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def test_three_schedulers_start_one_run_per_period(effects: Database) -> None:
    together = Barrier(3)

    def schedule(_: int) -> int:
        together.wait()
        with transaction() as session:
            return len(scheduling.tick(session))

    for period in (1, 2):
        with ThreadPoolExecutor(3) as pool:
            assert sum(pool.map(schedule, range(3))) == 1
        jobs.drain("expiry.daily")
        with transaction() as session:
            found = queries.runs(session, kind="expiry")
            assert len(found) == period
            assert found[0].arguments["period"].endswith("T18:00:00.000000Z")
            session.execute(
                text("UPDATE loyalty.schedules SET period_at = period_at - interval '1 day'")
            )


def test_a_schedule_does_not_pile_up_while_nobody_works(effects: Database) -> None:
    earn(range(1), "expiry.daily")
    with transaction() as session:
        assert scheduling.tick(session) == []
    jobs.drain("expiry.daily")
    with transaction() as session:
        assert scheduling.tick(session) == ["expiry.daily"]


def test_a_schedule_that_failed_is_tried_again_within_its_period(
    effects: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry._schedules, "expiry.daily", timedelta(minutes=10))
    jobs.tick()
    with transaction() as session:
        session.execute(text("UPDATE loyalty.outbox SET not_before = now() + interval '20 hours'"))
    jobs.tick()
    with transaction() as session:
        wait = "SELECT not_before - clock_timestamp() FROM loyalty.outbox"
        assert session.execute(text(wait)).scalar_one() <= timedelta(minutes=10)


def test_a_clock_that_goes_back_rings_nothing_twice(effects: Database) -> None:
    jobs.tick()
    with transaction() as session:
        session.execute(text("UPDATE loyalty.schedules SET period_at = now() + interval '1 day'"))
        session.execute(text("UPDATE loyalty.outbox SET done_at = now()"))
    with transaction() as session:
        assert scheduling.tick(session) == []


@pytest.mark.parametrize(
    ("now", "every", "start"),
    (
        ("2026-11-22T17:59:59", Daily(2), "2026-11-21T18:00:00"),
        ("2026-11-22T18:00:00", Daily(2), "2026-11-22T18:00:00"),
        ("2028-03-01T00:00:00", Daily(2), "2028-02-29T18:00:00"),
        ("2026-11-22T10:07:31", timedelta(minutes=5), "2026-11-22T10:05:00"),
        ("2026-03-29T05:00:00", Daily(2, "Europe/Berlin"), "2026-03-29T01:00:00"),
        ("2026-10-25T05:00:00", Daily(2, "Europe/Berlin"), "2026-10-25T00:00:00"),
    ),
)
def test_periods_start_where_the_zone_s_clocks_say(
    now: str, every: rules.Every, start: str
) -> None:
    found = rules.period_start(datetime.fromisoformat(f"{now}+00:00"), every)
    assert found == datetime.fromisoformat(f"{start}+00:00")


@given(INSTANTS, st.integers(0, 23), st.sampled_from(("Asia/Shanghai", "Europe/Berlin", "UTC")))
def test_a_day_s_period_has_started_and_is_no_older_than_a_day(
    now: datetime, hour: int, zone: str
) -> None:
    start = rules.period_start(now, Daily(hour, zone))
    assert timedelta(0) <= now - start <= timedelta(hours=25)
    assert rules.period_start(start, Daily(hour, zone)) == start


@given(INSTANTS, st.integers(1, 100_000))
def test_a_period_is_its_own_start(now: datetime, seconds: int) -> None:
    every = timedelta(seconds=seconds)
    start = rules.period_start(now, every)
    assert timedelta(0) <= now - start < every
    assert rules.period_start(start, every) == start


def test_two_schedules_of_one_name_are_refused(registered: None) -> None:
    with pytest.raises(registry.AlreadyRegistered):
        registry.scheduled("expiry.daily", every=timedelta(days=1))(lambda session, event: None)
