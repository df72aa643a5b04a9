"""Sealing: every committed entry is sealed once, in a dense order, and none is ever missed."""

import random
import threading
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

import ledger
from ledger import checkpoints, sealing
from ledger.contents import connection_of
from loyalty.database import SEALER_ROLE, transaction
from tests.ledger.builders import build_world, earn, posted, redeem
from tests.ledger.verifying import as_superuser, rich_world, seal_all, sign, verify_database
from tests.servers import Database

SEALS = "SELECT seal_no, entry_id, account_id FROM ledger.seals WHERE log = 'ledger' ORDER BY 1"


def seals() -> list[tuple[int, int, int]]:
    with transaction(SEALER_ROLE) as session:
        return [tuple(row) for row in session.execute(text(SEALS))]


def entries() -> list[tuple[int, int]]:
    query = "SELECT id, account_id FROM ledger.entries ORDER BY id, account_id"
    with transaction() as session:
        return [tuple(row) for row in session.execute(text(query))]


def assert_all_sealed() -> None:
    sealed = seals()
    assert [row[0] for row in sealed] == list(range(len(sealed)))
    assert [row[1:] for row in sealed] == entries()


@pytest.mark.parametrize("limit", (1, 3, 100))
def test_every_entry_is_sealed_once_in_the_order_of_ids(database: Database, limit: int) -> None:
    rich_world()
    assert seal_all(limit=limit) == len(entries())
    assert seal_all() == 0
    assert_all_sealed()


def test_nothing_to_seal_seals_nothing(database: Database, tmp_path: Path) -> None:
    build_world()
    assert seal_all() == 0
    checkpoints.create_sealing_key(tmp_path)
    signer = checkpoints.load_signer(tmp_path, "here")
    with transaction(SEALER_ROLE) as session:
        assert checkpoints.sign_checkpoint(session, sealing.LEDGER, signer) is None


def test_an_id_that_commits_late_is_waited_for(database: Database) -> None:
    world = build_world()
    with transaction() as session:
        other = ledger.open_wallets(session, world.house.unit_id, ["cus:2"])["cus:2"]
    with transaction() as late:
        ledger.post(late, [earn(world, 1, "late")])
        posted(earn(world, 1, "early", wallet=other))
        with transaction(SEALER_ROLE) as session:
            assert sealing.seal(session, sealing.LEDGER, patience=0.05) == 0
        sealed: list[int] = []
        sealer = threading.Thread(target=lambda: sealed.append(seal_all()))
        sealer.start()
        with psycopg.connect(database.superuser_url, autocommit=True) as watcher:
            while not is_waiting(watcher):
                pass
        assert seals() == []
    sealer.join(20)
    assert sealed == [2]
    assert_all_sealed()


def is_waiting(connection: psycopg.Connection) -> bool:
    """Whether a sealer holds its lock: it looks for writers from then on."""
    row = connection.execute(
        "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database"
        " WHERE locktype = 'advisory' AND d.datname = current_database()"
    ).fetchone()
    return row is not None and row[0] > 0


def test_an_entry_that_is_rolled_back_leaves_no_gap_in_the_order(database: Database) -> None:
    world = build_world()
    posted(earn(world, 1, "a"))
    with pytest.raises(ZeroDivisionError), transaction() as session:
        ledger.post(session, [earn(world, 1, "b")])
        raise ZeroDivisionError
    posted(earn(world, 1, "c"))
    assert seal_all() == 2
    assert_all_sealed()


def test_a_reader_or_another_table_does_not_hold_sealing_up(database: Database) -> None:
    world = build_world()
    posted(earn(world, 1, "a"))
    with psycopg.connect(database.superuser_url) as reader:
        reader.execute("SELECT * FROM ledger.wallets")
        reader.execute("CREATE TABLE somewhere ()")
        reader.execute("SELECT pg_current_xact_id()")
        with transaction(SEALER_ROLE) as session:
            assert sealing.seal(session, sealing.LEDGER, patience=0) == 1


def test_no_entry_is_missed_while_many_write_and_one_seals(
    database: Database, tmp_path: Path
) -> None:
    world = build_world()
    holders = [f"cus:{n}" for n in range(20)]
    with transaction() as session:
        wallets = list(ledger.open_wallets(session, world.house.unit_id, holders).values())
    errors: list[BaseException] = []

    def write(seed: int) -> None:
        chance = random.Random(seed)
        try:
            for n in range(12):
                with transaction() as session:
                    chosen = chance.sample(wallets, chance.randint(1, 3))
                    ledger.lock(session, wallets if chance.random() < 0.1 else chosen)
                    batch = [earn(world, 5, f"{seed}:{n}", wallet=wallet) for wallet in chosen]
                    ledger.post(session, batch)
                    if chance.random() < 0.2:
                        session.rollback()
        except BaseException as error:
            errors.append(error)

    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(6)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        seal_all(limit=5)
        sign_if_any(tmp_path)
    for writer in writers:
        writer.join()
    assert not errors
    seal_all()
    assert_all_sealed()
    sign(tmp_path)
    assert verify_database(database, tmp_path).status == 0


def sign_if_any(keys: Path) -> None:
    if seals():
        sign(keys)


def test_one_sealer_works_at_a_time(database: Database) -> None:
    world = build_world()
    posted(earn(world, 1, "a"))
    with transaction(SEALER_ROLE) as first:
        assert sealing.seal(first, sealing.LEDGER) == 1
        with transaction(SEALER_ROLE) as second:
            assert sealing.seal(second, sealing.LEDGER) == 0
    assert_all_sealed()


def test_totals_are_the_sums_of_the_sealed_transfers(database: Database) -> None:
    world = build_world()
    posted(earn(world, 10, "a"))
    posted(redeem(world, 4, "b"))
    seal_all(limit=1)
    with transaction() as session:
        rows = session.execute(text("SELECT account_id, debits, credits FROM ledger.totals"))
        totals = {row[0]: tuple(row[1:]) for row in rows}
    assert totals == {
        world.wallet: (4, 10),
        world.house.issued: (10, 0),
        world.house.redeemed: (0, 4),
    }


def test_only_the_sealer_seals_and_it_writes_nothing_else(database: Database) -> None:
    statements = (
        "INSERT INTO ledger.seals VALUES ('ledger', 0, 1, 1, '')",
        "INSERT INTO ledger.checkpoints VALUES ('ledger', 1, '', '', '', now(), '', '')",
        "INSERT INTO ledger.totals VALUES (1, 0, 0)",
    )
    for statement in statements:
        with pytest.raises(ProgrammingError, match="permission denied"), transaction() as session:
            session.execute(text(statement))
    for statement in (
        "INSERT INTO ledger.accounts (unit_id, role, holder) VALUES (1, 'a', 'b')",
        "UPDATE ledger.wallets SET posted = 0",
        "DELETE FROM ledger.seals",
    ):
        with (
            pytest.raises(ProgrammingError, match="permission denied"),
            transaction(SEALER_ROLE) as session,
        ):
            session.execute(text(statement))


def test_stored_nodes_serve_proofs_over_many_batches(database: Database, tmp_path: Path) -> None:
    world = build_world()
    with transaction() as session:
        ledger.post(session, [earn(world, 1, f"e{n}") for n in range(700)])
    seal_all(limit=99)
    checkpoint = sign(tmp_path)
    with transaction(SEALER_ROLE) as session:
        leaves = [
            row[0]
            for row in session.execute(text("SELECT leaf FROM ledger.seals ORDER BY seal_no"))
        ]
        count = session.execute(text("SELECT count(*) FROM ledger.seal_nodes")).scalar_one()
        tree = sealing.tree(connection_of(session), sealing.LEDGER, 700)
        assert tree.root() == checkpoint.root == tree.hashing.root(leaves)
    assert count == 2


def test_a_history_that_contradicts_the_last_checkpoint_is_not_signed(
    database: Database, tmp_path: Path
) -> None:
    world = build_world()
    posted(earn(world, 1, "a"))
    posted(earn(world, 1, "b"))
    seal_all()
    sign(tmp_path)
    assert sign(tmp_path) == sign(tmp_path)
    as_superuser(database, "UPDATE ledger.seals SET leaf = sha256('x') WHERE seal_no = 0")
    posted(earn(world, 1, "c"))
    seal_all()
    with pytest.raises(checkpoints.HistoryChanged, match="not what was signed"):
        sign(tmp_path)
    as_superuser(database, "DELETE FROM ledger.seals WHERE seal_no > 0")
    with pytest.raises(checkpoints.HistoryChanged, match="had 2 rows and has 1"):
        sign(tmp_path)


def test_the_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    public = checkpoints.create_sealing_key(tmp_path / "keys")
    private = public.with_name(checkpoints.PRIVATE_KEY)
    assert private.stat().st_mode & 0o777 == 0o600
    before = private.read_bytes(), public.read_bytes()
    checkpoints.create_sealing_key(tmp_path / "keys")
    assert (private.read_bytes(), public.read_bytes()) == before
    private.chmod(0o640)
    with pytest.raises(checkpoints.LooseKey, match="chmod 600"):
        checkpoints.load_signer(tmp_path / "keys", "here")


def test_a_half_written_line_of_checkpoints_does_not_spoil_the_next(
    database: Database, tmp_path: Path
) -> None:
    world = build_world()
    posted(earn(world, 1, "a"))
    seal_all()
    checkpoint = sign(tmp_path)
    path = tmp_path / "drop" / "checkpoints.jsonl"
    checkpoints.append_checkpoints(path, [checkpoint])
    assert checkpoints.last_appended(path) == {"ledger": 1}
    path.write_text(path.read_text()[:-20])
    assert checkpoints.last_appended(path) == {}
    checkpoints.append_checkpoints(path, [checkpoint])
    assert checkpoints.last_appended(path) == {"ledger": 1}
    assert len(path.read_text().splitlines()) == 2
