"""Coupons at the till over HTTP: who hears why, who hears nothing, and what is written once."""

from dataclasses import replace
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient

from loyalty import partners, staff
from loyalty.coupons import guessing
from loyalty.database import transaction
from loyalty.staff.models import Client as Row
from loyalty.web import ids
from tests.callers import Client, pointers, problem, trail
from tests.coupons.builders import World, add_series, issue_codes, owed
from tests.partners.builders import Shop, add_system, open_shop
from tests.servers import forget_connections

UNKNOWN = "2" * 17 + "X"


def till(application: FlaskClient, shop: Shop) -> Client:
    """Return a partner's client as a caller."""
    with transaction() as session:
        token = staff.issue_client_token(session.get_one(Row, shop.account.number)).token
    return Client(application, token, shop.account.client_id)


@pytest.fixture
def mall(application: FlaskClient, world: World) -> Client:
    return till(application, world.shop)


def shown(shop: Shop, *codes: str, **more: Any) -> dict[str, Any]:
    """Return a body that shows coupons with a basket of 120.00."""
    return {
        "outlet_id": ids.encode("otl", shop.outlet),
        "coupons": list(codes),
        "basket": [{"amount": 12_000}],
        **more,
    }


def test_check_redeem_void_redeem_reverse(world: World, mall: Client) -> None:
    (code,) = issue_codes(world, add_series(world))
    checked = mall.post("/v1/coupons/check", shown(world.shop, code)).get_json()
    assert (checked["discount"], checked["payable"]) == (2_000, 10_000)
    assert checked["coupons"][0]["accepted"] is True
    first = mall.post("/v1/coupons/redemptions", shown(world.shop, code, reference="t1"), "k1")
    assert first.status_code == 201
    body = first.get_json()
    assert (body["payable"], body["worth"], body["kind"]) == (10_000, 2_000, "redemption")
    again = mall.post("/v1/coupons/redemptions", shown(world.shop, code, reference="t1"), "k2")
    assert again.get_json() == body
    assert trail("coupon.redeemed")[0][2]["coupons"] == [body["coupons"][0]["coupon_id"]]
    path = f"/v1/coupons/redemptions/{body['redemption_id']}"
    assert mall.get(path).get_json() == body
    used = mall.post("/v1/coupons/redemptions", shown(world.shop, code, reference="t2"))
    assert (problem(used), pointers(used)) == (
        (409, "coupon-refused"),
        [("/coupons/0", "redeemed")],
    )
    assert mall.post(f"{path}/void", {"reference": "v1"}).status_code == 201
    second = mall.post("/v1/coupons/redemptions", shown(world.shop, code, reference="t3"))
    path = f"/v1/coupons/redemptions/{second.get_json()['redemption_id']}"
    undone = mall.post(f"{path}/reversals", {"reference": "r1", "reason": "returned"})
    assert (undone.status_code, undone.get_json()["kind"]) == (201, "reversal")
    late = mall.post(f"{path}/void", {"reference": "v2"})
    assert problem(late) == (409, "already-reversed")
    assert owed(world.shop) == 0


def test_a_hold_is_redeemed_or_released(world: World, mall: Client) -> None:
    (code,) = issue_codes(world, add_series(world))
    held = mall.post("/v1/coupons/holds", shown(world.shop, code, reference="h1")).get_json()
    assert held["lapses_at"] > held["recorded_at"]
    let_go = mall.post(f"/v1/coupons/holds/{held['redemption_id']}/release", {"reference": "x"})
    assert let_go.status_code == 201
    held = mall.post("/v1/coupons/holds", shown(world.shop, code, reference="h2")).get_json()
    body = shown(world.shop, reference="t1", hold_id=held["redemption_id"])
    del body["coupons"]
    done = mall.post("/v1/coupons/redemptions", body)
    assert done.get_json()["follows"] == held["redemption_id"]
    assert problem(mall.post("/v1/coupons/redemptions", {**body, "reference": "t2"})) == (
        409,
        "hold-gone",
    )


def test_a46_a62_unknown_used_and_foreign_codes_look_the_same(
    world: World, application: FlaskClient
) -> None:
    mine = add_series(world, partners=[world.shop.partner])
    used, fresh = issue_codes(world, mine, 2)
    stranger = open_shop("cinema")
    cinema, mall = till(application, stranger), till(application, world.shop)
    mall.post("/v1/coupons/redemptions", shown(world.shop, used, reference="t1"))
    typed = (used, fresh, UNKNOWN, "nonsense", f"{fresh}\n", fresh.replace(fresh[0], "А", 1))
    checked = [cinema.post("/v1/coupons/check", shown(stranger, code)) for code in typed]
    assert len({one.data for one in checked}) == 1
    assert checked[0].get_json()["coupons"][0]["reasons"][0]["code"] == "unknown-coupon"
    refused = [
        cinema.post("/v1/coupons/redemptions", shown(stranger, code, reference="same"))
        for code in typed
    ]
    assert {problem(one) for one in refused} == {(404, "coupon-unknown")}
    bodies = [{**one.get_json(), "instance": ""} for one in refused]
    assert all(body == bodies[0] for body in bodies)
    elsewhere = cinema.post("/v1/coupons/check", shown(world.shop, fresh))
    assert problem(elsewhere) == (404, "not-found")


def test_a45_guessing_is_bounded_by_partner_and_goes_to_the_trail(
    world: World, mall: Client, application: FlaskClient
) -> None:
    (code,) = issue_codes(world, add_series(world))
    other = till(application, open_shop("cinema"))
    many = shown(world.shop, *[UNKNOWN] * 20)
    tries = [mall.post("/v1/coupons/check", many).status_code for _ in range(8)]
    assert tries.count(200) * 20 in (guessing.A_PARTNER, guessing.A_PARTNER + 20)
    assert tries[-1] in (200, 429)
    blocked = mall.post("/v1/coupons/redemptions", shown(world.shop, code, reference="t1"))
    assert problem(blocked) == (429, "too-many-requests")
    assert blocked.headers["Retry-After"] == "60"
    assert [row[1] for row in trail("coupon.guessing_stopped")] == [
        ids.encode("prt", world.shop.partner)
    ]
    assert other.get("/v1/coupons/keys").status_code == 200


def test_who_has_to_sign_may_do_nothing_unsigned_that_changes_anything(
    world: World, application: FlaskClient
) -> None:
    (code,) = issue_codes(world, add_series(world))
    limits = partners.Limits(signature_required=True)
    signing = add_system(world.shop.partner, "mall/signing", limits)
    plain, strict = (
        till(application, world.shop),
        till(application, replace(world.shop, account=signing)),
    )
    assert strict.post("/v1/coupons/check", shown(world.shop, code)).status_code == 200
    body = shown(world.shop, code, reference="h1")
    held = plain.post("/v1/coupons/holds", body).get_json()["redemption_id"]
    of_hold = {**shown(world.shop, reference="t1"), "hold_id": held}
    del of_hold["coupons"]
    for path, content in [
        ("/v1/coupons/holds", body),
        (f"/v1/coupons/holds/{held}/release", {"reference": "x"}),
        ("/v1/coupons/redemptions", of_hold),
    ]:
        assert problem(strict.post(path, content)) == (401, "signature-required"), path
    done = plain.post("/v1/coupons/redemptions", of_hold).get_json()["redemption_id"]
    for path, content in [
        ("void", {"reference": "x"}),
        ("reversals", {"reference": "x", "reason": "returned"}),
    ]:
        undone = strict.post(f"/v1/coupons/redemptions/{done}/{path}", content)
        assert problem(undone) == (401, "signature-required"), path


def test_a45_guessing_is_bounded_without_redis(
    world: World, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    forget_connections()
    from wsgi import build  # noqa: PLC0415 - reads the settings that were just made

    mall = till(build().test_client(), world.shop)
    many = shown(world.shop, *[UNKNOWN] * 20)
    tries = [mall.post("/v1/coupons/check", many).status_code for _ in range(12)]
    assert 429 in tries
    assert tries.count(200) * 20 <= 2 * guessing.A_PARTNER, "a minute may end in between"


def test_a46_codes_of_nobody_and_of_others_take_the_same_statements(
    world: World, application: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = add_series(world, partners=[world.shop.partner], limits={"uses_per_day": 5})
    used, fresh = issue_codes(world, limited, 2)
    stranger = open_shop("cinema")
    cinema, mall = till(application, stranger), till(application, world.shop)
    mall.post("/v1/coupons/redemptions", shown(world.shop, used, reference="t1"))
    said: list[str] = []
    execute = psycopg.Cursor.execute

    def listen(cursor: Any, query: Any, *rest: Any, **more: Any) -> Any:
        said.append(str(query))
        return execute(cursor, query, *rest, **more)

    def said_by(path: str, code: str, **more: Any) -> list[str]:
        said.clear()
        cinema.post(path, shown(stranger, code, **more))
        return list(said)

    asked = [
        lambda code: said_by("/v1/coupons/check", code),
        lambda code: said_by("/v1/coupons/redemptions", code, reference="same"),
    ]
    for ask in asked:
        ask(UNKNOWN)  # whatever is read once only
    monkeypatch.setattr(psycopg.Cursor, "execute", listen)
    for ask in asked:
        assert ask(used) == ask(fresh) == ask(UNKNOWN)
        assert said


def test_a_refused_redemption_counts_as_a_guess_too(world: World, mall: Client) -> None:
    for number in range(3):
        mall.post("/v1/coupons/redemptions", shown(world.shop, UNKNOWN, reference=f"t{number}"))
    with transaction() as session:
        from sqlalchemy import text  # noqa: PLC0415 - this test alone looks into the rows

        counted = session.execute(text("SELECT sum(guesses) FROM loyalty.coupon_guesses"))
        assert counted.scalar_one() == 3


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"basket": [{"amount": -1}]}, ("/basket/0/amount", "range")),
        ({"basket": [{"amount": 10**13}]}, ("/basket/0/amount", "range")),
        ({"basket": [{"amount": 1.5}]}, ("/basket/0/amount", "integer")),
        ({"coupons": []}, ("/coupons", "length")),
        ({"coupons": [7]}, ("/coupons/0", "text")),
        ({"outlet_id": "otl_1"}, ("/outlet_id", "public_id")),
        ({"price": 1}, ("/price", "unknown")),
    ],
)
def test_a28_what_makes_no_sense_is_refused_with_the_place(
    world: World, mall: Client, change: dict[str, Any], place: tuple[str, str]
) -> None:
    answer = mall.post("/v1/coupons/check", {**shown(world.shop, UNKNOWN), **change})
    assert (problem(answer), pointers(answer)) == ((422, "invalid-content"), [place])


def test_developers_try_things_out_and_write_nothing(
    world: World, application: FlaskClient
) -> None:
    account = add_system(world.shop.partner, "mall/trial", sandbox=True)
    with transaction() as session:
        token = staff.issue_client_token(session.get_one(Row, account.number)).token
    trial = Client(application, token, account.client_id)
    codes = ("SANDBOX-OK", "SANDBOX-USED", "SANDBOX-EXPIRED", "other")
    found = trial.post("/v1/coupons/check", shown(world.shop, *codes)).get_json()["coupons"]
    assert [one["reasons"][0]["code"] if one["reasons"] else "" for one in found] == [
        "",
        "redeemed",
        "expired",
        "unknown-coupon",
    ]
    done = trial.post("/v1/coupons/redemptions", shown(world.shop, codes[0], reference="t1"))
    assert (done.status_code, done.get_json()["discount"]) == (201, 1_000)
    assert owed(world.shop) == 0


def test_a_coupon_taken_without_a_network_is_reconciled_and_a_second_use_is_told(
    world: World, application: FlaskClient, mall: Client
) -> None:
    from loyalty.coupons import offline, queries  # noqa: PLC0415 - this test alone makes tokens

    issue_codes(world, add_series(world, minimum=0))
    with transaction() as session:
        (coupon,) = queries.list_coupons(
            session, world.programme, world.members[0].customer_id, before=None, limit=2
        )
    token, expires_at = offline.make_token(coupon)
    at = coupon.issued_at.isoformat()

    def report(reference: str, **changed: Any) -> dict[str, Any]:
        one = {
            "token": token,
            "reference": reference,
            "outlet_id": ids.encode("otl", world.shop.outlet),
            "redeemed_at": at,
            "basket": [{"amount": 5_000}],
            **changed,
        }
        answer = mall.post("/v1/coupons/offline-redemptions", {"redemptions": [one]})
        assert answer.status_code == 201, answer.get_json()
        found: dict[str, Any] = answer.get_json()["redemptions"][0]
        return found

    assert report("o1")["outcome"] == "redeemed"
    assert report("o1")["outcome"] == "redeemed"
    twice = report("o2")
    assert (twice["outcome"], twice["redemption_id"] is not None) == ("spent-twice", True)
    assert owed(world.shop) == 2_000
    late = report("o3", redeemed_at=expires_at.isoformat())
    assert (late["outcome"], late["reasons"][0]["code"]) == ("refused", "token-over")
    forged = report("o4", token=token[:-4] + "AAAA")
    assert forged["reasons"][0]["code"] == "bad-token"
    keys = mall.get("/v1/coupons/keys").get_json()["keys"]
    assert {key["crv"] for key in keys} == {"Ed25519"}
    assert all("d" not in key for key in keys)
