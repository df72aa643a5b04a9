"""A customer reads a notice, agrees, takes back with one click, states wishes, keeps receipts.

What the screen showed is what stands on record; nothing is ticked beforehand.
"""

from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser as Chromium
from sqlalchemy import text

from loyalty.consent.notices import read_notices
from loyalty.database import transaction
from tests.consent.builders import World, build_world, publish, snapshot
from tests.pages.conftest import Browser, hidden_fields
from tests.pages.windows import EVIL, open_window, session_of

PAGE = "/my/consents/offers"


@pytest.fixture
def told(database: object) -> World:
    """Purposes with notices, of which one has evil words in it."""
    world = build_world()
    with transaction() as session:
        publish(session, world.offers, body_zh=f"我们{EVIL}", body_en=f"We {EVIL}")
    return world


def signed_in(app: Flask, customer_id: int) -> Browser:
    browser = Browser(app)
    browser.client.set_cookie("quanyi-customer", session_of("customer", customer_id))
    return browser


def agreement(browser: Browser, page: str = PAGE) -> dict[str, str]:
    shown = browser.get(page).get_data(as_text=True)
    return dict(hidden_fields(shown.split(f'<form method="post" action="{page}">')[1]))


def presentations() -> list[Any]:
    with transaction() as session:
        asked = text("SELECT notice_id, lang, body_sha256 FROM loyalty.consent_presentations")
        return list(session.execute(asked))


def test_what_was_shown_is_what_is_recorded(app: Flask, told: World) -> None:
    browser = signed_in(app, told.wang)
    browser.client.set_cookie("language", "en")
    form = agreement(browser)
    assert presentations() == []  # looking leaves nothing
    answers = [browser.client.post(PAGE, data=form) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    ((notice_id, language, digest),) = presentations()
    with transaction() as session:
        notice = read_notices(session, [notice_id])[notice_id]
    assert (notice.version, language, bytes(digest)) == (2, "en", notice.sha256_en)
    assert snapshot(told.wang).standing.status == "GRANTED"
    assert snapshot(told.wang, channel="CALL").standing.status is None
    page = browser.get("/my/receipts").get_data(as_text=True)
    receipt = page.split('href="/my/receipts/')[1].split('"')[0]
    assert "We &lt;img" in browser.get(f"/my/receipts/{receipt}").get_data(as_text=True)
    assert browser.get(f"/my/receipts/{receipt}/download").json["record"]["record_id"] == receipt
    other = signed_in(app, told.li)
    assert other.get(f"/my/receipts/{receipt}").status_code == 404
    assert other.get(f"/my/receipts/{receipt}/download").status_code == 404


def test_nobody_agrees_to_what_they_were_not_shown(app: Flask, told: World) -> None:
    browser, other = signed_in(app, told.wang), signed_in(app, told.li)
    form = agreement(browser)
    foreign = {**agreement(other), "token": form["token"]}
    forged = {**form, "shown": form["shown"][:-4] + "AAAA"}
    for wrong in (foreign, forged, {**form, "channel": "NONE"}, {**form, "channel": "FAX"}):
        answer = browser.client.post(PAGE, data={**wrong, "key": "k" * 20})
        assert 400 <= answer.status_code < 500
    with transaction() as session:
        publish(session, told.offers, body_zh="新的告知", body_en="A new notice")
    answer = browser.client.post(PAGE, data=form)
    assert answer.status_code == 422
    assert "新的告知" in answer.get_data(as_text=True)  # the page shows what holds now
    assert snapshot(told.wang).standing.status is None
    assert presentations() == []


def test_wishes_stand_in_the_place_of_those_before(app: Flask, told: World) -> None:
    browser = signed_in(app, told.wang)
    wishes = {"weekly_cap": "2", "hours_from": "09:00", "hours_until": "18:30"}
    page = "/my/consents"
    path = f"{page}/wishes"
    assert browser.send(path, page=page, **wishes, personalisation_off="on").status_code == 303
    kept = snapshot(told.wang).preference
    assert (kept.weekly_cap, str(kept.hours_until), kept.personalisation_off) == (
        2,
        "18:30:00",
        True,
    )
    for wrong in (
        {"weekly_cap": "-1"},
        {"hours_from": "09:00"},
        {"hours_from": "9", "hours_until": "x"},
    ):
        assert browser.send(path, page=page, **wrong).status_code == 422
    assert browser.send(path, page=page, weekly_cap="").status_code == 303
    assert snapshot(told.wang).preference.weekly_cap is None


def test_a_customer_agrees_and_takes_back_by_mouse_and_by_keyboard(
    chromium: Chromium, address: str, told: World
) -> None:
    secret = session_of("customer", told.wang)
    window = open_window(chromium, address, ("zh", 320, "dark"), customer=secret)
    page = window.open("/my/consents")
    window.check()
    page.locator("a[href='/my/consents/offers']").click()
    window.check()
    page.get_by_role("button", name="同意 短信").click()
    page.wait_for_url(f"{address}/my/consents")
    assert snapshot(told.wang).standing.status == "GRANTED"
    window.check()
    # One click takes it back: fewer than agreeing took.
    page.get_by_role("button", name="撤回 短信").click()
    page.wait_for_selector("text=已撤回")
    assert snapshot(told.wang).standing.status == "WITHDRAWN"
    window.context.close()
    window = open_window(chromium, address, ("en", 1440, "light"), customer=secret)
    page = window.open("/my/consents/sensitive-data")
    window.check()
    page.get_by_role("button", name="Agree").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/my/consents")
    page.get_by_role("button", name="Stop all marketing").focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    window.expected = {422}
    page.locator("#f-weekly_cap").focus()
    page.keyboard.type("x")
    page.keyboard.press("Enter")
    page.wait_for_selector("#refused")
    window.check()
    window.open("/my/receipts")
    window.check()
    page.locator(".lines a").last.click()
    window.check()
    window.context.close()
    assert snapshot(told.wang, "news").standing.status == "WITHDRAWN"
    window = open_window(chromium, address, ("pseudo", 320, "light"), customer=secret)
    for path in ("/my/consents", PAGE, "/my/receipts"):
        window.open(path)
        window.check()
    window.context.close()
