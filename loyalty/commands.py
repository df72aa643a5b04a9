"""The command line: `loyalty …`. Each slice brings its own commands; here they come together."""

import click

import migrations
from loyalty.customers import commands as customers
from loyalty.database import sqlalchemy_url
from loyalty.demo import commands as demo
from loyalty.outbox import commands as outbox
from loyalty.points import commands as points
from loyalty.proof import commands as proof
from loyalty.settings import BadSetting, settings
from loyalty.staff import commands as staff
from loyalty.tiers import commands as tiers
from loyalty.vault import commands as vault


class Main(click.Group):
    """The commands of all slices."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; a bad setting becomes a sentence instead of a traceback."""
        try:
            return super().invoke(ctx)
        except BadSetting as bad:
            raise click.ClickException(str(bad)) from None


@click.group(cls=Main)
def main() -> None:
    """Quanyi: a loyalty programme on a points ledger that can be proved."""


@main.command()
def migrate() -> None:
    """Bring the database to the shape that this version needs."""
    migrations.upgrade(sqlalchemy_url(settings().owner_database_url))
    click.echo("The database is up to date.")


# One line for each slice that has commands.
for slice_commands in (
    outbox.COMMANDS,
    staff.COMMANDS,
    proof.COMMANDS,
    vault.COMMANDS,
    customers.COMMANDS,
    tiers.COMMANDS,
    points.COMMANDS,
    demo.COMMANDS,
):
    for command in slice_commands:
        main.add_command(command)
