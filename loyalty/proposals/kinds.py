"""Kinds of proposals: who may make one, who has to agree, and what happens then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from loyalty.staff.models import ROLES
from loyalty.web import Bilingual, Caller

if TYPE_CHECKING:
    from loyalty.proposals.queries import Proposal

Apply = Callable[[Session, Caller, "Proposal"], Mapping[str, Any] | None]
Refuse = Callable[[Session, Caller, "Proposal", str | None], None]
Look = Callable[[Session, str, Mapping[str, Any]], Any]


def _look_at_nothing(_session: Session, _subject_id: str, _content: Mapping[str, Any]) -> None:
    """See no state that could move: for what depends on nothing but its content."""


def _do_nothing(
    _session: Session, _caller: Caller, _proposal: Proposal, _comment: str | None
) -> None:
    """Leave a rejection at that."""


@dataclass(frozen=True, slots=True)
class Seat:
    """One agreement that is needed, by somebody with one of `roles`."""

    name: str
    roles: frozenset[str]

    @classmethod
    def of(cls, name: str, *roles: str) -> Seat:
        """Return the seat for holders of any of `roles`."""
        return cls(name, frozenset(roles))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What can be proposed under `name` (dotted, noun first) about one kind of subject.

    `apply` runs in the transaction of the last agreement, with the caller who gave it, and may
    return plain values to be kept as the result; a `Refused` of it undoes that agreement. `look`
    returns as JSON what the proposal was made in view of (subject's public id and content are
    given); where that has moved by the time of a decision, the proposal is stale. `refuse` runs
    with a rejection, and is given its comment: for what keeps rejections of its own.
    """

    name: str
    title: Bilingual
    makers: frozenset[str]
    seats: tuple[Seat, ...]
    apply: Apply
    look: Look = _look_at_nothing
    refuse: Refuse = _do_nothing
    can_withdraw: bool = True

    def __post_init__(self) -> None:
        """Refuse a kind that nobody could make or that would need nobody's agreement."""
        named = self.makers.union(*(seat.roles for seat in self.seats))
        if not (self.makers and self.seats and all(seat.roles for seat in self.seats)):
            raise ValueError(f"{self.name}: name makers and at least one seat")
        if unknown := named - set(ROLES):
            raise ValueError(f"{self.name}: no such roles: {sorted(unknown)}")

    @property
    def readers(self) -> frozenset[str]:
        """The roles that may read proposals of this kind."""
        return self.makers.union({"auditor", "compliance"}, *(seat.roles for seat in self.seats))


_KINDS: dict[str, Kind] = {}


def register(kind: Kind) -> Kind:
    """Make `kind` known and return it. Raises `ValueError` where its name is taken."""
    if _KINDS.setdefault(kind.name, kind) is not kind:
        raise ValueError(f"the kind {kind.name} is taken")
    return kind


def find_kind(name: str) -> Kind:
    """Return the kind called `name`. Raises `KeyError`."""
    return _KINDS[name]


def readable_by(roles: frozenset[str]) -> list[str]:
    """Return the names of the kinds that holders of `roles` may read."""
    return sorted(kind.name for kind in _KINDS.values() if kind.readers & roles)
