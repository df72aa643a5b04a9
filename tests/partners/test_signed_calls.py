"""A signed call acts once, as it was sent, by whom it names, and soon after it was signed.

Attacks A54 (resending), A55 (changing what is covered, or leaving it out).
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from flask import Blueprint
from flask.testing import FlaskClient
from http_message_signatures import HTTPMessageSigner, HTTPSignatureKeyResolver, algorithms
from joserfc.jwk import ECKey, OKPKey
from marshmallow import Schema, fields
from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty import audit, partners, staff
from loyalty.audit import api as audit_api
from loyalty.database import transaction
from loyalty.partners.signatures import COVERED, forget_nonces
from loyalty.staff import api as staff_api
from loyalty.web import Access, Caller, Refused, endpoint
from loyalty.web.app import create_app
from tests.partners.builders import Shop, add_system, bearer, open_shop
from tests.servers import Database
from tests.staff.conftest import ADMIN, Account

ISSUER = "https://api.bank.example"
PATH = "/v1/try/redemptions"
NONCE = "0123456789abcdef"


class TrialBody(Schema):
    """What the trial route takes."""

    amount = fields.Integer(required=True)


class TrialAnswer(Schema):
    """What the trial route answers."""

    amount = fields.Integer(required=True)


trial = Blueprint("trial", __name__)


@endpoint(
    trial,
    "POST",
    PATH,
    access=Access.partner("coupons:redeem"),
    body=TrialBody,
    answer=TrialAnswer,
    summary=("试", "Try"),
    idempotent=True,
    signed=partners.SIGNED,
)
def post_trial(session: Session, caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Redeem as a partner does: an amount of 0 is refused."""
    if body["amount"] == 0:
        raise Refused("outlet-closed")
    audit.record(session, caller, "trial.redeemed", "trial", "1")
    return body


class Till(HTTPSignatureKeyResolver):
    """A partner's system: its token, its key, and a message as it leaves the house."""

    def __init__(self, client: FlaskClient, account: Account, curve: str = "Ed25519") -> None:
        self.client = client
        self.authorization = bearer(client, account)["Authorization"]
        self.key = (
            OKPKey.generate_key("Ed25519") if curve == "Ed25519" else ECKey.generate_key(curve)
        )
        self.algorithm = algorithms.ED25519 if curve == "Ed25519" else algorithms.ECDSA_P256_SHA256
        with transaction() as session:
            public = self.key.as_dict(private=False)
            self.kid = staff.add_key(session, ADMIN, account.number, public)

    def resolve_public_key(self, key_id: str) -> Any:
        raise NotImplementedError

    def resolve_private_key(self, key_id: str) -> Any:
        return self.key.private_key

    def message(self, amount: int = 5, **headers: str) -> "Outgoing":
        return Outgoing(
            f"{ISSUER}{PATH}",
            {
                "Authorization": self.authorization,
                "Content-Type": "application/json",
                "Idempotency-Key": "key-1",
                **headers,
            },
            orjson.dumps({"amount": amount}),
        )

    def sign(
        self, message: "Outgoing", covered: tuple[str, ...] = COVERED, **options: Any
    ) -> "Outgoing":
        signer = HTTPMessageSigner(signature_algorithm=self.algorithm, key_resolver=self)
        wanted = {"nonce": NONCE, "created": datetime.now(UTC), "key_id": self.kid, **options}
        body = message.body if "content-digest" in covered else None
        signer.sign(message, covered_component_ids=covered, body=body, **wanted)
        return message

    def send(
        self, message: "Outgoing", *more: tuple[str, str], host: str = ISSUER
    ) -> tuple[int, str]:
        answer = self.client.open(
            message.url.removeprefix(ISSUER),
            base_url=host,
            method=message.method,
            headers=[*message.headers.items(), *more],
            data=message.body,
        )
        replayed = answer.headers.get("Idempotent-Replayed") == "true"
        content = answer.get_json(force=True)
        code = content.get("type", "").rsplit("/", 1)[-1] if answer.status_code >= 400 else ""
        return answer.status_code, code or ("replayed" if replayed else "")


class Outgoing:
    """A message that can be signed, and then changed."""

    def __init__(self, url: str, headers: dict[str, str], body: bytes) -> None:
        self.method, self.url, self.headers, self.body = "POST", url, headers, body


@pytest.fixture
def client(database: Database, environment: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    """The trial route, served under an address of its own."""
    environment.setenv("QUANYI_ISSUER", ISSUER)
    app = create_app(
        [trial, staff_api.blueprint, audit_api.blueprint], verify=staff_api.verify_token
    )
    return app.test_client()


@pytest.fixture
def shop(database: Database) -> Shop:
    """A partner."""
    return open_shop("mall")


@pytest.fixture
def till(client: FlaskClient, shop: Shop) -> Till:
    """A system of the partner's that has to sign."""
    limits = partners.Limits(signature_required=True)
    return Till(client, add_system(shop.partner, "mall/signing", limits))


def redeemed() -> int:
    with transaction() as session:
        query = text("SELECT count(*) FROM loyalty.audit_events WHERE action = 'trial.redeemed'")
        return int(session.execute(query).scalar_one())


def test_a_signed_call_is_done(till: Till) -> None:
    assert till.send(till.sign(till.message())) == (200, "")


def test_a_key_on_the_other_curve_signs_as_well(client: FlaskClient, shop: Shop) -> None:
    till = Till(client, shop.account, "P-256")
    assert till.send(till.sign(till.message())) == (200, "")


def test_who_must_sign_and_does_not_is_refused(till: Till) -> None:
    assert till.send(till.message()) == (401, "signature-required")
    assert redeemed() == 0


def test_who_need_not_sign_may_leave_it_but_not_do_it_wrong(
    client: FlaskClient, shop: Shop
) -> None:
    till = Till(client, shop.account)
    assert till.send(till.message()) == (200, "")
    signed = till.sign(till.message(amount=6, **{"Idempotency-Key": "key-2"}))
    signed.body = b'{"amount": 7}'
    assert till.send(signed) == (401, "signature-invalid")


def test_the_same_bytes_again_get_the_same_answer_and_do_nothing(till: Till) -> None:
    message = till.sign(till.message())
    answers = [till.send(message) for _ in range(3)]
    assert answers == [(200, ""), (200, "replayed"), (200, "replayed")]
    assert redeemed() == 1


def test_a_used_nonce_under_a_new_key_does_nothing(till: Till) -> None:
    till.send(till.sign(till.message()))
    again = till.sign(till.message(**{"Idempotency-Key": "key-2"}))
    assert till.send(again) == (401, "signature-replayed")
    assert redeemed() == 1


def test_what_was_refused_cannot_be_sent_again_by_who_recorded_it(till: Till) -> None:
    refused = till.sign(till.message(amount=0))
    assert till.send(refused) == (409, "outlet-closed")
    assert till.send(refused) == (401, "signature-replayed")
    anew = till.sign(till.message(amount=0), nonce=NONCE[::-1])
    assert till.send(anew) == (409, "outlet-closed")


@pytest.mark.parametrize("age", [timedelta(minutes=6), timedelta(days=1), -timedelta(minutes=6)])
def test_what_was_signed_long_ago_or_in_the_future_is_refused(till: Till, age: timedelta) -> None:
    message = till.sign(till.message(), created=datetime.now(UTC) - age)
    assert till.send(message) == (401, "signature-invalid")


def test_a_signature_past_its_end_is_refused(till: Till) -> None:
    end = datetime.now(UTC) - timedelta(minutes=1)
    message = till.sign(till.message(), expires=end)
    assert till.send(message) == (401, "signature-invalid")


@pytest.mark.parametrize("missing", COVERED)
def test_every_part_that_matters_must_be_covered(till: Till, missing: str) -> None:
    covered = tuple(name for name in COVERED if name != missing)
    assert till.send(till.sign(till.message(), covered)) == (401, "signature-invalid")


def changed(message: Outgoing, what: str) -> list[tuple[str, str]]:
    """Change one thing of a signed message; return header lines to add to it."""
    headers = message.headers
    match what:
        case "body":
            message.body = b'{"amount": 9}'
        case "body and its digest":
            message.body = b'{"amount": 9}'
            del headers["Content-Digest"]
            return [("Content-Digest", "sha-256=:" + "A" * 43 + "=:")]
        case "query":
            message.url += "?to=me"
        case "path":
            message.url += "/"
        case "path spelt otherwise":
            message.url = message.url.replace("try", "%74ry")
        case "key":
            headers["Idempotency-Key"] = "key-9"
        case "digest stripped":
            del headers["Content-Digest"]
        case "signature stripped":
            del headers["Signature"]
        case "input stripped":
            del headers["Signature-Input"]
        case "covered parts reordered":
            headers["Signature-Input"] = headers["Signature-Input"].replace(
                '"@method" "@target-uri"', '"@target-uri" "@method"'
            )
        case "nonce":
            headers["Signature-Input"] = headers["Signature-Input"].replace(NONCE, "f" * 16)
        case "created":
            created = int(headers["Signature-Input"].split("created=")[1].split(";")[0])
            headers["Signature-Input"] = headers["Signature-Input"].replace(
                str(created), str(created + 1)
            )
        case "algorithm":
            headers["Signature-Input"] = headers["Signature-Input"].replace(
                "ed25519", "hmac-sha256"
            )
        case "digest twice":
            return [("Content-Digest", "sha-256=:" + "A" * 43 + "=:")]
        case "key twice":
            return [("Idempotency-Key", "key-9")]
        case "signature twice":
            return [("Signature", headers["Signature"])]
        case "garbage":
            headers["Signature-Input"] = "(((("
    return []


@pytest.mark.parametrize(
    "what",
    [
        "body",
        "body and its digest",
        "query",
        "path spelt otherwise",
        "key",
        "digest stripped",
        "signature stripped",
        "input stripped",
        "covered parts reordered",
        "nonce",
        "created",
        "algorithm",
        "digest twice",
        "signature twice",
        "garbage",
    ],
)
def test_whatever_is_changed_is_refused(till: Till, what: str) -> None:
    message = till.sign(till.message())
    more = changed(message, what)
    assert till.send(message, *more) == (401, "signature-invalid")
    assert redeemed() == 0


def test_two_idempotency_keys_are_refused(till: Till) -> None:
    message = till.sign(till.message())
    status, code = till.send(message, *changed(message, "key twice"))
    assert (status, code) in {(400, "idempotency-key-invalid"), (401, "signature-invalid")}
    assert redeemed() == 0


def test_another_path_or_method_does_not_exist(till: Till) -> None:
    message = till.sign(till.message())
    changed(message, "path")
    assert till.send(message)[0] == 404
    message = till.sign(till.message())
    message.method = "PUT"
    assert till.send(message)[0] == 405


def test_another_host_is_refused_even_if_it_was_signed_for(till: Till) -> None:
    other = "https://sandbox.bank.example"
    message = till.sign(till.message())
    assert till.send(message, host=other) == (401, "signature-invalid")
    message = till.message()
    message.url = message.url.replace(ISSUER, other)
    till.sign(message)
    message.url = message.url.replace(other, ISSUER)
    assert till.send(message) == (401, "signature-invalid")


def test_a_call_that_need_not_be_signed_may_come_by_any_name_of_ours(
    client: FlaskClient, shop: Shop
) -> None:
    till = Till(client, shop.account)
    assert till.send(till.message(), host="http://10.0.0.5:8000") == (200, "")


def test_the_key_of_another_client_signs_nothing(
    client: FlaskClient, shop: Shop, till: Till
) -> None:
    other = Till(client, open_shop("other").account)
    signed = other.sign(till.message())
    assert till.send(signed) == (401, "signature-invalid")
    signed = other.sign(till.message(), key_id=till.kid)
    assert till.send(signed) == (401, "signature-invalid")


def test_a_key_that_was_revoked_signs_nothing(till: Till) -> None:
    with transaction() as session:
        session.execute(text("UPDATE loyalty.client_keys SET revoked_at = now()"))
    assert till.send(till.sign(till.message())) == (401, "signature-invalid")


@pytest.mark.parametrize("nonce", [None, "", "short", "x" * 201])
def test_a_nonce_is_needed_and_of_some_length(till: Till, nonce: str | None) -> None:
    assert till.send(till.sign(till.message(), nonce=nonce)) == (401, "signature-invalid")


def test_nonces_are_kept_for_as_long_as_they_matter(till: Till) -> None:
    till.send(till.sign(till.message()))
    with transaction() as session:
        forget_nonces(session)
        (left,) = session.execute(text("SELECT expires_at FROM loyalty.used_nonces")).one()
    assert left.timestamp() > time.time() + 300
