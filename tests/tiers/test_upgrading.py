"""A customer rises the moment the score allows it, however many tiers at once, whoever races."""

from tests.servers import Database
from tests.tiers.conftest import build_world, buy, tier_of


def test_a_purchase_lifts_over_several_tiers_at_once(database: Database) -> None:
    world = build_world()
    assert tier_of(world) == "standard"
    assert buy(world, 999) == []
    change = buy(world, 19_001)[0]
    assert (change.from_tier, change.to_tier, change.reason) == ("standard", "diamond", "upgraded")
    assert (change.score, change.threshold) == (20_000, 20_000)
    assert tier_of(world) == "diamond"
    assert buy(world, 5) == []
