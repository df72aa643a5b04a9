"""Publishing: what happened is written in the transaction of the change itself."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty.outbox import doorbell, rules

_INSERT = text(
    """
    INSERT INTO loyalty.outbox (topic, aggregate, aggregate_seq, payload)
    SELECT :topic, aggregate, aggregate_seq, CAST(payload AS jsonb)
    FROM unnest(
        CAST(:aggregates AS text[]), CAST(:sequences AS bigint[]), CAST(:payloads AS text[])
    ) AS change (aggregate, aggregate_seq, payload)
    """
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
    """Publish all of `changes` with one statement; see `publish`."""
    listed = list(changes)
    if not listed:
        return
    for change in listed:
        rules.check_ids({"aggregate": change.aggregate, **change.payload})
    session.execute(
        _INSERT,
        {
            "topic": topic,
            "aggregates": [change.aggregate for change in listed],
            "sequences": [change.sequence for change in listed],
            "payloads": [json.dumps(dict(change.payload)) for change in listed],
        },
    )
    doorbell.ring_after_commit(session, doorbell.Bell("drain", topic))
