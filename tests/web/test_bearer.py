"""A verified token is believed for half a minute at most, and never past its end."""

import time

import pytest

from loyalty.web import Caller, Kind, Refused
from loyalty.web import bearer as bearer_module
from loyalty.web.bearer import BearerTokens, Verified


class Counting:
    """A check that counts how often it was asked."""

    def __init__(self, lifetime: float) -> None:
        self.asked = 0
        self.lifetime = lifetime

    def __call__(self, token: str) -> Verified:
        self.asked += 1
        return Verified(Caller(Kind.SYSTEM, token), time.time() + self.lifetime)


@pytest.mark.parametrize(("lifetime", "believed"), [(600.0, 30), (10.0, 10)])
def test_a_token_is_checked_again_when_belief_ends(lifetime: float, believed: int) -> None:
    check = Counting(lifetime)
    now = [1000.0]
    tokens = BearerTokens(check, clock=lambda: now[0])
    tokens.find_caller("Bearer a", "r1")
    now[0] += believed - 1
    assert tokens.find_caller("Bearer a", "r2").request_id == "r2"
    assert check.asked == 1
    now[0] += 2
    tokens.find_caller("Bearer a", "r3")
    assert check.asked == 2


def test_a_refused_token_is_not_remembered() -> None:
    def refuse(_: str) -> Verified:
        raise Refused("unauthenticated")

    tokens = BearerTokens(refuse)
    for _ in range(2):
        with pytest.raises(Refused):
            tokens.find_caller("Bearer a", "")


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bearer_module, "MOST_TOKENS", 10)
    check = Counting(600)
    tokens = BearerTokens(check)
    for number in range(100):
        tokens.find_caller(f"Bearer t{number}", "")
    assert len(tokens._known) <= 10
