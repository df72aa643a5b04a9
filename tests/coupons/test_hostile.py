"""What partners send is not trusted: it is refused, or kept as it came, and harms nothing (A63)."""

from flask.testing import FlaskClient

from tests.callers import Client
from tests.coupons.builders import World, add_series, code_of, issue_codes, owed, state
from tests.coupons.test_till_api import shown, till

HOSTILE = [
    "'; DROP TABLE loyalty.coupons; --",
    '=HYPERLINK("http://evil.example","x")',
    "<script>alert(1)</script>",
    "{{7*7}}${7*7}%s%n{0}",
    "../../etc/passwd",
    "line\r\nSet-Cookie: a=b",
    "\x1b[31mred\x07",
    "a\u202eb\u200bc\ufeff",
    "\U0001f600" * 50,
    "１２３",
    "x" * 5_000,
    "",
]


def test_a63_no_text_of_a_partners_does_more_than_be_refused_or_kept(
    world: World, application: FlaskClient
) -> None:
    mall, series = till(application, world.shop), add_series(world)
    for number, text in enumerate(HOSTILE):
        (code,) = issue_codes(world, series)
        send_everywhere(world, mall, code, text, str(number))
        assert code_of(number + 1) == code
        assert state(number + 1)[0] in {"issued", "redeemed"}
    assert 0 <= owed(world.shop) <= 2_000 * len(HOSTILE)


def send_everywhere(world: World, mall: Client, code: str, text: str, mark: str) -> None:
    """Put a text into every field of a redemption, and into the reversal of one that is done."""
    lines = [{"amount": 12_000, "category": text}]
    bodies = [
        shown(world.shop, code, reference=text),
        shown(world.shop, text, reference=f"a{mark}"),
        shown(world.shop, code, reference=f"b{mark}", programme=text),
        {**shown(world.shop, code, reference=f"c{mark}"), "outlet_id": text},
        {**shown(world.shop, code, reference=f"d{mark}"), text or "?": 1},
        {**shown(world.shop, code, reference=f"e{mark}"), "basket": lines},
    ]
    answers = [mall.post("/v1/coupons/redemptions", body) for body in bodies]
    assert {answer.status_code for answer in answers} <= {201, 404, 409, 422}
    done = [answer.get_json() for answer in answers if answer.status_code == 201]
    assert len(done) <= 1
    for act in done:
        path = f"/v1/coupons/redemptions/{act['redemption_id']}"
        assert mall.get(path).get_json()["reference"] == act["reference"]
        undone = mall.post(f"{path}/reversals", {"reference": f"f{mark}", "reason": text})
        assert undone.status_code in {201, 422}
