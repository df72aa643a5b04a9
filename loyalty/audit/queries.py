"""Reading the trail."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from loyalty.audit.models import AuditEvent


def list_events(
    session: Session,
    *,
    before: int | None,
    limit: int,
    actor_id: str | None = None,
    subject_type: str | None = None,
    subject_id: str | None = None,
) -> Sequence[AuditEvent]:
    """Return up to `limit` events, newest first, whose id is below `before`."""
    statement = select(AuditEvent).order_by(AuditEvent.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(AuditEvent.id < before)
    for column, value in (
        (AuditEvent.actor_id, actor_id),
        (AuditEvent.subject_type, subject_type),
        (AuditEvent.subject_id, subject_id),
    ):
        if value is not None:
            statement = statement.where(column == value)
    return session.scalars(statement).all()


def find_last(
    session: Session, subject_type: str, subject_id: str, action: str
) -> AuditEvent | None:
    """Return the last time that this was done to a subject, if it ever was."""
    statement = (
        select(AuditEvent)
        .where(
            AuditEvent.subject_type == subject_type,
            AuditEvent.subject_id == subject_id,
            AuditEvent.action == action,
        )
        .order_by(AuditEvent.id.desc())
        .limit(1)
    )
    return session.scalars(statement).one_or_none()


LOOKED = ("customer.revealed", "customer.data_downloaded", "customer.opened")


def list_looks(
    session: Session, subject_type: str, subject_id: str, limit: int
) -> Sequence[AuditEvent]:
    """Return who read a subject lately, newest first."""
    statement = (
        select(AuditEvent)
        .where(
            AuditEvent.subject_type == subject_type,
            AuditEvent.subject_id == subject_id,
            AuditEvent.action.in_(LOOKED),
        )
        .order_by(AuditEvent.id.desc())
        .limit(limit)
    )
    return session.scalars(statement).all()
