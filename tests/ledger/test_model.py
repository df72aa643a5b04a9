"""The ledger in PostgreSQL: whatever is posted in whatever order, alone or together, sent once or
again, it does what the naive model does, and every invariant holds after every step."""

import copy
import os
import secrets
from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

import ledger
from loyalty.database import transaction
from tests.ledger.builders import LATER, PAST, SOON, scalar
from tests.ledger.invariants import check_ledger
from tests.ledger.model import EXPIRED, FREE, HELD, Model
from tests.servers import Database

SEED = int(os.environ.get("QUANYI_SEED") or secrets.randbits(32))
FLOORS = {"cus:1": 0, "cus:2": 0, "cus:3": -40, "cus:4": -1000}

wallets = st.integers(0, len(FLOORS) - 1)
amounts = st.integers(1, 30)
parts = st.none() | amounts
picks = st.integers(0, 60)
lasting = st.builds(
    ledger.Terms,
    available_from=st.sampled_from([ledger.AT_ONCE, ledger.AT_ONCE, ledger.AT_ONCE, SOON]),
    expires_at=st.sampled_from([SOON, LATER, ledger.NEVER, PAST]),
)

# One act as drawn: what to do, to whose wallet, how much, and which of what is there.
Drawn = tuple[str, int, int, int | None, int, ledger.Terms]
KINDS = ["earn", "earn", "redeem", "adjust", "hold", "capture", "release", "reverse", "reverse"]
KINDS += ["expire", "gift", "lapse", "pass"]
drawn = st.tuples(
    st.sampled_from(KINDS),
    wallets,
    amounts,
    parts,
    picks,
    lasting,
)


class LedgerMachine(RuleBasedStateMachine):
    """Steps over one database. Each example opens wallets of its own in it."""

    database: Database
    examples = 0

    @initialize()
    def open(self) -> None:
        LedgerMachine.examples += 1
        mine = [f"{holder}:{LedgerMachine.examples}" for holder in FLOORS]
        with transaction() as session:
            unit = ledger.open_unit(session, "test.points", "points")
            self.house = ledger.house(session, unit)
            self.accounts = [
                ledger.open_wallets(session, unit, [holder], floor=floor)[holder]
                for holder, floor in zip(mine, FLOORS.values(), strict=True)
            ]
        house = [self.house.issued, self.house.redeemed, self.house.expired]
        house += [self.house.adjusted, self.house.clearing]
        floors = dict(zip(self.accounts, FLOORS.values(), strict=True))
        self.model = Model(floors, dict.fromkeys([*self.accounts, *house], unit))
        self.sent: dict[tuple[int, str], tuple[ledger.Entry, ledger.Posted]] = {}
        self.count = 0

    # -- what may be asked -----------------------------------------------------------------------

    @rule(act=drawn)
    def post_one(self, act: Drawn) -> None:
        self.post([self.entry([act])])

    @rule(home=wallets, acts=st.lists(drawn, min_size=2, max_size=4))
    def post_several_acts(self, home: int, acts: list[Drawn]) -> None:
        self.post([self.entry(acts, home=self.accounts[home])])

    @rule(acts=st.lists(drawn, min_size=2, max_size=8), again=picks, other=st.booleans())
    def post_batch(self, acts: list[Drawn], again: int, other: bool) -> None:
        entries = [self.entry([act]) for act in acts]
        entries.insert(1, replace(entries[0], kind="other" if other else entries[0].kind))
        self.post([*entries, *self.earlier(again, other)])

    @rule(again=picks, other=st.booleans())
    def post_again(self, again: int, other: bool) -> None:
        self.post(self.earlier(again, other))

    @rule(wallet=wallets, amount=amounts, spent=amounts)
    def let_a_lot_lapse(self, wallet: int, amount: int, spent: int) -> None:
        until = self.soon()
        account = self.accounts[wallet]
        terms = ledger.Terms(expires_at=until)
        self.post([self.make(account, ledger.Move(self.house.issued, account, amount, terms))])
        self.post([self.make(account, ledger.Move(account, self.house.redeemed, spent))])
        self.wait_until(until)

    @rule(wallet=wallets, amount=amounts)
    def let_a_hold_lapse(self, wallet: int, amount: int) -> None:
        until = self.soon()
        account = self.accounts[wallet]
        self.post([self.make(account, ledger.Hold(account, amount, until))])
        self.wait_until(until)

    # -- how it is asked and compared ------------------------------------------------------------

    def soon(self) -> datetime:
        return self.now() + timedelta(milliseconds=150)

    def now(self) -> datetime:
        with transaction() as session:
            instant: datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
        return instant

    def wait_until(self, instant: datetime) -> None:
        with transaction() as session:
            scalar(session, "SELECT pg_sleep_until(:instant)", instant=instant)

    def make(self, account: int, *acts: ledger.Act) -> ledger.Entry:
        self.count += 1
        return ledger.Entry(account, "test", str(self.count), "act", acts)

    def entry(self, acts: list[Drawn], home: int | None = None) -> ledger.Entry:
        made = [act for each in acts for act in self.acts(*each)]
        return self.make(home or self.accounts[acts[0][1]], *made)

    def acts(
        self, kind: str, wallet: int, amount: int, part: int | None, pick: int, terms: ledger.Terms
    ) -> list[ledger.Act]:
        account, house = self.accounts[wallet], self.house
        other = self.accounts[(wallet + 1) % len(self.accounts)]
        position = choose(list(self.model.logs[account].moved), pick)
        hold = choose(list(self.model.logs[account].holds), pick)
        made: dict[str, list[ledger.Act]] = {
            "earn": [ledger.Move(house.issued, account, amount, terms)],
            "redeem": [ledger.Move(account, house.redeemed, amount)],
            "adjust": [ledger.Move(account, house.adjusted, amount)],
            "hold": [ledger.Hold(account, amount, SOON)],
            "capture": [ledger.Capture(account, hold, house.redeemed, amount)],
            "release": [ledger.Release(account, hold, part)],
            "reverse": [ledger.Reverse(account, position, part, terms, house.expired)],
            "expire": [ledger.Expire(account, house.expired)],
            "lapse": [ledger.Lapse(account)],
            "gift": [
                ledger.Move(account, house.clearing, amount),
                ledger.Move(house.clearing, other, amount),
            ],
            "pass": [ledger.Move(house.issued, house.adjusted, amount)],
        }
        return made[kind]

    def earlier(self, pick: int, other: bool) -> list[ledger.Entry]:
        """Return an entry that was written before, or with its key but asking for `other`."""
        if not self.sent:
            return []
        entry, _ = [*self.sent.values()][pick % len(self.sent)]
        return [replace(entry, kind="other" if other else entry.kind)]

    def post(self, entries: list[ledger.Entry]) -> None:
        asked_at = self.now()
        with transaction() as session:
            outcomes = ledger.post(session, entries)
        times = (asked_at, self.now())
        for entry, outcome in zip(entries, outcomes, strict=True):
            self.compare_outcome(entry, outcome, times)
        self.compare_wallets()
        check_ledger(self.database)

    def compare_outcome(
        self, entry: ledger.Entry, outcome: ledger.Outcome, times: tuple[datetime, datetime]
    ) -> None:
        key = (entry.account, entry.reference)
        if key in self.sent:
            first, answer = self.sent[key]
            if first.kind != entry.kind:
                assert isinstance(outcome, ledger.Refusal)
                assert outcome.code == "reference-reused"
            else:
                assert outcome == replace(answer, replayed=True)
            return
        if isinstance(outcome, ledger.Refusal):
            # A refusal does not say when it was decided: a lot may have lapsed meanwhile.
            assert outcome.code in [copy.deepcopy(self.model).post(entry, 0, at) for at in times]
            return
        assert self.model.post(entry, outcome.entry_id, outcome.recorded_at) is None
        self.sent[key] = (entry, outcome)

    def compare_wallets(self) -> None:
        with transaction() as session:
            balances = ledger.read_balances(session, self.accounts)
            lots = session.execute(
                text(
                    "SELECT account_id, position, remaining, held, expired FROM ledger.lots"
                    " WHERE account_id = ANY(:accounts)"
                ),
                {"accounts": self.accounts},
            ).all()
        for account, log in self.model.logs.items():
            left, held = log.count(FREE, HELD), log.count(HELD)
            mine = [row for row in lots if row.account_id == account]
            assert {row.position: row.remaining for row in mine if row.remaining} == left
            assert {row.position: row.held for row in mine if row.held} == held
            expired = log.count(EXPIRED)
            assert {row.position: row.expired for row in mine if row.expired} == expired
            balance = balances[account]
            assert balance.posted == log.posted()
            assert balance.debt == log.debt
            assert balance.available == log.available(balance.at)


def choose(there: list[int], pick: int) -> int:
    """Return one of what is there, the latest for 0; rarely, or where nothing is, none of it."""
    return there[-1 - pick % len(there)] if there and pick < 60 else 10_000_000


def test_the_ledger_in_the_database_does_what_the_naive_model_does(database: Database) -> None:
    LedgerMachine.database = database
    LedgerMachine.examples = 0
    print(f"to see this run again: QUANYI_SEED={SEED}")
    run_state_machine_as_test(
        seed(SEED)(LedgerMachine),
        settings=settings(
            max_examples=6,
            stateful_step_count=25,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
