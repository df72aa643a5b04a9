"""Only a pack that our key signed is in force, from its date on, and nothing of it changes."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from loyalty import policy
from loyalty.commands import main
from loyalty.database import transaction
from loyalty.policy import NoPack, Pack
from loyalty.settings import settings
from loyalty.web import Refused
from tests.callers import add_person, pointers, problem, trail
from tests.servers import Database

BODY = policy.SHIPPED.read_text("utf-8")
START = datetime(2026, 9, 30, 16, tzinfo=UTC)


def changed(**content: Any) -> str:
    return json.dumps({**json.loads(BODY), **content}, ensure_ascii=False)


def enact(body: str, signature: str | None = None) -> Pack:
    keys = settings().keys
    signed = policy.sign_pack(keys, body) if signature is None else signature
    with transaction() as session:
        return policy.enact(session, keys, body, signed, "test")


def in_force(at: datetime | None = None) -> Pack:
    with transaction() as session:
        return policy.pack_in_force(session, settings().keys, at)


def fault(refused: pytest.ExceptionInfo[Refused]) -> tuple[str, str]:
    (error,) = refused.value.errors
    return error["pointer"], error["code"]


def test_without_a_pack_nothing_can_be_judged(database: Database) -> None:
    with pytest.raises(NoPack):
        in_force()


def test_the_newest_pack_whose_date_has_come_is_in_force(pack: Pack) -> None:
    enact(changed(version="later", effective_from="2027-02-01T00:00:00+08:00"))
    with pytest.raises(NoPack):
        in_force(START - timedelta(seconds=1))
    assert in_force(START).version == pack.version
    assert in_force(datetime(2027, 1, 31, 15, 59, 59, tzinfo=UTC)).version == pack.version
    assert in_force(datetime(2027, 1, 31, 16, tzinfo=UTC)).version == "later"
    with transaction() as session:
        found = policy.find_pack(session, settings().keys, pack.version)
    assert found == pack


@pytest.mark.parametrize("signature", ["", "no base64!", "QUJD", "A" * 86 + "=="])
def test_a_bad_signature_is_refused(pack: Pack, signature: str) -> None:
    with pytest.raises(Refused) as refused:
        enact(changed(version="other"), signature)
    assert fault(refused) == ("/signature", "bad-signature")


def test_a_signature_is_of_each_byte(pack: Pack) -> None:
    signed = policy.sign_pack(settings().keys, BODY)
    with pytest.raises(Refused) as refused:
        enact(BODY + " ", signed)
    assert fault(refused) == ("/signature", "bad-signature")


def test_another_key_signs_in_vain(pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("keys")
    policy.create_policy_key(other)
    with pytest.raises(Refused) as refused:
        enact(BODY, policy.sign_pack(other, BODY))
    assert fault(refused) == ("/signature", "bad-signature")


def test_a_pack_that_was_changed_in_the_database_is_not_in_force(
    pack: Pack, database: Database
) -> None:
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute("ALTER TABLE loyalty.policy_packs DISABLE TRIGGER ALL")
        connection.execute(
            "UPDATE loyalty.policy_packs"
            " SET body = replace(body, '\"in_7_days\": 3', '\"in_7_days\": 9')"
        )
    with pytest.raises(Refused) as refused:
        in_force()
    assert fault(refused) == ("/signature", "bad-signature")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        changed(format="other"),
        changed(rules=[*json.loads(BODY)["rules"], json.loads(BODY)["rules"][0]]),
        changed(rules=[{**json.loads(BODY)["rules"][0], "id": "nobody.knows"}]),
        changed(rules=[{**json.loads(BODY)["rules"][0], "when": ["sometime"]}]),
        changed(effective_from="2027-01-01T00:00:00"),
        changed(lexicons={}),
    ],
)
def test_what_is_no_pack_is_refused_though_it_was_signed(pack: Pack, body: str) -> None:
    with pytest.raises(Refused) as refused:
        enact(body)
    assert fault(refused) == ("/pack", "unreadable")


def test_a_version_has_one_text(pack: Pack) -> None:
    assert enact(BODY) == pack
    with pytest.raises(Refused) as refused:
        enact(changed(jurisdiction="EU"))
    assert refused.value.code == "policy-version-taken"


def test_the_command_line_makes_the_key_signs_and_enacts(database: Database) -> None:
    run = CliRunner().invoke
    assert "is missing" in run(main, ["policy", "sign"]).output
    assert run(main, ["policy", "create-key"]).exit_code == 0
    signature = run(main, ["policy", "sign"]).output.strip()
    refused = run(main, ["policy", "enact", "--signature", "QUJD"])
    assert (refused.exit_code, "is not of our key" in refused.output) == (1, True)
    assert (
        "in force from 2026-09-30"
        in run(main, ["policy", "enact", "--signature", signature]).output
    )
    assert in_force(START).version == "cn-2026.11"
    assert len(trail("policy.enacted")) == 1
    assert run(main, ["policy", "install"]).exit_code == 0


def test_staff_see_the_rules_in_force_and_compliance_puts_a_signed_pack_in_force(
    application: FlaskClient,
) -> None:
    viewer = add_person(application, "viewer")
    lawyer = add_person(application, "compliance")
    assert problem(viewer.get("/v1/policy/rules")) == (409, "no-policy-pack")
    policy.create_policy_key(settings().keys)
    signature = policy.sign_pack(settings().keys, BODY)
    bad = lawyer.post("/v1/policy/packs", {"pack": BODY, "signature": "QUJD"})
    assert problem(bad) == (422, "bad-policy-pack")
    assert pointers(bad) == [("/signature", "bad-signature")]
    good = {"pack": BODY, "signature": signature}
    assert problem(viewer.post("/v1/policy/packs", good)) == (403, "forbidden")
    assert lawyer.post("/v1/policy/packs", good).status_code == 201
    found = viewer.get("/v1/policy/rules").get_json()
    assert found["pack"] == viewer.get("/v1/policy/pack").get_json()
    assert (found["pack"]["version"], len(found["rules"])) == ("cn-2026.11", 114)
    cap = next(rule for rule in found["rules"] if rule["id"] == "freq.cap")
    assert cap["parameters"] == {"in_1_day": 1, "in_7_days": 3}
    assert cap["reason"]["en"] and cap["status"] == "enforced"
    assert [actor for actor, _, _ in trail("policy.enacted")] == [lawyer.name]
