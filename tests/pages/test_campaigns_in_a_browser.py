"""Marketing makes a campaign, others agree, it goes, one person stops it: all in a browser."""

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page

from loyalty import outbox
from tests.campaigns.builders import House, build_house
from tests.pages.conftest import Person, add_person
from tests.pages.windows import Watched, open_window, session_of

ROLES = ("marketing_maker", "marketing_checker", "consumer_protection")


@pytest.fixture
def house(app: Flask) -> House:
    """A programme with four members, of whom two agreed to offers."""
    house = build_house(app.test_client())
    house.agree("C-1", "C-2")
    return house


@pytest.fixture
def people(house: House) -> dict[str, Person]:
    """Somebody of each role that a campaign needs."""
    return {role: add_person(role.replace("_", "-"), role) for role in ROLES}


def window_of(
    chromium: Chromium, address: str, person: Person, view: tuple[str, int, str]
) -> Watched:
    return open_window(chromium, address, view, staff=session_of("staff", person.id))


def fill_in(page: Page, **values: str) -> None:
    for name, value in values.items():
        field = page.locator(f"#f-{name}")
        if field.evaluate("field => field.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)


def test_a_campaign_is_made_agreed_to_launched_and_stopped(
    chromium: Chromium, address: str, house: House, people: dict[str, Person]
) -> None:
    maker = window_of(chromium, address, people["marketing_maker"], ("zh", 1440, "light"))
    one = make_by_mouse(maker)
    propose_by_mouse(maker)
    proposal = maker.page.url.removeprefix(address)
    maker.check()

    for role, view in (
        ("marketing_checker", ("en", 320, "dark")),
        ("consumer_protection", ("zh", 320, "light")),
    ):
        checker = window_of(chromium, address, people[role], view)  # type: ignore[arg-type]
        approve_by_keyboard(checker, proposal)
        checker.context.close()

    launch_and_stop_by_keyboard(maker, one)
    maker.context.close()


def day(ahead: int) -> str:
    """Return a moment so many days ahead, as a browser sends it."""
    return f"{datetime.now(UTC) + timedelta(days=ahead):%Y-%m-%dT09:00}"


def make_by_mouse(maker: Watched) -> str:
    """Fill the form in, be told what is wrong while at it, mend it and save; return the page."""
    page = maker.open("/console/campaigns")
    assert "还没有活动" in page.locator("main").inner_text()
    maker.check()
    page.get_by_role("link", name="新建活动").click()
    fill_in(
        page,
        type="points_bonus",
        code="spring-2027",
        name_zh="春季双倍积分",
        name_en="Twice the points in spring",
        purpose="offers",
        field_1="points.balance",
        is_1="ge",
        value_1="0",
        offer="multiplier",
        times="2",
        in_app_zh_subject="会员活动 {campaign}",
        in_app_zh_body="{customer_name}您好,全网最佳的活动到 {ends_on} 为止。",
        in_app_en_subject="For members: {campaign}",
        in_app_en_body="Dear {customer_name}, until {ends_on}.",
        starts_at=day(2),
        ends_at=day(20),
        budget="1,000,000",
        control="0",
    )
    assert not page.locator("#f-series").is_visible()
    look = page.locator("#look")
    look.get_by_text("王女士您好").wait_for()
    assert "最佳" in look.locator(".findings").inner_text()
    assert "与是否接收营销信息无关" in look.locator(".required").first.inner_text()
    maker.check()
    now = page.locator("#f-in_app_zh_body")
    now.fill("{customer_name}您好,活动到 {ends_on} 为止。")
    look.get_by_text("没有发现问题").wait_for()
    page.get_by_role("button", name="保存草稿").click()
    page.wait_for_url("**/console/campaigns/cmp_*")
    maker.check()
    return page.url


def propose_by_mouse(maker: Watched) -> None:
    """Count the audience, see that it adds up, and put the campaign up for approval."""
    page = maker.page
    page.get_by_role("button", name="统计人群").click()
    page.get_by_text("正在统计").wait_for()
    outbox.advance("campaigns.preview", 60)
    page.get_by_role("button", name="提交审批").wait_for()  # the page saw by itself
    counted = page.locator("#counted")
    numbers = [int(cell) for cell in counted.locator("td.n").all_inner_texts()]
    assert sum(numbers[:-1]) == numbers[-1] == 4
    assert "同意" in counted.inner_text()
    maker.check()
    page.get_by_role("button", name="提交审批").click()
    page.wait_for_url("**/console/proposals/prp_*")
    assert page.locator("button[value=approve]").count() == 0, "nobody agrees to their own"


def approve_by_keyboard(checker: Watched, proposal: str) -> None:
    page = checker.open("/console/proposals")
    page.locator(f'main a[href="{proposal}"]').first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{proposal}")
    assert "points" in page.locator("main").inner_text().lower()
    assert page.locator(".preview .required").count() == 2
    checker.check()
    page.locator("button[value=approve]").focus()
    page.keyboard.press("Enter")
    page.locator(".tag.good").first.wait_for()
    checker.check()


def launch_and_stop_by_keyboard(maker: Watched, one: str) -> None:
    page = maker.page
    page.goto(one)
    page.get_by_role("button", name="发布").focus()
    page.keyboard.press("Enter")
    page.locator("#live").wait_for()
    maker.check()
    outbox.advance("campaigns.expand", 60)
    page.get_by_text("已完成").wait_for()
    page.get_by_role("link", name="查看效果").focus()
    page.keyboard.press("Enter")
    page.locator("svg.chart").wait_for()
    maker.check()
    page.goto(one)
    page.locator("#f-reason").focus()
    page.keyboard.type("合作方缺货")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="提议重启").wait_for()
    maker.check()
    page.locator("#f-reason").focus()
    page.keyboard.type("已补货")
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/proposals/prp_*")
    assert "重启" in page.locator("h1").inner_text()
    maker.check()


def test_a_draft_is_edited_and_what_was_approved_is_void(
    chromium: Chromium, address: str, house: House, people: dict[str, Person]
) -> None:
    draft = house.draft()
    house.approve(draft, house.preview(draft))
    maker = window_of(chromium, address, people["marketing_maker"], ("en", 320, "dark"))
    page = maker.open(f"/console/campaigns/{draft['campaign_id']}")
    assert "approved" in page.locator("main").inner_text()
    page.get_by_role("link", name="Edit", exact=True).click()
    assert page.locator("#f-name_en").input_value() == "Twice the points in spring"
    page.locator("#look .required").first.wait_for()
    maker.check()
    fill_in(page, name_en="Three times the points", times="x")
    maker.expected = {422}
    page.get_by_role("button", name="Save the draft").click()
    page.wait_for_selector("#refused")
    assert page.locator("#f-name_en").input_value() == "Three times the points"
    maker.check()
    fill_in(page, times="3", starts_at=day(3), ends_at=day(9))
    page.get_by_role("button", name="Save the draft").click()
    page.wait_for_url("**/console/campaigns/cmp_*")
    text = page.locator("main").inner_text()
    assert "draft" in text
    maker.check()
    page.keyboard.press("g")
    page.keyboard.press("y")
    page.wait_for_url("**/console/policy")
    page.locator("summary", has_text="Source and condition").first.click()
    assert "Advertising Law" in page.locator("main").inner_text()
    maker.check()
    assert "version 2" in text
    maker.context.close()
