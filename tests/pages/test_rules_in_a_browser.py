"""A rule's next version is proposed, tried on past purchases, and agreed to by somebody else."""

from datetime import UTC, datetime, timedelta

from playwright.sync_api import Browser as Chromium

from tests.pages.conftest import add_person
from tests.pages.windows import open_window, session_of
from tests.points.builders import World


def test_a_rule_is_changed_by_two(chromium: Chromium, address: str, world: World) -> None:
    maker = add_person("maker", "marketing_maker")
    checker = add_person("checker", "marketing_checker")
    window = open_window(
        chromium, address, ("en", 320, "dark"), staff=session_of("staff", maker.id)
    )
    page = window.open("/console/rules")
    window.check()
    page.locator("main .lines a").first.click()
    rule = page.url
    page.get_by_role("link", name="Propose the next version").click()
    window.check()
    page.fill("#f-name_zh", "双倍")
    page.fill("#f-name_en", "Double")
    page.fill("#f-effective_from", f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%dT09:00}")
    page.fill("#f-points", "x")
    window.expected = {422}
    page.get_by_role("button", name="Propose").click()
    page.wait_for_selector("#refused")
    assert page.locator("#f-points").get_attribute("aria-invalid") == "true"
    window.check()
    page.fill("#f-points", "2")
    page.get_by_role("button", name="Propose").click()
    page.wait_for_url("**/console/proposals/prp_*")
    proposal = page.url.removeprefix(address)
    page.goto(f"{address}/console/rules")
    page.locator("main .lines a").first.click()
    assert page.url != rule
    page.fill("#f-days", "400")
    page.get_by_role("button", name="Try").click()
    page.get_by_text("1 customer would gain").wait_for()
    window.check()
    window.context.close()

    window = open_window(
        chromium, address, ("zh", 1440, "light"), staff=session_of("staff", checker.id)
    )
    page = window.open(proposal)
    page.locator("button[value=approve]").focus()
    page.keyboard.press("Enter")
    page.locator(".tag.good").first.wait_for()
    page.goto(f"{address}/console/rules")
    assert page.locator("main .lines .tag.good").count() == 2
    window.check()
    window.context.close()
