"""Staff see all of a customer on one page: consents, coupons, contacts with why; they undo a line.

Undoing is a proposal: one sets it out from the line itself, another agrees, and the line stays.
"""

import pytest
from flask import Flask
from playwright.sync_api import Browser as Chromium

import ledger
from loyalty.database import transaction
from loyalty.web import ids
from tests.campaigns.builders import House, build_house
from tests.pages.conftest import add_person
from tests.pages.windows import open_window, session_of


@pytest.fixture
def house(app: Flask) -> House:
    """A programme whose first member agreed to offers and whose second took that back."""
    house = build_house(app.test_client())
    house.agree("C-1", "C-2")
    house.refuse("C-2")
    return house


def give(house: House, reference: str, points: int) -> None:
    member = house.members[reference]
    move = ledger.Move(house.programme.points.adjusted, member.points_wallet, points)
    entry = ledger.Entry(member.points_wallet, "test", "given", "adjust", (move,))
    with transaction() as session:
        (outcome,) = ledger.post(session, [entry])
        assert isinstance(outcome, ledger.Posted), outcome


def balance(house: House, reference: str) -> int:
    with transaction() as session:
        return ledger.read_balance(session, house.members[reference].points_wallet).available


def test_one_page_says_all_and_a_line_is_undone_by_two(
    chromium: Chromium, address: str, house: House
) -> None:
    give(house, "C-1", 500)
    house.run()
    support, head = add_person("support", "support"), add_person("head", "head_office")
    path = f"/console/customers/{ids.encode('cus', house.members['C-1'].customer_id)}"

    window = open_window(
        chromium, address, ("zh", 320, "dark"), staff=session_of("staff", support.id)
    )
    page = window.open(path)
    said = page.locator("main").inner_text()
    for words in ("优惠活动", "已同意", "联系记录", "等待中", "没有优惠券"):
        assert words in said, words
    window.check()
    page.goto(f"{address}{path}/lines/1")
    page.get_by_role("link", name="提议冲正").click()
    page.fill("#f-points", "700")
    page.fill("#f-case", "C-9")
    window.check()
    page.fill("#f-points", "")
    page.get_by_role("button", name="提出").click()
    page.wait_for_url("**/console/proposals/prp_*")
    window.check()
    proposal = page.url.removeprefix(address)
    window.context.close()
    assert balance(house, "C-1") == 500

    window = open_window(
        chromium, address, ("en", 1440, "light"), staff=session_of("staff", head.id)
    )
    page = window.open(proposal)
    page.locator("button[value=approve]").focus()
    page.keyboard.press("Enter")
    page.locator(".tag.good").first.wait_for()
    window.check()
    assert balance(house, "C-1") == 0
    page.goto(address + path.replace(path[-13:], refused(house)))
    assert "taken back" in page.locator("main").inner_text()
    window.check()
    window.context.close()


def refused(house: House) -> str:
    return ids.encode("cus", house.members["C-2"].customer_id)[-13:]
