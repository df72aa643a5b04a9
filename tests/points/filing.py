"""Files of purchases, and taking them in."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Row, text

from loyalty import outbox
from loyalty.database import transaction
from loyalty.points import intake, jobs
from tests.points.builders import World

HEADER = ("customer", "day", "amount")
LAYOUT: dict[str, Any] = {
    "columns": {"customer": "customer", "purchased_at": "day", "amount": "amount"}
}
ROWS = [
    ("00001", "2026-01-02", "12.30"),
    ("00002", "2026-01-03", "99.99"),
    ("00001", "2026-02-01", "5"),
]


def csv_text(rows: Iterable[Sequence[str]], header: Sequence[str] = HEADER) -> str:
    written = io.StringIO(newline="")
    csv.writer(written).writerows([header, *rows])
    return written.getvalue()


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def stage(
    world: World,
    path: Path,
    layout: dict[str, Any] = LAYOUT,
    source: str = "pos",
    register_unknown: bool = False,
) -> Row[Any]:
    with transaction() as session:
        number = intake.open_import(
            session,
            world.programme,
            source=source,
            layout=layout,
            register_unknown=register_unknown,
            created_by="job:test",
        )
        return intake.stage(session, number, path)


def begin(import_id: int) -> int:
    with transaction() as session:
        return intake.begin(session, import_id, created_by="job:test")


def apply(import_id: int) -> Row[Any]:
    begin(import_id)
    return finish(import_id)


def finish(import_id: int) -> Row[Any]:
    """Work on an import until its run ends."""
    assert jobs.apply_import
    while look(import_id).state not in ("done", "failed", "stopped"):
        outbox.advance(intake.KIND, 60)
    return look(import_id)


def take_in(world: World, path: Path, **how: Any) -> Row[Any]:
    return apply(stage(world, path, **how).id)


def look(import_id: int) -> Row[Any]:
    with transaction() as session:
        return intake.find_import(session, import_id)


def faults(import_id: int) -> list[tuple[int, str, str]]:
    """Return (row, column, code) of every fault."""
    with transaction() as session:
        return intake.list_faults(session, import_id, (0, ""), 10_000)


def purchases() -> list[Any]:
    """Return every purchase on record, without what the database drew itself."""
    with transaction() as session:
        rows = session.execute(
            text(
                "SELECT c.reference AS customer, p.reference, p.purchased_at, p.amount, p.category"
                " FROM loyalty.purchases p JOIN loyalty.customers c ON c.id = p.customer_id"
                " ORDER BY 1, 3, 4, 2"
            )
        )
        return [tuple(row) for row in rows]
