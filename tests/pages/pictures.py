"""Pictures of the main pages for the README: `make pictures` draws them into docs/pictures.

The sample bank with some of its real purchases, drawn in Chinese and English, on a desk and on a
phone, light and dark. Not a test of its own: it is run by name.
"""

import base64
import csv
import struct
import zlib
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page
from sqlalchemy import text

from loyalty import consent, coupons, customers, points, programmes
from loyalty.coupons.codes import show_code
from loyalty.customers import find_by_reference
from loyalty.database import transaction
from loyalty.demo import coupons as sample_coupons
from loyalty.demo import partners as sample_partners
from loyalty.demo import people, purchases, sample
from loyalty.points import adjustment
from loyalty.programmes import Programme
from loyalty.web import Caller, ids
from tests.pages.conftest import Person, add_person
from tests.pages.windows import open_window, session_of

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
HEAVIEST = 150_000
SHOWN = "10370"
OTHERS = 40
DESK, PHONE = 1280, 390
TOLD = {
    "zh": {
        "controller": "样例银行总行",
        "contact": "客服电话 95000",
        "purpose": "告诉您适合您的优惠",
        "way": "自动挑选，经人工复核",
        "kinds": "积分、消费类别、等级",
        "retention": "同意期间及此后六个月",
        "rights": "查阅、更正、复制、删除、撤回",
        "withdrawal": "在本页一键撤回，立即生效",
    },
    "en": {
        "controller": "Sample Bank",
        "contact": "Telephone 95000",
        "purpose": "To tell you of offers that suit you",
        "way": "Chosen by rules, looked over by people",
        "kinds": "Points, categories of purchases, tier",
        "retention": "While you agree, and six months",
        "rights": "To see, correct, copy, erase and take back",
        "withdrawal": "With one click on this page, at once",
    },
}
TALLEST = {DESK: 900, PHONE: 844}
# A screenshot has three bytes for each dot; with a palette of 256 colours it has one.
PALETTE = """async (taken) => {
    const bytes = Uint8Array.from(atob(taken), (letter) => letter.charCodeAt(0));
    const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const canvas = new OffscreenCanvas(image.width, image.height);
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, image.width, image.height);
    const near = (value) => Math.round(Math.round(value * 63 / 255) * 255 / 63);
    const colours = new Uint32Array(data.length / 4);
    const counted = new Map();
    for (let dot = 0; dot < colours.length; dot += 1) {
        const [red, green, blue] = [0, 1, 2].map((part) => near(data[dot * 4 + part]));
        const colour = red << 16 | green << 8 | blue;
        colours[dot] = colour;
        counted.set(colour, (counted.get(colour) ?? 0) + 1);
    }
    const palette = [...counted].sort((a, b) => b[1] - a[1]).slice(0, 256).map(([one]) => one);
    const apart = (a, b, by) => ((a >> by & 255) - (b >> by & 255)) ** 2;
    const far = (a, b) => apart(a, b, 16) + apart(a, b, 8) + apart(a, b, 0);
    const places = new Map(palette.map((colour, place) => [colour, place]));
    for (const colour of counted.keys()) {
        if (places.has(colour)) continue;
        let best = 0;
        palette.forEach((known, place) => {
            if (far(colour, known) < far(colour, palette[best])) best = place;
        });
        places.set(colour, best);
    }
    let dots = "";
    for (const colour of colours) dots += String.fromCharCode(places.get(colour));
    return { width: image.width, height: image.height, palette, dots: btoa(dots) };
}"""


@pytest.fixture
def bank(database: object) -> Programme:
    """The sample bank with the customer who is shown, and some others."""
    with transaction() as session:
        programme = sample.open_sample(session)
        sample_coupons.open_coupons(session, programme)
        sample_partners.equip(session)
    wanted = [SHOWN, *(f"{number:05}" for number in range(1, OTHERS))]
    with transaction() as session:
        customers.register(session, [people.invent(reference) for reference in wanted])
    with transaction() as session:
        points.record_purchases(session, programme, sample.SOURCE, list(_bought(programme, wanted)))
    with transaction() as session:
        found = find_by_reference(session, [SHOWN, "00001"])
        sample_coupons.give_coupons(session, programme, sorted(found.values()))
        unit = session.execute(text("SELECT min(id) FROM loyalty.organisation_units")).scalar_one()
        purpose = consent.open_purpose(
            session, "offers", name_zh="优惠活动", name_en="Offers", controller_id=unit
        )
        consent.publish_notice(
            session,
            purpose,
            body_zh="我们用您的积分和消费记录挑选适合您的优惠，并通过您选择的渠道告诉您。",
            body_en="We choose offers by your points and purchases, and tell you as you choose.",
            fields=TOLD,
            approved_by="stf_0000000000001",
            material=True,
        )
    return programme


def _bought(programme: Programme, wanted: list[str]) -> Iterator[points.NewPurchase]:
    shift = purchases.days_until_yesterday(programme.zone)
    with purchases.unpacked(shift) as path, path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            if row["customer_id"] in wanted:
                on = datetime.combine(
                    date.fromisoformat(row["purchased_on"]), time(12), programme.zone
                )
                amount = round(float(row["amount_usd"]) * 100)
                if amount:
                    yield points.NewPurchase(f"cd-{number}", row["customer_id"], on, amount)


def test_draw(chromium: Chromium, address: str, bank: Programme) -> None:
    """Draw each page, and refuse pictures that are too heavy for a README."""
    PICTURES.mkdir(exist_ok=True)
    with transaction() as session:
        customer = find_by_reference(session, [SHOWN])[SHOWN]
        held = coupons.list_coupons(session, bank, customer, before=None, limit=9)
        code = coupons.read_code(session, held[-1].id)
        outlet = session.execute(text("SELECT min(id) FROM loyalty.partner_staff")).scalar_one()
    officer = propose(bank, customer)
    jar = {
        "customer": session_of("customer", customer),
        "partner": session_of("partner", outlet),
        "staff": session_of("staff", officer.id),
    }
    mine = f"/my/coupons/{ids.encode('cpn', held[0].id)}"
    for name, view, path in (
        ("card-zh", ("zh", DESK, "light"), "/my"),
        ("card-en-dark", ("en", DESK, "dark"), "/my"),
        ("card-phone-zh", ("zh", PHONE, "light"), "/my"),
        ("why-zh", ("zh", DESK, "light"), "/my/statement/1"),
        ("why-phone-en-dark", ("en", PHONE, "dark"), "/my/statement/1"),
        ("coupons-en", ("en", DESK, "light"), "/my/coupons"),
        ("coupon-phone-zh", ("zh", PHONE, "light"), mine),
        ("rewards-phone-en-dark", ("en", PHONE, "dark"), "/my/rewards"),
        ("consent-phone-zh", ("zh", PHONE, "light"), "/my/consents/offers"),
        ("console-zh", ("zh", DESK, "light"), "/console"),
        ("console-en-dark", ("en", DESK, "dark"), f"/console/proposals/{ids.encode('prp', 1)}"),
        (
            "console-customer-zh",
            ("zh", DESK, "light"),
            f"/console/customers/{ids.encode('cus', customer)}",
        ),
        ("ledger-en", ("en", DESK, "light"), "/console/ledger"),
    ):
        window = open_window(chromium, address, view, **jar)
        window.open(path)
        draw(window.page, name, view[1])
        window.context.close()
    for name, view in (
        ("counter-phone-zh", ("zh", PHONE, "light")),
        ("counter-phone-en-dark", ("en", PHONE, "dark")),
    ):
        window = open_window(chromium, address, view, **jar)
        page = window.open("/counter")
        page.fill("#f-code", show_code(code))
        page.fill("#f-amount", "250")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        draw(page, name, view[1])
        window.context.close()


def propose(bank: Programme, customer: int) -> Person:
    """Have somebody propose an adjustment; return somebody else, who sees it."""
    support = add_person("support", "support")
    caller = Caller("staff", ids.encode("stf", support.id), roles=frozenset({"support"}))
    content = {"direction": "give", "points": 500, "reason": "goodwill", "case": "C-2026-1124"}
    with transaction() as session:
        member = programmes.enrol(session, bank, [customer])[customer]
        content["expires_at"] = None
        adjustment.propose_adjustment(session, caller, bank, member, content)
    return add_person("officer", "head_office", "auditor")


def draw(page: Page, name: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": TALLEST[width]})
    page.evaluate("document.activeElement.blur()")
    path = PICTURES / f"{name}.png"
    taken = base64.b64encode(page.screenshot()).decode()
    page.goto("about:blank")
    path.write_bytes(write_png(page.evaluate(PALETTE, taken)))
    assert path.stat().st_size < HEAVIEST, (name, path.stat().st_size)


def write_png(image: dict[str, Any]) -> bytes:
    """Return a picture as a PNG with a palette, one byte for each dot."""
    width, height = image["width"], image["height"]
    dots = base64.b64decode(image["dots"])
    lines = b"".join(b"\0" + dots[row * width : (row + 1) * width] for row in range(height))
    palette = b"".join(colour.to_bytes(3) for colour in image["palette"])
    shape = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = (
        (b"IHDR", shape),
        (b"PLTE", palette),
        (b"IDAT", zlib.compress(lines, 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in parts
    )
