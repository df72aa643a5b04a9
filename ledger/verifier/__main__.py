"""Verify a ledger without trusting it: a program of its own that imports nothing of the app.

    python ledger/verifier --url postgresql://auditor@host/db --public-key KEY
    python ledger/verifier --dump FOLDER-OR-PG_DUMP --public-key KEY --checkpoints FILE
    python ledger/verifier --statement FILE --public-key KEY
    python ledger/verifier --draw FILE --tickets FILE

Exit status 0: all that was checked is as it was written. 1: it is not, and the first bad row is
named. 2: it could not be checked.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from draws import check_draw
from dumps import read_folder, read_pg_dump
from findings import Report
from houses import check_accounts, read_accounts
from logs import Claims, Exported, check_logs, check_rows, last_sealed, read_claims
from notes import BadNote, Keys, read_exported, read_keys, read_signed
from sources import Files, Live, Source, Unreadable, connect
from statements import check_statement
from trees import Hash, Unknown
from wallets import Walk

OK, BAD, UNUSABLE = 0, 1, 2


def main(arguments: Sequence[str]) -> int:
    """Check what the command line names, print what was found, and return the exit status."""
    options = _parser().parse_args(arguments)
    report = Report()
    try:
        keys = read_keys(options.public_key)
        exported = read_exported(options.checkpoints) if options.checkpoints else []
        if options.draw is not None:
            _verify_draw(options.draw, options.tickets, report)
        elif options.statement is not None:
            _verify_statement(options.statement, keys, exported, report)
        elif options.url is not None:
            with connect(options.url) as connection:
                verify(Live(connection), keys, exported, report)
        else:
            _verify_dump(options.dump, keys, exported, report, options.work)
    except (Unreadable, Unknown, OSError, ValueError) as error:
        print(f"cannot verify: {error}", file=sys.stderr)
        return UNUSABLE
    if options.json:
        print(json.dumps(report.as_json(), indent=2, ensure_ascii=False))
    else:
        _print(report)
    return BAD if report.count else OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="verifier", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--url",
        nargs="?",
        const=os.environ.get("DATABASE_URL", ""),
        help="a database that may be read; alone: the one in DATABASE_URL, which nobody else sees",
    )
    what.add_argument("--dump", type=Path, help="a folder of JSON lines, or a plain pg_dump")
    what.add_argument("--statement", type=Path, help="an exported statement or proof")
    what.add_argument("--draw", type=Path, help="what is published of a prize draw, as JSON")
    parser.add_argument("--tickets", type=Path, help="its tickets, as CSV (for --draw)")
    parser.add_argument(
        "--public-key", type=Path, action="append", default=[], help="PEM; may be given again"
    )
    parser.add_argument("--checkpoints", type=Path, help="checkpoints that left the house")
    parser.add_argument("--work", type=Path, help="a folder for temporary files (for --dump)")
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    return parser


def verify(source: Source, keys: Keys, exported: Exported, report: Report) -> None:
    """Check all that a source holds: checkpoints, wallets, house accounts, audit, logs."""
    if not keys:
        report.unproved.append("that checkpoints were signed by anybody: no public key was given")
    claims = read_claims(source, report, keys, exported)
    accounts = read_accounts(source, report)
    hashing = Hash(claims.get("ledger", Claims()).algorithm)
    Walk(source, report, accounts, hashing, last_sealed(source)).run()
    check_accounts(source, report, accounts)
    check_rows(source, report, claims)
    check_logs(source, report, claims)


def _verify_dump(
    path: Path, keys: Keys, exported: Exported, report: Report, work: Path | None
) -> None:
    read = read_folder if path.is_dir() else read_pg_dump
    with (
        tempfile.TemporaryDirectory(prefix="quanyi-verifier-", dir=work) as folder,
        closing(Files(Path(folder) / "rows.sqlite")) as files,
    ):
        read(path, files, report)
        verify(files, keys, exported, report)


def _verify_statement(path: Path, keys: Keys, exported: Exported, report: Report) -> None:
    note = check_statement(json.loads(path.read_text(encoding="utf-8")), keys, report)
    for line, document in exported:
        try:
            other = read_signed(document, keys)
        except BadNote as bad:
            report.find("exported checkpoints", {"line": line}, str(bad))
            continue
        if note and (other.log, other.size) == (note.log, note.size) and other.root != note.root:
            what = "states another root than the statement's checkpoint: two histories were shown"
            report.find("exported checkpoints", {"line": line}, what)


def _verify_draw(path: Path, tickets: Path | None, report: Report) -> None:
    if tickets is None:
        raise Unreadable("--draw needs --tickets")
    check_draw(json.loads(path.read_text(encoding="utf-8")), tickets, report)


def _print(report: Report) -> None:
    for name, count in report.checked.items():
        print(f"{count:>12,}  {name}")
    if report.count:
        print(f"\nTAMPERED: {report.count} findings. The first bad row:\n  {report.findings[0]}")
        for finding in report.findings[1:10]:
            print(f"  {finding}")
        if report.count > 10:
            print(f"  and {report.count - 10} more (--json lists the first 100)")
    else:
        print("\nAll that was checked is as it was written.")
    print("\nThis does not prove:")
    for limit in report.unproved:
        print(f"  - {limit};")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
