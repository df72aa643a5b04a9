"""Reading dumps: a folder of JSON lines, or what `pg_dump` writes in its plain format."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from findings import Report
from schema import TABLES
from sources import Files, Unreadable, convert

_COPY = re.compile(r'COPY (?:"?(\w+)"?\.)?"?(\w+)"? \((.*)\) FROM stdin;')
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|.)", re.DOTALL)
_NAMED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
NEEDED = ("accounts", "entries", "transfers", "seals", "checkpoints")


def read_folder(folder: Path, files: Files, report: Report) -> None:
    """Put the tables of a folder into `files`. A line that makes no sense is a finding.

    Raises `Unreadable` where a table that must be there is not.
    """
    for name in TABLES:
        path = folder / f"{name}.jsonl"
        if path.exists():
            with path.open(encoding="utf-8", newline="\n") as lines:
                rows = _json_rows(name, lines, report)
                files.add(name, rows)
        elif name in NEEDED:
            raise Unreadable(f"{path} is missing")


def read_pg_dump(path: Path, files: Files, report: Report) -> None:
    """Put the tables of a plain dump into `files`. A line that makes no sense is a finding.

    Raises `Unreadable` where a table that must be there is not.
    """
    found = set()
    with path.open(encoding="utf-8", newline="\n") as lines:
        if lines.read(5) == "PGDMP":
            raise Unreadable(f"{path} is not in the plain format (pg_dump --format=plain)")
        for line in lines:
            match = _COPY.match(line)
            if match and match[2] in TABLES and match[1] in (None, TABLES[match[2]].schema):
                columns = [name.strip().strip('"') for name in match[3].split(",")]
                files.add(match[2], _copied_rows(match[2], columns, lines, report))
                found.add(match[2])
            elif match:
                _skip(lines)
    if missing := [name for name in NEEDED if name not in found]:
        raise Unreadable(f"{path} lacks the data of {', '.join(missing)}")


def _json_rows(name: str, lines: Any, report: Report) -> Iterator[tuple[Any, ...]]:
    shape = TABLES[name]
    for number, line in enumerate(lines, 1):
        try:
            document = json.loads(line)
            texts = [_text(document[column]) for column in shape.columns]
            yield _row(name, dict(zip(shape.columns, texts, strict=True)))
        except (ValueError, KeyError, TypeError) as error:
            report.find(name, {"line": number}, f"cannot be read: {error}")


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, int):
        return str(value)
    raise ValueError(f"{value!r} is no plain value")


def _copied_rows(
    name: str, columns: list[str], lines: Any, report: Report
) -> Iterator[tuple[Any, ...]]:
    for number, line in enumerate(lines, 1):
        if line == "\\.\n":
            return
        values = [None if cell == "\\N" else _unescape(cell) for cell in line[:-1].split("\t")]
        try:
            yield _row(name, dict(zip(columns, values, strict=True)))
        except (ValueError, KeyError) as error:
            report.find(name, {"line": number}, f"cannot be read: {error}")
    raise Unreadable(f"the data of {name} end before their end")


def _row(name: str, cells: dict[str, str | None]) -> tuple[Any, ...]:
    shape = TABLES[name]
    return tuple(convert(shape, column, cells[column]) for column in shape.columns)


def _unescape(cell: str) -> str:
    return _ESCAPE.sub(_character, cell) if "\\" in cell else cell


def _character(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] == "x" and len(code) > 1:
        return chr(int(code[1:], 16))
    if code[0] in "01234567":
        return chr(int(code, 8))
    return _NAMED.get(code, code)


def _skip(lines: Any) -> None:
    for line in lines:
        if line == "\\.\n":
            return
