"""Intake: purchases by the file. A file is staged, looked at, and applied in chunks.

Staging reads a file into `import_rows` and its faults into `import_faults`; nothing of it counts
yet. Applying walks through the rows in the order of their key, a transaction for each chunk, so
that it can stop, be killed and go on anywhere with each purchase recorded once.

A purchase without a number of its own gets one from what its row says and from how many rows
before it say the same, so the same file means the same purchases whatever its order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

import ledger
from loyalty import customers, outbox, programmes
from loyalty.database import driver
from loyalty.points import earning, files, import_wording, workbooks
from loyalty.points.files import BadFile, Table
from loyalty.points.layout import Fault, Found, Layout, RowReader
from loyalty.programmes import Programme
from loyalty.web import NotFound, Refused

KIND = "purchases.import"
CHUNK = 2000
BATCH = 10_000
KEPT_DAYS = 30

OPEN = text("""
INSERT INTO loyalty.imports (programme_id, source, mapping, register_unknown, created_by)
VALUES (:programme, :source, CAST(:mapping AS jsonb), :register_unknown, :created_by) RETURNING id
""")

_IMPORTS = """
SELECT i.*, p.code AS programme, r.state, r.error
FROM loyalty.imports i JOIN loyalty.programmes p ON p.id = i.programme_id
LEFT JOIN loyalty.runs r ON r.id = i.run_id
"""
FIND = text(f"{_IMPORTS} WHERE i.id = :id")
LIST = text(
    f"""{_IMPORTS}
    WHERE i.id < :before AND (CAST(:opened_by AS text) IS NULL OR i.created_by = :opened_by)
    ORDER BY i.id DESC LIMIT :limit"""
)

LOCK = text("""
SELECT staged_at, run_id, created_at < clock_timestamp() - make_interval(days => :days) AS is_old
FROM loyalty.imports WHERE id = :id FOR NO KEY UPDATE
""")

COPY_ROWS = """
COPY loyalty.import_rows (import_id, row_no, customer, purchased_at, content, reference, amount,
    category, outlet, channel) FROM STDIN (FORMAT binary)
"""
ROW_TYPES = ("int8", "int4", "text", "timestamptz", "bytea", "text", "int8", *["text"] * 3)

COPY_FAULTS = """
COPY loyalty.import_faults (import_id, row_no, column_name, code) FROM STDIN
"""

FORESEE = text("""
WITH named AS (
    SELECT customer, purchased_at, amount, coalesce(reference, 'row:' || encode(content, 'hex')
        || ':' || row_number() OVER same) AS reference
    FROM loyalty.import_rows WHERE import_id = :id
    WINDOW same AS (PARTITION BY customer, purchased_at, content ORDER BY row_no)
)
SELECT count(p.id) AS known,
    count(p.id) FILTER (WHERE p.amount <> n.amount OR p.purchased_at <> n.purchased_at
        OR p.customer_id IS DISTINCT FROM c.id) AS changed,
    count(*) FILTER (WHERE c.id IS NULL) AS unknown,
    coalesce(sum(n.amount), 0) AS amount
FROM named n
LEFT JOIN loyalty.customers c ON c.reference = n.customer AND c.state = 'active'
LEFT JOIN loyalty.purchases p ON p.programme_id = :programme AND p.source = :source
    AND p.reference = n.reference
""")

KEEP_REPORT = text("""
UPDATE loyalty.imports
SET staged_at = clock_timestamp(), digest = :digest, total = :sound + :faulty, sound = :sound,
    faulty = :faulty, known = :known, changed = :changed, unknown = :unknown, amount = :amount
WHERE id = :id
""")

NEXT_ROWS = text("""
SELECT row_no, customer, purchased_at, content, reference, amount, category, outlet, channel
FROM loyalty.import_rows
WHERE import_id = :id AND (customer, purchased_at, content, row_no)
    > (:customer, CAST(:purchased_at AS timestamptz), decode(:content, 'hex'), :row_no)
ORDER BY customer, purchased_at, content, row_no LIMIT :limit
""")

KEEP_PROGRESS = text("""
UPDATE loyalty.imports
SET position = CAST(:position AS jsonb), recorded = recorded + :recorded,
    replayed = replayed + :replayed, refused = refused + :refused, points = points + :points
WHERE id = :id
""")

LATEST = text("""
SELECT max(id) FROM loyalty.imports
WHERE programme_id = :programme AND source = :source AND staged_at IS NOT NULL
""")

FAULTS = text("""
SELECT row_no, column_name, code FROM loyalty.import_faults
WHERE import_id = :id AND (row_no, column_name) > (:row_no, :column_name)
ORDER BY row_no, column_name LIMIT :limit
""")

FORGET = text("""
DELETE FROM loyalty.import_rows WHERE ctid = ANY(ARRAY(
    SELECT w.ctid FROM loyalty.import_rows w JOIN loyalty.imports i ON i.id = w.import_id
    LEFT JOIN loyalty.runs r ON r.id = i.run_id
    WHERE coalesce(r.finished_at, i.created_at) < clock_timestamp() - make_interval(days => :days)
        AND (r.id IS NULL OR r.state = 'done')
    LIMIT :limit))
""")

ERROR_COLUMNS = ("行号 row", "列 column", "代码 code", "说明", "explanation")
START = {"customer": "", "purchased_at": "-infinity", "content": "", "row_no": 0, "same": 0}


# -- opening and staging -----------------------------------------------------------------------


def open_import(
    session: Session,
    programme: Programme,
    *,
    source: str,
    layout: Mapping[str, Any],
    register_unknown: bool = False,
    created_by: str,
) -> int:
    """Open an import and return its number; `layout` is a document as `layout.py` describes.

    `source` is the name under which the purchases' numbers are unique. With `register_unknown`
    customers whom we do not know are registered by their reference alone. Raises `Refused` with
    `invalid-layout`.
    """
    Layout.load(layout)
    number: int = session.execute(
        OPEN,
        {
            "programme": programme.id,
            "source": source,
            "mapping": ledger.dump_json(layout),
            "register_unknown": register_unknown,
            "created_by": created_by,
        },
    ).scalar_one()
    return number


def stage(session: Session, import_id: int, path: Path) -> Row[Any]:
    """Read a file's rows and faults into the database; return the import as `find_import` does.

    Takes memory for a batch of rows, whatever the file's size. Nothing is recorded yet. Raises
    `NotFound`, `BadFile`, or `Refused` with `already-staged`.
    """
    if _lock(session, import_id).staged_at is not None:
        raise Refused("already-staged")
    found = find_import(session, import_id)
    programme = programmes.find_programme(session, found.programme)
    layout = Layout.load(found.mapping)
    table = read_table(path, layout)
    reader = RowReader(layout, table.header, programme.zone, datetime.now(UTC))
    batch = _Batch(session, import_id)
    for number, cells in table.rows:
        if isinstance(cells, str):
            batch.add_faults(number, [Fault("", cells)])
            continue
        read = reader.read(cells)
        if isinstance(read, Found):
            batch.add(number, read)
        else:
            batch.add_faults(number, read)
    batch.write()
    foreseen = session.execute(
        FORESEE, {"id": import_id, "programme": programme.id, "source": found.source}
    ).one()
    session.execute(
        KEEP_REPORT,
        {
            "id": import_id,
            "digest": _digest(path),
            "sound": batch.sound,
            "faulty": batch.faulty,
            **foreseen._asdict(),
        },
    )
    return find_import(session, import_id)


def read_table(path: Path, layout: Layout) -> Table:
    """Return the rows of a file, CSV or XLSX by what it begins with. Raises `BadFile`."""
    with path.open("rb") as file:
        is_archive = file.read(4) == files.ZIP
    return workbooks.read_workbook(path, layout) if is_archive else files.read_csv(path, layout)


def refuse(bad: BadFile) -> Refused:
    """Return the refusal that tells an edge's caller why a file cannot be used."""
    error = {
        "row": str(bad.row),
        "column": bad.column,
        "code": bad.code,
        "detail": import_wording.FILE_FAULTS[bad.code],
    }
    return Refused("unusable-file", errors=[error])


@dataclass(slots=True)
class _Batch:
    """Rows and faults on their way into the database, so many at a time."""

    session: Session
    import_id: int
    sound: int = 0
    faulty: int = 0
    _rows: list[tuple[Any, ...]] = field(default_factory=list)
    _faults: list[tuple[int, int, str, str]] = field(default_factory=list)

    def add(self, number: int, found: Found) -> None:
        self.sound += 1
        self._rows.append(
            (
                self.import_id,
                number,
                found.customer,
                found.purchased_at,
                found.content,
                found.reference,
                found.amount,
                found.category,
                found.outlet,
                found.channel,
            )
        )
        if len(self._rows) >= BATCH:
            self.write()

    def add_faults(self, number: int, faults: Sequence[Fault]) -> None:
        self.faulty += 1
        self._faults += [(self.import_id, number, fault.column, fault.code) for fault in faults]
        if len(self._faults) >= BATCH:
            self.write()

    def write(self) -> None:
        # A statement for each batch: one for the whole file would outlast its time limit.
        with driver(self.session).cursor() as cursor:
            if self._rows:
                with cursor.copy(COPY_ROWS) as copy:
                    copy.set_types(ROW_TYPES)
                    for row in self._rows:
                        copy.write_row(row)
            if self._faults:
                with cursor.copy(COPY_FAULTS) as copy:
                    for fault in self._faults:
                        copy.write_row(fault)
        self._rows.clear()
        self._faults.clear()


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _lock(session: Session, import_id: int) -> Row[Any]:
    row = session.execute(LOCK, {"id": import_id, "days": KEPT_DAYS}).one_or_none()
    if row is None:
        raise NotFound
    return row


# -- applying ----------------------------------------------------------------------------------


def begin(session: Session, import_id: int, *, created_by: str) -> int:
    """Queue the run that applies an import and return its number; the same one if asked again.

    Raises `NotFound`, or `Refused` with `not-staged` or `import-expired`.
    """
    row = _lock(session, import_id)
    if row.staged_at is None:
        raise Refused("not-staged")
    if row.run_id is not None:
        return int(row.run_id)
    if row.is_old:
        raise Refused("import-expired")
    found = find_import(session, import_id)
    run_id = outbox.start_run(
        session, KIND, {"import": import_id}, created_by=created_by, total=found.sound
    )
    session.execute(
        text("UPDATE loyalty.imports SET run_id = :run WHERE id = :id"),
        {"run": run_id, "id": import_id},
    )
    return run_id


def apply_next(session: Session, import_id: int, *, limit: int = CHUNK) -> tuple[int, int] | None:
    """Record up to `limit` more rows; return how many were recorded and refused (None: the end).

    Whoever calls it holds the run's lease, so nobody else does the same rows.
    """
    found = find_import(session, import_id)
    programme = programmes.find_programme(session, found.programme)
    position = found.position or START
    rows = session.execute(NEXT_ROWS, {**position, "id": import_id, "limit": limit}).all()
    if not rows:
        return None
    purchases, same = _name_rows(rows, position)
    if found.register_unknown:
        _register(session, {row.customer for row in rows})
    outcomes = _record(session, programme, found.source, purchases)
    recorded = [o for o in outcomes if isinstance(o, earning.Recorded)]
    fresh = [o for o in recorded if not o.replayed]
    refused = [
        (import_id, row.row_no, _column_of(outcome.code, found.mapping), outcome.code)
        for row, outcome in zip(rows, outcomes, strict=True)
        if isinstance(outcome, earning.Refused)
    ]
    with driver(session).cursor() as cursor, cursor.copy(COPY_FAULTS) as copy:
        for fault in refused:
            copy.write_row(fault)
    session.execute(
        KEEP_PROGRESS,
        {
            "id": import_id,
            "position": _dump_position(rows[-1], same),
            "recorded": len(fresh),
            "replayed": len(recorded) - len(fresh),
            "refused": len(refused),
            "points": sum(outcome.points for outcome in fresh),
        },
    )
    return len(recorded), len(refused)


def _record(
    session: Session, programme: Programme, source: str, purchases: list[earning.NewPurchase]
) -> list[earning.Outcome]:
    """Record purchases; of those that are refused together, only those to blame stay refused."""
    try:
        with session.begin_nested():
            return earning.record_purchases(session, programme, source, purchases)
    except Refused as refused:
        if len(purchases) == 1:
            return [earning.Refused(purchases[0].reference, refused.code)]
    half = len(purchases) // 2
    return [
        *_record(session, programme, source, purchases[:half]),
        *_record(session, programme, source, purchases[half:]),
    ]


def _name_rows(
    rows: Sequence[Row[Any]], position: Mapping[str, Any]
) -> tuple[list[earning.NewPurchase], int]:
    """Return the rows as purchases, and how many rows like the last one there were so far."""
    before, same = str(position["content"]), int(position["same"])
    purchases = []
    for row in rows:
        content = row.content.hex()
        # The content's digest covers customer and instant, so equal rows stand together.
        same = same + 1 if content == before else 1
        before = content
        purchases.append(
            earning.NewPurchase(
                reference=row.reference or f"row:{content}:{same}",
                customer=row.customer,
                purchased_at=row.purchased_at,
                amount=row.amount,
                category=row.category,
                outlet=row.outlet,
                channel=row.channel,
            )
        )
    return purchases, same


def _dump_position(row: Row[Any], same: int) -> str:
    return ledger.dump_json(
        {
            "customer": row.customer,
            "purchased_at": row.purchased_at.isoformat(),
            "content": row.content.hex(),
            "row_no": row.row_no,
            "same": same,
        }
    )


def _register(session: Session, references: set[str]) -> None:
    """Register those whom we do not know by their reference; what is none stays unknown."""
    known = customers.find_by_reference(session, references)
    new = [customers.NewCustomer(reference) for reference in sorted(references - known.keys())]
    if not new:
        return
    try:
        customers.register(session, new)
    except Refused as refused:
        wrong = {int(str(error["pointer"]).split("/")[2]) for error in refused.errors}
        _register(session, {one.reference for n, one in enumerate(new) if n not in wrong})


def _column_of(code: str, mapping: Mapping[str, Any]) -> str:
    name = {
        "unknown-customer": "customer",
        "reference-reused": "reference",
        "future-dated": "purchased_at",
        "overflow": "amount",
    }.get(code, "")
    return str(mapping["columns"].get(name, ""))


# -- looking -----------------------------------------------------------------------------------


def find_import(session: Session, import_id: int) -> Row[Any]:
    """Return an import with the code of its programme and the state of its run.

    Raises `NotFound`.
    """
    row = session.execute(FIND, {"id": import_id}).one_or_none()
    if row is None:
        raise NotFound
    return row


def list_imports(
    session: Session, *, before: int | None, limit: int, opened_by: str | None = None
) -> list[Row[Any]]:
    """Return up to `limit` imports as `find_import` does, newest first, below a number."""
    asked = {"before": 2**62 if before is None else before, "limit": limit}
    return list(session.execute(LIST, {**asked, "opened_by": opened_by}))


def find_latest(session: Session, programme: Programme, source: str) -> int | None:
    """Return the number of the last import of a source whose file was staged, or None."""
    number: int | None = session.execute(
        LATEST, {"programme": programme.id, "source": source}
    ).scalar()
    return number


def list_faults(session: Session, import_id: int, after: tuple[int, str], limit: int) -> list[Any]:
    """Return up to `limit` faults as (row, column, code), in order, after a row and a column."""
    rows = session.execute(
        FAULTS,
        {"id": import_id, "row_no": after[0], "column_name": after[1], "limit": limit},
    )
    return [tuple(row) for row in rows]


def forget_rows(session: Session, *, limit: int = 20_000) -> int:
    """Delete up to `limit` staged rows that nobody needs any more; return how many."""
    deleted = session.execute(FORGET, {"days": KEPT_DAYS + 1, "limit": limit})
    return int(deleted.rowcount)  # type: ignore[attr-defined]


def error_lines(faults: Sequence[tuple[int, str, str]]) -> Iterator[list[str]]:
    """Yield what an error file says of each fault: row, column, code and both languages."""
    for row, column, code in faults:
        zh, en = import_wording.FILE_FAULTS[code]
        yield [str(row), _unformula(column), code, zh, en]


def _unformula(value: str) -> str:
    """Return text that a spreadsheet shows instead of running it."""
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
