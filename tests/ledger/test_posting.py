"""Posting: amounts move whole, from the right lots, once, and never below the floor."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

import ledger
from loyalty.database import transaction
from tests.ledger.builders import (
    LATER,
    PAST,
    SOON,
    World,
    act,
    build_world,
    earn,
    post_one,
    posted,
    redeem,
    refused,
)
from tests.servers import Database


def test_an_earn_raises_the_balance_and_opens_a_lot(database: Database) -> None:
    world = build_world()
    line = posted(earn(world, 120, "p1")).lines[0]
    assert (line.position, line.amount, line.balance_after) == (1, 120, 120)


def test_a_redemption_beyond_the_balance_is_refused_and_its_neighbours_go_on(
    database: Database,
) -> None:
    world = build_world()
    with transaction() as session:
        outcomes = ledger.post(
            session, [earn(world, 10, "e"), redeem(world, 11, "r1"), redeem(world, 10, "r2")]
        )
    assert isinstance(outcomes[1], ledger.Refusal)
    assert outcomes[1].code == "insufficient"
    assert isinstance(outcomes[2], ledger.Posted)
    assert outcomes[2].lines[0].balance_after == 0


def test_a_debit_uses_the_lot_that_expires_first(database: Database) -> None:
    world = build_world()
    posted(earn(world, 50, "late", expires_at=LATER))
    posted(earn(world, 50, "soon", expires_at=SOON))
    posted(redeem(world, 60, "r"))
    assert lots(world) == {1: 40, 2: 0}


def test_points_not_yet_available_cannot_be_spent(database: Database) -> None:
    world = build_world()
    posted(earn(world, 50, "pending", available_from=SOON, expires_at=LATER))
    assert refused(redeem(world, 1, "r")) == "insufficient"


def test_expired_points_cannot_be_spent_even_before_the_sweep(database: Database) -> None:
    world = build_world()
    posted(earn(world, 50, "old", expires_at=PAST))
    assert refused(redeem(world, 1, "r")) == "insufficient"


def test_the_sweep_moves_expired_points_out_once(database: Database) -> None:
    world = build_world()
    posted(earn(world, 50, "old", expires_at=PAST))
    posted(earn(world, 7, "new", expires_at=SOON))
    expire = ledger.Expire(world.wallet, world.house.expired)
    line = posted(act(world, "x1", "expire", expire)).lines[0]
    assert (line.amount, line.balance_after) == (50, 7)
    assert refused(act(world, "x2", "expire", expire)) == "nothing-expired"


def test_the_same_reference_is_answered_from_what_was_written(database: Database) -> None:
    world = build_world()
    first = posted(earn(world, 5, "p1"))
    again = posted(earn(world, 5, "p1"))
    assert again.replayed
    assert (again.entry_id, again.lines, again.recorded_at) == (
        first.entry_id,
        first.lines,
        first.recorded_at,
    )
    assert refused(earn(world, 6, "p1")) == "reference-reused"


def test_the_same_reference_twice_in_one_call_counts_once(database: Database) -> None:
    world = build_world()
    with transaction() as session:
        first, second = ledger.post(session, [earn(world, 5, "p"), earn(world, 5, "p")])
    assert isinstance(first, ledger.Posted)
    assert isinstance(second, ledger.Posted)
    assert second.replayed
    assert second.lines[0].balance_after == 5


def test_held_points_cannot_be_spent_and_come_back_on_release(database: Database) -> None:
    world = build_world()
    posted(earn(world, 100, "e"))
    hold = posted(act(world, "h", "hold", ledger.Hold(world.wallet, 80, SOON)))
    assert refused(redeem(world, 21, "r1")) == "insufficient"
    capture = ledger.Capture(world.wallet, hold.entry_id, world.house.redeemed, 30)
    assert posted(act(world, "c", "capture", capture)).lines[0].balance_after == 70
    posted(act(world, "l", "release", ledger.Release(world.wallet, hold.entry_id)))
    assert posted(redeem(world, 70, "r2")).lines[0].balance_after == 0
    assert refused(act(world, "c2", "capture", capture)) == "hold-closed"


def test_a_hold_lapses_by_itself(database: Database) -> None:
    world = build_world()
    posted(earn(world, 100, "e"))
    posted(act(world, "h", "hold", ledger.Hold(world.wallet, 100, soonest())))
    wait_until_past(database)
    assert posted(redeem(world, 100, "r")).lines[0].balance_after == 0


def test_reversing_a_redemption_gives_back_to_the_lots_it_came_from(database: Database) -> None:
    world = build_world()
    posted(earn(world, 50, "soon", expires_at=SOON))
    posted(earn(world, 50, "late", expires_at=LATER))
    position = posted(redeem(world, 80, "r")).lines[0].position
    posted(act(world, "v1", "reverse", ledger.Reverse(world.wallet, position, 40)))
    assert lots(world) == {1: 10, 2: 50}
    posted(act(world, "v2", "reverse", ledger.Reverse(world.wallet, position)))
    assert lots(world) == {1: 50, 2: 50}
    over = act(world, "v3", "reverse", ledger.Reverse(world.wallet, position, 1))
    assert refused(over) == "over-reversal"


def test_reversing_a_spent_earn_is_refused_at_the_floor(database: Database) -> None:
    world = build_world()
    posted(earn(world, 50, "e"))
    posted(redeem(world, 40, "r"))
    assert refused(act(world, "v", "reverse", ledger.Reverse(world.wallet, 1))) == "insufficient"
    assert lots(world) == {1: 10}


def test_reversing_a_spent_earn_makes_a_debt_that_the_next_earn_pays_first(
    database: Database,
) -> None:
    world = build_world(floor=-100)
    posted(earn(world, 50, "e"))
    posted(redeem(world, 40, "r"))
    line = posted(act(world, "v", "reverse", ledger.Reverse(world.wallet, 1))).lines[0]
    assert line.balance_after == -40
    assert posted(earn(world, 100, "e2")).lines[0].balance_after == 60
    assert refused(redeem(world, 61, "r2")) == "insufficient"
    assert posted(redeem(world, 60, "r3")).lines[0].balance_after == 0


def test_what_expired_is_not_taken_a_second_time_by_a_reversal(database: Database) -> None:
    world = build_world()
    posted(earn(world, 60, "e", expires_at=PAST))
    posted(earn(world, 60, "other"))
    posted(act(world, "x", "expire", ledger.Expire(world.wallet, world.house.expired)))
    reverse = ledger.Reverse(world.wallet, 1, expired_account=world.house.expired)
    posted(act(world, "v", "reverse", reverse))
    assert posted(redeem(world, 60, "r")).lines[0].balance_after == 0


def test_a_refused_act_undoes_the_acts_before_it_in_its_entry(database: Database) -> None:
    world = build_world()
    credit = ledger.Move(world.house.issued, world.wallet, 10)
    debit = ledger.Move(world.wallet, world.house.redeemed, 11)
    with transaction() as session:
        outcomes = ledger.post(
            session, [act(world, "both", "adjust", credit, debit), earn(world, 1, "e")]
        )
    assert isinstance(outcomes[0], ledger.Refusal)
    assert isinstance(outcomes[1], ledger.Posted)
    assert outcomes[1].lines[0].balance_after == 1
    assert outcomes[1].lines[0].position == 1


def test_an_entry_over_two_wallets_is_written_in_both_logs(database: Database) -> None:
    world = build_world()
    with transaction() as session:
        other = ledger.open_wallets(session, world.house.unit_id, ["cus:2"])["cus:2"]
    posted(earn(world, 10, "e"))
    gift = act(
        world,
        "g",
        "gift",
        ledger.Move(world.wallet, world.house.clearing, 4),
        ledger.Move(world.house.clearing, other, 4),
    )
    lines = posted(gift).lines
    assert [(line.account, line.balance_after) for line in lines] == [(world.wallet, 6), (other, 4)]
    assert [line.account for line in posted(gift).lines] == [world.wallet, other]


def test_more_lots_than_are_read_at_first_are_still_found(database: Database) -> None:
    world = build_world()
    with transaction() as session:
        ledger.post(session, [earn(world, 1, f"e{i}") for i in range(450)])
    assert posted(redeem(world, 450, "r")).lines[0].balance_after == 0


def test_amounts_and_accounts_that_make_no_sense_are_refused(database: Database) -> None:
    world = build_world()
    assert refused(earn(world, 0, "a")) == "bad-amount"
    assert refused(earn(world, -1, "b")) == "bad-amount"
    assert refused(earn(world, 2**53, "c")) == "bad-amount"
    assert refused(act(world, "d", "earn", ledger.Move(world.house.issued, 999, 1))) == (
        "unknown-account"
    )
    assert refused(ledger.Entry(999, "test", "e", "earn", ())) == "unknown-account"
    same = ledger.Move(world.wallet, world.wallet, 1)
    assert refused(act(world, "f", "gift", same)) == "same-account"
    assert post_one(earn(world, 2**53 - 1, "g"))


def lots(world: World) -> dict[int, int]:
    with transaction() as session:
        rows = session.execute(
            text("SELECT position, remaining FROM ledger.lots WHERE account_id = :a"),
            {"a": world.wallet},
        )
        return {row.position: row.remaining for row in rows}


def soonest() -> datetime:
    return datetime.now(UTC) + timedelta(milliseconds=400)


def wait_until_past(database: Database) -> None:
    with transaction() as session:
        session.execute(text("SELECT pg_sleep(0.5)"))


def test_the_sweep_frees_lapsed_holds_once(database: Database) -> None:
    world = build_world()
    posted(earn(world, 100, "e"))
    posted(act(world, "h", "hold", ledger.Hold(world.wallet, 100, soonest())))
    assert refused(act(world, "l0", "lapse", ledger.Lapse(world.wallet))) == "nothing-lapsed"
    wait_until_past(database)
    posted(act(world, "l1", "lapse", ledger.Lapse(world.wallet)))
    assert refused(act(world, "l2", "lapse", ledger.Lapse(world.wallet))) == "nothing-lapsed"


def test_an_entry_that_moves_points_elsewhere_only_is_known_at_home(database: Database) -> None:
    world = build_world()
    with transaction() as session:
        other = ledger.open_wallets(session, world.house.unit_id, ["cus:2"])["cus:2"]
    elsewhere = act(world, "e", "earn", ledger.Move(world.house.issued, other, 4))
    first, again = posted(elsewhere), posted(elsewhere)
    assert again.replayed
    assert again.lines == first.lines


def test_points_cannot_expire_into_a_wallet(database: Database) -> None:
    world = build_world()
    with transaction() as session:
        other = ledger.open_wallets(session, world.house.unit_id, ["cus:2"])["cus:2"]
    posted(earn(world, 5, "old", expires_at=PAST))
    assert refused(act(world, "x", "expire", ledger.Expire(world.wallet, other))) == "two-wallets"
    reverse = ledger.Reverse(world.wallet, 1, expired_account=other)
    assert refused(act(world, "v", "reverse", reverse)) == "two-wallets"
