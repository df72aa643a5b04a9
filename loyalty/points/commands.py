"""Commands of points: importing purchases from files, and expiry at once."""

import csv
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import structlog

from loyalty import audit, outbox, programmes
from loyalty.database import transaction
from loyalty.outbox.models import RunRow
from loyalty.points import intake, jobs
from loyalty.points.files import BadFile
from loyalty.points.import_wording import FILE_FAULTS
from loyalty.web import Caller, NotFound, Refused, find_problem, ids

COMMAND_LINE = Caller.job("command-line")
CREATOR = "job:command-line"
ENDED = ("done", "failed", "stopped", "paused")
A_MOMENT = 0.5  # seconds
FAULTS_AT_ONCE = 5000


@click.group("import")
def import_group() -> None:
    """Take in files."""


@import_group.command("purchases")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--programme", "code", required=True, help="The programme's code.")
@click.option("--source", required=True, help="Where the purchases come from: pos, cards …")
@click.option(
    "--map",
    "columns",
    multiple=True,
    metavar="FIELD=COLUMN",
    help="Which column is which of reference, customer, purchased_at, amount, category, outlet,"
    " channel. Columns called like their field need no --map.",
)
@click.option(
    "--set",
    "constants",
    multiple=True,
    metavar="FIELD=VALUE",
    help="The same category, outlet or channel in every row.",
)
@click.option("--dates", default="iso", show_default=True, help="iso, or a pattern: %Y/%m/%d.")
@click.option(
    "--amounts",
    type=click.Choice(["major", "minor"]),
    default="major",
    show_default=True,
    help="12.30 (major) or 1230 (minor).",
)
@click.option("--encoding", type=click.Choice(["utf-8", "gb18030"]), help="Otherwise found out.")
@click.option("--delimiter", help="A comma, a semicolon or \\t; otherwise found out.")
@click.option("--sheet", help="The sheet of a workbook; otherwise the first.")
@click.option("--dry-run", is_flag=True, help="Say what the file holds, and record nothing.")
@click.option("--register-unknown", is_flag=True, help="Register customers whom we do not know.")
@click.option(
    "--errors",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the refused rows to this CSV file: row, column, code, why.",
)
def import_purchases(
    file: Path,
    code: str,
    source: str,
    columns: tuple[str, ...],
    constants: tuple[str, ...],
    dry_run: bool,
    register_unknown: bool,
    errors: Path | None,
    **options: str | None,
) -> None:
    """Import the purchases in FILE, a CSV file or an XLSX workbook.

    Every row is recorded once, however often the file is imported and however it is sorted.
    Rows that make no sense are refused one by one and the others go on. An import that was
    interrupted goes on in the background; `loyalty runs list` shows it.

    \b
    loyalty import purchases june.csv --programme gold --source pos \\
        --map customer=客户号 --map purchased_at=交易日期 --map amount=金额 \\
        --dates %Y/%m/%d --set category=5411 --dry-run
    """
    layout: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if options["delimiter"] == "\\t":
        layout["delimiter"] = "\t"
    layout["columns"] = {"customer": "customer", "purchased_at": "purchased_at", "amount": "amount"}
    layout["columns"] |= _pairs(columns, "--map")
    layout["constants"] = _pairs(constants, "--set")
    try:
        import_id = stage_file(file, code, source, layout, register_unknown=register_unknown)
        say_report(import_id)
        if not dry_run:
            apply_import(import_id)
            say_result(import_id)
    except BadFile as bad:
        zh, en = FILE_FAULTS[bad.code]
        where = f"row {bad.row}" + (f", column {bad.column!r}" if bad.column else "")
        raise click.ClickException(f"{where}: {zh} / {en} ({bad.code})") from None
    except NotFound:
        raise click.ClickException(f"there is no programme {code!r}") from None
    except Refused as refused:
        problem = find_problem(refused.code)
        words = refused.detail if isinstance(refused.detail, tuple) else problem.title
        raise click.ClickException(f"{words[0]} / {words[1]} ({refused.code})") from None
    if errors is not None:
        count = write_errors(import_id, errors)
        click.echo(f"{count} errors written to {errors}")


def stage_file(
    file: Path, code: str, source: str, layout: dict[str, Any], *, register_unknown: bool = False
) -> int:
    """Open an import and stage `file`, all or nothing; return the import's number."""
    with transaction() as session:
        programme = programmes.find_programme(session, code)
        import_id = intake.open_import(
            session,
            programme,
            source=source,
            layout=layout,
            register_unknown=register_unknown,
            created_by=CREATOR,
        )
        found = intake.stage(session, import_id, file)
        detail = {"programme": code, "rows": found.total, "faulty": found.faulty}
        audit.record(session, COMMAND_LINE, "import.staged", "import", import_id, detail)
    return import_id


def apply_import(import_id: int, label: str = "Recording purchases") -> None:
    """Apply an import here and now, showing how far it came. Raises `click.ClickException`."""
    with transaction() as session:
        run_id = intake.begin(session, import_id, created_by=CREATOR)
        audit.record(session, COMMAND_LINE, "import.applied", "import", import_id)
    follow(run_id, intake.KIND, label)


def follow(run_id: int, kind: str, label: str) -> None:
    """Work on a run until it ends, with a progress bar; a worker may take turns with us.

    Asked to stop, it ends after the present chunk. Raises `click.ClickException` where the run
    came to rest before its end.
    """
    row = _look(run_id)
    with (
        _logging_warnings_only(),
        _stopping_gently(),
        click.progressbar(length=row.total or 1, label=label) as bar,
    ):
        while row.state not in ENDED and not outbox.stop_requested.is_set():
            before = row.chunks
            outbox.advance(kind, A_MOMENT)
            row = _look(run_id)
            bar.length = row.total or bar.length
            bar.update(row.done + row.failed - bar.pos)
            if row.chunks == before and row.state not in ENDED:
                # A worker has it, or a chunk waits to be tried again.
                outbox.stop_requested.wait(A_MOMENT)
        if row.state == "done":
            bar.update((bar.length or 0) - bar.pos)
    if row.state not in ENDED:
        raise click.ClickException(
            "已中断,再次运行即从此处继续 / interrupted; run it again and it goes on from here"
        )
    if row.state != "done":
        raise click.ClickException(
            f"run {run_id} is {row.state} ({row.error}); `loyalty runs resume {run_id}` goes on"
        )


@contextmanager
def _logging_warnings_only() -> Iterator[None]:
    """Keep the log to what goes wrong: the rest of what a worker would log, the bar shows."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    try:
        yield
    finally:
        structlog.configure(**before)


@contextmanager
def _stopping_gently() -> Iterator[None]:
    """Let SIGINT and SIGTERM end the work between two chunks, which leaves no lease behind."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    outbox.listen_for_stop()
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)
        outbox.stop_requested.clear()


def _look(run_id: int) -> RunRow:
    with transaction() as session:
        row = session.get(RunRow, run_id)
        assert row is not None
        return row


def say_report(import_id: int) -> None:
    """Print what a staged file holds."""
    with transaction() as session:
        found = intake.find_import(session, import_id)
    amount = f"{found.amount // 100}.{found.amount % 100:02}"
    click.echo(f"Import {ids.encode('imp', import_id)}: {found.total} rows")
    click.echo(f"  good {found.sound}, together {amount}")
    click.echo(f"  bad {found.faulty}")
    click.echo(f"  on record already {found.known}, of these with other content {found.changed}")
    click.echo(f"  of unknown customers {found.unknown}")


def say_result(import_id: int) -> None:
    """Print what became of an import."""
    with transaction() as session:
        found = intake.find_import(session, import_id)
    click.echo(
        f"Recorded {found.recorded} purchases, which earned {found.points} points;"
        f" {found.replayed} were on record already, {found.refused + found.faulty} refused"
    )


def write_errors(import_id: int, path: Path) -> int:
    """Write an import's faults to a CSV file and return how many there are."""
    count = 0
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(intake.ERROR_COLUMNS)
        after = (0, "")
        while True:
            with transaction() as session:
                faults = intake.list_faults(session, import_id, after, FAULTS_AT_ONCE)
            if not faults:
                return count
            writer.writerows(intake.error_lines(faults))
            count += len(faults)
            after = (faults[-1][0], faults[-1][1])


def _pairs(given: tuple[str, ...], option: str) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    if any(not sign for _, sign, _ in pairs):
        raise click.UsageError(f"{option} takes FIELD=…")
    return {name: value for name, _, value in pairs}


@click.command("expire")
def expire() -> None:
    """Move everything that has lapsed out of the wallets of all programmes, now.

    The worker does this every night. What has lapsed cannot be spent, swept or not.
    """
    sweep_lapsed()


def sweep_lapsed() -> None:
    """Sweep all wallets of all programmes, with progress."""
    with transaction() as session:
        run_id = outbox.start_run(session, jobs.EXPIRY, {}, created_by=CREATOR)
    follow(run_id, jobs.EXPIRY, "Sweeping what lapsed")
    click.echo(f"Swept {_look(run_id).done} wallets")


COMMANDS: list[click.Command] = [import_group, expire]
