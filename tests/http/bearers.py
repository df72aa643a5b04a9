"""Everybody who may come to the door with a token or without, and what each is due."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import OctKey

from loyalty import staff
from loyalty.staff.models import ROLES
from loyalty.web import Caller, ids
from loyalty.web.access import Access, Kind
from tests.staff.conftest import Account, add_account, add_person, token_for
from tests.staff.test_trusting_tokens import claims_for, encoded, our_key, sign

LONG_OVER = 1_600_000_000
LET_IN, NO_TOKEN = "let in", "unauthenticated"
NO_SCOPE, NOT_FOR_YOU = "insufficient-scope", "forbidden"
NO_SESSION = ""  # no token opens a page: its reader is led to sign in
REFUSED = {NO_TOKEN: 401, NO_SCOPE: 403, NOT_FOR_YOU: 403, NO_SESSION: 303}


@dataclass(frozen=True)
class Bearer:
    """Somebody at the door: what they show, and who they really are (nobody without `kind`)."""

    name: str
    header: str | None
    kind: str = ""
    scopes: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    sandbox: bool = False


def judge(access: Access, bearer: Bearer) -> str:
    """Return what `access` means for `bearer`, said once more and apart from the code."""
    if access.kind == Kind.PUBLIC:
        return LET_IN
    if access.by_session:
        return NO_SESSION
    if not bearer.kind:
        return NO_TOKEN
    if access.kind == Kind.TOKEN:
        return LET_IN
    welcome = {
        Kind.SYSTEM: {Kind.SYSTEM},
        Kind.CUSTOMER: {Kind.SYSTEM, Kind.CUSTOMER},
        Kind.STAFF: {Kind.STAFF, Kind.SYSTEM} if access.scope else {Kind.STAFF},
        Kind.PARTNER: {Kind.STAFF, Kind.PARTNER} if access.roles else {Kind.PARTNER},
    }[Kind(access.kind)]
    if bearer.kind not in welcome:
        return NOT_FOR_YOU
    if bearer.sandbox and not access.sandbox:
        return NOT_FOR_YOU
    if bearer.kind == Kind.STAFF:
        return LET_IN if access.roles & bearer.roles else NOT_FOR_YOU
    return LET_IN if access.scope in bearer.scopes else NO_SCOPE


def false_bearers(rich: Account) -> Iterator[Bearer]:
    """Yield those whose token is none of ours, is over, or is for somebody else."""
    good = claims_for(rich, scope="points:read")
    head, _, signature = sign(good).split(".")
    kid, key = our_key()
    public = key.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    by_public_key = jwt.encode(
        {"alg": "HS256", "typ": "at+jwt", "kid": kid},
        good,
        OctKey.import_key(base64.urlsafe_b64encode(public)),
        algorithms=["HS256"],
    )
    unsigned = f"{encoded({'alg': 'none', 'typ': 'at+jwt', 'kid': kid})}.{encoded(good)}."
    tokens: dict[str, str] = {
        "garbage": "garbage",
        "expired": sign(claims_for(rich, iat=LONG_OVER, exp=LONG_OVER + 600)),
        "for another audience": sign(claims_for(rich, aud="https://other.example")),
        "of another issuer": sign(claims_for(rich, iss="https://other.example")),
        "unsigned": unsigned,
        "signed with the public key": by_public_key,
        "with claims exchanged": f"{head}.{encoded({**good, 'scope': 'x:y'})}.{signature}",
        "of no client": sign(claims_for(rich, sub=ids.encode("cli", 99))),
    }
    yield Bearer("nobody", None)
    yield Bearer("an empty header", "")
    yield Bearer("a password", "Basic YmFuazpiYW5r")
    for name, token in tokens.items():
        yield Bearer(f"a token {name}", f"Bearer {token}")


def systems(client: FlaskClient, rich: Account, scopes: frozenset[str]) -> Iterator[Bearer]:
    """Yield a client with every scope, one without any, and for each scope one that lacks it."""
    poor = add_account("poor", [])
    yield Bearer("a client", f"Bearer {token_for(client, rich)}", Kind.SYSTEM, scopes)
    yield Bearer("a client without scopes", f"Bearer {token_for(client, poor)}", Kind.SYSTEM)
    for scope in sorted(scopes):
        others = scopes - {scope}
        token = token_for(client, rich, scope=" ".join(sorted(others)))
        yield Bearer(f"a client without {scope}", f"Bearer {token}", Kind.SYSTEM, others)


def partners(client: FlaskClient, partner: int, scopes: frozenset[str]) -> Iterator[Bearer]:
    """Yield a partner's clients: with every scope, without any, and for trying things out."""
    for name, allowed, sandbox in (
        ("a partner", scopes, False),
        ("a partner without scopes", frozenset[str](), False),
        ("a partner in the sandbox", scopes, True),
    ):
        account = add_account(name, sorted(allowed), partner_id=partner, sandbox=sandbox)
        token = token_for(client, account)
        yield Bearer(name, f"Bearer {token}", Kind.PARTNER, allowed, sandbox=sandbox)


def customers(rich: Account, customer: int, scopes: frozenset[str]) -> Iterator[Bearer]:
    """Yield a customer whose token allows all that a token can, and one whose allows nothing."""
    giver = Caller(Kind.SYSTEM, rich.client_id)
    for allowed in (scopes, frozenset[str]()):
        token = staff.issue_customer_token(giver, customer, allowed).token
        name = f"a customer with {len(allowed)} scopes"
        yield Bearer(name, f"Bearer {token}", Kind.CUSTOMER, allowed)


def people(branch: int) -> Iterator[Bearer]:
    """Yield staff without a role, and with each role alone."""
    for role in (None, *ROLES):
        roles = [role] if role else []
        token = staff.issue_staff_token(add_person(f"staff-{role}", branch, *roles)).token
        name = f"staff with the role {role}"
        yield Bearer(name, f"Bearer {token}", Kind.STAFF, roles=frozenset(roles))
