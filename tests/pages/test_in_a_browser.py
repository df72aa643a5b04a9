"""Each kind of person does their job in a real browser, by mouse and by keyboard, as it should be.

Every page is held against WCAG 2.2 AA by axe, must not overflow a narrow screen, says nothing on
the console and asks no other host for anything.
"""

from datetime import timedelta

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page

from loyalty import benefits, customers, proposals
from loyalty.customers import NewCustomer
from loyalty.database import transaction
from loyalty.points import adjustment
from loyalty.web import Caller, ids
from tests.pages.conftest import PASSWORD, Person, add_person
from tests.pages.windows import EVIL, VIEWS, open_window, session_of
from tests.points.builders import LONG_AGO, World, purchase, record


@pytest.fixture
def bank(world: World) -> dict[str, Person]:
    """The programme with benefits, a named customer, and people of several roles."""
    with transaction() as session:
        benefits.offer_benefit(
            session,
            world.programme,
            "lounge",
            effective_from=LONG_AGO,
            kind="service",
            name_zh="机场贵宾厅",
            name_en=EVIL[:60],
            period="year",
            tiers={"standard": {"quota": 2, "guests": 1}},
        )
        (named,) = customers.register(
            session, [NewCustomer("00003", name=EVIL[:80], phone="13800138000")]
        )
    world.customers["00003"] = named.customer_id or 0
    record(world, purchase("p3", 9_876_543, "00003"), purchase("p4", 2_500, "00003"))
    people = {
        "support": add_person("support", "support"),
        "head": add_person("head", "head_office", "auditor"),
    }
    propose(world, people["support"])
    return people


def propose(world: World, person: Person) -> int:
    caller = Caller("staff", ids.encode("stf", person.id), roles=frozenset({"support"}))
    content = {"direction": "give", "points": 500, "reason": "goodwill", "case": "C-1"}
    with transaction() as session:
        member = world.member(session, "00003")
        content["expires_at"] = None
        return adjustment.propose_adjustment(session, caller, world.programme, member, content).id


MY_PAGES = (
    *("/my", "/my/points", "/my/statement", "/my/statement/1", "/my/tier", "/my/benefits"),
    *("/my/data", "/my/coupons", "/my/rewards", "/my/consents", "/my/receipts"),
)
PUBLIC_PAGES = ("/", "/my/sign-in", "/console/sign-in", "/my/enter", "/problems/forbidden")
CONSOLE_PAGES = (
    *("/console", "/console/proposals", "/console/proposals/{proposal}", "/console/customers"),
    *("/console/customers/{customer}", "/console/customers/{customer}/lines/1"),
    *("/console/customers/{customer}/adjustment", "/console/ledger", "/console/audit"),
    "/console/sessions",
)


def paths_of(world: World) -> list[str]:
    names = {
        "customer": ids.encode("cus", world.customers["00003"]),
        "proposal": ids.encode("prp", 1),
    }
    return [path.format(**names) for path in CONSOLE_PAGES]


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: "-".join(map(str, view)))
def test_every_page_is_as_it_should_be(
    chromium: Chromium,
    address: str,
    world: World,
    bank: dict[str, Person],
    view: tuple[str, int, str],
) -> None:
    window = open_window(
        chromium,
        address,
        view,
        staff=session_of("staff", bank["head"].id),
        customer=session_of("customer", world.customers["00003"]),
    )
    faults: list[str] = []
    for path in (*PUBLIC_PAGES, *MY_PAGES, *paths_of(world)):
        page = window.open(path)
        assert "[" not in page.title(), path
        lang = page.get_attribute("html", "lang")
        assert lang == {"zh": "zh-CN", "en": "en"}[view[0]]
        try:
            window.check()
        except AssertionError as fault:
            faults.append(str(fault).splitlines()[0])
            window.faults.clear()
    window.context.close()
    assert not faults, "\n".join(faults)


def test_longer_words_fit_a_narrow_screen(
    chromium: Chromium, address: str, world: World, bank: dict[str, Person]
) -> None:
    window = open_window(
        chromium,
        address,
        ("pseudo", 320, "light"),
        staff=session_of("staff", bank["head"].id),
        customer=session_of("customer", world.customers["00003"]),
    )
    faults: list[str] = []
    for path in (*PUBLIC_PAGES[:4], *MY_PAGES, *paths_of(world)):
        page = window.open(path)
        assert page.locator("body").inner_text().count("~") > 3, f"{path} is not translated"
        wide = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        if wide > 0:
            faults.append(f"{path} is {wide} pixels too wide")
    window.context.close()
    assert not faults, "\n".join(faults)


def test_a_customer_comes_in_and_asks_why_by_mouse(
    chromium: Chromium, address: str, world: World, bank: dict[str, Person]
) -> None:
    with transaction() as session:
        code = customers.make_code(session, world.customers["00003"], timedelta(minutes=5))
    window = open_window(chromium, address, ("zh", 1440, "light"))
    window.expected = {403}
    page = window.open("/my")
    page.fill("#f-reference", "00003")
    page.fill("#f-code", "00000000")
    page.click("main button")
    page.wait_for_selector("#refused")
    window.check()
    page.fill("#f-code", code)
    page.click("main button")
    page.wait_for_url(f"{address}/my")
    page.get_by_role("link", name="全部明细").click()
    page.locator(".lines a").first.click()
    assert "重新计算，结果一致" in page.locator("main").inner_text()
    page.get_by_role("button", name="退出").click()
    page.wait_for_url(f"{address}/my/sign-in")
    assert window.open("/my").url.startswith(f"{address}/my/sign-in")
    window.check()
    window.context.close()


def test_two_people_adjust_points_by_keyboard_alone(
    chromium: Chromium, address: str, world: World, bank: dict[str, Person]
) -> None:
    customer = ids.encode("cus", world.customers["00003"])
    window = open_window(chromium, address, ("en", 1440, "light"))
    page = window.open("/console")
    enter(page, bank["support"])
    page.keyboard.press("g")
    page.keyboard.press("c")
    page.wait_for_url(f"{address}/console/customers")
    page.wait_for_function("document.activeElement.matches('main input')")
    page.keyboard.type("00003")  # the field has the focus
    page.keyboard.press("Enter")
    page.wait_for_selector(".lines a")
    page.locator(".lines a").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/console/customers/{customer}")
    assert "onerror" not in page.content().split("<main")[1].split("&lt;img")[0]
    page.get_by_role("link", name="Propose an adjustment").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#f-points")
    page.keyboard.press("/")
    page.locator("#f-points").focus()
    page.keyboard.type("1,200")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("C-42")
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/proposals/prp_*")
    proposal = page.url
    assert page.get_by_role("button", name="Approve").count() == 0
    window.check()
    window.context.close()

    checker = open_window(chromium, address, ("en", 1440, "light"))
    page = checker.open(proposal.removeprefix(address))
    enter(page, bank["head"])
    page.wait_for_url(proposal)
    page.get_by_role("button", name="Approve").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".tag.good")
    assert "applied" in page.locator("main").inner_text()
    checker.check()
    checker.context.close()
    with transaction() as session:
        assert (
            proposals.read_proposal(session, ids.decode("prp", proposal[-17:])).state == "applied"
        )


def enter(page: Page, person: Person) -> None:
    """Sign in with the keyboard: the first field has the focus."""
    page.wait_for_function("document.activeElement.matches('#f-login')")
    page.keyboard.type(person.login)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Tab")
    page.keyboard.type(person.code())
    page.keyboard.press("Enter")
    page.wait_for_selector(".menu")


def test_reading_and_approving_need_no_scripts(
    chromium: Chromium, address: str, world: World, bank: dict[str, Person]
) -> None:
    context = chromium.new_context(java_script_enabled=False, locale="zh-CN")
    context.add_cookies(
        [{"name": "quanyi-staff", "value": session_of("staff", bank["head"].id), "url": address}]
    )
    page = context.new_page()
    page.goto(f"{address}/console")
    page.get_by_role("link", name="调整客户积分").first.click()
    page.get_by_role("button", name="同意").click()
    assert "已执行" in page.locator("main").inner_text()
    context.close()


def test_the_palette_and_the_keys_open_and_close(
    chromium: Chromium, address: str, world: World, bank: dict[str, Person]
) -> None:
    staff_session = session_of("staff", bank["head"].id)
    window = open_window(chromium, address, ("zh", 1440, "dark"), staff=staff_session)
    page = window.open("/console")
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    window.check()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.keyboard.type("账本")
    window.check()
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/console/ledger")
    window.context.close()


def test_a_page_weighs_little(
    chromium: Chromium, address: str, world: World, bank: dict[str, Person]
) -> None:
    window = open_window(
        chromium,
        address,
        ("zh", 1440, "light"),
        staff=session_of("staff", bank["head"].id),
        customer=session_of("customer", world.customers["00003"]),
    )
    sizes: list[int] = []
    window.page.on("response", lambda answer: sizes.append(len(answer.body())))
    # Each as if it were the first that somebody opens: nothing is kept from the one before.
    window.context.new_cdp_session(window.page).send(
        "Network.setCacheDisabled", {"cacheDisabled": True}
    )
    for path in ("/", *MY_PAGES, *paths_of(world)):
        sizes.clear()
        window.open(path).wait_for_load_state("networkidle")
        assert len(sizes) >= 3, path
        assert sum(sizes) < 200_000, path
    window.context.close()
