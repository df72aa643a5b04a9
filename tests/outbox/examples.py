"""What a slice registers in its `jobs` module, small enough to test the outbox with."""

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import outbox
from loyalty.database import transaction

EFFECTS = """
CREATE TABLE loyalty.effects (subject text NOT NULL, consumer text NOT NULL);
CREATE TABLE loyalty.items (id bigint PRIMARY KEY, done_by bigint);
GRANT SELECT, INSERT ON loyalty.effects TO quanyi_app;
GRANT SELECT, INSERT, UPDATE ON loyalty.items TO quanyi_app;
"""
CHUNK = 10


def leave_effect(session: Session, subject: str, consumer: str) -> None:
    """Do what must happen once."""
    session.execute(
        text("INSERT INTO loyalty.effects VALUES (:subject, :consumer)"),
        {"subject": subject, "consumer": consumer},
    )


def effects(*consumers: str) -> list[tuple[str, str]]:
    """Return every effect that lasted, or those of `consumers`."""
    with transaction() as session:
        rows = session.execute(
            text(
                "SELECT subject, consumer FROM loyalty.effects"
                " WHERE consumer = ANY(:consumers) OR :all ORDER BY 1, 2"
            ),
            {"consumers": list(consumers), "all": not consumers},
        )
        return [(row.subject, row.consumer) for row in rows]


def count_effects(*consumers: str) -> int:
    """Return how many effects lasted, or how many of `consumers`."""
    return len(effects(*consumers))


def register() -> None:
    """Register the examples, in this process or in one that a test starts."""
    outbox.subscriber("points.earned")(tell_customer)
    outbox.subscriber("points.earned")(count_for_tier)
    outbox.subscriber("always.fails")(fail)
    outbox.job("sms.due", lease=timedelta(seconds=5))(send_sms)
    outbox.scheduled("expiry.daily", every=outbox.Daily(hour=2))(start_expiry)
    outbox.work("expiry", lease=timedelta(seconds=5))(expire_chunk)
    outbox.work("grant", lease=timedelta(seconds=5))(expire_chunk)
    outbox.work("breaks")(break_chunk)


def tell_customer(session: Session, event: outbox.Event) -> None:
    session.execute(text("SELECT pg_sleep(0.002)"))  # long enough to be killed in
    leave_effect(session, event.aggregate, "tell")


def count_for_tier(session: Session, event: outbox.Event) -> None:
    leave_effect(session, event.aggregate, "tier")


def fail(session: Session, event: outbox.Event) -> None:
    leave_effect(session, event.aggregate, "fail")
    raise ValueError("王小明 13800138000")


def send_sms(event: outbox.Event) -> None:
    with transaction() as session:
        leave_effect(session, f"sms:{event.id}", "sms")


def start_expiry(session: Session, event: outbox.Event) -> None:
    outbox.start_run(session, "expiry", event.payload, created_by=event.aggregate)


def expire_chunk(session: Session, run: outbox.Run) -> outbox.Progress:
    after = (run.cursor or {"after": 0})["after"]
    ids = session.scalars(
        text("SELECT id FROM loyalty.items WHERE id > :after ORDER BY id LIMIT :chunk"),
        {"after": after, "chunk": CHUNK},
    ).all()
    if not ids:
        return outbox.Done()
    for item in ids:
        session.execute(
            text("UPDATE loyalty.items SET done_by = :run WHERE id = :id"),
            {"run": run.id, "id": item},
        )
        leave_effect(session, f"item:{item}", run.kind)
    return outbox.Progress(done=len(ids), cursor={"after": ids[-1]})


def break_chunk(session: Session, run: outbox.Run) -> outbox.Progress:
    leave_effect(session, f"run:{run.id}", "breaks")
    raise ValueError("王小明 13800138000")
