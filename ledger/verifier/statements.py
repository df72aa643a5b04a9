"""Statements: a wallet's lines and their proofs, checked with nothing but a public key."""

import struct
from typing import Any

from findings import Report
from leaves import LEDGER, leaf
from notes import BadNote, Keys, Note, read_signed
from sources import microseconds
from trees import Hash, Unknown, root_of_path

FORMAT = "quanyi.statement/1"
INT, TEXT, BYTES, INSTANT = "int", "text", "bytes", "instant"
PARTS: dict[str, dict[str, str]] = {
    "account": {
        "id": INT,
        "unit": TEXT,
        "unit_kind": TEXT,
        "role": TEXT,
        "holder": TEXT,
        "floor": INT,
        "opened_at": INSTANT,
    },
    "entry": {
        "account_id": INT,
        "id": INT,
        "home_id": INT,
        "kind": TEXT,
        "source": TEXT,
        "reference": TEXT,
        "digest": BYTES,
        "position": INT,
        "transfers": INT,
        "cause": TEXT,
        "effective_at": INSTANT,
        "recorded_at": INSTANT,
    },
    "transfers": {
        "position": INT,
        "entry_id": INT,
        "from_account_id": INT,
        "from_role": TEXT,
        "from_holder": TEXT,
        "to_account_id": INT,
        "to_role": TEXT,
        "to_holder": TEXT,
        "amount": INT,
        "balance_after": INT,
        "reverses": INT,
    },
    "lots": {
        "position": INT,
        "amount": INT,
        "available_from": INSTANT,
        "expires_at": INSTANT,
        "terms": BYTES,
    },
    "lot_uses": {"position": INT, "lot": INT, "amount": INT},
    "hold": {"amount": INT, "lapses_at": INSTANT},
    "hold_lots": {"lot": INT, "amount": INT},
    "hold_moves": {"hold_id": INT, "kind": TEXT, "amount": INT},
}


class BadContent(Exception):
    """A part of a document is not in its form; the message says which."""


def check_statement(document: Any, keys: Keys, report: Report) -> Note | None:
    """Check a statement and return its checkpoint. Lines without a proof are counted apart."""
    report.unproved[:] = [
        "that what was first written was true",
        "that nothing follows after the last line of this document",
        "that the checkpoint is one that others were shown, too: compare it with published ones",
    ]
    if not keys:
        report.unproved.append("that the checkpoint was signed by anybody: no public key was given")
    try:
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise BadContent(f"is not in the form {FORMAT}")
        note = None
        if document["checkpoint"] is not None:
            note = read_signed(document["checkpoint"], keys)
            if note.log != "ledger":
                raise BadContent(f"its checkpoint is of the log {note.log}")
        entries = document["entries"]
        _check_entries(document, entries, note, report)
    except (BadContent, BadNote, Unknown) as bad:
        report.find("statement", {}, str(bad))
        return None
    except (KeyError, TypeError, AttributeError, ValueError, struct.error) as error:
        report.find("statement", {}, f"is not in the form {FORMAT}: {error!r}")
        return None
    return note


def _check_entries(document: Any, entries: Any, note: Note | None, report: Report) -> None:
    position = balance = account = None
    for entry in entries:
        content = entry["content"]
        (row,) = content["entry"]
        key = {"account_id": row["account_id"], "id": row["id"]}
        encoded = _encode(content, note.algorithm if note else "sha-256")
        _check_proof(entry["proof"], encoded, note, key, report)
        if (
            account not in (None, row["account_id"])
            or content["account"][0]["id"] != key["account_id"]
        ):
            report.find("statement", key, "is of another account than the lines before it")
        account = row["account_id"]
        for line in content["transfers"]:
            change = _change(line, account)
            if position is not None and line["position"] != position + 1:
                report.find("statement", key, f"line {line['position']} follows {position}")
            if balance is not None and line["balance_after"] != balance + change:
                report.find("statement", key, f"line {line['position']} does not add up")
            if balance is None and line["position"] == 1 and line["balance_after"] != change:
                report.find("statement", key, "line 1 does not start from nothing")
            position, balance = line["position"], line["balance_after"]
    if "balance" in document:
        _check_end(document, account, position, balance, report)
    if "period" in document:
        _check_period(document, report)


def _check_end(
    document: Any, account: int | None, position: int | None, balance: int | None, report: Report
) -> None:
    """Check what a statement says of itself as a whole, against its lines."""
    if account not in (None, document["account"]):
        report.find("statement", {}, "is made out for another account than its lines")
    first = [line for entry in document["entries"] for line in entry["content"]["transfers"]][:1]
    if document["after_entry"] == 0 and first and first[0]["position"] != 1:
        report.find("statement", {}, f"begins with line {first[0]['position']}")
    if document["next"] is None and position is not None:
        stated = document["balance"]
        if (stated["posted"], stated["position"]) != (balance, position):
            report.find(
                "statement", {}, f"states a balance of {stated['posted']}, its lines {balance}"
            )


def _check_period(document: Any, report: Report) -> None:
    """Check that the lines lead from a closed period's opening balance to its closing one."""
    period, account = document["period"], document["account"]
    lines = [line for entry in document["entries"] for line in entry["content"]["transfers"]]
    owners = {entry["content"]["entry"][0]["account_id"] for entry in document["entries"]}
    if not owners <= {account}:
        report.find("statement", {}, "is made out for another account than its lines")
        return
    places = [line["position"] for line in lines]
    first, last = period["first_position"], period["last_position"]
    if places != list(range(first, last + 1)):
        report.find("statement", {}, f"does not hold exactly the lines {first} to {last}")
    moved = sum(_change(line, account) for line in lines)
    stated = period["closing"] - period["opening"]
    end = lines[-1]["balance_after"] if lines else period["closing"]
    if moved != stated or end != period["closing"]:
        report.find("statement", {}, f"states a change of {stated}, its lines {moved}")


def _check_proof(
    proof: Any, encoded: bytes, note: Note | None, key: dict[str, Any], report: Report
) -> None:
    if proof is None:
        report.add("lines without a proof yet")
        return
    if note is None:
        raise BadContent("has proofs and no checkpoint")
    hashing = Hash(note.algorithm)
    path = [bytes.fromhex(node) for node in proof["path"]]
    index = proof["leaf"]
    if not isinstance(index, int) or not 0 <= index < note.size:
        report.find("statement", key, f"claims leaf {index} of {note.size}")
    elif root_of_path(hashing, hashing.leaf(encoded), index, note.size, path) != note.root:
        report.find("statement", key, f"is not leaf {index} of the signed checkpoint")
    else:
        report.add("proved lines")


def _change(line: Any, account: int) -> int:
    direction = (line["to_account_id"] == account) - (line["from_account_id"] == account)
    return int(line["amount"] * direction)


def _encode(content: Any, algorithm: str) -> bytes:
    if set(content) != set(PARTS):
        raise BadContent("has other parts than a leaf covers")
    parts = []
    for part, columns in PARTS.items():
        rows = []
        for row in content[part]:
            if set(row) != set(columns):
                raise BadContent(f"has other columns in {part} than a leaf covers")
            rows.append([_value(name, kind, row[name]) for name, kind in columns.items()])
        parts.append(rows)
    return leaf(LEDGER, algorithm, parts)


def _value(name: str, kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == INT:
        if type(value) is not int:
            raise BadContent(f"{name} is no whole number")
        return value
    if not isinstance(value, str):
        raise BadContent(f"{name} is no text")
    if kind == INSTANT:
        return microseconds(value)
    return bytes.fromhex(value) if kind == BYTES else value
