"""A partner checks its statement with the verifier and a public key, and finds what was changed."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.checkpoints import read_public_key
from loyalty.web import ids
from tests.callers import Client
from tests.ledger.verifying import Answer, seal_all, sign, verify
from tests.partners.builders import Shop, bearer, open_shop, owing, redeem, take_back
from tests.servers import Database
from tests.settlement.builders import close
from tests.settlement.conftest import House

Change = Callable[[Any], object]


@pytest.fixture
def shop(database: Database) -> Shop:
    """A partner with two closed periods and something after them."""
    shop = open_shop("mall")
    redeem(owing(shop, "r1", 1001, (60, 40)), owing(shop, "r2", 7))
    close(shop)
    take_back(shop, "r1", "b1")
    redeem(owing(shop, "r3", 300), owing(shop, "r4", 20))
    close(shop)
    redeem(owing(shop, "r5", 5))
    return shop


@pytest.fixture
def key(shop: Shop, tmp_path: Path) -> Path:
    """The public key, once all was sealed and signed."""
    seal_all()
    sign(tmp_path / "keys")
    found = read_public_key(tmp_path / "keys")
    assert found is not None
    path = tmp_path / "key.pem"
    path.write_text(found[1])
    return path


def document(house: House, shop: Shop, statement: int, **query: object) -> Any:
    token = bearer(house.application, shop.account)["Authorization"].removeprefix("Bearer ")
    till = Client(house.application, token, "till")
    path = f"/v1/partners/me/statements/{ids.encode('stm', statement)}/signed"
    return till.get(path, **query).get_json()


def check(content: Any, key: Path) -> Answer:
    path = key.with_name("statement.json")
    path.write_text(json.dumps(content))
    return verify("--statement", path, "--public-key", key)


@pytest.mark.parametrize("statement", [1, 2])
def test_a_statement_is_proved_offline(house: House, shop: Shop, key: Path, statement: int) -> None:
    content = document(house, shop, statement)
    assert content["next_entry"] is None
    answer = check(content, key)
    assert answer.status == 0, answer.report
    assert len(content["entries"]) == (2, 3)[statement - 1]
    assert all(entry["proof"] for entry in content["entries"])


def test_a_long_statement_is_proved_part_by_part(house: House, shop: Shop, key: Path) -> None:
    first = document(house, shop, 2, limit=2)
    assert check(first, key).status == 0
    rest = document(house, shop, 2, after_entry=first["next_entry"])
    assert rest["next_entry"] is None
    assert check(rest, key).status == 0
    assert len(first["entries"]) + len(rest["entries"]) == 3


def drop_first(content: Any) -> None:
    content["entries"].pop(0)


def drop_last(content: Any) -> None:
    content["entries"].pop()


def owe_less(content: Any) -> None:
    content["entries"][1]["content"]["transfers"][0]["amount"] -= 1


def close_lower(content: Any) -> None:
    content["period"]["closing"] -= 1


def close_and_open_lower(content: Any) -> None:
    content["period"]["closing"] -= 1
    content["period"]["opening"] -= 1


def name_another_coupon(content: Any) -> None:
    row = content["entries"][1]["content"]["entry"][0]
    row["cause"] = row["cause"].replace("cpn_0000000000001", "cpn_0000000000002")


@pytest.mark.parametrize(
    "change",
    [drop_first, drop_last, owe_less, close_lower, close_and_open_lower, name_another_coupon],
)
def test_whatever_is_changed_is_found(house: House, shop: Shop, key: Path, change: Change) -> None:
    content = document(house, shop, 2)
    changed = copy.deepcopy(content)
    change(changed)
    assert changed != content
    assert check(changed, key).status == 1
