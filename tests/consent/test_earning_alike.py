"""Who refuses marketing earns the same points as who agrees, and nothing about deposits earns."""

import pytest

from loyalty import policy
from loyalty.database import transaction
from loyalty.web import Refused
from tests.consent import builders
from tests.points.builders import World as Programme
from tests.points.builders import agree, balance, purchase, recorded, status
from tests.points.builders import build_world as build_programme
from tests.servers import Database

NAMES = ("00001", "00002")


@pytest.fixture
def programme(database: Database) -> Programme:
    """A programme with two customers who have said nothing."""
    return build_programme()


def test_refusing_marketing_costs_no_points(programme: Programme) -> None:
    world = builders.build_world()
    agreed, refused = (programme.customers[name] for name in NAMES)
    builders.say(world, "GRANT", agreed)
    builders.say(world, "REFUSE", refused)
    assert builders.snapshot(agreed).standing.is_granted
    assert not builders.snapshot(refused).standing.is_granted
    for name in NAMES:
        for number, amount in enumerate((100, 12_345, 999), 1):
            recorded(programme, purchase(f"{name}-{number}", amount, name))
    earned = [(balance(programme, name).posted, status(programme, name)) for name in NAMES]
    assert earned == [(133, 133), (133, 133)]


@pytest.mark.parametrize("category", sorted(policy.DEPOSIT_CATEGORIES))
def test_a_rule_that_rewards_deposits_is_refused_and_a_deposit_that_is_reported_earns_nothing(
    programme: Programme, category: str
) -> None:
    document = {
        "gives": "fixed",
        "points": 50,
        "when": {"field": "purchase.category", "is": "eq", "value": category},
    }
    with pytest.raises(Refused) as refusal, transaction() as session:
        agree(session, programme.programme, "deposits", document)
    assert refusal.value.code == policy.DEPOSIT_REFUSAL
    outcome = recorded(programme, purchase("d-1", 10_000, category=category))
    assert outcome.points == 0
    assert balance(programme).posted == 0
