"""Writing the trail: in the same transaction as the act, so neither exists without the other."""

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy.orm import Session

from loyalty.database import driver, write_last
from loyalty.web import Caller, ids

_ACTION = re.compile(r"[a-z][a-z_]*(?:\.[a-z][a-z_]*)+")
_INSERT = (
    "INSERT INTO loyalty.audit_events (actor_kind, actor_id, action, subject_type, subject_id,"
    " request_id, token_fingerprint, detail) VALUES (%s, %s, %s, %s, %s, %s, %s, %s::jsonb)"
)
_INSERT_MANY = (
    "INSERT INTO loyalty.audit_events (actor_kind, actor_id, action, subject_type, subject_id,"
    " request_id, token_fingerprint, detail) SELECT a->>0, a->>1, a->>2, a->>3, a->>4, a->>5,"
    " a->>6, (a->>7)::jsonb FROM json_array_elements(%s::json) AS a"
)
LONGEST_VALUE = 200


class Act(NamedTuple):
    """Who did what to whom; the fields are those of `record`."""

    caller: Caller
    action: str
    subject_type: str
    subject_id: int | str
    detail: Mapping[str, Any] | None = None


def record(
    session: Session,
    caller: Caller,
    action: str,
    subject_type: str,
    subject_id: int | str,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Write that `caller` did `action` to a subject; part of the transaction of `session`.

    `action` is dotted, noun first (`purchase.reported`). A number as `subject_id` becomes the
    public id of `subject_type` where that noun has a prefix. `detail` holds numbers, truths,
    short codes, ids and digests, or lists of them: never a name, a number to call, an address
    or free text of a person. Raises `ValueError` on an action or detail of another form.
    """
    row = _row(caller, action, subject_type, subject_id, detail)
    driver(session).execute(_INSERT, row)


def record_many(session: Session, acts: Sequence[Act]) -> None:
    """Write all of `acts`, right before the commit; see `record`."""
    if acts:
        write_last(session, _INSERT_MANY, [_row(*act) for act in acts])


def _row(
    caller: Caller,
    action: str,
    subject_type: str,
    subject_id: int | str,
    detail: Mapping[str, Any] | None,
) -> tuple[str | None, ...]:
    if not _ACTION.fullmatch(action):
        raise ValueError(f"{action!r} is no dotted action")
    prefix = ids.PREFIXES.get(subject_type)
    if isinstance(subject_id, int) and prefix is not None:
        subject_id = ids.encode(prefix, subject_id)
    return (
        str(caller.kind),
        caller.id,
        action,
        subject_type,
        str(subject_id),
        caller.request_id,
        caller.token_fingerprint,
        None if detail is None else _dump(detail),
    )


def _dump(detail: Mapping[str, Any]) -> str:
    for name, value in detail.items():
        for item in value if isinstance(value, list | tuple) else (value,):
            if isinstance(item, str) and len(item) > LONGEST_VALUE:
                raise ValueError(f"{name} is text, not a code")
            if not isinstance(item, str | int | None):
                raise ValueError(f"{name} is no plain value")
    return orjson.dumps(dict(detail)).decode()


class DenialLimit:
    """Lets so many denials a minute through for each token, so that refusals are no flood.

    Counted in this process: the bound of an installation is this times its worker processes.
    """

    PER_MINUTE = 10
    MOST_TOKENS = 10_000

    def __init__(self) -> None:
        """Begin with nothing counted."""
        self._minute = 0
        self._counts: dict[str, int] = {}

    def admits(self, token_fingerprint: str) -> bool:
        """Return whether one more denial of this token is to be kept, and count it."""
        minute = int(time.monotonic() // 60)
        if minute != self._minute or len(self._counts) >= self.MOST_TOKENS:
            self._minute, self._counts = minute, {}
        count = self._counts.get(token_fingerprint, 0) + 1
        self._counts[token_fingerprint] = count
        return count <= self.PER_MINUTE
