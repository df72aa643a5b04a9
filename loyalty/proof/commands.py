"""Commands of operations and auditors: the sealing key, sealing now, verifying, dumping."""

import os
import subprocess
import sys
from pathlib import Path

import click
import orjson

import ledger
from ledger import checkpoints, proofs
from ledger.base import Base
from ledger.dump import dump_tables
from loyalty.database import transaction
from loyalty.proof import jobs
from loyalty.proof.publishing import drop_file
from loyalty.settings import settings
from loyalty.web import logs

VERIFIER = Path(ledger.__file__).parent / "verifier"
FOREVER = 1e9
SEALED = ("loyalty.audit_events", "loyalty.consent_events", "loyalty.decisions")


@click.group("proof")
def proof_group() -> None:
    """The key that checkpoints are signed with."""


@proof_group.command("create-key")
def create_key() -> None:
    """Make the pair of keys for checkpoints, unless it is there, and say where the public is."""
    click.echo(checkpoints.create_sealing_key(settings().keys))


@click.command("seal")
def seal_now() -> None:
    """Seal all that is final, sign it, and send the checkpoints out."""
    logs.configure()  # a checkpoint's line in the log is one of its roads out
    try:
        sealed, signed = jobs.seal_logs(FOREVER), jobs.checkpoint_logs()
    except FileNotFoundError as missing:
        raise click.ClickException(
            f"{missing.filename} is missing; `loyalty proof create-key` makes it"
        ) from None
    except (checkpoints.HistoryChanged, checkpoints.LooseKey) as refusal:
        raise click.ClickException(str(refusal)) from None
    for log, count in sealed.items():
        click.echo(f"{log}: {count} rows sealed, {signed[log]} signed")


@click.command("verify", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def verify(arguments: tuple[str, ...]) -> None:
    """Run the separate verifier: on this database, or with ARGUMENTS of its own (--help).

    Takes our public key and the checkpoints in the drop folder unless others are named. Exits
    with 1 where a row is not what it was.
    """
    given = list(arguments)
    if not {"--url", "--dump", "--statement", "--help"}.intersection(given):
        given += ["--url"]
    public = settings().keys / checkpoints.PUBLIC_KEY
    if "--public-key" not in given and public.exists():
        given += ["--public-key", str(public)]
    exported = drop_file(settings().home)
    if "--checkpoints" not in given and exported.exists():
        given += ["--checkpoints", str(exported)]
    # The address holds a password, so it is no word of the command line.
    environment = {**os.environ, "DATABASE_URL": settings().database_url}
    done = subprocess.run(  # noqa: S603 - our own program, with words of whoever runs us
        [sys.executable, "-I", str(VERIFIER), *given],
        env=environment,
        check=False,
    )
    sys.exit(done.returncode)


@click.group("ledger")
def ledger_group() -> None:
    """What of the ledger leaves the house: dumps and statements."""


@ledger_group.command("dump")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def dump(folder: Path) -> None:
    """Write the ledger and the other sealed logs to FOLDER as JSON lines, for the verifier."""
    with transaction() as session:
        counts = dump_tables(session, folder, _sealed_tables())
    click.echo(f"{sum(counts.values())} rows of {len(counts)} tables in {folder}")


@ledger_group.command("statement")
@click.argument("account", type=int)
@click.option("--after-entry", type=int, default=0, help="Continue after this entry.")
@click.option("--limit", type=click.IntRange(1, proofs.MOST_ENTRIES), default=1000)
def statement(account: int, after_entry: int, limit: int) -> None:
    """Print the log of wallet ACCOUNT as a JSON document that proves itself."""
    with transaction() as session:
        document = proofs.export_statement(session, account, after_entry=after_entry, limit=limit)
    if document is None:
        raise click.ClickException(f"{account} is no wallet")
    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))


def _sealed_tables() -> list[type[Base]]:
    """Return the tables beside the ledger's whose rows are sealed; later slices hold some."""
    mapped = (mapper.class_ for mapper in Base.registry.mappers)
    return [row for row in mapped if str(row.__table__) in SEALED]


COMMANDS = (proof_group, seal_now, verify, ledger_group)
