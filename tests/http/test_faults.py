"""What was acknowledged is there, once; what was not can be sent again; nobody has to help.

Eight clients report purchases, spend points and refund, all on the same few wallets, while
processes are killed under them. See `recording` for what they write down.
"""

import json
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

import migrations
from ledger import checkpoints
from loyalty.database import sqlalchemy_url
from loyalty.local.passwords import make_passwords
from loyalty.local.postgres import Postgres
from loyalty.local.processes import free_port
from loyalty.local.roles import OWNER, WEB, WORKER, create_database, create_roles
from loyalty.proof import jobs as proof
from loyalty.settings import settings
from loyalty.web import ids
from loyalty.web.gathering import MOST_PATIENT
from tests.http.conftest import SCOPES
from tests.http.recording import PROBLEM, RETRIED, Recorder, Story, read_stories, summarise
from tests.http.serving import WORKERS, Answer, Connection, Web
from tests.ledger.invariants import check_ledger
from tests.ledger.verifying import verify_database
from tests.outbox.conftest import wait_until
from tests.points.builders import YESTERDAY, World, balance, build_world, purchase, record
from tests.servers import Database, forget_connections
from tests.staff.conftest import Account, add_account

CLIENTS = 8
OPENING = 1_000  # points in each wallet when the clients begin
STEP = 5  # acts of each client between two faults
RECOVERY = 30.0  # seconds in which every client must get on again
MANY = 24  # requests at once: more than the workers have threads together
PROMPT = 2.0  # seconds in which those whom a lock does not concern are served
REFUSALS = {"insufficient": 409, "points-spent": 409}  # what these clients may rightly be told


@contextmanager
def load(
    web: Web, world: World, bank: Account, folder: Path
) -> Iterator[tuple[list[Recorder], Callable[[], None]]]:
    """Run the clients; yield them, and what waits until each of them has got on."""
    for name in world.customers:
        record(world, purchase(f"opening-{name}", 100 * OPENING, customer=name))
    customers = [(name, ids.encode("cus", number)) for name, number in world.customers.items()]
    token = web.token(bank)
    clients = [Recorder(number, web, token, folder, customers) for number in range(CLIENTS)]
    for client in clients:
        client.start()

    def get_on() -> None:
        goals = [client.finished + STEP for client in clients]
        wait_until(
            lambda: all(c.finished >= goal for c, goal in zip(clients, goals, strict=True)),
            RECOVERY,
        )

    get_on()
    yield clients, get_on
    for client in clients:
        client.finish()


def check(database: Database, world: World, bank: Account, clients: Sequence[Recorder]) -> None:
    """Hold the database against what the clients have written down."""
    stories = read_stories(clients)
    print(f"{len(stories)} acts: {dict(summarise(stories))}")
    for story in stories:
        check_words(story)
    done = {story.act.key: story for story in stories if story.done is not None}
    assert done
    for kind, found in read_acts(database, bank).items():
        told = sorted(key for key, story in done.items() if story.act.kind == kind)
        assert sorted(found) == told, f"{kind}: what was acknowledged is there, each once"
    check_balances(world, list(done.values()))
    check_ledger(database)
    check_proof(database)


def check_words(story: Story) -> None:
    """See that whatever was answered is right, a refusal of this act, or a plea for patience."""
    for status, media_type, body in story.answers:
        if status == 201:
            assert media_type == "application/json"
            continue
        assert media_type == PROBLEM, (story.act, status, body)
        code = body.partition("/problems/")[2].partition('"')[0]
        assert status in RETRIED or REFUSALS.get(code) == status, (story.act, status, body)
    assert story.answers, f"the outcome of {story.act.key} is unknown"
    assert story.answers[-1][0] not in RETRIED


def read_acts(database: Database, bank: Account) -> dict[str, list[str]]:
    """Return the references of all that stands in the database, by kind, once for each row."""
    questions = {
        # The inner join to the ledger: a purchase counts only with the entry that awards it.
        "purchase": """SELECT p.reference FROM loyalty.purchases p
            JOIN loyalty.awards a ON a.purchase_id = p.id
            JOIN ledger.entries e ON (e.cause ->> 'purchase')::bigint = p.id AND e.kind = 'earn'
                AND e.account_id = e.home_id
            WHERE p.source = %s""",
        "refund": "SELECT reference FROM loyalty.refunds WHERE source = %s",
        "redemption": """SELECT reference FROM ledger.entries
            WHERE source = %s AND kind = 'redeem' AND account_id = home_id""",
    }
    with psycopg.connect(database.superuser_url) as connection:
        return {
            kind: [row[0] for row in connection.execute(question, [bank.client_id])]
            for kind, question in questions.items()
        }


def check_balances(world: World, done: list[Story]) -> None:
    """See that each wallet holds what the acknowledged acts add up to."""
    told = dict.fromkeys(world.customers, OPENING)
    names = {ids.encode("cus", number): name for name, number in world.customers.items()}
    buyer = {}
    for story in done:
        assert story.done is not None
        if story.act.kind == "purchase":
            (bought,) = story.done["purchases"]
            buyer[story.act.key] = names[bought["customer_id"]]
            told[buyer[story.act.key]] += bought["points"]
    for story in done:
        assert story.done is not None
        if story.act.kind == "refund":
            told[buyer[story.act.body["purchase"]]] -= story.done["points_taken"]
        elif story.act.kind == "redemption":
            told[names[story.act.path.split("/")[3]]] -= story.act.body["points"]
    assert {name: balance(world, name).posted for name in told} == told


def check_proof(database: Database) -> None:
    """Seal and sign all there is, and have the separate program verify it."""
    keys = settings().keys
    checkpoints.create_sealing_key(keys)
    proof.seal_logs(60)
    proof.checkpoint_logs()
    answer = verify_database(database, keys)
    assert answer.status == 0, (answer.report, answer.errors)


def test_killing_every_web_process_loses_and_doubles_nothing(
    database: Database, web: Web, world: World, bank: Account, tmp_path: Path
) -> None:
    with load(web, world, bank, tmp_path) as (clients, get_on):
        for _ in range(2):
            web.kill()
            web.start()
            get_on()
    check(database, world, bank, clients)


def test_ending_sessions_of_postgresql_loses_and_doubles_nothing(
    database: Database, web: Web, world: World, bank: Account, tmp_path: Path
) -> None:
    end_one = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND usename = 'quanyi_web' AND state <> 'idle'
        ORDER BY random() LIMIT 1"""
    end_all = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND usename = 'quanyi_web'"""
    begun = """SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND state LIKE 'idle in transaction%'"""
    with (
        load(web, world, bank, tmp_path) as (clients, get_on),
        psycopg.connect(database.superuser_url, autocommit=True) as superuser,
    ):
        for _ in range(8):
            wait_until(lambda: superuser.execute(end_one).fetchone() is not None)
        get_on()
        superuser.execute(end_all)
        get_on()
        for client in clients:
            client.finish()
        assert superuser.execute(begun).fetchone() == (0,), "a transaction is left open"
    check(database, world, bank, clients)


@pytest.fixture
def private_database(
    postgres_server: Postgres, environment: pytest.MonkeyPatch
) -> Iterator[Database]:
    """A migrated database on a PostgreSQL of this test's own."""
    passwords, name = make_passwords(), "quanyi"
    create_roles(postgres_server.url(), passwords)
    create_database(postgres_server.url(), name)

    def url(login: str) -> str:
        return postgres_server.url(login, passwords[login], name)

    migrations.upgrade(sqlalchemy_url(url(OWNER)))
    environment.setenv("DATABASE_URL", url(WORKER))
    environment.setenv("PORT", str(free_port()))
    forget_connections()
    yield Database(name, url(WORKER), url(WEB), url(OWNER), postgres_server.url(database=name))
    forget_connections()


def test_a_crash_of_postgresql_loses_and_doubles_nothing(
    private_database: Database, postgres_server: Postgres, tmp_path: Path
) -> None:
    world = build_world()
    bank = add_account("bank", SCOPES)
    web = Web(tmp_path / "web.log", {"DATABASE_URL": private_database.web_url})
    web.start()
    try:
        with load(web, world, bank, tmp_path) as (clients, get_on):
            for _ in range(2):
                postgres_server.stop(signal.SIGQUIT)
                postgres_server.start()
                get_on()
    finally:
        web.stop()
    forget_connections()
    check(private_database, world, bank, clients)


def test_a_long_lock_on_one_wallet_holds_up_nobody_else(
    database: Database, web: Web, world: World, bank: Account
) -> None:
    """Who wants that wallet waits, or is told to come again and then succeeds."""
    record(world, *(purchase(f"p{name}", 100_000, customer=name) for name in world.customers))
    token = web.token(bank)
    hot, other = (
        [report_for(web.connect(token), name, number) for number in range(4)]
        for name in world.customers
    )
    with psycopg.connect(database.superuser_url) as holder, ThreadPoolExecutor(8) as pool:
        holder.execute(
            "SELECT FROM ledger.wallets w JOIN ledger.accounts a ON a.id = w.account_id"
            " WHERE a.holder = %s FOR UPDATE OF w",
            [f"customer:{world.customers['00001']}"],
        )
        stuck = [pool.submit(report) for report in hot]
        started = time.monotonic()
        assert [pool.submit(report).result().status for report in other] == [201] * 4
        assert time.monotonic() - started < PROMPT
        assert not any(future.done() for future in stuck)
        holder.rollback()
        assert {future.result().status for future in stuck} <= {201, 503}
    assert [report().status for report in hot] == [201] * 4
    check_ledger(database)


def test_requests_for_a_locked_wallet_never_take_all_threads(
    database: Database, web: Web, world: World, bank: Account
) -> None:
    """Some wait for the lock, the others are told to come again, and neighbours are served."""
    record(world, *(purchase(f"p{name}", 100_000, customer=name) for name in world.customers))
    token = web.token(bank)
    hot, other = (
        [report_for(web.connect(token), name, number) for number in range(count)]
        for name, count in zip(world.customers, (MANY, 4), strict=False)
    )
    with psycopg.connect(database.superuser_url) as holder, ThreadPoolExecutor(MANY + 1) as pool:
        holder.execute(
            "SELECT FROM ledger.wallets w JOIN ledger.accounts a ON a.id = w.account_id"
            " WHERE a.holder = %s FOR UPDATE OF w",
            [f"customer:{world.customers['00001']}"],
        )
        stuck = [pool.submit(report) for report in hot]
        refused = MANY - WORKERS * MOST_PATIENT
        wait_until(lambda: sum(future.done() for future in stuck) >= refused, RECOVERY)
        for answer in (future.result() for future in stuck if future.done()):
            assert answer.status == 503
            assert answer.headers["Retry-After"]
        assert [pool.submit(report).result().status for report in other] == [201] * 4
        holder.rollback()
        assert {future.result().status for future in stuck} <= {201, 503}
    assert [report().status for report in hot] == [201] * MANY
    check_ledger(database)


def report_for(connection: Connection, customer: str, number: int) -> Callable[[], Answer]:
    """Return what reports one purchase of `customer` and returns the answer."""
    reference = f"{customer}-{number}"
    one = {
        "reference": reference,
        "customer": customer,
        "purchased_at": YESTERDAY.isoformat(),
        "amount": 1_000,
    }
    body = json.dumps({"purchases": [one]}).encode()
    return lambda: connection.post("/v1/purchases", body, reference)
