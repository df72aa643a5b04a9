"""Bad input is refused with words that say what is wrong, and leaves nothing behind.

Each table of cases is sent to each route that moves points or takes customers. Whatever comes,
the answer is a problem with status 400, 413, 415 or 422, and no row of any table changes.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from flask.testing import FlaskClient

from loyalty.database import transaction
from loyalty.web import ids
from tests.http.contents import Contents
from tests.points.builders import World, agree, purchase, record
from tests.servers import Database
from tests.staff.conftest import Account, token_for

AT = "2026-01-01T00:00:00+08:00"
SOON = "2999-01-01T00:00:00+08:00"
JSON = "application/json"
HOLE = '"the hole"'
BODY = "malformed-json", 400
CONTENT = "invalid-content", 422


@dataclass(frozen=True)
class Route:
    """A route with a body that it takes, and the places in it that bad input goes to."""

    path: str
    body: dict[str, Any]
    amounts: tuple[str, ...] = ()
    optional_amounts: tuple[str, ...] = ()
    zeros: tuple[str, ...] = ()
    instants: tuple[str, ...] = ()
    days: tuple[str, ...] = ()
    texts: tuple[str, ...] = ("/reference",)
    objects: tuple[str, ...] = ("",)
    lists: tuple[str, ...] = ()


ROUTES = {
    "purchases": Route(
        "/v1/purchases",
        {
            "purchases": [
                {
                    "reference": "p2",
                    "customer": "00001",
                    "purchased_at": AT,
                    "amount": 100,
                    "category": "5411",
                    "lines": [{"line": 1, "amount": 100}],
                }
            ]
        },
        amounts=("/purchases/0/amount", "/purchases/0/lines/0/amount"),
        zeros=("/purchases/0/lines/0/line",),
        instants=("/purchases/0/purchased_at",),
        texts=("/purchases/0/reference", "/purchases/0/customer", "/purchases/0/category"),
        objects=("", "/purchases/0", "/purchases/0/lines/0"),
        lists=("/purchases", "/purchases/0/lines"),
    ),
    "refunds": Route(
        "/v1/refunds",
        {"reference": "f1", "purchase": "p1", "refunded_at": AT, "amount": 1},
        amounts=("/amount",),
        optional_amounts=("/amount",),
        zeros=("/amount",),
        instants=("/refunded_at",),
        texts=("/reference", "/purchase"),
    ),
    "confirmations": Route(
        "/v1/confirmations",
        {
            "confirmations": [
                {"reference": "e1", "event": "delivered", "occurred_at": AT, "purchase": "p1"}
            ]
        },
        instants=("/confirmations/0/occurred_at",),
        texts=(
            "/confirmations/0/reference",
            "/confirmations/0/event",
            "/confirmations/0/purchase",
        ),
        objects=("", "/confirmations/0"),
        lists=("/confirmations",),
    ),
    "redemptions": Route(
        "/v1/customers/{customer}/redemptions",
        {"reference": "redemptions-1", "points": 1},
        amounts=("/points",),
        zeros=("/points",),
    ),
    "reversals": Route(
        "/v1/customers/{customer}/redemptions/r0/reversals",
        {"reference": "reversals-1", "points": 1},
        amounts=("/points",),
        optional_amounts=("/points",),
        zeros=("/points",),
    ),
    "holds": Route(
        "/v1/customers/{customer}/holds",
        {"reference": "holds-1", "points": 1, "lapses_at": SOON},
        amounts=("/points",),
        zeros=("/points",),
        instants=("/lapses_at",),
    ),
    "captures": Route(
        "/v1/customers/{customer}/holds/{hold}/captures",
        {"reference": "captures-1", "points": 1},
        amounts=("/points",),
        zeros=("/points",),
    ),
    "releases": Route(
        "/v1/customers/{customer}/holds/{hold}/releases",
        {"reference": "releases-1", "points": 1},
        amounts=("/points",),
        optional_amounts=("/points",),
        zeros=("/points",),
    ),
    "customers": Route(
        "/v1/customers",
        {"customers": [{"reference": "c1", "name": "王小明", "birthday": "1990-05-17"}]},
        days=("/customers/0/birthday",),
        texts=("/customers/0/reference", "/customers/0/name"),
        objects=("", "/customers/0"),
        lists=("/customers",),
    ),
}

# JSON that is no amount, whatever it looks like; and text that is not even JSON.
NO_AMOUNTS = [
    *("-1", "-9007199254740992", "1.9", "1.0", "0.5", "1e3", "1E400", "-0.0"),
    *("9007199254740992", "9223372036854775807", "9223372036854775808", "1" + "0" * 400),
    *('"5"', '""', '"１２３"', '"1_000"', '"0x10"', "true", "false", "[]", "{}", "[1]"),
]
NO_JSON = ["NaN", "Infinity", "-Infinity", "１２３", "1_000", "01", "+1", "0x10", "1.", "1" * 5_000]
NO_INSTANTS = [
    *('"2026-01-01T00:00:00"', '"2026-01-01"', '"2026-01-01 00:00:00Z"', '"now"', '""'),
    *('"2026-02-30T00:00:00Z"', '"2026-01-01T24:00:01Z"', '"2026-01-01T00:00:00+99:00"'),
    *('"1899-12-31T00:00:00Z"', '"3000-01-01T00:00:00Z"', '"0001-01-01T00:00:00+23:59"'),
    *("1767225600", "true", "null", '"２０２６-01-01T00:00:00Z"'),
]
NO_DAYS = ['"2026-02-30"', '"1990-5-17"', '"17.05.1990"', '"1990-05-17T00:00:00Z"', "19900517"]
NO_TEXTS = ["1", "true", "[]", "{}", '""', f'"{"x" * 101}"', f'"{"客" * 50_000}"', '"a\\u0007b"']
NO_OBJECTS = ["[]", "null", "1", '"x"', "true", "[[]]"]
NO_LISTS = ["[]", "{}", '"x"', "1"]
NO_CONTENT_TYPES = [
    *("", "text/plain", "text/json", "application/xml", "application/x-www-form-urlencoded"),
    *("application/json; charset=utf-16", "multipart/form-data; boundary=x"),
]
UNKNOWN_FIELDS = [
    *("balance", "role", "roles", "customer_id", "created_at", "id", "status", "source"),
    *("points_awarded", "is_admin", "__class__", "", "a/b~c", "x" * 1_000, "\u202e"),
]
NO_TEXT_ANYWHERE = {
    '"a\\u0000b"': "NUL",
    '"\\ud800"': "surrogate",
    '"x\\udfffy"': "surrogate",
    '"\\udc00\\ud800"': "surrogate",
}


class Sent(NamedTuple):
    """What a bad request was answered with."""

    status: int
    problem: dict[str, Any]

    @property
    def code(self) -> tuple[str, int]:
        return self.problem["type"].rsplit("/", 1)[-1], self.status

    @property
    def pointers(self) -> list[str]:
        return [error["pointer"] for error in self.problem.get("errors", [])]


class Sender:
    """Sends bad requests, and sees after each that it was answered properly and wrote nothing."""

    def __init__(
        self, client: FlaskClient, token: str, contents: Contents, names: dict[str, str]
    ) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {token}", "Accept-Language": "en"}
        self._contents = contents
        self._names = names
        self._before = contents.read()

    def send(
        self,
        route: Route,
        raw: bytes,
        *,
        content_type: str = JSON,
        key: str | None = "k1",
        query: str = "",
    ) -> Sent:
        """Send `raw` and return its refusal: a problem, no failure, and nothing written."""
        headers = self._headers if key is None else {**self._headers, "Idempotency-Key": key}
        path = route.path.format(**self._names) + query
        answer = self._client.post(path, data=raw, headers=headers, content_type=content_type)
        shown = f"{path} {raw[:200]!r}: {answer.status_code} {answer.data[:500]!r}"
        assert answer.status_code in (400, 413, 415, 422), shown
        assert answer.mimetype == "application/problem+json", shown
        problem = answer.get_json(force=True)
        assert problem["status"] == answer.status_code, shown
        assert problem["detail"], shown
        assert self._contents.read() == self._before, f"{shown} wrote something"
        return Sent(answer.status_code, problem)

    def accept(self, route: Route, raw: bytes, key: str) -> None:
        """Send `raw`, which is taken."""
        headers = {**self._headers, "Idempotency-Key": key}
        path = route.path.format(**self._names)
        answer = self._client.post(path, data=raw, headers=headers, content_type=JSON)
        assert answer.status_code == 201, answer.data
        self._before = self._contents.read()

    def refused(self, route: Route, raw: bytes, pointer: str) -> None:
        """Send `raw` and see that its refusal points to `pointer`."""
        sent = self.send(route, raw)
        assert sent.code == CONTENT, (raw[:200], sent)
        assert any(at == pointer or at.startswith(f"{pointer}/") for at in sent.pointers), (
            raw[:200],
            sent,
        )

    def malformed(self, route: Route, raw: bytes, why: str) -> None:
        """Send `raw` and see that it is refused as JSON, with `why` among the words."""
        sent = self.send(route, raw)
        assert sent.code == BODY, (raw[:200], sent)
        assert why in sent.problem["detail"], (raw[:200], sent)


@pytest.fixture
def sender(
    database: Database, client: FlaskClient, world: World, bank: Account
) -> Iterator[Sender]:
    """The bank, which has reported a purchase, spent a part and holds another."""
    record(world, purchase("p1", 100_000))
    names = {"customer": ids.encode("cus", world.customers["00001"]), "hold": ""}
    contents = Contents(database)
    token = token_for(client, bank)
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "set-up"}
    own = json.loads(json.dumps(ROUTES["purchases"].body))
    own["purchases"][0]["reference"] = "p1"
    for number, (name, body) in enumerate(
        [
            ("purchases", own),
            ("redemptions", {"reference": "r0", "points": 5}),
            ("holds", {"reference": "h0", "points": 5, "lapses_at": SOON}),
        ]
    ):
        answer = client.post(
            ROUTES[name].path.format(**names),
            json=body,
            headers={**headers, "Idempotency-Key": f"set-up-{number}"},
        )
        assert answer.status_code == 201, answer.data
    names["hold"] = answer.get_json()["entry_id"]
    yield Sender(client, token, contents, names)
    contents.close()


def with_value(body: Any, pointer: str, literal: str) -> bytes:
    """Return `body` as JSON with `literal` written where `pointer` points, just as it stands."""
    if not pointer:
        return literal.encode()
    changed = json.loads(json.dumps(body))
    *steps, last = pointer.removeprefix("/").split("/")
    place = changed
    for step in steps:
        place = place[int(step)] if isinstance(place, list) else place[step]
    place[int(last) if isinstance(place, list) else last] = json.loads(HOLE)
    return json.dumps(changed).replace(HOLE, literal).encode()


def value_at(body: Any, pointer: str) -> Any:
    for step in filter(None, pointer.split("/")):
        body = body[int(step)] if isinstance(body, list) else body[step]
    return body


def each(select: Callable[[Route], tuple[str, ...]]) -> Iterator[tuple[Route, str]]:
    """Yield every place of a kind, with its route."""
    for route in ROUTES.values():
        for pointer in select(route):
            yield route, pointer


def test_the_bodies_are_good_but_for_what_is_put_into_them(sender: Sender) -> None:
    for name, route in ROUTES.items():
        sender.accept(route, json.dumps(route.body).encode(), f"good-{name}")


def test_what_is_no_amount_is_pointed_to(sender: Sender) -> None:
    for route, pointer in each(lambda route: route.amounts):
        for literal in NO_AMOUNTS:
            sender.refused(route, with_value(route.body, pointer, literal), pointer)


def test_null_is_no_amount_and_never_means_all(sender: Sender) -> None:
    for route, pointer in each(lambda route: (*route.amounts, *route.optional_amounts)):
        sender.refused(route, with_value(route.body, pointer, "null"), pointer)


def test_zero_is_an_amount_of_money_spent_but_never_of_points(sender: Sender) -> None:
    for route, pointer in each(lambda route: route.zeros):
        sender.refused(route, with_value(route.body, pointer, "0"), pointer)
    free = json.loads(json.dumps(ROUTES["purchases"].body))
    free["purchases"][0] |= {"amount": 0, "lines": [{"line": 1, "amount": 0}]}
    sender.accept(ROUTES["purchases"], json.dumps(free).encode(), "free")


def test_what_is_no_json_is_refused_where_it_stands(sender: Sender) -> None:
    for route, pointer in each(lambda route: route.amounts):
        for literal in NO_JSON:
            sent = sender.send(route, with_value(route.body, pointer, literal))
            assert sent.code == BODY, (literal, sent)
            assert any(word in sent.problem["detail"] for word in ("character", "NaN", "digits")), (
                sent
            )


def test_a_time_without_an_offset_or_out_of_any_calendar_is_pointed_to(sender: Sender) -> None:
    for route, pointer in each(lambda route: route.instants):
        for literal in NO_INSTANTS:
            sender.refused(route, with_value(route.body, pointer, literal), pointer)
    for route, pointer in each(lambda route: route.days):
        for literal in NO_DAYS:
            sender.refused(route, with_value(route.body, pointer, literal), pointer)


def test_what_is_no_text_or_too_long_is_pointed_to(sender: Sender) -> None:
    for route, pointer in each(lambda route: route.texts):
        for literal in NO_TEXTS:
            sender.refused(route, with_value(route.body, pointer, literal), pointer)


def test_nul_and_lone_surrogates_are_refused_wherever_they_stand(sender: Sender) -> None:
    for route, pointer in each(lambda route: route.texts):
        for literal, why in NO_TEXT_ANYWHERE.items():
            sender.malformed(route, with_value(route.body, pointer, literal), why)
        raw = with_value(route.body, pointer, '"\x00"')
        sender.malformed(route, raw, "character")
        sender.malformed(route, raw.replace(b"\x00", b"\xff"), "UTF-8")
        sender.malformed(route, raw.replace(b"\x00", b"\xed\xa0\x80"), "UTF-8")


def test_an_unknown_field_is_pointed_to_and_changes_nothing(sender: Sender) -> None:
    for route, pointer in each(lambda route: route.objects):
        for field in UNKNOWN_FIELDS:
            content = {**value_at(route.body, pointer), field: 1}
            escaped = field.replace("~", "~0").replace("/", "~1")
            place = f"{pointer}/{escaped}"[:200]
            sender.refused(route, with_value(route.body, pointer, json.dumps(content)), place)


def test_a_missing_field_is_pointed_to(sender: Sender) -> None:
    for route in ROUTES.values():
        sender.refused(route, b"{}", "")
        required = next(iter(route.body))
        content = {name: value for name, value in route.body.items() if name != required}
        sender.refused(route, json.dumps(content).encode(), f"/{required}")


def test_a_key_that_stands_twice_is_refused(sender: Sender) -> None:
    for route, pointer in each(lambda route: route.objects):
        content = value_at(route.body, pointer)
        name = next(iter(content))
        for value in (content[name], None):
            twice = f'{{"{name}":{json.dumps(value)},{json.dumps(content)[1:]}'
            sender.malformed(route, with_value(route.body, pointer, twice), "twice")


def test_another_type_than_the_route_takes_is_pointed_to(sender: Sender) -> None:
    for route, pointer in each(lambda route: route.objects):
        for literal in NO_OBJECTS:
            sender.refused(route, with_value(route.body, pointer, literal), pointer)
    for route, pointer in each(lambda route: route.lists):
        for literal in NO_LISTS:
            sender.refused(route, with_value(route.body, pointer, literal), pointer)


def test_longer_lists_than_a_route_takes_are_refused_whole(sender: Sender) -> None:
    for route, pointer in each(lambda route: route.lists):
        many = [value_at(route.body, pointer)[0]] * 1_001
        sender.refused(route, with_value(route.body, pointer, json.dumps(many)), pointer)


def test_a_body_a_hundred_thousand_levels_deep_is_refused(sender: Sender) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    for route in ROUTES.values():
        first = next(iter(route.body))
        sender.malformed(route, with_value(route.body, f"/{first}", deep), "levels")
    for whole in (deep, "[" * 100_000, '{"a":' * 100_000 + "1" + "}" * 100_000):
        sender.malformed(ROUTES["purchases"], whole.encode(), "levels")


def test_a_body_of_ten_megabytes_is_refused_unread(sender: Sender) -> None:
    for route in ROUTES.values():
        first = next(iter(route.body))
        raw = with_value(route.body, f"/{first}", f'"{"x" * 10_000_000}"')
        assert sender.send(route, raw).code == ("too-large", 413)


def test_another_content_type_is_refused(sender: Sender) -> None:
    for route in ROUTES.values():
        raw = json.dumps(route.body).encode()
        for content_type in NO_CONTENT_TYPES:
            sent = sender.send(route, raw, content_type=content_type)
            assert sent.code == ("unsupported-media-type", 415)


def test_a_write_without_a_proper_key_is_refused(sender: Sender) -> None:
    for route in ROUTES.values():
        raw = json.dumps(route.body).encode()
        for key in (None, ""):
            assert sender.send(route, raw, key=key).code == ("idempotency-key-missing", 400)
        for key in ("a b", "x" * 256, '"', '""', '"a', "schlüssel", "a\tb", "a,b c"):
            assert sender.send(route, raw, key=key).code == ("idempotency-key-invalid", 400)


def test_a_query_that_a_write_does_not_know_is_refused(sender: Sender) -> None:
    for route in ROUTES.values():
        raw = json.dumps(route.body).encode()
        for query in ("?amount=1", "?dry_run", "?%00=1", "?a=%ff", "?programme=a&programme=b"):
            sent = sender.send(route, raw, query=query)
            assert sent.code == ("invalid-query", 422)
            assert sent.problem["errors"][0]["parameter"] is not None


def test_cut_off_bodies_are_refused(sender: Sender) -> None:
    for route in ROUTES.values():
        raw = json.dumps(route.body).encode()
        for end in (0, 1, len(raw) // 2, len(raw) - 1):
            sender.malformed(route, raw[:end], "character")
        sender.malformed(route, raw + b"x", "character")
        sender.malformed(route, b"\xef\xbb\xbf" + raw, "character")
        sender.malformed(route, raw.decode().encode("utf-16"), "")


def test_more_points_than_can_be_counted_are_refused_whole(
    database: Database, client: FlaskClient, world: World, bank: Account
) -> None:
    with transaction() as session:
        agree(session, world.programme, "much", {"gives": "fixed", "points": 2**53 - 1})
    body = ROUTES["purchases"].body["purchases"][0]
    small = {**body, "amount": 0, "lines": None}
    headers = {"Authorization": f"Bearer {token_for(client, bank)}", "Idempotency-Key": "k1"}
    contents = Contents(database)
    before = contents.read()
    for purchases in (
        [body],  # one purchase, for which two rules together give too much
        [{**small, "reference": f"m{number}"} for number in range(600)],  # too much in a wallet
    ):
        answer = client.post("/v1/purchases", json={"purchases": purchases}, headers=headers)
        assert answer.status_code == 409, answer.data
        assert answer.get_json(force=True)["type"].endswith("/problems/overflow")
        assert contents.read() == before
    contents.close()
