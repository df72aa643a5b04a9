"""The command line: `loyalty …`. Each slice brings its own commands; here they come together."""

import importlib

import click

import migrations
from loyalty import doctor as examination
from loyalty.consent import commands as consent
from loyalty.customers import commands as customers
from loyalty.database import sqlalchemy_url
from loyalty.demo import commands as demo
from loyalty.messages import commands as messages
from loyalty.outbox import commands as outbox
from loyalty.points import commands as points
from loyalty.policy import commands as policy
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


@main.command()
def doctor() -> None:
    """Look at everything that must be right here, and say what to do where it is not.

    Exits with 1 where anything is red: in production the app would not start.
    """
    colours = {examination.GOOD: "green", examination.WARNING: "yellow", examination.RED: "red"}
    findings = examination.examine()
    for finding in findings:
        mark = click.style(f"{finding.state:>7}", fg=colours[finding.state])
        remedy = "" if finding.state == examination.GOOD else f" → {finding.remedy}"
        click.echo(f"{mark}  {finding.check}: {finding.found}{remedy}")
    if any(finding.state == examination.RED for finding in findings):
        raise click.exceptions.Exit(1)


# What stands above is only named here: nothing of it is known.
campaigns = importlib.import_module("campaigns.commands")
# One line for each slice that has commands.
for slice_commands in (
    outbox.COMMANDS,
    staff.COMMANDS,
    proof.COMMANDS,
    vault.COMMANDS,
    customers.COMMANDS,
    policy.COMMANDS,
    consent.COMMANDS,
    messages.COMMANDS,
    tiers.COMMANDS,
    points.COMMANDS,
    demo.COMMANDS,
    campaigns.COMMANDS,
):
    for command in slice_commands:
        main.add_command(command)
