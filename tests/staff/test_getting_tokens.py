"""Only a client that proves itself gets a token, and never more than it has."""

import base64
import time
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OctKey, OKPKey
from joserfc.jws import JWSRegistry

from loyalty import staff
from loyalty.database import transaction
from loyalty.staff.assertions import TYPE
from loyalty.staff.clients import digest
from loyalty.web import Refused
from tests.staff.conftest import ADMIN, Account, ping_with, token_for

AUDIENCE = "http://127.0.0.1:8000/v1/oauth/token"
GRANT = {"grant_type": "client_credentials"}


def ask(client: FlaskClient, form: dict[str, str], **more: Any) -> tuple[int, str]:
    response = client.post("/v1/oauth/token", data=form, **more)
    assert response.headers["Cache-Control"] == "no-store"
    return response.status_code, response.get_json().get("error", "")


def test_a_secret_by_header_or_form_gets_a_token(client: FlaskClient, bank: Account) -> None:
    assert ping_with(client, token_for(client, bank)) == 200
    form = {**GRANT, "client_id": bank.client_id, "client_secret": bank.secret}
    assert ask(client, form) == (200, "")


def test_a_token_has_the_scopes_asked_for(client: FlaskClient, bank: Account) -> None:
    token = token_for(client, bank, scope="points:read")
    response = client.get("/v1/ping", headers={"Authorization": f"Bearer {token}"})
    assert response.get_json()["scopes"] == ["points:read"]


def test_more_than_the_client_has_is_refused(client: FlaskClient, bank: Account) -> None:
    form = {**GRANT, "scope": "points:read customers:tokens"}
    assert ask(client, form, auth=(bank.client_id, bank.secret)) == (400, "invalid_scope")


def test_wrong_and_unknown_look_the_same(client: FlaskClient, bank: Account) -> None:
    for who in (bank.client_id, "cli_0000000000099", "bank", "", "cli_", "cus_0000000000001"):
        for secret in ("", "wrong", "é"):
            assert ask(client, GRANT, auth=(who, secret)) == (401, "invalid_client")


@pytest.mark.parametrize(
    "header", ["Basic", "Basic x", "Basic é", "Bearer abc", "Basic bm9jb2xvbg=="]
)
def test_a_malformed_header_is_no_proof(client: FlaskClient, bank: Account, header: str) -> None:
    headers = {"Authorization": header}
    assert ask(client, GRANT, headers=headers) == (401, "invalid_client")


def test_two_proofs_at_once_are_refused(client: FlaskClient, bank: Account) -> None:
    form = {**GRANT, "client_id": bank.client_id, "client_secret": bank.secret}
    assert ask(client, form, auth=(bank.client_id, bank.secret)) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"scope": "points:read"}, "invalid_request"),
        ({**GRANT, "other": "1"}, "invalid_request"),
        ({"grant_type": ["client_credentials", "client_credentials"]}, "invalid_request"),
    ],
)
def test_another_request_is_refused(
    client: FlaskClient, bank: Account, form: Any, error: str
) -> None:
    assert ask(client, form, auth=(bank.client_id, bank.secret)) == (400, error)


def test_json_is_no_token_request(client: FlaskClient) -> None:
    assert client.post("/v1/oauth/token", json=GRANT).status_code == 415


def test_an_old_secret_works_until_it_is_revoked(client: FlaskClient, bank: Account) -> None:
    with transaction() as session:
        newer = Account(bank.number, bank.client_id, staff.add_secret(session, ADMIN, bank.number))
    assert token_for(client, bank) != token_for(client, newer)
    with transaction() as session:
        staff.revoke_older_secrets(session, ADMIN, bank.number)
    assert ask(client, GRANT, auth=(bank.client_id, bank.secret)) == (401, "invalid_client")
    assert token_for(client, newer)


def test_secrets_are_not_stored(bank: Account) -> None:
    assert bank.secret.encode() not in digest(bank.secret)
    assert len(base64.urlsafe_b64decode(bank.secret + "=")) == 32


Sign = Callable[..., str]


def make_key(algorithm: str) -> Any:
    if algorithm == "ES256":
        return ECKey.generate_key("P-256")
    return OKPKey.generate_key("Ed25519")


@pytest.fixture(params=["EdDSA", "Ed25519", "ES256"])
def algorithm(request: pytest.FixtureRequest) -> str:
    """One of the algorithms that assertions may be signed with."""
    return str(request.param)


@pytest.fixture
def foreign_key(algorithm: str) -> Any:
    """A key that nobody registered."""
    return make_key(algorithm)


@pytest.fixture
def sign(algorithm: str, bank: Account) -> Sign:
    """Return what signs an assertion with a key that the bank has registered."""
    key: Any = (
        ECKey.generate_key("P-256") if algorithm == "ES256" else OKPKey.generate_key("Ed25519")
    )
    with transaction() as session:
        staff.add_key(session, ADMIN, bank.number, key.as_dict(private=False))

    def signed(with_key: Any = key, header: dict[str, Any] | None = None, **changed: Any) -> str:
        claims = {
            "iss": bank.client_id,
            "sub": bank.client_id,
            "aud": AUDIENCE,
            "exp": int(time.time()) + 120,
            "jti": f"j{time.time_ns()}",
            **changed,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        headers = {"alg": algorithm, **(header or {})}
        registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)
            return jwt.encode(headers, claims, with_key, registry=registry)

    return signed


def prove(client: FlaskClient, assertion: str, **more: str) -> tuple[int, str]:
    form = {**GRANT, "client_assertion_type": TYPE, "client_assertion": assertion, **more}
    return ask(client, form)


def test_a_signed_assertion_gets_a_token_once(client: FlaskClient, sign: Sign) -> None:
    assertion = sign()
    assert prove(client, assertion) == (200, "")
    assert prove(client, assertion) == (401, "invalid_client")
    assert prove(client, sign(aud=["http://127.0.0.1:8000", "other"])) == (200, "")


OTHERWISE: list[dict[str, Any]] = [
    {"aud": "https://elsewhere.example"},
    {"aud": None},
    {"sub": "cli_0000000000099"},
    {"iss": "cli_0000000000099"},
    {"exp": None},
    {"exp": 1},
    {"exp": 99_999_999_999},
    {"exp": "2100-01-01"},
    {"exp": 1e12},
    {"jti": None},
    {"jti": ""},
    {"jti": 7},
    {"jti": "x" * 201},
    {"nbf": 99_999_999_999},
    {"iat": 99_999_999_999},
    {"header": {"typ": "JWT", "jku": "https://evil.example/keys"}},
    {"header": {"crit": ["b64"], "b64": False}},
]


def test_an_assertion_that_says_anything_else_is_refused(client: FlaskClient, sign: Sign) -> None:
    for changed in OTHERWISE:
        assert prove(client, sign(**changed)) == (401, "invalid_client"), changed


def test_another_key_of_the_same_kind_proves_nothing(
    client: FlaskClient, sign: Sign, foreign_key: Any
) -> None:
    assert prove(client, sign(with_key=foreign_key)) == (401, "invalid_client")


@pytest.mark.parametrize(
    "jwk",
    [
        {},
        {"kty": "OKP", "crv": "Ed25519"},
        {"kty": "OKP", "crv": "Ed25519", "x": "short"},
        OctKey.generate_key(256).as_dict(private=True),
        OKPKey.generate_key("Ed25519").as_dict(private=True),
        ECKey.generate_key("P-384").as_dict(private=False),
        OKPKey.generate_key("X25519").as_dict(private=False),
    ],
)
def test_only_public_signing_keys_are_registered(bank: Account, jwk: dict[str, Any]) -> None:
    with pytest.raises(Refused), transaction() as session:
        staff.add_key(session, ADMIN, bank.number, jwk)
