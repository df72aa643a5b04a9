"""From a partner's opening to its payment, over HTTP: everything ties, and each hears its own.

One partner is opened, one series agreed; a customer buys coupons with points, a till uses, voids
and reverses them, finance settles, the partner disputes a line, is paid and proves its statement.
"""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ledger.checkpoints import read_public_key
from loyalty.database import transaction
from loyalty.messages.jobs import deliver_webhooks
from loyalty.messages.webhooks import TOPICS
from loyalty.outbox import jobs, registry
from loyalty.settlement.files import COLUMNS
from loyalty.web import ids
from tests.callers import Client, add_person, add_system, as_customer
from tests.coupons.builders import TERMS as SERIES
from tests.coupons.builders import build_world, let_days_pass
from tests.ledger.verifying import seal_all, sign, verify
from tests.messages.receivers import Receiver, receiver, status
from tests.partners.builders import Shop, owed
from tests.points.builders import agree
from tests.rewards.builders import TERMS as REWARD
from tests.servers import Database
from tests.settlement.builders import close
from tests.settlement.conftest import House
from tests.settlement.test_files import cells
from tests.staff.conftest import Account, token_for

EARNING: dict[str, Any] = {"gives": "per_amount", "points": 1, "per": 100, "rounding": "floor"}
PARTNER = {
    "code": "tea",
    "name": {"zh": "茶馆", "en": "Tea House"},
    "outlets": [
        {"code": "main", "name": {"zh": "一楼", "en": "Main"}, "address": "外滩 1 号"},
    ],
}
SCOPES = ["coupons:check", "coupons:redeem", "settlements:dispute", "settlements:read"]
SHARED = 6_000  # basis points that are ours: 1,200 of a coupon of 2,000
OURS, THEIRS = 1_200, 800


@dataclass
class Story:
    """Who takes part, as callers, and the partner's public id and outlet."""

    house: House
    me: Client
    till: Client
    partner: str
    outlet: str
    database: Database

    def done(self, caller: Client, path: str, body: dict[str, Any]) -> Any:
        """Post something that must succeed, and return its answer."""
        answer = caller.post(path, body)
        assert answer.status_code in {200, 201}, answer.data
        return answer.get_json()

    def claim(self, reference: str) -> tuple[str, str]:
        """Buy a coupon with points; return its id and its code as the owner reads it."""
        body = {"reward": "tea", "reference": reference}
        coupon = self.done(self.me, "/v1/customers/me/claims", body)["coupon_id"]
        path = f"/v1/customers/me/coupons/{coupon}/code"
        return coupon, self.me.get(path).get_json()["code"]

    def shown(self, reference: str, *codes: str, **more: Any) -> dict[str, Any]:
        basket = {"outlet_id": self.outlet, "basket": [{"amount": 15_000}]}
        return {**basket, "reference": reference, **({"coupons": codes} if codes else {}), **more}

    def redeem(self, reference: str, *codes: str, **more: Any) -> str:
        body = self.shown(reference, *codes, **more)
        return str(self.done(self.till, "/v1/coupons/redemptions", body)["redemption_id"])

    def undo(self, redemption: str, how: str, **body: str) -> None:
        self.done(self.till, f"/v1/coupons/redemptions/{redemption}/{how}", body)

    def points(self) -> int:
        return int(self.me.get("/v1/customers/me/points").get_json()["available"])

    @property
    def shop(self) -> Shop:
        number = ids.decode("prt", self.partner)
        account = Account(0, self.till.name, "")
        return Shop(number, ids.decode("otl", self.outlet), account, None)  # type: ignore[arg-type]


@pytest.fixture
def story(house: House, database: Database) -> Story:
    """A partner that two opened, a series and a reward that two agreed to, and points earned."""
    registry.load()
    world = build_world()
    application = house.application
    opened: Any = house.result(house.manager.post("/v1/partners", PARTNER))
    partner = opened["partner_id"]
    till = _till(house, partner)
    maker = add_person(application, "coupon_operations")
    second = add_person(application, "budget_approver")
    terms = {**SERIES, "partners": [partner], "ours": SHARED}
    for path, body in (
        ("/v1/coupon-series", {"code": "spring", "terms": terms}),
        ("/v1/rewards", {"code": "tea", "terms": {**REWARD, "series": "spring"}}),
    ):
        assert house.agree(maker.post(path, body), second).status_code == 200
    bank = add_system(application, "purchases:write", "points:read", "coupons:read")
    with transaction() as session:
        agree(session, world.programme, "base", EARNING)
    purchase = {
        "reference": "p1",
        "customer": "C-1",
        "purchased_at": "2026-11-01T10:00:00+08:00",
        "amount": 300_000,
    }
    assert bank.post("/v1/purchases", {"purchases": [purchase]}).status_code == 201
    scopes = ("rewards:claim", "coupons:read", "coupons:code", "points:read")
    me = as_customer(application, bank, world.members[0].customer_id, *scopes)
    return Story(house, me, till, partner, opened["outlet_ids"][0], database)


def _till(house: House, partner: str) -> Client:
    body = {"name": "till", "scopes": SCOPES, "signature_required": False}
    made = house.manager.post(f"/v1/partners/{partner}/clients", body)
    client = house.result(made)["client_id"]
    path = f"/v1/partners/{partner}/clients/{client}/secrets"
    headers = {"Authorization": f"Bearer {house.manager.token}"}
    secret = house.application.post(path, headers=headers).get_json()["secret"]
    account = Account(ids.decode("cli", client), client, secret)
    return Client(house.application, token_for(house.application, account), client)


@pytest.fixture
def hears(story: Story, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Receiver, Receiver]]:
    """Endpoints of the partner and of another partner, both asking for all there is."""
    monkeypatch.setenv("WEBHOOKS_TO_LOOPBACK", "yes")
    with receiver(status(204)) as own, receiver(status(204)) as other:
        for kept, partner in ((own, story.partner), (other, ids.encode("prt", 1))):
            body = {"url": kept.url, "topics": list(TOPICS), "partner_id": partner}
            assert story.house.manager.post("/v1/webhooks", body).status_code == 201
        yield own, other


def test_from_the_opening_of_a_partner_to_its_payment(
    story: Story, hears: tuple[Receiver, Receiver], tmp_path: Path
) -> None:
    use_coupons(story)
    statement = settle(story)
    dispute_and_pay(story, statement)
    prove(story, statement, tmp_path)
    lose_a_coupon(story)
    tell_all()
    own, other = hears
    told = [json.loads(body) for _, body in own.got]
    assert {event["data"]["partner_id"] for event in told} == {story.partner}
    assert sorted(event["type"] for event in told) == [
        *["coupon.redeemed"] * 3,
        *["coupon.redemption_reversed"] * 2,
        "coupon.redemption_voided",
        "settlement.closed",
        "settlement.dispute_decided",
        "settlement.disputed",
        "settlement.released",
    ]
    assert other.got == []


def use_coupons(story: Story) -> None:
    """Use two coupons: one is held, redeemed, voided, redeemed again and reversed."""
    assert story.points() == 3_000
    (coupon, code), (_, second) = story.claim("c1"), story.claim("c2")
    asked = {name: value for name, value in story.shown("", code).items() if value}
    checked = story.done(story.till, "/v1/coupons/check", asked)
    assert checked["payable"] == 13_000
    held = story.done(story.till, "/v1/coupons/holds", story.shown("h1", code))
    done = story.redeem("t1", hold_id=held["redemption_id"])
    story.undo(done, "void", reference="v1")
    again = story.redeem("t2", code)
    story.redeem("t3", second)
    story.undo(again, "reversals", reference="b1", reason="returned")
    (wallet,) = [
        one
        for one in story.me.get("/v1/customers/me/coupons").get_json()["items"]
        if one["coupon_id"] == coupon
    ]
    assert wallet["state"]["code"] == "issued"
    assert owed(story.shop) == OURS


def settle(story: Story) -> str:
    """Close what was recorded until now; lines, files and the ledger say the same to the cent."""
    statement = ids.encode("stm", close(story.shop))
    path = f"/v1/partners/me/statements/{statement}"
    sums = story.till.get(path).get_json()
    assert (sums["opening"], sums["closing"], sums["borne"]) == (0, OURS, THEIRS)
    assert sums["closing"] == owed(story.shop)
    lines = story.till.get(f"{path}/lines").get_json()["items"]
    assert [line["kind"] for line in lines] == ["redeem", "void", "redeem", "redeem", "reverse"]
    assert sum(line["owed"] for line in lines) == sums["closing"]
    with story.till.get(f"{path}/lines.csv") as answer:
        rows = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"), newline="")))
    assert [_cents(row["owed"]) for row in rows] == [line["owed"] for line in lines]
    with story.till.get(f"{path}/lines.xlsx") as answer:
        found = [value for _, value in cells(answer.data)]
    owing = found[len(COLUMNS) + COLUMNS.index("owed") :: len(COLUMNS)]
    assert [round(100 * float(value)) for value in owing] == [line["owed"] for line in lines]
    return statement


def _cents(decimal: str) -> int:
    return int(decimal.replace(".", ""))


def dispute_and_pay(story: Story, statement: str) -> None:
    """Correct a line that the partner did not accept, and pay what the statement owes."""
    house, mine = story.house, f"/v1/partners/{story.partner}"
    lines = story.till.get(f"{mine}/statements/{statement}/lines").get_json()["items"]
    body = {"line": lines[3]["line"], "reason": "amount", "claimed": 1_500}
    dispute = story.done(story.till, f"{mine}/statements/{statement}/disputes", body)
    path = f"{mine}/disputes/{dispute['dispute_id']}/outcome"
    assert house.agree(house.manager.post(path, {"correction": 300})).status_code == 200
    made = house.application.post(
        f"{mine}/statements/{statement}/release",
        headers={"Authorization": f"Bearer {house.finance.token}", "Idempotency-Key": "release"},
    )
    assert made.get_json()["content"]["amount"] == OURS
    second = add_person(house.application, "head_office")
    assert house.agree(made, second).status_code == 200
    assert owed(story.shop) == 300


def prove(story: Story, statement: str, folder: Path) -> None:
    """Verify the statement as the partner does: with the program and the public key alone."""
    seal_all()
    sign(folder / "keys")
    key = read_public_key(folder / "keys")
    assert key is not None
    (folder / "key.pem").write_text(key[1])
    document = story.till.get(f"/v1/partners/me/statements/{statement}/signed")
    (folder / "statement.json").write_bytes(document.data)
    answer = verify("--statement", folder / "statement.json", "--public-key", folder / "key.pem")
    assert answer.status == 0, answer.report


def lose_a_coupon(story: Story) -> None:
    """Reverse a redemption when the coupon's days are over: the points come back instead."""
    (before,) = [
        one
        for one in story.me.get("/v1/customers/me/coupons").get_json()["items"]
        if one["state"]["code"] == "redeemed"
    ]
    let_days_pass(story.database, ids.decode("cpn", before["coupon_id"]))
    had = story.points()
    path = "/v1/coupons/redemptions/{}/reversals"
    with transaction() as session:
        number = session.connection().exec_driver_sql(
            "SELECT id FROM loyalty.redemptions WHERE reference = 't3'"
        )
        redemption = ids.encode("rdm", number.scalar_one())
    body = {"reference": "b2", "reason": "returned"}
    story.done(story.till, path.format(redemption), body)
    jobs.drain("coupon.lost")
    assert story.points() == had + 1_000


def tell_all() -> None:
    """Let the background do what waits: hand events to the endpoints that asked."""
    for topic in TOPICS:
        jobs.drain(topic)
    while deliver_webhooks():
        pass
