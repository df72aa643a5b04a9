"""Pure decisions: exact shares, and when an outlet is open."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MIDNIGHT = "24:00"
_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00")

Hours = Mapping[str, Sequence[Sequence[str]]]


def split(amount: int, weights: Sequence[int]) -> list[int]:
    """Return `amount` in whole parts in proportion to `weights`, to the last unit.

    By largest remainder; of equal remainders the earlier part gets the unit. Raises `ValueError`
    on negative numbers and where all weights are 0.
    """
    total = sum(weights)
    if amount < 0 or total <= 0 or min(weights) < 0:
        raise ValueError("shares need an amount and weights that are not negative")
    parts = [amount * weight // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: -(amount * weights[i] % total))
    for place in by_remainder[: amount - sum(parts)]:
        parts[place] += 1
    return parts


def is_open_at(hours: Hours | None, zone: str, at: datetime) -> bool:
    """Return whether an outlet with these opening hours is open at `at`; None is always.

    Hours past midnight are written as two: until 24:00, and from 00:00 of the next day.
    """
    if hours is None:
        return True
    there = at.astimezone(ZoneInfo(zone))
    time = f"{there:%H:%M}"
    return any(begin <= time < end for begin, end in hours.get(WEEKDAYS[there.weekday()], ()))


def are_hours(hours: Mapping[str, Sequence[Sequence[str]]]) -> bool:
    """Return whether `hours` are opening hours: known days, times in order, no overlaps."""
    return set(hours) <= set(WEEKDAYS) and all(_is_day(day) for day in hours.values())


def _is_day(spans: Sequence[Sequence[str]]) -> bool:
    if any(len(span) != 2 for span in spans):
        return False
    times = [time for span in spans for time in span]
    in_order = all(
        before < after if place % 2 == 0 else before <= after
        for place, (before, after) in enumerate(pairwise(times))
    )
    return in_order and all(_TIME.fullmatch(time) for time in times)
