"""Status points lapse when their window is over, at a midnight of the programme's zone."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ledger
from loyalty.programmes import Programme
from loyalty.tiers.rules import Ladder, add_months, midnight, status_terms
from tests.tiers.conftest import ANNIVERSARY, CALENDAR, ROLLING

ZONES = ("Asia/Shanghai", "UTC", "America/New_York", "Asia/Kathmandu")
INSTANTS = st.integers(631_152_000, 4_102_444_800).map(lambda n: datetime.fromtimestamp(n, UTC))
HOUSE = ledger.House(1, 1, 1, 1, 1, 1)


def programme(zone: str = "Asia/Shanghai") -> Programme:
    return Programme(1, "p", "样例", "Sample", zone, "CNY", 1, 2, None, 0, HOUSE, HOUSE)


def expiry(
    ladder: Ladder, purchased_at: datetime, joined_at: datetime, zone: str = "Asia/Shanghai"
) -> datetime:
    return status_terms(ladder, programme(zone), joined_at, purchased_at).expires_at


def local(zone: str, *parts: int) -> datetime:
    return datetime(*parts, tzinfo=ZoneInfo(zone))  # type: ignore[misc,arg-type]


JOINED = local("Asia/Shanghai", 2024, 2, 29, 15)


@given(INSTANTS, INSTANTS, st.sampled_from(ZONES), st.sampled_from((ROLLING, CALENDAR)))
def test_a_lot_lapses_at_a_local_midnight_after_the_purchase(
    purchased_at: datetime, joined_at: datetime, zone: str, ladder: Ladder
) -> None:
    end = expiry(ladder, purchased_at, joined_at, zone)
    assert end > purchased_at
    assert end == midnight(end.astimezone(ZoneInfo(zone)).date(), ZoneInfo(zone))


@given(INSTANTS, st.integers(1, 36), st.sampled_from(ZONES))
def test_a_rolling_window_is_never_shorter_than_its_months_and_a_day_longer_at_most(
    purchased_at: datetime, months: int, zone: str
) -> None:
    day = purchased_at.astimezone(ZoneInfo(zone)).date()
    end = expiry(replace(ROLLING, window_months=months), purchased_at, JOINED, zone)
    assert end.astimezone(ZoneInfo(zone)).date() == add_months(day, months) + timedelta(days=1)


@given(INSTANTS, INSTANTS)
def test_all_purchases_of_one_calendar_year_lapse_together(one: datetime, other: datetime) -> None:
    zone = ZoneInfo("Asia/Shanghai")
    same_year = one.astimezone(zone).year == other.astimezone(zone).year
    together = expiry(CALENDAR, one, JOINED) == expiry(CALENDAR, other, JOINED)
    assert together == same_year


@given(INSTANTS, st.integers(0, 20_000))
def test_an_anniversary_window_ends_within_a_year_of_each_purchase_of_a_member(
    joined_at: datetime, hours: int
) -> None:
    purchased_at = joined_at + timedelta(hours=hours)
    end = expiry(ANNIVERSARY, purchased_at, joined_at)
    assert purchased_at < end <= purchased_at + timedelta(days=367)
    zone = ZoneInfo("Asia/Shanghai")
    joined, ends = joined_at.astimezone(zone).date(), end.astimezone(zone).date()
    assert ends in {add_months(joined, 12 * n) for n in range(1, 5)}


@pytest.mark.parametrize(
    ("purchased", "ends"),
    [
        ((2024, 2, 29, 12), date(2025, 3, 1)),  # the 28th is the last day that counts
        ((2023, 2, 28, 12), date(2024, 2, 29)),
        ((2026, 1, 1, 0), date(2027, 1, 2)),
        ((2025, 12, 31, 23, 59), date(2027, 1, 1)),
    ],
)
def test_twelve_months_over_leap_days_and_years(purchased: tuple[int, ...], ends: date) -> None:
    zone = ZoneInfo("Asia/Shanghai")
    assert expiry(ROLLING, local("Asia/Shanghai", *purchased), JOINED) == midnight(ends, zone)


def test_months_of_different_length_end_at_their_last_day() -> None:
    half_year = replace(ROLLING, window_months=6)
    end = expiry(half_year, local("Asia/Shanghai", 2026, 8, 31, 9), JOINED)
    assert end == local("Asia/Shanghai", 2027, 3, 1)


def test_the_year_ends_at_midnight_in_shanghai_and_not_in_greenwich() -> None:
    last_minute = datetime(2026, 12, 31, 15, 59, tzinfo=UTC)
    first_minute = datetime(2026, 12, 31, 16, 0, tzinfo=UTC)
    assert expiry(CALENDAR, last_minute, JOINED) == first_minute
    assert expiry(CALENDAR, first_minute, JOINED) == datetime(2027, 12, 31, 16, tzinfo=UTC)


def test_who_joined_on_a_leap_day_has_anniversaries_on_the_28th() -> None:
    end = expiry(ANNIVERSARY, local("Asia/Shanghai", 2024, 6, 1), JOINED)
    assert end == local("Asia/Shanghai", 2025, 2, 28)
    end = expiry(ANNIVERSARY, local("Asia/Shanghai", 2027, 6, 1), JOINED)
    assert end == local("Asia/Shanghai", 2028, 2, 29)


def test_the_purchase_by_which_somebody_joined_counts_in_the_first_year() -> None:
    end = expiry(ANNIVERSARY, local("Asia/Shanghai", 2024, 2, 27), JOINED)
    assert end == local("Asia/Shanghai", 2025, 2, 28)
    assert expiry(ANNIVERSARY, local("Asia/Shanghai", 2020, 6, 1), JOINED) < JOINED


def test_a_lot_carries_the_hash_of_its_ladder() -> None:
    ladder = replace(ROLLING, digest=b"terms")
    assert status_terms(ladder, programme(), JOINED, JOINED).digest == b"terms"
