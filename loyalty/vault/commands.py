"""Commands of operations: the key file and the replacement of the wrapping key."""

import click

from loyalty.database import transaction
from loyalty.settings import settings
from loyalty.vault import keyfile, rotation
from loyalty.vault.ciphers import Algorithm

_algorithm = click.Choice([kind.label for kind in Algorithm])


class Keys(click.Group):
    """A group whose commands end with a sentence when the keys do not allow something."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; what the vault refuses becomes its message and status 1."""
        try:
            return super().invoke(ctx)
        except (keyfile.BadKeys, rotation.StillInUse) as refusal:
            raise click.ClickException(str(refusal)) from None


@click.group("keys", cls=Keys)
def keys_group() -> None:
    """The keys that protect personal data."""


@keys_group.command("create")
@click.option("--algorithm", type=_algorithm, default="AES-256-GCM", show_default=True)
@click.option("--if-missing", is_flag=True, help="Do nothing where there is a key file.")
def create(algorithm: str, if_missing: bool) -> None:
    """Make this installation's key file; an existing one is never overwritten."""
    if if_missing and (settings().keys / keyfile.FILE).exists():
        return
    click.echo(f"{keyfile.create_keys(settings().keys, algorithm)} made; back it up apart.")


@keys_group.command("add")
@click.option("--algorithm", type=_algorithm, help="For keys made from now on.")
def add(algorithm: str | None) -> None:
    """Add a wrapping key and wrap new customers' keys under it."""
    click.echo(f"Version {keyfile.add_wrapping_key(settings().keys, algorithm)} is current.")


@keys_group.command("rewrap")
@click.option("--chunk", type=click.IntRange(1, 10_000), default=1000, show_default=True)
def rewrap(chunk: int) -> None:
    """Wrap all customers' keys under the current version, while everything runs."""
    total = 0
    while True:
        with transaction() as session:
            count = rotation.rewrap(session, chunk)
        total += count
        if not count:
            break
    click.echo(f"{total} keys rewrapped.")


@keys_group.command("show")
def show() -> None:
    """Show how many customers' keys each version holds."""
    with transaction() as session:
        users = rotation.count_users(session)
    ring = keyfile.keyring()
    for version in sorted(ring.versions.keys() | users.keys()):
        note = ", current" if version == ring.current else ""
        click.echo(f"version {version}: {users.get(version, 0)} keys{note}")


@keys_group.command("retire")
@click.argument("version", type=int)
def retire(version: int) -> None:
    """Destroy a version under which nothing is wrapped any more."""
    with transaction() as session:
        rotation.retire(session, version)
    click.echo(f"Version {version} is gone.")


COMMANDS: list[click.Command] = [keys_group]
