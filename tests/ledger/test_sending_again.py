"""Sending again: the same key has one effect and one answer, however often and wherever it is."""

import ledger
from loyalty.database import transaction
from tests.ledger.builders import SOON, World, act, build_world, earn, posted, redeem, refused
from tests.ledger.invariants import check_ledger
from tests.servers import Database


def second_wallet(world: World) -> int:
    with transaction() as session:
        return ledger.open_wallets(session, world.house.unit_id, ["cus:2"])["cus:2"]


def test_a_key_asked_for_twice_in_one_call_is_answered_with_its_lines_once(
    database: Database,
) -> None:
    world = build_world()
    first = posted(earn(world, 5, "p"))
    with transaction() as session:
        answers = ledger.post(session, [earn(world, 5, "p"), earn(world, 5, "p")])
    assert [answer.lines for answer in answers if isinstance(answer, ledger.Posted)] == [
        first.lines,
        first.lines,
    ]


def test_an_entry_whose_acts_touch_only_another_wallet_is_known_again(database: Database) -> None:
    world = build_world()
    other = second_wallet(world)
    gift = act(world, "g", "gift", ledger.Move(world.house.issued, other, 7))
    first, again = posted(gift), posted(gift)
    assert again.replayed
    assert (again.entry_id, again.lines) == (first.entry_id, first.lines)
    more = act(world, "g", "gift", ledger.Move(world.house.issued, other, 8))
    assert refused(more) == "reference-reused"
    check_ledger(database)


def test_lines_over_two_wallets_come_back_in_the_order_of_the_first_answer(
    database: Database,
) -> None:
    world = build_world()
    other = second_wallet(world)
    posted(earn(world, 10, "e", wallet=other))
    swap = act(
        world,
        "s",
        "swap",
        ledger.Move(other, world.house.clearing, 4),
        ledger.Move(world.house.clearing, world.wallet, 4),
        ledger.Move(other, world.house.redeemed, 1),
    )
    first, again = posted(swap), posted(swap)
    assert again.lines == first.lines
    assert [line.account for line in first.lines] == [world.wallet, other, other]


def test_a_key_belongs_to_its_wallet_and_source(database: Database) -> None:
    world = build_world()
    other = second_wallet(world)
    posted(earn(world, 5, "p"))
    assert not posted(earn(world, 6, "p", wallet=other)).replayed
    same = earn(world, 5, "p")
    assert not posted(ledger.Entry(same.account, "till", "p", "earn", same.acts)).replayed


def test_a_refused_entry_may_be_sent_again_and_then_succeed(database: Database) -> None:
    world = build_world()
    assert refused(redeem(world, 5, "r")) == "insufficient"
    posted(earn(world, 5, "e"))
    assert not posted(redeem(world, 5, "r")).replayed


def test_a_hold_and_its_release_are_known_again_though_they_have_no_lines(
    database: Database,
) -> None:
    world = build_world()
    posted(earn(world, 5, "e"))
    hold = act(world, "h", "hold", ledger.Hold(world.wallet, 5, SOON))
    number = posted(hold).entry_id
    assert posted(hold).entry_id == number
    release = act(world, "l", "release", ledger.Release(world.wallet, number))
    assert not posted(release).replayed
    assert posted(release).replayed
    check_ledger(database)


def test_the_soonest_lots_are_used_even_if_a_batch_adds_later_ones_before_they_are_read(
    database: Database,
) -> None:
    world = build_world()
    with transaction() as session:
        ledger.post(session, [earn(world, 1, f"s{n}", expires_at=SOON) for n in range(300)])
    with transaction() as session:
        ledger.post(session, [earn(world, 100, "never"), redeem(world, 250, "r")])
        assert ledger.post(session, [redeem(world, 151, "too much")]) == [
            ledger.Refusal("insufficient", "151 asked, 150 available")
        ]
        left = ledger.read_balance(session, world.wallet)
    assert left.expiries == ((SOON, 50),)
    check_ledger(database)


def test_an_expiry_cannot_be_reversed_but_a_capture_of_lapsed_points_can(
    database: Database,
) -> None:
    world = build_world()
    posted(earn(world, 5, "e", expires_at=ledger.AT_ONCE))
    sweep = ledger.Expire(world.wallet, world.house.expired)
    position = posted(act(world, "x", "expire", sweep)).lines[0].position
    undo = act(world, "v", "reverse", ledger.Reverse(world.wallet, position))
    assert refused(undo) == "reversal-of-expiry"
    check_ledger(database)
