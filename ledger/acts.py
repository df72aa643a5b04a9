"""What a caller may ask of the ledger, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)
NEVER = datetime(9999, 12, 31, tzinfo=UTC)
MAX_AMOUNT = 2**53 - 1
MAX_BALANCE = 2**62


@dataclass(frozen=True, slots=True)
class Terms:
    """When a credit becomes usable, when it lapses, and the hash of the terms that say so."""

    available_from: datetime = AT_ONCE
    expires_at: datetime = NEVER
    digest: bytes | None = None


PLAIN = Terms()


@dataclass(frozen=True, slots=True)
class Move:
    """Move `amount` between two accounts of one unit, at most one of them a wallet.

    A credit opens a lot under `terms`; a debit uses the wallet's lots, soonest to expire first.
    """

    from_account: int
    to_account: int
    amount: int
    terms: Terms = PLAIN


@dataclass(frozen=True, slots=True)
class Hold:
    """Reserve `amount` of a wallet until `lapses_at`. The hold's id is that of its entry."""

    account: int
    amount: int
    lapses_at: datetime


@dataclass(frozen=True, slots=True)
class Capture:
    """Move part of a hold to `to_account`; what is not captured stays held."""

    account: int
    hold_id: int
    to_account: int
    amount: int


@dataclass(frozen=True, slots=True)
class Release:
    """Free `amount` of a hold, or (None) all that is left of it."""

    account: int
    hold_id: int
    amount: int | None = None


@dataclass(frozen=True, slots=True)
class Reverse:
    """Undo `amount` (None: all that is left) of the transfer at `position` in the wallet's log.

    A debit undone goes back to the lots it came from, or where those have lapsed to a new lot
    under `grace`. A credit undone is taken from its own lot first, then from the others; what is
    missing becomes a debt if the wallet's floor allows it. What of the credit has lapsed into
    `expired_account` comes back from there and is not taken from the wallet a second time.
    """

    account: int
    position: int
    amount: int | None = None
    grace: Terms = PLAIN
    expired_account: int | None = None


@dataclass(frozen=True, slots=True)
class Expire:
    """Move all that has lapsed and is not held out of a wallet to `to_account`."""

    account: int
    to_account: int


@dataclass(frozen=True, slots=True)
class Lapse:
    """Free what holds that have lapsed still reserve in a wallet."""

    account: int


Act = Move | Hold | Capture | Release | Reverse | Expire | Lapse


@dataclass(frozen=True, slots=True)
class Entry:
    """One business act: its acts are written together or not at all.

    `account` is the home wallet, for which `(source, reference)` is unique for ever.
    `cause` says by reference what it was for (no personal data).
    """

    account: int
    source: str
    reference: str
    kind: str
    acts: tuple[Act, ...]
    effective_at: datetime | None = None
    cause: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One transfer as written: `position` in the log of `account`, its balance afterwards."""

    account: int
    position: int
    from_account: int
    to_account: int
    amount: int
    balance_after: int
    reverses: int | None = None


@dataclass(frozen=True, slots=True)
class Posted:
    """An entry that is in the ledger. `replayed`: it was there before this call."""

    entry_id: int
    lines: tuple[Line, ...]
    recorded_at: datetime
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """An entry that was not written, and why. Its neighbours go on."""

    code: str
    detail: str


Outcome = Posted | Refusal
