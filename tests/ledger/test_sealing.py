"""Sealing: every committed entry is sealed once, in a dense order, and none is ever missed."""

from sqlalchemy import text

from ledger import sealing
from loyalty.database import SEALER_ROLE, transaction
from tests.ledger.builders import build_world, earn, posted
from tests.servers import Database


def seal_all(limit: int = 10_000, patience: float = 60.0) -> int:
    count = 0
    while True:
        with transaction(SEALER_ROLE) as session:
            done = sealing.seal(session, sealing.LEDGER, limit=limit, patience=patience)
        count += done
        if done < limit:
            return count


def test_every_entry_is_sealed_once_in_the_order_of_ids(database: Database) -> None:
    world = build_world()
    for n in range(5):
        posted(earn(world, 10, f"e{n}"))
    assert seal_all(limit=2) == 5
    assert seal_all() == 0
    with transaction(SEALER_ROLE) as session:
        rows = session.execute(text("SELECT seal_no, entry_id FROM ledger.seals ORDER BY seal_no"))
        numbers, ids = zip(*rows, strict=True)
    assert numbers == (0, 1, 2, 3, 4)
    assert list(ids) == sorted(set(ids))
