"""Deciding: whatever is asked in whatever order, the arithmetic of the ledger holds.

Each step is also taken by a model that counts single points, and the two must agree.
"""

import copy
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ledger
from ledger.deciding import Book, Lot, MissingLots, Original, Wallet, Writing, decide
from tests.ledger import model
from tests.ledger.model import FREE, HELD, Model

START = datetime(2026, 1, 1, tzinfo=UTC)
FIRST, SECOND = 1, 2
ISSUED, REDEEMED, EXPIRED, CLEARING, MONEY, NOWHERE = 101, 102, 103, 104, 105, 999
POINTS, CENTS = 1, 2
UNITS = {ISSUED: POINTS, REDEEMED: POINTS, EXPIRED: POINTS, CLEARING: POINTS, MONEY: CENTS}
NO_SUCH = 10_000

slow = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def moment(seconds: int) -> datetime:
    return START + timedelta(seconds=seconds)


@dataclass
class Bench:
    """A book and the model of it, which take each step together and are compared after it."""

    floor: int
    book: Book = field(init=False)
    model: Model = field(init=False)
    posted: list[tuple[ledger.Entry, ledger.Posted]] = field(default_factory=list)
    lines: list[ledger.Line] = field(default_factory=list)
    uses: Counter[tuple[int, int]] = field(default_factory=Counter)
    last_id: int = 0

    def __post_init__(self) -> None:
        wallets = {FIRST: Wallet(FIRST, POINTS, self.floor), SECOND: Wallet(SECOND, POINTS, 0)}
        self.book = Book(START, wallets, dict(UNITS))
        self.model = Model({FIRST: self.floor, SECOND: 0}, {**UNITS, FIRST: POINTS, SECOND: POINTS})

    def entry(self, home: int, acts: Iterable[ledger.Act]) -> ledger.Entry:
        self.last_id += 1
        return ledger.Entry(home, "test", str(self.last_id), "act", tuple(acts))

    def post(self, entry: ledger.Entry) -> ledger.Outcome:
        before = snapshot(self.book)
        writing, (outcome,) = decide(self.book, [entry], [self.last_id])
        refusal = self.model.post(entry, self.last_id, self.book.now)
        if isinstance(outcome, ledger.Refusal):
            assert outcome.code == refusal
            assert self.book == before, "a refused entry changed the book"
            assert writing == Writing(), "a refused entry wrote rows"
        else:
            assert refusal is None, f"the model refuses: {refusal}"
            self._note(entry, outcome, writing)
            self._compare_totals(before, writing)
        self.compare()
        return outcome

    def _note(self, entry: ledger.Entry, outcome: ledger.Posted, writing: Writing) -> None:
        self.posted.append((entry, outcome))
        self.lines += outcome.lines
        for use in writing.lot_uses:
            self.uses[use["account_id"], use["lot"]] += use["amount"]
        for wallet in self.book.wallets.values():
            for lot in wallet.lots.values():
                lot.is_new = False
        for line in outcome.lines:
            uses = {
                use["lot"]: use["amount"]
                for use in writing.lot_uses
                if (use["account_id"], use["position"]) == (line.account, line.position)
                and use["amount"] > 0
            }
            self.book.wallets[line.account].originals[line.position] = Original(
                line.position,
                line.from_account,
                line.to_account,
                line.amount,
                0,
                line.reverses is not None,
                uses,
                self.model.logs[line.account].moved[line.position].is_expiry,
            )

    def _compare_totals(self, before: Book, writing: Writing) -> None:
        old, new = totals(before), totals(self.book)
        for key in old.keys() | new.keys() | writing.totals.keys():
            was, is_now = old.get(key, (0, 0)), new.get(key, (0, 0))
            change = tuple(writing.totals.get(key, (0, 0, 0))[:2])
            assert change == (is_now[0] - was[0], is_now[1] - was[1]), f"lot totals of {key}"

    def compare(self) -> None:
        for wallet in self.book.wallets.values():
            self._compare_wallet(wallet)

    def _compare_wallet(self, wallet: Wallet) -> None:
        now, log = self.book.now, self.model.logs[wallet.account]
        lines = [line for line in self.lines if line.account == wallet.account]
        assert [line.position for line in lines] == list(range(1, wallet.position + 1))
        assert wallet.posted == sum(change(line) for line in lines) == log.posted()
        assert wallet.posted == sum(x.remaining for x in wallet.lots.values()) - wallet.debt
        assert wallet.posted - wallet.held >= wallet.floor
        assert 0 <= wallet.debt <= -wallet.floor
        assert wallet.debt == log.debt
        assert wallet.held == sum(lot.held for lot in wallet.lots.values())
        assert wallet.held == sum(hold.remaining for hold in wallet.holds.values())
        left, held, expired = log.count(FREE, HELD), log.count(HELD), log.count(model.EXPIRED)
        for lot in wallet.lots.values():
            assert 0 <= lot.held <= lot.remaining <= lot.amount - lot.expired
            assert lot.remaining == left[lot.position]
            assert lot.held == held[lot.position]
            assert lot.expired == expired[lot.position]
            assert lot.remaining == lot.amount - self.uses[wallet.account, lot.position]
        for hold in wallet.holds.values():
            assert hold.remaining == sum(hold.lots.values())
        reversed_of: Counter[int | None] = Counter()
        for line in lines:
            reversed_of[line.reverses] += line.amount
        assert all(reversed_of[line.position] <= line.amount for line in lines)
        assert usable(wallet, now) == len(log.usable(now))


def snapshot(book: Book) -> Book:
    return Book(book.now, copy.deepcopy(book.wallets), dict(book.units), dict(book.known))


def change(line: ledger.Line) -> int:
    return line.amount * ((line.to_account == line.account) - (line.from_account == line.account))


def usable(wallet: Wallet, now: datetime) -> int:
    """Count what may be spent: lapsed holds hold nothing, whether or not anyone noticed."""
    lapsed: Counter[int] = Counter()
    for hold in wallet.holds.values():
        if hold.lapses_at <= now:
            lapsed.update(hold.lots)
    return sum(
        lot.remaining - lot.held + lapsed[lot.position]
        for lot in wallet.lots.values()
        if lot.available_from <= now < lot.expires_at
    )


def totals(book: Book) -> dict[tuple[int, datetime, datetime], tuple[int, int]]:
    sums: dict[tuple[int, datetime, datetime], tuple[int, int]] = {}
    for wallet in book.wallets.values():
        for lot in wallet.lots.values():
            key = (wallet.account, lot.expires_at, lot.available_from)
            remaining, held = sums.get(key, (0, 0))
            sums[key] = (remaining + lot.remaining, held + lot.held)
    return sums


# -- what is asked: acts that are made when their turn comes, from what there is then ------------

Making = Callable[[Bench, int], list[ledger.Act]]
amounts = st.integers(1, 20)
# When points become usable and lapse, in seconds from the moment at which they are given.
Spans = tuple[int | None, int | None]
spans = st.tuples(
    st.none() | st.none() | st.integers(0, 3), st.none() | st.integers(-1, 6) | st.integers(-1, 6)
)
picks = st.integers(0, 30)
outside = st.sampled_from([REDEEMED] * 40 + [EXPIRED, CLEARING, MONEY, NOWHERE, FIRST, SECOND])
expired_accounts = st.sampled_from([None] * 10 + [EXPIRED] * 20 + [MONEY, NOWHERE, SECOND])
lasting: st.SearchStrategy[Spans] = st.tuples(st.none(), st.none() | st.integers(1, 6))


def terms(bench: Bench, span: Spans) -> ledger.Terms:
    wait, life = (None if n is None else bench.book.now + timedelta(seconds=n) for n in span)
    return ledger.Terms(wait or ledger.AT_ONCE, life or ledger.NEVER)


def position(bench: Bench, wallet: int, pick: int) -> int:
    return choose(list(bench.model.logs[wallet].moved), pick)


def hold_id(bench: Bench, wallet: int, pick: int) -> int:
    return choose(list(bench.model.logs[wallet].holds), pick)


def choose(there: list[int], pick: int) -> int:
    """Return one of what is there, the latest for 0; rarely, or where nothing is, none of it."""
    return there[-1 - pick % len(there)] if there and pick < 30 else NO_SUCH


def earning(amount: int, span: Spans) -> Making:
    return lambda bench, wallet: [ledger.Move(ISSUED, wallet, amount, terms(bench, span))]


def redeeming(amount: int, to: int) -> Making:
    return lambda bench, wallet: [ledger.Move(wallet, to, amount)]


def holding(amount: int, seconds: int) -> Making:
    return lambda bench, wallet: [
        ledger.Hold(wallet, amount, bench.book.now + timedelta(seconds=seconds))
    ]


def available(bench: Bench, wallet: int) -> int:
    return max(1, bench.model.logs[wallet].available(bench.book.now))


def redeeming_all() -> Making:
    return lambda bench, wallet: [ledger.Move(wallet, REDEEMED, available(bench, wallet))]


def holding_all(seconds: int) -> Making:
    return lambda bench, wallet: [
        ledger.Hold(wallet, available(bench, wallet), bench.book.now + timedelta(seconds=seconds))
    ]


def capturing(pick: int, amount: int, to: int) -> Making:
    return lambda b, wallet: [ledger.Capture(wallet, hold_id(b, wallet, pick), to, amount)]


def releasing(pick: int, amount: int | None) -> Making:
    return lambda bench, wallet: [ledger.Release(wallet, hold_id(bench, wallet, pick), amount)]


def reversing(pick: int, amount: int | None, grace: Spans, expired: int | None) -> Making:
    return lambda bench, wallet: [
        ledger.Reverse(wallet, position(bench, wallet, pick), amount, terms(bench, grace), expired)
    ]


def expiring(to: int) -> Making:
    return lambda bench, wallet: [ledger.Expire(wallet, to)]


def lapsing() -> Making:
    return lambda bench, wallet: [ledger.Lapse(wallet)]


def giving(amount: int) -> Making:
    return lambda bench, wallet: [
        ledger.Move(FIRST, CLEARING, amount),
        ledger.Move(CLEARING, SECOND, amount),
    ]


def passing(amount: int) -> Making:
    return lambda bench, wallet: [ledger.Move(ISSUED, EXPIRED, amount)]


earnings = st.builds(earning, amounts, spans | lasting)
makings = st.one_of(
    *[earnings] * 3,
    *[st.builds(redeeming, amounts, outside)] * 2,
    # What is left with nothing owes all that is taken back, or lapses while it is held.
    *[st.builds(redeeming_all)] * 2,
    st.builds(holding, amounts, st.integers(0, 12)),
    st.builds(holding_all, st.integers(1, 9)),
    *[st.builds(capturing, picks, amounts, outside)] * 2,
    st.builds(releasing, picks, st.none() | amounts),
    *[st.builds(reversing, picks, st.none() | amounts, spans, expired_accounts)] * 4,
    *[st.builds(expiring, st.sampled_from([EXPIRED] * 9 + [SECOND, MONEY]))] * 2,
    st.builds(lapsing),
    st.builds(giving, amounts),
    st.builds(passing, amounts),
)


@dataclass(frozen=True)
class Step:
    """Let time pass, then ask for this as one entry."""

    seconds: int
    home: int
    wallets: tuple[int, ...]
    makings: tuple[Making, ...]

    def take(self, bench: Bench) -> ledger.Entry:
        bench.book.now += timedelta(seconds=self.seconds)
        bench.compare()
        acts = [
            act
            for wallet, making in zip(self.wallets, self.makings, strict=False)
            for act in making(bench, wallet)
        ]
        return bench.entry(self.home, acts)


def step(passing: st.SearchStrategy[int]) -> st.SearchStrategy[Step]:
    wallets = st.sampled_from([FIRST, FIRST, FIRST, SECOND])
    return st.builds(
        Step,
        passing,
        wallets,
        st.tuples(wallets, wallets, wallets),
        st.lists(makings, min_size=1, max_size=3).map(tuple),
    )


single_acts = st.builds(
    Step,
    st.sampled_from([0, 0, 0, 1, 2, 5]),
    st.just(FIRST),
    st.just((FIRST,)),
    st.tuples(makings),
)
mostly_single = single_acts | single_acts | single_acts | step(st.sampled_from([0, 0, 0, 1, 2, 5]))
first_earned = st.lists(
    st.builds(
        Step,
        st.just(0),
        st.just(FIRST),
        st.just((FIRST,)),
        st.tuples(st.builds(earning, amounts, lasting)),
    ),
    min_size=1,
    max_size=3,
)
steps = st.builds(list.__add__, first_earned, st.lists(mostly_single, min_size=12, max_size=30))
floors = st.sampled_from([0, -15, -15, -1000])


@settings(slow, max_examples=500)
@given(floors, steps)
def test_the_ledger_does_what_the_naive_model_does(floor: int, steps: list[Step]) -> None:
    bench = Bench(floor)
    for each in steps:
        bench.post(each.take(bench))


@slow
@given(floors, steps)
def test_an_entry_sent_again_is_answered_as_before_and_changes_nothing(
    floor: int, steps: list[Step]
) -> None:
    bench = Bench(floor)
    for each in steps:
        bench.post(each.take(bench))
    before = snapshot(bench.book)
    for entry, outcome in bench.posted:
        writing, (again,) = decide(bench.book, [entry], [NO_SUCH])
        assert isinstance(again, ledger.Posted)
        assert again.replayed
        assert (again.entry_id, again.lines) == (outcome.entry_id, outcome.lines)
        other = ledger.Entry(
            entry.account, entry.source, entry.reference, entry.kind, (*entry.acts, entry.acts[0])
        )
        _, (refusal,) = decide(bench.book, [other], [NO_SUCH])
        assert isinstance(refusal, ledger.Refusal)
        assert refusal.code == "reference-reused"
        assert writing == Writing()
    assert bench.book == before


@slow
@given(floors, steps, st.lists(step(st.just(0)), min_size=1, max_size=8))
def test_a_batch_is_decided_like_its_entries_one_after_another(
    floor: int, steps: list[Step], batch: list[Step]
) -> None:
    bench = Bench(floor)
    for each in steps:
        bench.post(each.take(bench))
    entries = [each.take(bench) for each in batch]
    ids = [int(entry.reference) for entry in entries]
    alone, together = snapshot(bench.book), snapshot(bench.book)
    singly = [decide(alone, [entry], [n]) for entry, n in zip(entries, ids, strict=True)]
    writing, outcomes = decide(together, entries, ids)
    assert outcomes == [outcome for _, (outcome,) in singly]
    assert together == alone
    assert writing.transfers == [row for part, _ in singly for row in part.transfers]
    assert writing.lot_uses == [row for part, _ in singly for row in part.lot_uses]
    added: dict[object, list[int]] = {}
    for part, _ in singly:
        for key, change in part.totals.items():
            total = added.setdefault(key, [0, 0, 0])
            total[:] = [a + b for a, b in zip(total, change, strict=True)]
    assert writing.totals == added


@settings(slow, max_examples=400)
@given(
    st.lists(st.tuples(amounts, lasting), min_size=1, max_size=12),
    st.integers(1, 8),
    st.lists(
        st.builds(earning, amounts, lasting)
        | st.builds(redeeming, st.integers(1, 60), st.just(REDEEMED))
        | st.builds(holding, st.integers(1, 60), st.just(30))
        | st.builds(reversing, picks, st.none() | amounts, spans, st.none()),
        min_size=1,
        max_size=4,
    ),
)
def test_with_only_the_soonest_lots_read_the_answer_is_the_same_or_more_are_asked_for(
    lots: list[tuple[int, Spans]], read: int, makings: list[Making]
) -> None:
    bench = Bench(-1000)
    for amount, span in lots:
        bench.post(bench.entry(FIRST, earning(amount, span)(bench, FIRST)))
    entries = [bench.entry(FIRST, making(bench, FIRST)) for making in makings]
    ids = range(100, 100 + len(entries))
    whole, part = snapshot(bench.book), snapshot(bench.book)
    read_only(part.wallets[FIRST], read, entries, part.now)
    _, outcomes = decide(whole, entries, ids)
    try:
        _, answers = decide(part, entries, ids)
    except MissingLots:
        return
    assert answers == outcomes
    for at, lot in part.wallets[FIRST].lots.items():
        assert lot == whole.wallets[FIRST].lots[at]
    assert part.wallets[FIRST].posted == whole.wallets[FIRST].posted


def read_only(wallet: Wallet, count: int, entries: list[ledger.Entry], now: datetime) -> None:
    """Forget the lots that a first reading of so many would not bring."""
    soonest = sorted(
        (lot for lot in wallet.lots.values() if lot.expires_at > now and lot.remaining),
        key=lambda lot: (lot.expires_at, lot.position),
    )[:count]
    originals = {a.position for e in entries for a in e.acts if isinstance(a, ledger.Reverse)}
    kept = {lot.position for lot in soonest} | originals
    wallet.lots = {at: lot for at, lot in wallet.lots.items() if at in kept}
    if len(soonest) == count:
        wallet.horizon = max((lot.expires_at, lot.position) for lot in soonest)


# -- what the properties above rest on, and found ------------------------------------------------


def test_points_are_spendable_from_the_instant_they_are_available_until_that_of_expiry() -> None:
    lot = Lot(1, 1, moment(10), moment(20), None, 1)
    tick = timedelta(microseconds=1)
    instants = [moment(10) - tick, moment(10), moment(20) - tick, moment(20)]
    assert [lot.is_usable(at) for at in instants] == [False, True, True, False]


def test_a_refused_entry_leaves_the_home_log_without_a_gap() -> None:
    bench = Bench(0)
    acts = [ledger.Move(ISSUED, EXPIRED, 5), ledger.Move(SECOND, REDEEMED, 1)]
    assert isinstance(bench.post(bench.entry(FIRST, acts)), ledger.Refusal)
    assert bench.book.wallets[FIRST].position == 0


def test_an_entry_stands_in_its_home_log_even_if_its_acts_touch_only_another() -> None:
    bench = Bench(0)
    entry = bench.entry(FIRST, [ledger.Move(ISSUED, SECOND, 5)])
    writing, _ = decide(bench.book, [entry], [1])
    assert [row["account_id"] for row in writing.entries] == [FIRST, SECOND]


@pytest.mark.parametrize(
    "act",
    [
        ledger.Expire(FIRST, SECOND),
        ledger.Reverse(FIRST, 1, None, expired_account=SECOND),
        ledger.Capture(FIRST, 1, SECOND, 1),
        ledger.Move(FIRST, SECOND, 1),
    ],
)
def test_no_act_moves_points_into_a_wallet_without_opening_a_lot(act: ledger.Act) -> None:
    bench = Bench(0)
    lapsed = ledger.Terms(expires_at=START)
    bench.post(bench.entry(FIRST, [ledger.Move(ISSUED, FIRST, 5, lapsed)]))
    outcome = bench.post(bench.entry(FIRST, [act]))
    assert isinstance(outcome, ledger.Refusal)
    assert outcome.code == "two-wallets"


def test_an_expiry_cannot_be_reversed_so_that_its_points_do_not_come_back_twice() -> None:
    bench = Bench(0)
    lapsed = ledger.Terms(expires_at=START)
    bench.post(bench.entry(FIRST, [ledger.Move(ISSUED, FIRST, 5, lapsed)]))
    bench.post(bench.entry(FIRST, [ledger.Expire(FIRST, EXPIRED)]))
    outcome = bench.post(bench.entry(FIRST, [ledger.Reverse(FIRST, 2)]))
    assert isinstance(outcome, ledger.Refusal)
    bench.post(bench.entry(FIRST, [ledger.Reverse(FIRST, 1, expired_account=EXPIRED)]))
    moved = sum(
        line.amount * ((line.to_account == EXPIRED) - (line.from_account == EXPIRED))
        for line in bench.lines
    )
    assert moved == 0
    assert bench.book.wallets[FIRST].posted == 0


def test_a_refused_debit_leaves_a_lapsed_hold_as_it_was() -> None:
    bench = Bench(0)
    bench.post(bench.entry(FIRST, [ledger.Move(ISSUED, FIRST, 5)]))
    bench.post(bench.entry(FIRST, [ledger.Hold(FIRST, 3, moment(1))]))
    bench.book.now = moment(1)
    refused = bench.post(bench.entry(FIRST, [ledger.Move(FIRST, REDEEMED, 6)]))
    assert isinstance(refused, ledger.Refusal)
    assert bench.book.wallets[FIRST].held == 3
    spent = bench.post(bench.entry(FIRST, [ledger.Move(FIRST, REDEEMED, 5)]))
    assert isinstance(spent, ledger.Posted)


def test_to_lapse_is_refused_where_this_act_frees_nothing() -> None:
    bench = Bench(0)
    bench.post(bench.entry(FIRST, [ledger.Move(ISSUED, FIRST, 5)]))
    hold = bench.post(bench.entry(FIRST, [ledger.Hold(FIRST, 3, moment(1))]))
    assert isinstance(hold, ledger.Posted)
    both = [ledger.Release(FIRST, hold.entry_id, 1), ledger.Lapse(FIRST)]
    refused = bench.post(bench.entry(FIRST, both))
    assert isinstance(refused, ledger.Refusal)
    assert refused.code == "nothing-lapsed"


def test_a_part_given_back_goes_to_the_lot_that_lives_longest_and_to_none_that_lapsed() -> None:
    bench = Bench(0)
    for until in (moment(5), moment(9)):
        terms = ledger.Terms(expires_at=until)
        bench.post(bench.entry(FIRST, [ledger.Move(ISSUED, FIRST, 10, terms)]))
    bench.post(bench.entry(FIRST, [ledger.Move(FIRST, REDEEMED, 20)]))
    remaining = []
    for now, amount in ((START, 4), (moment(5), 8), (moment(9), 8)):
        bench.book.now = now
        bench.post(bench.entry(FIRST, [ledger.Reverse(FIRST, 3, amount)]))
        remaining.append({p: x.remaining for p, x in bench.book.wallets[FIRST].lots.items()})
    assert remaining == [
        {1: 0, 2: 4},
        {1: 0, 2: 10, 5: 2},
        {1: 0, 2: 10, 5: 2, 6: 8},
    ]


def test_points_given_back_to_a_wallet_in_debt_are_not_spent_before_the_debt_is_paid() -> None:
    bench = Bench(-100)
    for act in (
        ledger.Move(ISSUED, FIRST, 50),
        ledger.Move(FIRST, REDEEMED, 50),
        ledger.Reverse(FIRST, 1),
        ledger.Reverse(FIRST, 2),
    ):
        assert isinstance(bench.post(bench.entry(FIRST, [act])), ledger.Posted)
    wallet = bench.book.wallets[FIRST]
    assert (wallet.posted, wallet.debt) == (0, 50)
    for act in (ledger.Move(FIRST, REDEEMED, 1), ledger.Hold(FIRST, 1, moment(9))):
        refused = bench.post(bench.entry(FIRST, [act]))
        assert isinstance(refused, ledger.Refusal)
        assert refused.code == "insufficient"


def test_buying_and_returning_a_hundred_times_gains_nothing() -> None:
    bench = Bench(-1000)
    spent = 0
    for _ in range(100):
        earned = bench.post(bench.entry(FIRST, [ledger.Move(ISSUED, FIRST, 10)]))
        assert isinstance(earned, ledger.Posted)
        redeemed = bench.post(bench.entry(FIRST, [ledger.Move(FIRST, REDEEMED, 10)]))
        spent += 10 * isinstance(redeemed, ledger.Posted)
        bench.post(bench.entry(FIRST, [ledger.Reverse(FIRST, earned.lines[0].position)]))
    assert bench.book.wallets[FIRST].posted == -spent == -10


@pytest.mark.parametrize("amount", [0, -1, 2**53, 2**63 - 1, 2**63, 10**40, 1.0, 0.5, "5", True])
def test_an_amount_that_is_no_whole_number_in_range_is_refused(amount: object) -> None:
    book = Bench(0).book
    move = ledger.Move(ISSUED, FIRST, amount)  # type: ignore[arg-type]
    _, (outcome,) = decide(book, [ledger.Entry(FIRST, "t", "1", "earn", (move,))], [1])
    assert isinstance(outcome, ledger.Refusal)
    assert outcome.code == "bad-amount"


@given(st.lists(st.integers(2**51, 2**53 - 1), min_size=1, max_size=6), st.integers(0, 2**53))
def test_a_balance_that_would_be_too_large_is_refused_before_anything_is_written(
    earned: list[int], room: int
) -> None:
    book = Bench(0).book
    book.wallets[FIRST].posted = 2**62 - room
    book.wallets[FIRST].lots[0] = Lot(0, 2**62, ledger.AT_ONCE, ledger.NEVER, None, 2**62 - room)
    for number, amount in enumerate(earned):
        before = snapshot(book)
        entry = ledger.Entry(FIRST, "t", str(number), "earn", (ledger.Move(ISSUED, FIRST, amount),))
        _, (outcome,) = decide(book, [entry], [number])
        if before.wallets[FIRST].posted + amount > 2**62:
            assert isinstance(outcome, ledger.Refusal)
            assert outcome.code == "overflow"
            assert book == before
        else:
            assert book.wallets[FIRST].posted == before.wallets[FIRST].posted + amount
        assert book.wallets[FIRST].posted < 2**63 - 1
