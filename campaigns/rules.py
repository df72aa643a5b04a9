"""What a campaign decides without looking anything up: who is in which arm, and what is bound."""

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import ledger

TYPES = ("service", "points_bonus", "coupon", "prize_draw", "product_information")
CHANNELS = ("in_app", "email", "sms")
LANGUAGES = ("zh", "en")
CONTROL = "control"
PARTS = 10_000
"""Into so many parts the hash divides everybody: a hundredth of a percent each."""
MOST_CONTROL = 5_000

PREVIEW_LIFE = timedelta(hours=24)
APPROVAL_LIFE = timedelta(days=30)
BUNDLE = "quanyi.campaign/1"


@dataclass(frozen=True, slots=True)
class Arm:
    """A variant and its share of those who are not in the control group."""

    name: str
    weight: int


def part_of(salt: bytes, customer_id: int) -> int:
    """Return in which of `PARTS` parts a customer is; the same for ever under one salt.

    The first 32 bits of a SHA-256: so the shares are right to less than a millionth.
    """
    hashed = hashlib.sha256(salt + customer_id.to_bytes(8, "big")).digest()
    return int.from_bytes(hashed[:4], "big") % PARTS


def arm_of(part: int, control: int, arms: Sequence[Arm]) -> str:
    """Return the arm that a part of the audience is in: the control group, or a variant."""
    bounds = arm_bounds(control, arms)
    return next(name for name, bound in bounds if part < bound)


def arm_bounds(control: int, arms: Sequence[Arm]) -> list[tuple[str, int]]:
    """Return each arm with the first part that is beyond it, in order; the last is `PARTS`."""
    rest = PARTS - control
    whole = sum(arm.weight for arm in arms)
    bounds, taken = [(CONTROL, control)], 0
    for arm in arms:
        taken += arm.weight
        bounds.append((arm.name, control + rest * taken // whole))
    return bounds


def digest_version(campaign: str, version: int, document: Mapping[str, Any]) -> bytes:
    """Return the SHA-256 of a version of a campaign, with all that was frozen into it."""
    return hashlib.sha256(ledger.dump_json([BUNDLE, campaign, version, document]).encode()).digest()


def digest_bundle(version: str, preview: str, counts: Mapping[str, Any], pack: str) -> bytes:
    """Return the SHA-256 of what is approved: the version, its preview and the policy pack."""
    return hashlib.sha256(
        ledger.dump_json([BUNDLE, version, preview, counts, pack]).encode()
    ).digest()


def hours_of(hours: Mapping[str, int]) -> tuple[str, str]:
    """Return a campaign's quiet hours as the gate reads them."""
    return f"{hours['from']:02}:00", f"{hours['until']:02}:00"


def open_hours(quiet: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the spans of a day, from `00:00` to `24:00`, that are in none of the quiet ones.

    A quiet span that begins after it ends lies over midnight; one that ends as it begins is none.
    """
    cuts = sorted({"00:00", "24:00", *(at for span in quiet for at in span)})
    spans = [*itertools.pairwise(cuts)]
    return [span for span in spans if not any(_is_within(span[0], *hours) for hours in quiet)]


def _is_within(clock: str, first: str, last: str) -> bool:
    if first <= last:
        return first <= clock < last
    return clock >= first or clock < last


def prize_cost(prize: Mapping[str, Any]) -> int:
    """Return what one prize draws from the budget: its points, or its published value."""
    gives: Mapping[str, Any] = prize.get("gives") or {}
    return int(gives.get("points", prize["value"] if "coupon" in gives else 0))


def prizes_cost(document: Mapping[str, Any]) -> int:
    """Return what all prizes that we give ourselves draw from the budget."""
    prizes = (document.get("draw") or {}).get("prizes", ())
    return sum(prize["count"] * prize_cost(prize) for prize in prizes)


def is_fresh(previewed_at: datetime, now: datetime) -> bool:
    """Return whether a preview is young enough to rely on."""
    return now - previewed_at <= PREVIEW_LIFE
