"""Commands of operations: units, people, clients, keys, and tokens for trying things out."""

from pathlib import Path

import click
import orjson

from loyalty.database import transaction
from loyalty.settings import settings
from loyalty.staff import clients, people, sign_in, tokens
from loyalty.staff.models import ROLES, UNIT_KINDS
from loyalty.staff.signing import signing_keys
from loyalty.web import Caller, NotFound, Refused, find_problem, ids

COMMAND_LINE = Caller.job("command-line")


class Refusals(click.Group):
    """A group whose commands end with a sentence when something is refused."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; a refusal becomes its message and status 1."""
        try:
            return super().invoke(ctx)
        except Refused as refusal:
            problem = find_problem(refusal.code)
            raise click.ClickException(f"{problem.title.en} ({problem.code})") from None


@click.group("staff", cls=Refusals)
def staff_group() -> None:
    """Units, people, roles, and the systems that call us."""


@staff_group.command("add-unit")
@click.argument("name")
@click.option("--kind", type=click.Choice(UNIT_KINDS), required=True)
@click.option("--under", type=int, help="The number of the unit that it belongs to.")
def add_unit(name: str, kind: str, under: int | None) -> None:
    """Add an organisation unit and print its number."""
    with transaction() as session:
        click.echo(people.add_unit(session, COMMAND_LINE, kind, name, under).id)


@staff_group.command("add")
@click.argument("login")
@click.option("--name", required=True)
@click.option("--unit", type=int, required=True)
@click.option("--role", "roles", multiple=True, type=click.Choice(ROLES))
def add_staff(login: str, name: str, unit: int, roles: tuple[str, ...]) -> None:
    """Add a member of staff and print their id."""
    with transaction() as session:
        person = people.add_staff(
            session, COMMAND_LINE, login=login, name=name, unit_id=unit, roles=roles
        )
        click.echo(ids.encode("stf", person.id))


@staff_group.command("invite")
@click.argument("login")
def invite(login: str) -> None:
    """Print the link with which a member of staff sets password and second factor, once."""
    with transaction() as session:
        person = people.find_staff(session, login)
        token = sign_in.invite(session, COMMAND_LINE, person.id)
    click.echo(f"{settings().issuer}/console/invitations/{token}")


@staff_group.command("grant")
@click.argument("login")
@click.argument("role", type=click.Choice(ROLES))
def grant(login: str, role: str) -> None:
    """Give a member of staff a role."""
    with transaction() as session:
        people.grant_role(session, COMMAND_LINE, people.find_staff(session, login).id, role)


@staff_group.command("revoke")
@click.argument("login")
@click.argument("role", type=click.Choice(ROLES))
def revoke(login: str, role: str) -> None:
    """Take a role away; live tokens lose it within half a minute."""
    with transaction() as session:
        people.revoke_role(session, COMMAND_LINE, people.find_staff(session, login).id, role)


@staff_group.command("disable")
@click.argument("login")
def disable(login: str) -> None:
    """Refuse a member of staff from now on."""
    with transaction() as session:
        people.disable_staff(session, COMMAND_LINE, people.find_staff(session, login).id)


@staff_group.command("add-client")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True)
@click.option("--staff", "login", help="The client acts as this member of staff.")
def add_client(name: str, scopes: tuple[str, ...], login: str | None) -> None:
    """Add a system account and print its id and secret; the secret is shown this once."""
    with transaction() as session:
        staff_id = people.find_staff(session, login).id if login else None
        client, secret = clients.add_client(session, COMMAND_LINE, name, scopes, staff_id)
        click.echo(f"client_id {ids.encode('cli', client.id)}\nclient_secret {secret}")


@staff_group.command("add-secret")
@click.argument("name")
def add_secret(name: str) -> None:
    """Draw a second secret for a client and print it; the older one keeps working."""
    with transaction() as session:
        click.echo(clients.add_secret(session, COMMAND_LINE, clients.find_client(session, name).id))


@staff_group.command("revoke-older-secrets")
@click.argument("name")
def revoke_older_secrets(name: str) -> None:
    """Leave a client only its newest secret."""
    with transaction() as session:
        client = clients.find_client(session, name)
        clients.revoke_older_secrets(session, COMMAND_LINE, client.id)


@staff_group.command("add-key")
@click.argument("name")
@click.argument("jwk_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def add_key(name: str, jwk_file: Path) -> None:
    """Register a client's public key (a JWK file) for signed assertions; print its key id."""
    with transaction() as session:
        client = clients.find_client(session, name)
        jwk = orjson.loads(jwk_file.read_bytes())
        click.echo(clients.add_key(session, COMMAND_LINE, client.id, jwk))


@staff_group.command("disable-client")
@click.argument("name")
def disable_client(name: str) -> None:
    """Refuse a client from now on; live tokens die within half a minute."""
    with transaction() as session:
        clients.disable_client(session, COMMAND_LINE, clients.find_client(session, name).id)


@staff_group.command("rotate-token-key")
def rotate_token_key() -> None:
    """Sign access tokens with a new key from now on; print its key id."""
    click.echo(signing_keys().rotate())


@click.command("token")
@click.option("--customer", help="A customer's id (cus_…).")
@click.option("--client", help="A client's name.")
@click.option("--staff", "login", help="A staff login.")
@click.option("--scope", "scopes", multiple=True, help="What a customer's token allows.")
def print_token(
    customer: str | None, client: str | None, login: str | None, scopes: tuple[str, ...]
) -> None:
    """Print a token for ten minutes. Not in production: there, tokens follow a login."""
    if settings().is_production:
        raise click.ClickException("tokens are not printed in production (QUANYI_ENV)")
    if sum(chosen is not None for chosen in (customer, client, login)) != 1:
        raise click.UsageError("name one of --customer, --client and --staff")
    with transaction() as session:
        try:
            if customer is not None:
                number = ids.decode("cus", customer)
                caller = Caller.job(tokens.DEVELOPMENT)
                issued = tokens.issue_customer_token(caller, number, scopes or ("points:read",))
            elif client is not None:
                issued = tokens.issue_client_token(clients.find_client(session, client))
            else:
                assert login is not None
                issued = tokens.issue_staff_token(people.find_staff(session, login).id)
        except (NotFound, ValueError):
            raise click.ClickException("there is nobody of that name") from None
    click.echo(issued.token)


COMMANDS: list[click.Command] = [staff_group, print_token]
