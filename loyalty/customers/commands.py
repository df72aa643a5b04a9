"""Commands of operations: the list of erasures, outwards and, after a restore, inwards."""

from pathlib import Path

import click

from loyalty import audit, vault
from loyalty.customers import erasure, queries, watching
from loyalty.database import transaction
from loyalty.web import Caller, ids

COMMAND_LINE = Caller.job("command-line")

_file = click.option(
    "--file", "path", type=click.Path(dir_okay=False, path_type=Path), help="Another list."
)


@click.group("customers")
def customers_group() -> None:
    """Customers, without their personal data."""


@customers_group.command("find")
@click.argument("reference")
def find(reference: str) -> None:
    """Print the id of the active customer whom the bank calls REFERENCE."""
    with transaction() as session:
        found = queries.find_by_reference(session, [reference])
    if reference not in found:
        raise click.ClickException(f"no active customer has the reference {reference}")
    click.echo(ids.encode("cus", found[reference]))


@customers_group.command("canary")
@click.argument("reference")
def canary(reference: str) -> None:
    """Raise an alert whenever somebody looks up the customer whom the bank calls REFERENCE.

    Register one whom nobody has a reason to look up, and tell nobody; it is for good.
    """
    with transaction() as session:
        found = queries.find_by_reference(session, [reference])
        if reference not in found:
            raise click.ClickException(f"no active customer has the reference {reference}")
        watching.place_canary(session, COMMAND_LINE, found[reference])
    click.echo(f"{ids.encode('cus', found[reference])} is a canary.")


@click.group("erasures")
def erasures_group() -> None:
    """The list of erased customers that is kept outside the database."""


@erasures_group.command("export")
@_file
def export(path: Path | None) -> None:
    """Add to the list what the database has and the list lacks."""
    with transaction() as session:
        count = vault.export_erasures(session, path)
    click.echo(f"{count} erasures added.")


@erasures_group.command("replay")
@_file
def replay(path: Path | None) -> None:
    """Erase again whoever a restored backup brought back. Run it before opening to anybody."""
    with transaction() as session:
        try:
            returned = erasure.replay_erasures(session, path)
        except (vault.ForgedErasure, FileNotFoundError) as refusal:
            raise click.ClickException(str(refusal)) from None
        for customer_id in returned:
            detail = {"reason": "replayed"}
            audit.record(session, COMMAND_LINE, "customer.erased", "customer", customer_id, detail)
    click.echo(f"{len(returned)} customers erased again.")


COMMANDS: list[click.Command] = [customers_group, erasures_group]
