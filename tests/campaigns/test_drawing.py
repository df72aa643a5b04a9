"""A draw can be recomputed by anybody, and nobody could have chosen it: the seed came first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.draws import Prize, digest_tickets, draw, keeps, promise

SEEDS = st.binary(min_size=32, max_size=32)
TICKETS = st.lists(st.text("abcdef0123456789", min_size=1, max_size=12), max_size=40)
PRIZES = st.lists(st.builds(Prize, st.text(min_size=1, max_size=5), st.integers(0, 5)), max_size=4)


@given(SEEDS, TICKETS, PRIZES)
def test_each_ticket_wins_once_and_no_more_prizes_are_given_than_there_are(
    seed: bytes, tickets: list[str], prizes: list[Prize]
) -> None:
    won = draw(seed, tickets, prizes)
    assert len({one.ticket for one in won}) == len(won)
    assert {one.ticket for one in won} <= set(tickets)
    assert len(won) == min(len(set(tickets)), sum(prize.count for prize in prizes))


@given(SEEDS, TICKETS, PRIZES, st.randoms())
def test_the_order_of_tickets_and_repetitions_change_nothing(
    seed: bytes, tickets: list[str], prizes: list[Prize], chance: object
) -> None:
    mixed = sorted(tickets + tickets[:3], reverse=True)
    assert draw(seed, mixed, prizes) == draw(seed, tickets, prizes)
    assert digest_tickets(mixed) == digest_tickets(tickets)


@given(SEEDS, SEEDS)
def test_a_promise_is_kept_by_its_own_seed_only(seed: bytes, other: bytes) -> None:
    assert keeps(seed, promise(seed))
    assert keeps(other, promise(seed)) == (seed == other)


def test_a_seed_of_another_length_is_no_seed() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        promise(b"short")


def test_what_was_published_once_stays_what_anybody_computes() -> None:
    winners = draw(b"\x01" * 32, ["a", "b", "c", "d"], [Prize("first", 1), Prize("second", 2)])
    assert [one.prize for one in winners] == ["first", "second", "second"]
    again = draw(b"\x01" * 32, ["d", "c", "b", "a"], [Prize("first", 1), Prize("second", 2)])
    assert winners == again
