"""The bank's link lets its customer in: once, for five minutes, for whom the bank named."""

import time
import uuid
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from joserfc import jwt
from joserfc.jwk import OKPKey
from playwright.sync_api import Browser as Chromium

from loyalty import staff
from loyalty.database import transaction
from tests.pages.conftest import Browser
from tests.pages.windows import open_window
from tests.points.builders import World
from tests.staff.conftest import ADMIN, Account, add_account

ENTER = "/my/enter"


@dataclass(frozen=True)
class Bank:
    """A client that may vouch for customers, with its key."""

    account: Account
    key: OKPKey
    issuer: str

    def link(self, subject: str, **changed: Any) -> str:
        """Return what the bank's app opens for its customer."""
        now = int(time.time())
        claims = {
            "iss": self.account.client_id,
            "sub": subject,
            "aud": self.issuer + ENTER,
            "exp": now + 240,
            "iat": now,
            "jti": uuid.uuid4().hex,
            **changed,
        }
        header = {"alg": "Ed25519", "kid": self.key.kid}
        return f"{ENTER}?assertion={jwt.encode(header, claims, self.key, algorithms=['Ed25519'])}"


def make_bank(app: Flask, *scopes: str) -> Bank:
    account = add_account(f"bank-{'-'.join(scopes)}", list(scopes))
    key = OKPKey.generate_key("Ed25519", private=True)
    with transaction() as session:
        kid = staff.add_key(session, ADMIN, account.number, key.as_dict(private=False))
    key = OKPKey.import_key({**key.as_dict(private=True), "kid": kid})
    return Bank(account, key, str(app.config["ISSUER"]))


@pytest.fixture
def bank(app: Flask, world: World) -> Bank:
    return make_bank(app, "customers:tokens")


def enter(browser: Browser, link: str) -> int:
    """Open a link and press its button; return the status of the answer."""
    assert browser.get(link).status_code == 200
    answer = browser.send(ENTER, page=link, assertion=link.partition("=")[2])
    return int(answer.status_code)


def test_a_customer_comes_from_their_bank(
    chromium: Chromium, address: str, bank: Bank, world: World
) -> None:
    link = bank.link("00001")
    window = open_window(chromium, address, ("zh", 320, "light"))
    window.expected = {403}
    page = window.open(link)
    window.check()  # looking uses nothing up: a program that looks ahead may look
    window.open(link)
    page.get_by_role("button", name="继续").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/my")
    assert "1,234" in page.locator("main").inner_text()
    window.check()
    window.context.close()
    # The same link a second time, in a browser of somebody else's, opens nothing.
    window = open_window(chromium, address, ("en", 1440, "dark"))
    window.expected = {403}
    page = window.open(link)
    page.get_by_role("button", name="Continue").click()
    page.wait_for_selector("main .empty")
    window.check()
    assert window.open("/my").url.startswith(f"{address}/my/sign-in")
    window.context.close()


def test_only_a_fresh_link_of_a_bank_that_may_opens(app: Flask, bank: Bank) -> None:
    now = int(time.time())
    stranger = make_bank(app, "points:read")  # a client of ours that may not vouch
    other = OKPKey.generate_key("Ed25519", private=True).as_dict(private=True)
    foreign = Bank(bank.account, OKPKey.import_key({**other, "kid": bank.key.kid}), bank.issuer)
    for link in (
        bank.link("00001", exp=now - 600),
        bank.link("00001", exp=now + 100_000),
        bank.link("00001", aud="https://elsewhere.example/my/enter"),
        bank.link("99999"),
        bank.link("cus_zzzzzzzzzzzzz"),
        stranger.link("00001"),
        foreign.link("00001"),
        bank.link("00001")[:-6] + "AAAAAA",
    ):
        browser = Browser(app)
        assert enter(browser, link) == 403, link
        assert browser.get("/my").status_code == 303
    assert enter(Browser(app), bank.link("00001")) == 303
