"""Publishing: what happened is written in the transaction of the change itself."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from loyalty.database import write_last
from loyalty.outbox import doorbell, rules

_INSERT = (
    "INSERT INTO loyalty.outbox (topic, aggregate, aggregate_seq, payload)"
    " SELECT topic, aggregate, sequence, payload FROM json_to_recordset(%s::json)"
    " AS change (topic text, aggregate text, sequence bigint, payload jsonb)"
)


class Change(NamedTuple):
    """What changed: the aggregate (as `customer:17`), ids that say more, its own sequence."""

    aggregate: str
    payload: Mapping[str, Any]
    sequence: int = 0


def publish(
    session: Session, topic: str, aggregate: str, payload: Mapping[str, Any], sequence: int = 0
) -> None:
    """Tell the subscribers of `topic`, once this transaction is durable and never otherwise.

    Raises `NotIds` where the payload holds more than ids.
    """
    publish_many(session, topic, [Change(aggregate, payload, sequence)])


def publish_many(session: Session, topic: str, changes: Iterable[Change]) -> None:
    """Publish all of `changes`, written right before the commit; see `publish`."""
    listed = list(changes)
    if not listed:
        return
    for change in listed:
        rules.check_ids({"aggregate": change.aggregate, **change.payload})
    rows = [{"topic": topic, **change._asdict()} for change in listed]
    write_last(session, _INSERT, rows)
    doorbell.ring_after_commit(session, doorbell.Bell("drain", topic))
