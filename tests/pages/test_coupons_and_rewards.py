"""A customer claims, looks at their coupons, shows a code, buys a reward and takes it back.

By mouse and by keyboard, on narrow and wide screens. Codes are shown to their owner alone.
"""

from dataclasses import dataclass

import pytest
from flask import Flask
from playwright.sync_api import Browser as Chromium
from sqlalchemy import text

from loyalty.coupons.codes import show_code
from loyalty.database import transaction
from loyalty.web import ids
from tests.coupons import builders
from tests.pages.conftest import Browser, hidden_fields
from tests.pages.windows import EVIL, open_window, session_of
from tests.rewards.builders import add_reward, balance, build_rich_world

NAMES = {"zh": f"满百减二十{EVIL[:20]}", "en": EVIL[:60]}


@dataclass(frozen=True)
class Shelf:
    """A member with 10,000 points, a coupon, a series to claim from and rewards to buy."""

    world: builders.World
    coupon: int
    code: str

    @property
    def path(self) -> str:
        return f"/my/coupons/{ids.encode('cpn', self.coupon)}"


@pytest.fixture
def shelf(database: object) -> Shelf:
    world = build_rich_world()
    series = builders.add_series(
        world, names=NAMES, conditions={"zh": EVIL[:40], "en": EVIL[:40]}, limits={"customer": 2}
    )
    builders.add_series(world, "coffee", value={"kind": "goods", "amount": 1_800}, claimable=False)
    add_reward(world, "coffee", series="coffee", description={"zh": EVIL[:40], "en": EVIL[:40]})
    add_reward(world, "piano", prices=[{"tier": "*", "points": 10_500, "cash": 990}])
    add_reward(world, "golden", prices=[{"tier": "gold", "points": 1, "cash": 0}])
    (issued,) = builders.issue(world, series)
    assert isinstance(issued, builders.coupons.Issued)
    return Shelf(world, issued.coupon_id, builders.code_of(issued.coupon_id))


def signed_in(app: Flask, shelf: Shelf, member: int = 0) -> Browser:
    browser = Browser(app)
    secret = session_of("customer", shelf.world.members[member].customer_id)
    browser.client.set_cookie("quanyi-customer", secret)
    return browser


def test_a_code_is_shown_to_its_owner_alone_and_kept_by_nobody(app: Flask, shelf: Shelf) -> None:
    mine = signed_in(app, shelf).get(shelf.path)
    assert show_code(shelf.code) in mine.get_data(as_text=True)
    assert mine.headers["Cache-Control"] == "no-store"
    other = signed_in(app, shelf, member=1)
    assert other.get(shelf.path).status_code == 404
    assert Browser(app).get(shelf.path).status_code == 303
    assert show_code(shelf.code) not in other.get("/my/coupons").get_data(as_text=True)
    # A coupon that was used shows its story, and its code no more.
    builders.redeemed(shelf.world, builders.ticket(shelf.world, [shelf.code]))
    page = signed_in(app, shelf).get(shelf.path).get_data(as_text=True)
    assert show_code(shelf.code) not in page
    assert "已使用" in page


def test_clicking_twice_claims_once_and_the_limit_says_why(app: Flask, shelf: Shelf) -> None:
    browser = signed_in(app, shelf)
    shown = browser.get("/my/coupons").get_data(as_text=True)
    form = dict(hidden_fields(shown.split('action="/my/coupons"')[1]))
    answers = [browser.client.post("/my/coupons", data=form) for _ in range(2)]
    assert {answer.status_code for answer in answers} == {303}
    assert answers[0].location == answers[1].location
    refused = browser.client.post("/my/coupons", data={**form, "key": "k" * 20, "reference": "2"})
    assert refused.status_code == 409
    assert "已达到每人上限" in refused.get_data(as_text=True)
    for series in ("coffee", "nothing"):  # not to be claimed, or not there: both look the same
        answer = browser.client.post("/my/coupons", data={**form, "key": series, "series": series})
        assert answer.status_code == 404
    with transaction() as session:
        count = session.execute(text("SELECT count(*) FROM loyalty.coupons")).scalar_one()
    assert count == 2


def test_what_cannot_be_paid_is_refused_with_the_reason(app: Flask, shelf: Shelf) -> None:
    browser = signed_in(app, shelf)
    shown = browser.get("/my/rewards/coffee").get_data(as_text=True)
    form = dict(hidden_fields(shown.split('action="/my/rewards/coffee"')[1]))
    for reward, words in (("piano", "还差 500 分"), ("golden", "不适用于您的等级")):
        page = browser.get(f"/my/rewards/{reward}").get_data(as_text=True)
        assert words in page
        assert f'action="/my/rewards/{reward}"' not in page
        answer = browser.client.post(f"/my/rewards/{reward}", data={**form, "key": reward})
        assert answer.status_code == 409, reward
    assert browser.client.post("/my/rewards/none", data=form).status_code == 404
    assert balance(shelf.world).available == 10_000


def test_a_customer_claims_and_shows_a_coupon_by_mouse(
    chromium: Chromium, address: str, shelf: Shelf
) -> None:
    secret = session_of("customer", shelf.world.members[0].customer_id)
    window = open_window(chromium, address, ("zh", 320, "dark"), customer=secret)
    page = window.open("/my")
    window.check()
    page.get_by_role("link", name="优惠券", exact=True).first.click()
    window.check()
    page.get_by_role("button", name="领取").click()
    page.wait_for_selector(".qr svg")
    window.check()
    page.goto(address + shelf.path)
    assert page.locator(".coupon code").inner_text() == show_code(shelf.code)
    window.context.close()


def test_a_customer_buys_a_reward_and_takes_it_back_by_keyboard(
    chromium: Chromium, address: str, shelf: Shelf
) -> None:
    secret = session_of("customer", shelf.world.members[0].customer_id)
    window = open_window(chromium, address, ("en", 1440, "light"), customer=secret)
    page = window.open("/my/rewards")
    window.check()
    page.locator("a[href='/my/rewards/coffee']").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/my/rewards/coffee")
    assert "9,000" in page.locator("dl").inner_text()  # what would be left
    window.check()
    page.get_by_role("button", name="Claim it").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/my/claims/clm_*")
    assert balance(shelf.world).available == 9_000
    window.check()
    claim = page.url
    page.get_by_role("link", name="See the coupon").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".qr svg")
    page.goto(claim)
    page.get_by_role("button", name="Cancel it").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("text=The points went back")
    assert balance(shelf.world).available == 10_000
    window.check()
    window.open("/my/rewards/piano")
    window.check()
    window.open("/my/rewards")
    window.check()
    window.context.close()
    # Longer words fit a narrow screen too.
    window = open_window(chromium, address, ("pseudo", 320, "light"), customer=secret)
    for path in ("/my/rewards", "/my/rewards/piano", "/my/coupons", shelf.path):
        window.open(path)
        window.check()
    window.context.close()
