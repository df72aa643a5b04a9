"""Gathering: calls that come together are done together, and each gets its own answer."""

import threading
from collections.abc import Sequence

import pytest

from loyalty.web import Caller, gathering
from loyalty.web.gathering import MOST_PATIENT, Call, Gatherer
from loyalty.web.idempotency import Claim, Kept

CALLER = Caller.job("test")


def call(number: int, key: str | None = "same", claim: str | None = None) -> Call:
    claimed = Claim("test", claim or str(number), b"")
    return Call(CALLER, {"number": number}, claimed, key)


class Work:
    """Answers each call with its number; the first list waits until the gate is opened."""

    def __init__(self) -> None:
        self.lists: list[list[int]] = []
        self.patient: dict[int, bool] = {}
        self.started = threading.Event()
        self.gate = threading.Event()

    def __call__(self, calls: Sequence[Call], patient: bool) -> None:
        numbers = [one.body["number"] for one in calls]
        self.lists.append(numbers)
        self.patient[len(self.lists) - 1] = patient
        if len(self.lists) == 1:
            self.started.set()
            assert self.gate.wait(10)
        if -1 in numbers:
            raise ValueError("one of them is bad")
        for one in calls:
            one.answer = Kept(200, str(one.body["number"]).encode(), {})


def run_together(work: Work, first: Call, others: list[Call]) -> list[Exception | None]:
    """Run `first`, and while it is at work let the others queue up; return what each raised."""
    gatherer, raised = Gatherer(work), dict[int, Exception]()

    def run(one: Call) -> None:
        try:
            gatherer.run(one)
        except ValueError as fault:
            raised[id(one)] = fault

    threads = [threading.Thread(target=run, args=(one,)) for one in [first, *others]]
    threads[0].start()
    assert work.started.wait(10)
    for thread in threads[1:]:
        thread.start()
    queued = [one for one in others if one.key is not None]
    while len(gatherer._waiting) < len(queued):
        threading.Event().wait(0.001)
    work.gate.set()
    for thread in threads:
        thread.join(10)
    return [raised.get(id(one)) for one in [first, *others]]


def test_calls_that_wait_are_done_as_one_list() -> None:
    work, others = Work(), [call(number) for number in range(1, 6)]
    assert run_together(work, call(0), others) == [None] * 6
    assert [len(numbers) for numbers in work.lists] == [1, 5]
    assert [one.answer.answer for one in others if one.answer] == [b"1", b"2", b"3", b"4", b"5"]


def test_calls_of_other_keys_and_calls_for_themselves_are_apart() -> None:
    work = Work()
    run_together(work, call(0), [call(1), call(2, "other"), call(3, None), call(4, None), call(5)])
    together = sorted(sorted(numbers) for numbers in work.lists)
    assert together == [[0], [1, 5], [2], [3], [4]]


def test_the_same_claim_is_never_twice_in_a_list() -> None:
    work = Work()
    run_together(work, call(0), [call(1, claim="c"), call(2, claim="c"), call(3)])
    assert all(not {1, 2} <= set(numbers) for numbers in work.lists)


def test_a_bad_call_fails_alone() -> None:
    work, others = Work(), [call(1), call(-1), call(2)]
    first, one, bad, two = run_together(work, call(0), others)
    assert (first, one, two) == (None, None, None)
    assert isinstance(bad, ValueError)
    assert others[0].answer is not None
    assert others[2].answer is not None


def test_a_call_alone_is_done_at_once() -> None:
    work = Work()
    work.gate.set()
    alone = call(7)
    Gatherer(work).run(alone)
    assert alone.answer is not None
    with pytest.raises(ValueError, match="bad"):
        Gatherer(work).run(call(-1))


@pytest.fixture
def long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a list wait for company so long that a test sees whether it does."""
    monkeypatch.setattr(gathering, "LONGEST_WAIT", 60.0)


@pytest.mark.usefixtures("long_waits")
def test_a_list_waits_for_those_who_came_together_before() -> None:
    work = Work()
    work.gate.set()
    gatherer = Gatherer(work)
    gatherer._crowd, gatherer._took = 3, 60.0
    threads = [threading.Thread(target=gatherer.run, args=(call(n),)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [sorted(numbers) for numbers in work.lists] == [[0, 1, 2]]


@pytest.mark.usefixtures("long_waits")
def test_whoever_comes_alone_never_waits() -> None:
    work = Work()
    work.gate.set()
    gatherer = Gatherer(work)
    gatherer._took = 60.0

    def come(number: int) -> None:
        thread = threading.Thread(target=gatherer.run, args=(call(number),))
        thread.start()
        thread.join(30)

    for number in range(3):
        come(number)
        gatherer._took = 60.0
    assert work.lists == [[0], [1], [2]]


def test_only_a_call_that_goes_alone_may_wait_long() -> None:
    work = Work()
    run_together(work, call(0), [call(1), call(-1)])
    assert work.lists[1] == [1, -1]
    assert sorted(work.lists[2:]) == [[-1], [1]]
    assert [work.patient[number] for number in range(4)] == [False, False, True, True]


def test_no_more_than_a_few_wait_for_a_lock() -> None:
    gate, patient = threading.Event(), list[int]()

    def work(calls: Sequence[Call], may_wait: bool) -> None:
        if len(calls) > 1 or not may_wait:
            raise TimeoutError
        patient.append(calls[0].body["number"])
        assert gate.wait(30)
        raise TimeoutError

    gatherer, refused = Gatherer(work), list[int]()

    def run(number: int) -> None:
        try:
            gatherer.run(call(number))
        except TimeoutError:
            refused.append(number)

    many = MOST_PATIENT + 3
    threads = [threading.Thread(target=run, args=(number,)) for number in range(many)]
    for thread in threads:
        thread.start()
    while len(refused) < 3:
        threading.Event().wait(0.001)
    assert sorted(patient) == sorted(set(range(many)) - set(refused))
    gate.set()
    for thread in threads:
        thread.join(30)
    assert len(patient) == MOST_PATIENT
    assert set(refused) == set(range(many))


def test_a_call_for_itself_waits_for_nobody() -> None:
    work = Work()
    gatherer = Gatherer(work)
    leader = threading.Thread(target=gatherer.run, args=(call(0),))
    leader.start()
    assert work.started.wait(10)
    alone = call(1, None)
    gatherer.run(alone)
    assert alone.answer is not None
    work.gate.set()
    leader.join(10)
