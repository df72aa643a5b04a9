"""What a tier allows and in which period a use counts, decided without I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

PERIODS = ("month", "quarter", "year", "ever")
KINDS = ("service", "lane", "event", "goods")


@dataclass(frozen=True, slots=True)
class Allowance:
    """Uses of a benefit that a customer has in a period (None: any number), guests a use."""

    quota: int | None
    guests: int


def allowance_of(tiers: dict[str, Any], tier: str, granted: int) -> Allowance | None:
    """Return what a tier allows together with `granted` uses beside it, or None for nothing."""
    terms = tiers.get(tier)
    if terms is None:
        return Allowance(granted, 0) if granted else None
    quota = terms["quota"]
    return Allowance(None if quota is None else quota + granted, terms.get("guests", 0))


def period_of(period: str, at: datetime, zone: ZoneInfo) -> str:
    """Return the name of the period that `at` falls in: `2026-11`, `2026-Q4`, `2026` or `ever`."""
    day = at.astimezone(zone).date()
    match period:
        case "month":
            return f"{day.year:04}-{day.month:02}"
        case "quarter":
            return f"{day.year:04}-Q{(day.month + 2) // 3}"
        case "year":
            return f"{day.year:04}"
        case _:
            return "ever"


def period_end(period: str, at: datetime, zone: ZoneInfo) -> datetime | None:
    """Return the midnight at which the period of `at` is over, or None if it never is."""
    day = at.astimezone(zone).date()
    match period:
        case "month":
            first = _month(day.year, day.month + 1)
        case "quarter":
            first = _month(day.year, (day.month + 2) // 3 * 3 + 1)
        case "year":
            first = date(day.year + 1, 1, 1)
        case _:
            return None
    return datetime.combine(first, time(), zone)


def _month(year: int, month: int) -> date:
    return date(year + (month - 1) // 12, (month - 1) % 12 + 1, 1)
