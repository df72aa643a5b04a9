"""Logs: the dense order of the leaves, the trees over them, and what checkpoints say of them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from findings import Report
from leaves import AUDIT, CONSENT, DECISION, leaf, plain_json
from notes import FORMAT, BadNote, Keys, Note, check_signature, read_note, read_signed
from schema import JSON, TABLES
from sources import Source
from streams import Stream
from trees import NAMES, Hash, Tree

Exported = list[tuple[int, Any]]
DEFAULT = "sha-256"


@dataclass
class Claims:
    """What checkpoints say of one log: by size, the root and where that is said."""

    algorithm: str = DEFAULT
    roots: dict[int, list[tuple[bytes, str, dict[str, Any]]]] = field(default_factory=dict)


def read_claims(
    source: Source, report: Report, keys: Keys, exported: Exported
) -> dict[str, Claims]:
    """Return what the checkpoints in the tables and those exported say, their signatures checked.

    One that was exported must be in the tables too.
    """
    claims: dict[str, Claims] = {}
    kept = set()
    for log in source.names("checkpoints", "log"):
        stream = Stream(source, report, "checkpoints", ("size",), {"log": log})
        at = 0
        while stream.row:
            row = stream.advance()
            key = {"log": log, "size": row[1]}
            report.add("checkpoints")
            text = _note_of(row)
            try:
                check_signature(text, row[7], keys)
                _claim(claims, read_note(text), "checkpoints", key)
            except BadNote as bad:
                report.find("checkpoints", key, str(bad))
            kept.add(text)
            if row[5] < at:
                report.find("checkpoints", key, "is older than a smaller one")
            at = row[5]
    for line, document in exported:
        key = {"line": line}
        try:
            note = read_signed(document, keys)
            _claim(claims, note, "exported checkpoints", key)
        except BadNote as bad:
            report.find("exported checkpoints", key, str(bad))
            continue
        report.add("exported checkpoints")
        if document["note"] not in kept:
            report.find(
                "checkpoints",
                {"log": note.log, "size": note.size},
                f"left the house (line {line} of the exported) and is not here, or is another",
            )
    return claims


def check_logs(source: Source, report: Report, claims: dict[str, Claims]) -> None:
    """Check the order of each log's leaves, its stored nodes, and all that checkpoints claim."""
    for log in sorted({*source.names("seals", "log"), *claims}):
        _check_log(source, report, log, claims.get(log, Claims()))


def last_sealed(source: Source) -> tuple[int, int]:
    """Return entry and account of the last leaf of the ledger."""
    seals = source.rows("seals", ("seal_no DESC",), {"log": "ledger"})
    row = next(seals, None)
    return (0, 0) if row is None else (row[3], row[2])


def check_rows(source: Source, report: Report, claims: dict[str, Claims]) -> None:
    """Check each row of the logs of single rows against its leaf: audit, consent, decisions."""
    for log, table, form in (
        ("audit", "audit_events", AUDIT),
        ("consents", "consent_events", CONSENT),
        ("decisions", "decisions", DECISION),
    ):
        _check_rows(source, report, claims.get(log, Claims()).algorithm, (log, table, form))


def _check_rows(
    source: Source, report: Report, algorithm: str, names: tuple[str, str, str]
) -> None:
    log, table, form = names
    hashing = Hash(algorithm)
    kinds = list(TABLES[table].columns.values())
    seals = Stream(source, report, "seals", ("entry_id",), {"log": log})
    (name,) = TABLES[table].key
    rows = Stream(source, report, table, (name,))
    while rows.row:
        row = rows.advance()
        key = {name: row[0]}
        _find_missing(report, table, seals, row[0] - 1)
        seal = next(seals.until(row[0]), None)
        report.add(table.replace("_", " "))
        if seal is None:
            if seals.row:
                report.find(table, key, "was slipped in: its neighbours are sealed")
            continue
        told = tuple(
            plain_json(value) if kind == JSON and value is not None else value
            for kind, value in zip(kinds, row, strict=True)
        )
        if hashing.leaf(leaf(form, algorithm, [[told]])) != seal[4]:
            report.find(table, key, f"is not what was sealed as leaf {seal[1]}")
    _find_missing(report, table, seals, 2**63)


def _find_missing(report: Report, table: str, seals: Stream, number: int) -> None:
    for seal in seals.until(number):
        what = f"was sealed as leaf {seal[1]} and is missing"
        report.find(table, {TABLES[table].key[0]: seal[3]}, what)


def _claim(claims: dict[str, Claims], note: Note, table: str, key: dict[str, Any]) -> None:
    if note.algorithm not in NAMES:
        raise BadNote(f"names a hash algorithm {note.algorithm!r} that nobody knows")
    claim = claims.setdefault(note.log, Claims(note.algorithm))
    if claim.algorithm != note.algorithm:
        raise BadNote(f"names {note.algorithm}, and another names {claim.algorithm}")
    claim.roots.setdefault(note.size, []).append((note.root, table, key))


def _note_of(row: tuple[Any, ...]) -> str:
    log, size, root, origin, algorithm, at, key_id, _ = row
    lines = (FORMAT, origin, log, algorithm, str(size), root.hex(), _instant(at), key_id, "")
    return "\n".join(lines)


def _instant(microseconds: int) -> str:
    """Return an instant as a note has it."""
    try:
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    except OverflowError:
        return "never"
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _check_log(source: Source, report: Report, log: str, claims: Claims) -> None:
    tree = Tree(Hash(claims.algorithm))
    seals = Stream(source, report, "seals", ("seal_no",), {"log": log})
    levels: dict[int, Stream] = {}
    before = (0, 0)
    while seals.row:
        _, seal_no, account, entry, hashed = seals.advance()
        key = {"log": log, "seal_no": seal_no}
        report.add("leaves")
        if seal_no != tree.size:
            report.find("seals", key, f"stands where {tree.size} is next")
        if (entry, account) <= before:
            report.find("seals", key, "is not in the order of entries and accounts")
        before = (entry, account)
        for level, number, node in tree.append(hashed):
            if level not in levels:
                equal = {"log": log, "level": level}
                levels[level] = Stream(source, report, "seal_nodes", ("number",), equal)
            place = {"log": log, "level": level, "number": number}
            _check_node(report, place, node, levels[level])
        for root, table, at in claims.roots.pop(tree.size, ()):
            if root != tree.root():
                report.find(table, at, f"states another root of {log} than its {tree.size} leaves")
    for size, claimed in sorted(claims.roots.items()):
        for _, table, at in claimed:
            what = f"states {size} leaves of {log}, and {tree.size} are here: its tail was cut"
            report.find(table, at, what)
    for row in source.rows("seal_nodes", ("level", "number"), {"log": log}):
        if row[1] < 1 or row[2] >= tree.size // 256 ** row[1]:
            key = {"log": log, "level": row[1], "number": row[2]}
            report.find("seal_nodes", key, "covers leaves that are not there")


def _check_node(report: Report, place: dict[str, Any], node: bytes, stream: Stream) -> None:
    stored = None
    for row in stream.until(place["number"]):
        stored = row if row[2] == place["number"] else stored
    if stored is None:
        report.find("seal_nodes", place, "is missing")
    elif stored[3] != node:
        report.find("seal_nodes", place, "is not the hash of what is below it")
