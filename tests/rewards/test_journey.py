"""From a purchase to a settlement, over HTTP; and the ledger still proves itself afterwards."""

from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

import ledger
from loyalty import partners, staff
from loyalty.database import transaction
from loyalty.staff.models import Client as Row
from loyalty.web import ids
from tests.callers import Client, add_person, add_system, as_customer
from tests.coupons.builders import TERMS as SERIES
from tests.coupons.builders import World
from tests.ledger.verifying import seal_all, sign, verify_database
from tests.points.builders import agree
from tests.rewards.builders import TERMS as REWARD
from tests.servers import Database

BASE: dict[str, Any] = {"gives": "per_amount", "points": 1, "per": 100, "rounding": "floor"}


def agreed(maker: Client, second: Client, path: str, body: dict[str, Any]) -> None:
    """Propose something and have it agreed to by somebody else."""
    made = maker.post(path, body)
    assert made.status_code == 201, made.get_json()
    proposal = made.get_json()
    decision = {"decision": "approve", "digest": proposal["digest"]}
    done = second.post(f"/v1/proposals/{proposal['proposal_id']}/decisions", decision)
    assert done.get_json()["state"] == "applied", done.get_json()


def test_earn_claim_check_redeem_settle_reverse_verify(
    world: World, application: FlaskClient, database: Database, tmp_path: Path
) -> None:
    bank = add_system(application, "purchases:write", "points:read", "coupons:read")
    with transaction() as session:
        agree(session, world.programme, "base", BASE)
    maker, second = (
        add_person(application, "coupon_operations"),
        add_person(application, "budget_approver"),
    )
    terms = {**SERIES, "partners": [ids.encode("prt", world.shop.partner)]}
    agreed(maker, second, "/v1/coupon-series", {"code": "spring", "terms": terms})
    agreed(maker, second, "/v1/rewards", {"code": "tea", "terms": {**REWARD, "series": "spring"}})

    purchase = {
        "reference": "p1",
        "customer": "C-1",
        "purchased_at": "2026-11-01T10:00:00+08:00",
        "amount": 123_400,
    }
    earned = bank.post("/v1/purchases", {"purchases": [purchase]})
    assert earned.get_json()["purchases"][0]["points"] == 1_234

    scopes = ("rewards:claim", "rewards:read", "coupons:read", "coupons:code", "points:read")
    me = as_customer(application, bank, world.members[0].customer_id, *scopes)
    claimed = me.post("/v1/customers/me/claims", {"reward": "tea", "reference": "c1"})
    assert claimed.status_code == 201, claimed.get_json()
    coupon = claimed.get_json()["coupon_id"]
    (wallet,) = me.get("/v1/customers/me/coupons").get_json()["items"]
    assert (wallet["coupon_id"], wallet["state"]["code"]) == (coupon, "issued")
    code = me.get(f"/v1/customers/me/coupons/{coupon}/code").get_json()["code"]
    picture = me.get(f"/v1/customers/me/coupons/{coupon}/qr.svg")
    assert (picture.mimetype, b"<svg" in picture.data) == ("image/svg+xml", True)
    assert picture.headers["Cache-Control"] == "no-store"

    with transaction() as session:
        token = staff.issue_client_token(session.get_one(Row, world.shop.account.number)).token
    till = Client(application, token, world.shop.account.client_id)
    shown = {
        "outlet_id": ids.encode("otl", world.shop.outlet),
        "coupons": [code],
        "basket": [{"amount": 15_000}],
    }
    assert till.post("/v1/coupons/check", shown).get_json()["payable"] == 13_000
    done = till.post("/v1/coupons/redemptions", {**shown, "reference": "t1"}).get_json()
    assert (done["worth"], done["payable"]) == (2_000, 13_000)
    assert statement_of(world) == [("redeem", 2_000, coupon)]
    assert me.get("/v1/customers/me/coupons").get_json()["items"][0]["state"]["code"] == "redeemed"

    path = f"/v1/coupons/redemptions/{done['redemption_id']}/reversals"
    undone = till.post(path, {"reference": "r1", "reason": "returned"})
    assert undone.status_code == 201
    assert [line[:2] for line in statement_of(world)] == [("redeem", 2_000), ("reverse", -2_000)]
    assert me.get("/v1/customers/me/coupons").get_json()["items"][0]["state"]["code"] == "issued"
    gone = me.post(
        f"/v1/customers/me/claims/{claimed.get_json()['claim_id']}/cancellation",
        {"reason": "changed-mind"},
    )
    assert gone.get_json()["state"] == "cancelled"
    assert me.get("/v1/customers/me/points").get_json()["available"] == 11_234

    seal_all()
    sign(tmp_path / "keys")
    answer = verify_database(database, tmp_path / "keys")
    assert answer.status == 0, answer


def statement_of(world: World) -> list[tuple[str, int, str]]:
    """Return the lines of what we owe the partner, oldest first: kind, amount, coupon."""
    with transaction() as session:
        account = partners.payable_account(session, world.shop.partner, "CNY")
        lines = ledger.read_statement(session, account, limit=10)
    return [(x.kind, x.amount, (x.cause or {})["coupon"]) for x in reversed(lines)]
