"""A statement is a range of the partner's log: it ties to the ledger to the cent and stays."""

import random
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import text

import ledger
from loyalty import partners, settlement
from loyalty.database import transaction
from loyalty.settlement.closing import first_of_month
from loyalty.settlement.jobs import close_month
from loyalty.settlement.queries import every_line
from loyalty.web import NotFound, Refused
from tests.partners.builders import Shop, open_shop, owed, owing, redeem, take_back
from tests.servers import Database
from tests.settlement.builders import close, lines_of, statement_of


@pytest.fixture
def shop(database: Database) -> Shop:
    """A partner with an outlet."""
    return open_shop("mall")


def test_an_empty_period_is_a_statement_of_nothing(shop: Shop) -> None:
    statement = statement_of(shop, close(shop))
    assert (statement.opening, statement.closing, lines_of(shop, statement)) == (0, 0, [])


def test_lines_say_what_came_off_where_and_who_bears_it(shop: Shop) -> None:
    redeem(owing(shop, "r1", 1001, (60, 40)))
    take_back(shop, "r1", "v1", 101, kind="void")
    first, second = lines_of(shop, statement_of(shop, close(shop)))
    assert (first.kind, first.ours, first.theirs, first.balance_after) == ("redeem", 601, 400, 601)
    assert first.cause["coupon"] == "cpn_0000000000001"
    assert (second.kind, second.ours + second.theirs, second.cause["of"]) == ("void", -101, "r1")


def test_each_line_stands_in_one_statement_and_the_next_begins_where_one_ends(shop: Shop) -> None:
    for number in range(5):
        redeem(owing(shop, f"r{number}", 100 + number, (1, 1)))
        if number % 2:
            close(shop)
    statements = [statement_of(shop, number) for number in (1, 2)]
    close(shop)
    statements.append(statement_of(shop, 3))
    assert [one.opening for one in statements[1:]] == [one.closing for one in statements[:-1]]
    seen = [line.reference for one in statements for line in lines_of(shop, one)]
    assert seen == [f"r{number}" for number in range(5)]


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_sums_of_lines_are_what_the_ledger_moved(shop: Shop, seed: int) -> None:
    chance = random.Random(seed)
    redeemed: list[str] = []
    at_end = []
    for step in range(40):
        match chance.choice(["redeem", "redeem", "back", "close"]):
            case "redeem":
                redeem(owing(shop, f"r{step}", chance.randint(1, 9_999), (chance.randint(0, 9), 5)))
                redeemed.append(f"r{step}")
            case "back" if redeemed:
                take_back(shop, redeemed.pop(chance.randrange(len(redeemed))), f"b{step}")
            case "close":
                close(shop)
                at_end.append(owed(shop))
    close(shop)
    at_end.append(owed(shop))
    opening = 0
    for number, balance in enumerate(at_end, 1):
        statement = statement_of(shop, number)
        lines = lines_of(shop, statement)
        assert statement.closing - statement.opening == sum(line.ours for line in lines)
        assert statement.borne == sum(line.theirs for line in lines)
        assert (statement.opening, statement.closing) == (opening, balance)
        opening = balance


def test_long_statements_are_read_to_the_last_line(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loyalty.settlement.queries.PAGE", 3)
    redeem(*(owing(shop, f"r{n}", 100, [(1, 1), (1, 0), (0, 1)][n % 3]) for n in range(10)))
    statement = statement_of(shop, close(shop))
    with transaction() as session:
        borne = partners.find_accounts(session, shop.partner, "CNY").borne
        lines = list(every_line(session, statement, borne))
    assert [line.reference for line in lines] == [f"r{n}" for n in range(10)]


def test_what_comes_after_the_end_is_in_the_next_period(shop: Shop) -> None:
    redeem(owing(shop, "r1", 100))
    with transaction() as session:
        between: datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
    redeem(owing(shop, "r2", 30))
    close(shop, between)
    close(shop)
    assert [statement_of(shop, number).closing for number in (1, 2)] == [100, 130]


def test_a_period_that_is_not_over_or_was_closed_is_refused(shop: Shop) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with pytest.raises(Refused) as refused:
        close(shop, tomorrow)
    assert refused.value.code == "period-not-over"
    past = datetime.now(UTC) - timedelta(days=1)
    close(shop, past)
    for again in (past, past - timedelta(hours=1)):
        with pytest.raises(Refused) as refused:
            close(shop, again)
        assert refused.value.code == "period-not-over"


def test_a_closed_statement_cannot_be_changed_even_by_the_owner(
    shop: Shop, database: Database
) -> None:
    redeem(owing(shop, "r1", 100))
    close(shop)
    with psycopg.connect(database.owner_url) as owner:
        for change in (
            "UPDATE {} SET closing = 0, redeemed = 0",
            "DELETE FROM {}",
            "TRUNCATE {} CASCADE",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), owner.transaction():
                owner.execute(change.format("loyalty.settlement_statements"))  # type: ignore[arg-type]


def test_sums_that_do_not_add_up_are_refused_by_the_database(
    shop: Shop, database: Database
) -> None:
    close(shop)
    with psycopg.connect(database.owner_url) as owner, pytest.raises(psycopg.errors.CheckViolation):
        owner.execute(
            "INSERT INTO loyalty.settlement_statements (partner_id, account_id, currency, number,"
            " until, first_position, last_position, opening, redeemed, taken_back, corrected,"
            " paid, closing, borne) SELECT partner_id, account_id, currency, 2, now(), 1, 0, 0,"
            " 100, 0, 0, 0, 99, 0 FROM loyalty.settlement_statements"
        )


def test_another_partners_statement_does_not_exist(shop: Shop) -> None:
    number = close(shop)
    other = open_shop("other")
    with transaction() as session, pytest.raises(NotFound):
        settlement.read_statement(session, other.partner, number)


def test_the_night_closes_the_month_of_every_partner_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    open_shop("other")
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute("UPDATE loyalty.partners SET opened_at = opened_at - interval '40 days'")
    for _ in range(2):
        close_month(None)  # type: ignore[arg-type]
    with transaction() as session:
        rows = session.execute(
            text("SELECT number, until FROM loyalty.settlement_statements ORDER BY id")
        ).all()
    assert [row.number for row in rows] == [1, 1]
    assert {row.until for row in rows} == {first_of_month(datetime.now(UTC))}


def test_months_begin_at_midnight_in_shanghai() -> None:
    assert first_of_month(datetime(2026, 1, 31, 16, 30, tzinfo=UTC)) == datetime(
        2026, 1, 31, 16, tzinfo=UTC
    )
    assert first_of_month(datetime(2026, 1, 31, 15, 59, tzinfo=UTC)) == datetime(
        2025, 12, 31, 16, tzinfo=UTC
    )


def test_the_unit_moved_as_the_statements_say(shop: Shop) -> None:
    redeem(owing(shop, "r1", 700), owing(shop, "r2", 300))
    take_back(shop, "r2", "v2")
    with transaction() as session:
        unit = partners.find_accounts(session, shop.partner, "CNY").house.unit_id
        moved = ledger.read_movement(
            session, unit, datetime(2000, 1, 1, tzinfo=UTC), datetime(2900, 1, 1, tzinfo=UTC)
        )
    statement = statement_of(shop, close(shop))
    assert (moved.earned, moved.closing) == (statement.redeemed - statement.taken_back, 700)
