"""Pure decisions: which tier a score earns, when status points lapse, what a review changes.

No input or output here: ladder, state, score and instant in, steps out. Whatever is recorded of
a change suffices to take the decision again.
"""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import ledger
from loyalty.programmes import Programme

BASIC = "standard"
"""The code of every ladder's lowest tier: whoever has earned nothing else is there."""

ROLLING, CALENDAR, ANNIVERSARY = "rolling", "calendar", "anniversary"
WINDOWS = (ROLLING, CALENDAR, ANNIVERSARY)
DOWNGRADES = ("one", "basic")
MOST_TIERS = 12
YEAR = 12


@dataclass(frozen=True, slots=True)
class Tier:
    """One step of a ladder; `threshold` in status points."""

    code: str
    name_zh: str
    name_en: str
    threshold: int


@dataclass(frozen=True, slots=True)
class Ladder:
    """The tiers of a programme, lowest first, and the terms on which they are earned and kept.

    `window`: status points count for `window_months` (rolling), to the end of the calendar year,
    or to the next anniversary of joining. `grace_days` pass between falling short and falling;
    then one falls by `one` tier or to the `basic` of what the score earns. `version` is given by
    `create_ladder`.
    """

    tiers: tuple[Tier, ...]
    window: str = ROLLING
    window_months: int = YEAR
    grace_days: int = 90
    downgrade: str = "one"
    effective_from: datetime = ledger.AT_ONCE
    version: int = 0
    digest: bytes | None = None

    def rank(self, code: str) -> int:
        """Return where a tier stands, 0 for the lowest. Raises `KeyError`."""
        for rank, tier in enumerate(self.tiers):
            if tier.code == code:
                return rank
        raise KeyError(code)

    def reached(self, score: int) -> int:
        """Return the rank of the highest tier whose threshold `score` meets."""
        rank = 0
        for higher, tier in enumerate(self.tiers):
            if tier.threshold <= score:
                rank = higher
        return rank


@dataclass(frozen=True, slots=True)
class State:
    """What a customer has: the tier earned, and the tier assigned to them until an instant.

    They are in the higher of both. `valid_until`: kept at least until then, `met` being the
    threshold that this was earned with; `grace_until`: falls then unless the score is met before.
    """

    earned: str = BASIC
    valid_until: datetime | None = None
    met: int | None = None
    grace_until: datetime | None = None
    assigned: str | None = None
    assigned_until: datetime | None = None

    def is_assigned(self, ladder: Ladder) -> bool:
        """Whether the customer is in their tier by assignment rather than by score."""
        return self.assigned is not None and ladder.rank(self.assigned) > ladder.rank(self.earned)

    def tier(self, ladder: Ladder) -> str:
        """Return the tier that the customer is in."""
        if self.assigned is not None and self.is_assigned(ladder):
            return self.assigned
        return self.earned


@dataclass(frozen=True, slots=True)
class Case:
    """All that a decision depends on beside the state: who, when, under which terms, what score.

    Only a `review` may let a customer fall; anything else only lifts and keeps.
    """

    ladder: Ladder
    zone: ZoneInfo
    joined_at: datetime
    score: int
    at: datetime
    review: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One change of state, why, and the threshold that the score was held against."""

    reason: str
    before: State
    after: State
    threshold: int


def find_fault(ladder: Ladder, before: Ladder | None) -> tuple[str, str] | None:
    """Return why a ladder cannot follow `before` (None: it is the first), in both languages."""
    codes = [tier.code for tier in ladder.tiers]
    thresholds = [tier.threshold for tier in ladder.tiers]
    months_fit = 1 <= ladder.window_months <= 60
    checks = (
        (
            2 <= len(codes) <= MOST_TIERS and len(set(codes)) == len(codes),
            ("等级须为 2 至 12 个且代码不得重复", "take 2 to 12 tiers with different codes"),
        ),
        (
            codes[:1] == [BASIC] and thresholds[:1] == [0],
            ("最低一级须为 standard,门槛为 0", "the lowest tier is `standard`, with threshold 0"),
        ),
        (
            thresholds == sorted(set(thresholds)) and thresholds[-1:] <= [ledger.MAX_AMOUNT],
            ("门槛须逐级升高", "thresholds rise from tier to tier"),
        ),
        (
            ladder.window in WINDOWS and ladder.downgrade in DOWNGRADES,
            ("未知的评定周期或降级方式", "the window or the way down is unknown"),
        ),
        (
            months_fit and (ladder.window == ROLLING or ladder.window_months == YEAR),
            ("评定周期的月数不符", "the window's months do not fit"),
        ),
        (0 <= ladder.grace_days <= 730, ("宽限期须为 0 至 730 天", "grace is 0 to 730 days")),
        (
            before is None or _keeps(codes, [tier.code for tier in before.tiers]),
            ("新版本须保留原有等级及其次序", "a new version keeps the tiers and their order"),
        ),
        (
            before is None or ladder.effective_from >= before.effective_from,
            ("生效时间不得早于上一版本", "it takes effect no earlier than the version before"),
        ),
    )
    return next((fault for holds, fault in checks if not holds), None)


def _keeps(codes: list[str], earlier: list[str]) -> bool:
    return [code for code in codes if code in earlier] == earlier


def status_terms(
    ladder: Ladder, programme: Programme, member_joined_at: datetime, purchased_at: datetime
) -> ledger.Terms:
    """Return the terms of status points for a purchase: they lapse when the window is over.

    Always at a midnight of the programme's zone. A purchase whose window is over already gets
    an expiry in the past and so never counts.
    """
    zone = programme.zone
    day = _day(purchased_at, zone)
    if ladder.window == ROLLING:
        end = add_months(day, ladder.window_months) + timedelta(days=1)
    else:
        end = _year_end(ladder, _day(member_joined_at, zone), day)
    return ledger.Terms(expires_at=midnight(end, zone), digest=ladder.digest)


def settle(case: Case, state: State) -> list[Step]:
    """Return the steps that take `state` to where it belongs, in order; none if it is there."""
    steps: list[Step] = []
    while (step := _next_step(case, state)) is not None:
        steps.append(step)
        state = step.after
    return steps


def _next_step(case: Case, state: State) -> Step | None:
    ladder = case.ladder
    if state.assigned_until is not None and state.assigned_until <= case.at:
        return _step(
            case, "assignment-ended", state, replace(state, assigned=None, assigned_until=None)
        )
    rank, reached = ladder.rank(state.earned), ladder.reached(case.score)
    if reached > rank:
        return _rise(case, state, reached)
    if rank == 0:
        return None
    return _keep(case, state) if reached == rank else _fall(case, state, rank, reached)


def _rise(case: Case, state: State, rank: int) -> Step:
    after = _kept(case, replace(state, earned=case.ladder.tiers[rank].code))
    moved = after.tier(case.ladder) != state.tier(case.ladder)
    return _step(case, "upgraded" if moved else "earned-tier-rose", state, after)


def _keep(case: Case, state: State) -> Step | None:
    after = _kept(case, state)
    if state.grace_until is not None:
        return _step(case, "grace-ended-kept", state, after)
    valid, renewed = state.valid_until, after.valid_until
    if renewed is not None and (valid is None or valid < renewed):
        return _step(case, "renewed", state, after)
    return None


def _kept(case: Case, state: State) -> State:
    """Return `state` with its earned tier kept for as long as its score, met now, keeps it."""
    renewal = _renewal(case)
    threshold = case.ladder.tiers[case.ladder.rank(state.earned)].threshold
    return replace(
        state,
        valid_until=renewal,
        met=None if renewal is None else threshold,
        grace_until=None,
    )


def _fall(case: Case, state: State, rank: int, reached: int) -> Step | None:
    valid, met, grace = state.valid_until, state.met, state.grace_until
    end = _period_end(case)
    lost = met is not None and case.score < met
    if lost and end is not None and valid is not None and valid > end:
        # Within a year a score only sinks by a refund, so this year was not earned after all.
        # A ladder that got steeper takes nothing back: the threshold met then is what counts.
        return _step(case, "renewal-lost", state, replace(state, valid_until=end, met=None))
    if not case.review or (valid is not None and valid > case.at):
        return None
    if grace is None and case.ladder.grace_days > 0:
        until = midnight(
            _day(case.at, case.zone) + timedelta(days=case.ladder.grace_days + 1), case.zone
        )
        return _step(case, "grace-started", state, replace(state, grace_until=until))
    if grace is not None and grace > case.at:
        return None
    lower = rank - 1 if case.ladder.downgrade == "one" else reached
    after = replace(state, earned=case.ladder.tiers[lower].code, met=None, grace_until=None)
    if lower == 0:
        after = replace(after, valid_until=None)
    elif lower == reached:
        after = _kept(case, after)
    else:
        after = replace(after, valid_until=end)
    moved = after.tier(case.ladder) != state.tier(case.ladder)
    return _step(case, "downgraded" if moved else "earned-tier-fell", state, after)


def _step(case: Case, reason: str, before: State, after: State) -> Step:
    held_against = max(case.ladder.rank(before.earned), case.ladder.rank(after.earned))
    return Step(reason, before, after, case.ladder.tiers[held_against].threshold)


def _period_end(case: Case) -> datetime | None:
    """Return when the present year of the calendar or of membership ends; None if rolling."""
    if case.ladder.window == ROLLING:
        return None
    joined = _day(case.joined_at, case.zone)
    return midnight(_year_end(case.ladder, joined, _day(case.at, case.zone)), case.zone)


def _renewal(case: Case) -> datetime | None:
    """Return until when a tier is kept whose score is met now: to the end of the next year."""
    end = _period_end(case)
    if end is None:
        return None
    joined = _day(case.joined_at, case.zone)
    return midnight(_year_end(case.ladder, joined, _day(end, case.zone)), case.zone)


def _year_end(ladder: Ladder, joined: date, day: date) -> date:
    """Return the first day after the year of the calendar or of membership that holds `day`.

    The first year of membership reaches back a year before joining: the purchases by which
    somebody became a member count.
    """
    if ladder.window == CALENDAR:
        return date(day.year + 1, 1, 1)
    if add_months(joined, -YEAR) <= day < joined:
        return add_months(joined, YEAR)
    years = day.year - joined.year
    anniversary = add_months(joined, YEAR * years)
    return anniversary if anniversary > day else add_months(joined, YEAR * (years + 1))


def add_months(day: date, months: int) -> date:
    """Return the same day so many months later, or that month's last day where it is shorter."""
    year, month = divmod(day.year * YEAR + day.month - 1 + months, YEAR)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the UTC instant at which `day` begins in `zone`."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _day(instant: datetime, zone: ZoneInfo) -> date:
    return instant.astimezone(zone).date()


def dump_state(state: State) -> dict[str, Any]:
    """Return a state as JSON can hold it."""
    return {
        "earned": state.earned,
        "valid_until": _dump_instant(state.valid_until),
        "met": state.met,
        "grace_until": _dump_instant(state.grace_until),
        "assigned": state.assigned,
        "assigned_until": _dump_instant(state.assigned_until),
    }


def load_state(content: Mapping[str, Any]) -> State:
    """Return the state that `dump_state` wrote."""
    return State(
        earned=content["earned"],
        valid_until=_load_instant(content["valid_until"]),
        met=content["met"],
        grace_until=_load_instant(content["grace_until"]),
        assigned=content["assigned"],
        assigned_until=_load_instant(content["assigned_until"]),
    )


def _dump_instant(instant: datetime | None) -> str | None:
    return None if instant is None else instant.astimezone(UTC).isoformat()


def _load_instant(content: str | None) -> datetime | None:
    return None if content is None else datetime.fromisoformat(content)
