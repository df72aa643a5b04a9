"""A token counts only if we signed it as it stands, and only while its owner may act."""

import base64
import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask.testing import FlaskClient
from joserfc import jws, jwt
from joserfc.jwk import OctKey, OKPKey
from joserfc.jws import JWSRegistry

from loyalty import staff
from loyalty.database import transaction
from loyalty.settings import settings
from loyalty.staff.signing import signing_keys
from loyalty.web import Caller, ids
from loyalty.web.keyfiles import keys_folder
from tests.staff.conftest import (
    ADMIN,
    Account,
    add_account,
    add_person,
    ping_with,
    token_for,
)

ALL = ["Ed25519", "HS256", "none"]


def claims_for(bank: Account, **changed: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {
        "iss": settings().issuer,
        "aud": settings().issuer,
        "sub": bank.client_id,
        "client_id": bank.client_id,
        "iat": now,
        "exp": now + 600,
        "jti": "x",
        "scope": "points:read",
        **changed,
    }
    return {name: value for name, value in claims.items() if value is not None}


def our_key() -> tuple[str, OKPKey]:
    return list(signing_keys()._keys().items())[-1]


def sign(claims: dict[str, Any], **changed: Any) -> str:
    kid, key = our_key()
    header = {"alg": "Ed25519", "typ": "at+jwt", "kid": kid, **changed}
    header = {name: value for name, value in header.items() if value is not None}
    registry = JWSRegistry(algorithms=ALL, strict_check_header=False)
    return jws.serialize_compact(header, json.dumps(claims).encode(), key, registry=registry)


def test_what_we_sign_is_trusted(client: FlaskClient, bank: Account) -> None:
    assert ping_with(client, sign(claims_for(bank))) == 200


CLAIMS: list[dict[str, Any]] = [
    {"iss": "https://evil.example"},
    {"iss": None},
    {"aud": "https://other.example"},
    {"aud": None},
    {"sub": "cli_0000000000099"},
    {"sub": "stf_0000000000001"},
    {"sub": "cus_1"},
    {"sub": None},
    {"sub": 1},
    {"client_id": "cli_0000000000099"},
    {"client_id": None},
    {"client_id": "development' OR 1=1"},
    {"exp": None},
    {"exp": 1},
    {"exp": "never"},
    {"exp": 1e11},
    {"exp": int(time.time()) + 86_400},
    {"iat": None},
    {"iat": int(time.time()) + 86_400, "exp": int(time.time()) + 86_700},
]


def test_claims_that_are_not_ours_are_refused(client: FlaskClient, bank: Account) -> None:
    for changed in CLAIMS:
        assert ping_with(client, sign(claims_for(bank, **changed))) == 401, changed


HEADERS: list[dict[str, Any]] = [
    {"typ": "JWT"},
    {"typ": None},
    {"kid": None},
    {"jku": "https://evil.example/keys"},
    {"x5u": "https://evil.example/cert"},
    {"jwk": OKPKey.generate_key("Ed25519").as_dict(private=False)},
    {"cty": "JWT"},
]


def test_headers_that_are_not_ours_are_refused(client: FlaskClient, bank: Account) -> None:
    for changed in HEADERS:
        assert ping_with(client, sign(claims_for(bank), **changed)) == 401, changed


def encoded(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def test_a_token_without_our_signature_is_refused(client: FlaskClient, bank: Account) -> None:
    for algorithm in ("none", "None", "NONE", "", None, ["Ed25519"], 1, "HS256", "Ed25519"):
        header = encoded({"alg": algorithm, "typ": "at+jwt", "kid": our_key()[0]})
        for signature in ("", "AAAA", "A" * 86):
            token = f"{header}.{encoded(claims_for(bank))}.{signature}"
            assert ping_with(client, token) == 401, algorithm


def test_the_public_key_is_no_shared_secret(client: FlaskClient, bank: Account) -> None:
    kid, key = our_key()
    public = key.public_key
    for secret in (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.Raw, PublicFormat.Raw),
    ):
        forged = jwt.encode(
            {"alg": "HS256", "typ": "at+jwt", "kid": kid},
            claims_for(bank),
            OctKey.import_key(base64.urlsafe_b64encode(secret)),
            algorithms=["HS256"],
        )
        assert ping_with(client, forged) == 401


def test_a_foreign_key_is_refused_whatever_key_it_names(client: FlaskClient, bank: Account) -> None:
    foreign = OKPKey.generate_key("Ed25519")
    for kid in (our_key()[0], foreign.thumbprint(), "../../etc/passwd", "' OR 1=1 --"):
        header = {"alg": "Ed25519", "typ": "at+jwt", "kid": kid}
        forged = jwt.encode(header, claims_for(bank), foreign, algorithms=["Ed25519"])
        assert ping_with(client, forged) == 401


def test_a_changed_token_is_refused(client: FlaskClient, bank: Account) -> None:
    header, payload, signature = sign(claims_for(bank)).split(".")
    richer = encoded(claims_for(bank, scope="points:read points:write"))
    assert ping_with(client, f"{header}.{richer}.{signature}") == 401
    assert ping_with(client, f"{header}.{payload}.{signature[:-2]}") == 401
    assert ping_with(client, f"{header}.{payload}") == 401


def test_a_disabled_client_is_refused_with_all_its_tokens(
    client: FlaskClient, bank: Account
) -> None:
    own = token_for(client, bank)
    bank_caller = Caller("system", bank.client_id)
    customers = staff.issue_customer_token(bank_caller, 7, ["points:read"]).token
    assert (ping_with(client, own), ping_with(client, customers)) == (200, 200)
    with transaction() as session:
        staff.disable_client(session, ADMIN, bank.number)
    assert (ping_with(client, own), ping_with(client, customers)) == (401, 401)


def test_a_customers_token_is_for_that_customer(client: FlaskClient, bank: Account) -> None:
    issued = staff.issue_customer_token(Caller("system", bank.client_id), 7, ["points:read"])
    response = client.get("/v1/ping", headers={"Authorization": f"Bearer {issued.token}"})
    assert response.get_json() == {
        "kind": "customer",
        "id": ids.encode("cus", 7),
        "scopes": ["points:read"],
        "roles": [],
    }
    assert issued.expires_in <= 600


def test_a_staff_token_has_the_roles_of_the_moment(client: FlaskClient, branch: int) -> None:
    person = add_person("li", branch, "support", "viewer")
    token = staff.issue_staff_token(person).token
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get("/v1/ping", headers=headers).get_json()["roles"] == ["support", "viewer"]
    with transaction() as session:
        staff.revoke_role(session, ADMIN, person, "support")
    client.application.extensions["quanyi"].tokens.forget()
    assert client.get("/v1/ping", headers=headers).get_json()["roles"] == ["viewer"]
    with transaction() as session:
        staff.disable_staff(session, ADMIN, person)
    assert ping_with(client, token) == 401


def test_a_client_may_act_as_a_member_of_staff(client: FlaskClient, branch: int) -> None:
    person = add_person("wang", branch, "auditor")
    account = add_account("wang's tool", [], person)
    token = token_for(client, account)
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get("/v1/ping", headers=headers).get_json()["kind"] == "staff"
    assert client.get("/v1/audit", headers=headers).status_code == 200


def test_no_development_token_counts_in_production(
    client: FlaskClient, branch: int, environment: pytest.MonkeyPatch
) -> None:
    token = staff.issue_staff_token(add_person("li", branch)).token
    assert ping_with(client, token) == 200
    environment.setenv("QUANYI_ENV", "production")
    settings.cache_clear()
    assert ping_with(client, token) == 401


def test_a_rotation_refuses_no_live_token_and_two_rotations_do(
    client: FlaskClient, bank: Account
) -> None:
    old = sign(claims_for(bank))
    signing_keys().rotate()
    assert ping_with(client, old) == 200
    assert ping_with(client, sign(claims_for(bank))) == 200
    signing_keys().rotate()
    assert ping_with(client, old) == 401


def test_keys_are_for_their_owner_alone(client: FlaskClient, bank: Account) -> None:
    sign(claims_for(bank))
    assert keys_folder().stat().st_mode & 0o077 == 0
    files = list(keys_folder().glob("access-token-*"))
    assert [path.stat().st_mode & 0o777 for path in files] == [0o600]
