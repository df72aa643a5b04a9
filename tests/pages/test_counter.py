"""At the counter a clerk scans, sees yes or no and why, redeems once however often they click.

By hand scanner (keys alone) and by mouse; several coupons at once; kept for a while; voided the
same day. What belongs to another outlet is not there.
"""

import re
from dataclasses import dataclass

import pytest
from flask import Flask
from playwright.sync_api import Browser as Chromium
from sqlalchemy import text

from loyalty import partners
from loyalty.database import transaction
from loyalty.partners.staffing import enable_clerk
from tests.coupons import builders
from tests.pages.conftest import Browser, hidden_fields
from tests.pages.windows import EVIL, Watched, open_window
from tests.staff.conftest import ADMIN

REDEEM = "/counter/redemptions"
CAMERA = """
window.BarcodeDetector = class {
    static async getSupportedFormats() { return ["qr_code"]; }
    async detect() { return [{ rawValue: "CODE" }]; }
};
navigator.mediaDevices.getUserMedia = async () => {
    const canvas = document.createElement("canvas");
    canvas.getContext("2d").fillRect(0, 0, 9, 9);
    return canvas.captureStream(9);
};
"""


@dataclass(frozen=True)
class Till:
    """A world with somebody at its shop's counter, and codes of coupons to be shown there."""

    world: builders.World
    clerk: int
    password: str
    codes: list[str]


@pytest.fixture
def till(database: object) -> Till:
    world = builders.build_world()
    names = {"zh": "满百减二十", "en": EVIL[:60]}
    series = builders.add_series(world, names=names, stackable=True)
    coffee = builders.add_series(
        world, "coffee", value={"kind": "goods", "amount": 1_800}, minimum=0, stackable=True
    )
    codes = builders.issue_codes(world, series, 2) + builders.issue_codes(world, coffee)
    clerk, password = add_clerk(world.shop.partner, world.shop.outlet, "clerk")
    return Till(world, clerk, password, codes)


def add_clerk(partner: int, outlet: int, login: str) -> tuple[int, str]:
    with transaction() as session:
        return partners.add_clerk(session, ADMIN, partner, outlet, login, f"店员{EVIL[:30]}")


def sign_in(browser: Browser, login: str, password: str) -> None:
    answer = browser.send("/counter/sign-in", login=login, password=password)
    assert (answer.status_code, answer.location) == (303, "/counter")


def checked(browser: Browser, **fields: str) -> str:
    answer = browser.send("/counter", **fields)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    page: str = answer.get_data(as_text=True)
    return page


def form_of(page: str, action: str) -> dict[str, str]:
    """Return the hidden fields of the form that goes to `action`."""
    return dict(hidden_fields(page.split(f'action="{action}"')[1].split("</form>", maxsplit=1)[0]))


def count_acts(kind: str) -> int:
    with transaction() as session:
        asked = text("SELECT count(*) FROM loyalty.redemptions WHERE kind = :kind")
        return int(session.execute(asked, {"kind": kind}).scalar_one())


def test_clicking_twice_and_going_back_redeems_once(browser: Browser, till: Till) -> None:
    sign_in(browser, "clerk", till.password)
    page = checked(browser, code=f" {till.codes[0].lower()} ", amount="１２０.5")
    assert "100.50" in page  # to be paid
    form = form_of(page, REDEEM)
    first = browser.client.post(REDEEM, data=form)
    assert first.status_code == 303
    again = browser.client.post(REDEEM, data=form)
    back = browser.client.post(REDEEM, data={**form, "key": "another-key-of-the-page"})
    assert first.location == again.location == back.location
    assert count_acts("redemption") == 1
    assert builders.owed(till.world.shop) == 2_000
    # The same coupon under another reference is refused, and the page says why.
    refused = browser.client.post(
        REDEEM, data={**form, "key": "k" * 20, "reference": "another", "amount": "500"}
    )
    assert refused.status_code == 409
    assert "已经使用过" in refused.get_data(as_text=True)


def test_what_cannot_be_read_is_refused_and_nothing_happens(browser: Browser, till: Till) -> None:
    sign_in(browser, "clerk", till.password)
    assert browser.send("/counter", code="", amount="5").status_code == 422
    for amount in ("-5", "1e3", "12.345", "1" * 20, "x"):
        answer = browser.send("/counter", code=till.codes[0], amount=amount)
        assert answer.status_code == 422, amount
        assert "请填写金额" in answer.get_data(as_text=True)
    assert "没有这张券" in checked(browser, code="nonsense", amount="5")
    many = ",".join(f"code-{number}" for number in range(21))
    assert browser.send("/counter", code=many).status_code == 422
    asked = {"code": till.codes[0], "amount": "99"}
    assert "未达到最低消费" in checked(browser, **asked)
    assert "填写消费金额" in checked(browser, code=till.codes[0])
    assert browser.send(REDEEM, page="/counter", scanned="", reference="r").status_code == 422
    assert count_acts("redemption") == 0


def test_guesses_at_the_counter_are_counted(browser: Browser, till: Till) -> None:
    sign_in(browser, "clerk", till.password)
    for start in range(0, 100, 20):
        checked(browser, code=",".join(f"guess-{start + number}" for number in range(20)))
    assert browser.send("/counter", code=till.codes[2]).status_code == 429


def test_another_outlet_sees_and_undoes_nothing(app: Flask, browser: Browser, till: Till) -> None:
    sign_in(browser, "clerk", till.password)
    page = checked(browser, code=till.codes[2])
    done = browser.client.post(REDEEM, data=form_of(page, REDEEM)).location
    second = builders.open_shop("second")
    for partner, outlet in (
        (till.world.shop.partner, _add_outlet(till.world.shop.partner)),
        (second.partner, second.outlet),
    ):
        _, password = add_clerk(partner, outlet, f"clerk-{outlet}")
        other = Browser(app)
        sign_in(other, f"clerk-{outlet}", password)
        assert other.get(done).status_code == 404
        assert other.send(f"{done}/void", page="/counter").status_code in (400, 404)
        assert done not in other.get("/counter").get_data(as_text=True)
    assert count_acts("void") == 0
    with transaction() as session:
        enable_clerk(session, ADMIN, till.world.shop.partner, till.clerk, enabled=False)
    answer = browser.get("/counter")
    assert (answer.status_code, answer.location[:16]) == (303, "/counter/sign-in")
    assert (
        browser.send("/counter/sign-in", login="clerk", password=till.password).status_code == 403
    )


def _add_outlet(partner: int) -> int:
    with transaction() as session:
        return partners.open_outlet(
            session, ADMIN, partner, "two", name_zh="二楼", name_en="First floor", address="外滩"
        )


def test_a_clerk_does_the_whole_job_with_a_scanner_and_keys(
    chromium: Chromium, address: str, till: Till
) -> None:
    window = open_window(chromium, address, ("en", 320, "light"))
    page = window.open("/counter")
    window.wait_for_cursor()
    page.keyboard.type("clerk")
    page.keyboard.press("Tab")
    page.keyboard.type(till.password)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/counter")
    window.check()
    # The scanner types where the cursor is: in the field for codes.
    scan(window, till.codes[0])
    assert "Fill in what the basket costs" in heard(window)
    window.check()
    window.wait_for_cursor("#f-amount")
    page.keyboard.type("250.00")
    page.keyboard.press("Enter")
    page.wait_for_selector(".verdict.yes")
    assert "To be paid: 230.00" in heard(window)
    scan(window, till.codes[1])  # a second coupon, and the cursor stood ready for it
    page.wait_for_selector(".shown li:nth-child(2)")
    assert "To be paid: 210.00" in heard(window)
    window.check()
    page.get_by_role("button", name="Redeem", exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/counter/redemptions/rdm_*")
    assert "Redeemed" in heard(window)
    done = page.url
    window.check()
    # The next customer's coupon is scanned at once; it is the one that was just used.
    scan(window, till.codes[0])
    page.wait_for_selector(".verdict.no")
    assert "it has been used" in page.locator(".why").inner_text()
    window.check()
    page.goto(done)
    page.get_by_role("button", name="Void this redemption").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".verdict.over")
    assert "Voided" in heard(window)
    window.check()
    window.open("/counter")
    assert "voided" in page.locator(".lines").inner_text()
    window.context.close()
    assert builders.owed(till.world.shop) == 0


def test_a_clerk_keeps_and_redeems_by_mouse(chromium: Chromium, address: str, till: Till) -> None:
    window = open_window(chromium, address, ("zh", 1440, "dark"))
    window.expected = {403, 422}
    page = window.open("/counter/sign-in")
    page.fill("#f-login", "clerk")
    page.fill("#f-password", "not the password")
    page.click("main button")
    page.wait_for_selector("#refused")
    window.check()
    page.fill("#f-password", till.password)
    page.click("main button")
    page.wait_for_url(f"{address}/counter")
    # A code that the scanner typed into the wrong field finds its way.
    page.locator("#f-amount").focus()
    scan(window, till.codes[2])
    page.wait_for_selector(".verdict.yes")
    page.click("text=暂留十分钟")
    page.wait_for_selector("text=已暂留")
    window.check()
    window.open("/counter")
    page.click(".lines a")
    page.get_by_role("button", name="核销").click()
    page.wait_for_selector("text=已核销")
    window.check()
    page.fill("#f-code", f"{till.codes[2]},not-a-code")
    page.click("text=查验")
    page.wait_for_selector(".verdict.no")
    assert "没有这张券" in page.locator(".why").last.inner_text()
    window.check()
    page.get_by_role("button", name="去掉这张").last.click()
    page.wait_for_selector(".shown li:only-child")
    page.click("text=不核销，下一位")
    page.fill("#f-code", "x")
    page.fill("#f-amount", "abc")
    page.click("text=查验")
    page.wait_for_selector("#refused")
    assert re.search("金额", page.locator(".wrong").inner_text())
    window.check()
    assert count_acts("redemption") == 1
    window.context.close()


def test_the_camera_reads_a_code_or_the_page_says_what_to_do(
    chromium: Chromium, address: str, till: Till
) -> None:
    window = open_window(chromium, address, ("zh", 320, "light"))
    sign_in_by_hand(window, till)
    assert "请用扫描枪或手工输入" in window.page.locator(".camera").inner_text()
    window.context.close()
    # A browser that reads codes: its reader and its camera are stood in for.
    window = open_window(chromium, address, ("zh", 320, "dark"))
    window.context.add_init_script(CAMERA.replace("CODE", till.codes[2]))
    sign_in_by_hand(window, till)
    window.check()
    window.page.click("text=用摄像头扫描")
    window.page.wait_for_selector(".verdict.yes")
    window.check()
    window.context.close()


def sign_in_by_hand(window: Watched, till: Till) -> None:
    page = window.open("/counter")
    page.fill("#f-login", "clerk")
    page.fill("#f-password", till.password)
    page.click("main button")
    page.wait_for_selector(".camera")


def scan(window: Watched, code: str) -> None:
    """Type a code where the cursor stands as a hand scanner does, and wait for the answer."""
    window.wait_for_cursor()
    with window.page.expect_navigation():
        window.page.keyboard.type(code)
        window.page.keyboard.press("Enter")


def heard(window: Watched) -> str:
    """Return what the page says first, also to whoever hears it."""
    return window.page.locator(".verdict[role=status]").inner_text()
