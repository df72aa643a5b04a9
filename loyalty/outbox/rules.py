"""Pure decisions: when to try again, when a period starts, what may stand in a payload."""

import re
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

BACKOFF = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
RUN_ATTEMPTS = 4

_ID = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Daily:
    """Once a day at `hour` (0-23) by the clocks of `zone`."""

    hour: int
    zone: str = "Asia/Shanghai"


Every = timedelta | Daily


class NotIds(ValueError):
    """A payload holds something that is no id; the message names the key, not the value."""


def period_start(now: datetime, every: Every) -> datetime:
    """Return the UTC instant at which the period that holds `now` started."""
    if isinstance(every, timedelta):
        return now - (now - _EPOCH) % every
    zone = ZoneInfo(every.zone)
    today = now.astimezone(zone).date()
    for day in (today, today - timedelta(days=1)):
        start = datetime(day.year, day.month, day.day, every.hour, tzinfo=zone).astimezone(UTC)
        if start <= now:
            return start
    raise AssertionError("yesterday's period has started")


def longest_pause(every: Every) -> timedelta:
    """Return how long a failed event of a schedule waits at most before it is tried again."""
    return max(every if isinstance(every, timedelta) else timedelta(days=1), BACKOFF[1])


def check_ids(payload: Mapping[str, Any]) -> None:
    """Accept ids, instants and flags; refuse what could describe a person.

    A text must be ASCII, at most 64 characters, without blanks or `@`, and hold a letter: so
    names in Chinese, addresses, e-mail addresses and telephone numbers written as text do not
    pass. Raises `NotIds`.
    """
    for key, value in payload.items():
        items = value if isinstance(value, list) else [value]
        if not _is_id(key) or not all(_is_id(item) for item in items):
            raise NotIds(f"payload {key!r} must be an id, an instant, a flag or a list of these")


def describe(error: BaseException) -> str:
    """Return the kind of `error` and where it arose, without its message.

    Messages of databases and parsers quote the values that they refused, and those may be
    personal.
    """
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename]
    where = (own or frames)[-1:]
    place = "".join(f" at {Path(frame.filename).name}:{frame.lineno}" for frame in where)
    return f"{type(error).__qualname__}{place}"


def _is_id(value: object) -> bool:
    if isinstance(value, str):
        return _ID.fullmatch(value) is not None
    return value is None or isinstance(value, (bool, int))
