"""People and their roles: which may stand together is refused here, at assignment."""

from collections.abc import Iterable

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from loyalty import audit
from loyalty.staff.models import ROLES, UNIT_KINDS, OrganisationUnit, Staff, StaffRole
from loyalty.web import Caller, NotFound, Refused

VALUE_ROLES = frozenset(
    {
        *("support", "branch", "head_office", "marketing_maker", "marketing_checker"),
        *("budget_approver", "coupon_operations", "partner_manager", "finance", "data_officer"),
    }
)
"""Roles that can change what a customer has, or set in motion what does."""

_APART = ("security_admin", VALUE_ROLES), ("marketing_maker", frozenset({"marketing_checker"}))


def find_conflict(roles: Iterable[str]) -> tuple[str, str] | None:
    """Return two of `roles` that one person may not hold together, or None.

    Who hands out roles touches no value; who makes a campaign does not approve one.
    """
    held = frozenset(roles)
    for role, others in _APART:
        if role in held and (both := sorted(others & held)):
            return role, both[0]
    return None


def add_unit(
    session: Session, caller: Caller, kind: str, name: str, parent_id: int | None = None
) -> OrganisationUnit:
    """Add a unit (`head_office`, `branch` or `department`) under `parent_id`."""
    if kind not in UNIT_KINDS:
        raise Refused("unknown-unit-kind")
    unit = OrganisationUnit(kind=kind, name=name, parent_id=parent_id)
    session.add(unit)
    session.flush()
    audit.record(session, caller, "unit.added", "unit", unit.id, {"kind": kind})
    return unit


def add_staff(
    session: Session,
    caller: Caller,
    *,
    login: str,
    name: str,
    unit_id: int,
    roles: Iterable[str] = (),
) -> Staff:
    """Add a member of staff to a unit, with `roles`.

    Raises `Refused` with `roles-conflict`, `unknown-role` or `name-taken`.
    """
    taken = session.scalar(select(Staff.id).where(Staff.login == login))
    if taken is not None:
        raise Refused("name-taken")
    person = Staff(login=login, name=name, unit_id=unit_id)
    session.add(person)
    session.flush()
    audit.record(session, caller, "staff.added", "staff", person.id)
    for role in roles:
        grant_role(session, caller, person.id, role)
    return person


def grant_role(session: Session, caller: Caller, staff_id: int, role: str) -> None:
    """Give a member of staff one more role; nothing happens where they hold it.

    Raises `NotFound`, or `Refused` with `unknown-role` or `roles-conflict`.
    """
    if role not in ROLES:
        raise Refused("unknown-role")
    held = _lock_roles(session, staff_id)
    if role in held:
        return
    conflict = find_conflict({*held, role})
    if conflict is not None:
        first, second = conflict
        raise Refused(
            "roles-conflict",
            (
                f"{first} 与 {second} 不能由同一人担任。",
                f"One person may not hold {first} and {second}.",
            ),
        )
    session.add(StaffRole(staff_id=staff_id, role=role))
    session.flush()
    audit.record(session, caller, "staff.role_granted", "staff", staff_id, {"role": role})


def revoke_role(session: Session, caller: Caller, staff_id: int, role: str) -> None:
    """Take a role away; their tokens lose it within half a minute. Raises `NotFound`."""
    _lock_roles(session, staff_id)
    held = session.get(StaffRole, (staff_id, role))
    if held is None:
        raise NotFound
    session.delete(held)
    session.flush()
    audit.record(session, caller, "staff.role_revoked", "staff", staff_id, {"role": role})


def disable_staff(session: Session, caller: Caller, staff_id: int) -> None:
    """Refuse this member of staff from now on; their tokens die within half a minute."""
    statement = (
        update(Staff)
        .where(Staff.id == staff_id, Staff.disabled_at.is_(None))
        .values(disabled_at=func.now())
        .returning(Staff.id)
    )
    if session.execute(statement).first() is None:
        raise NotFound
    audit.record(session, caller, "staff.disabled", "staff", staff_id)


def find_staff(session: Session, login: str) -> Staff:
    """Return the member of staff who signs in as `login`; raises `NotFound`."""
    person = session.scalar(select(Staff).where(Staff.login == login))
    if person is None:
        raise NotFound
    return person


def roles_of(session: Session, staff_id: int) -> frozenset[str]:
    """Return the roles of a member of staff who may act; nobody else has any."""
    statement = (
        select(StaffRole.role)
        .join(Staff, Staff.id == StaffRole.staff_id)
        .where(Staff.id == staff_id, Staff.disabled_at.is_(None))
    )
    return frozenset(session.scalars(statement))


def names_of(session: Session, staff_ids: Iterable[int]) -> dict[int, str]:
    """Return the names of these members of staff by number."""
    statement = select(Staff.id, Staff.name).where(Staff.id.in_(list(staff_ids)))
    return {row.id: row.name for row in session.execute(statement)}


def is_active(session: Session, staff_id: int) -> bool:
    """Return whether this member of staff exists and is not disabled."""
    statement = select(Staff.id).where(Staff.id == staff_id, Staff.disabled_at.is_(None))
    return session.scalar(statement) is not None


def _lock_roles(session: Session, staff_id: int) -> frozenset[str]:
    """Return the roles held, and let nobody else change them until this transaction ends."""
    locked = select(Staff.id).where(Staff.id == staff_id).with_for_update(key_share=True)
    if session.scalar(locked) is None:
        raise NotFound
    held = select(StaffRole.role).where(StaffRole.staff_id == staff_id)
    return frozenset(session.scalars(held))
