"""Expiry: what has lapsed leaves the wallets, a chunk of wallets at a time, each once."""

from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

import ledger
from loyalty.programmes import Programme

SOURCE = "expiry"

INACTIVE = text("""
SELECT m.points_wallet_id AS wallet, max(e.recorded_at) AS last_at
FROM loyalty.memberships m
JOIN ledger.wallets w ON w.account_id = m.points_wallet_id
JOIN ledger.entries e ON e.account_id = m.points_wallet_id AND e.kind IN ('earn', 'redeem')
WHERE m.programme_id = :programme AND m.points_wallet_id > :after AND w.posted > 0
GROUP BY m.points_wallet_id
HAVING max(e.recorded_at) <= now() - make_interval(months => :months)
ORDER BY m.points_wallet_id LIMIT :limit
""")


def expire_points(
    session: Session, house: ledger.House, *, run: str, after: int = 0, limit: int = 500
) -> tuple[int, int, int]:
    """Move what has lapsed out of up to `limit` wallets of a unit, in id order, beyond `after`.

    `run` names the sweep: a wallet is swept once in it. Returns the last wallet (0: none were
    left), how many wallets were swept and how many points lapsed.
    """
    wallets = ledger.find_expired(session, house.unit_id, after=after, limit=limit)
    entries = [
        ledger.Entry(
            account=wallet,
            source=SOURCE,
            reference=run,
            kind="expire",
            acts=(ledger.Expire(wallet, house.expired),),
            cause={"reason": "lapsed"},
        )
        for wallet in wallets
    ]
    swept = [
        outcome
        for outcome in ledger.post(session, entries)
        if isinstance(outcome, ledger.Posted) and not outcome.replayed
    ]
    points = sum(line.amount for outcome in swept for line in outcome.lines)
    return (wallets[-1] if wallets else 0), len(swept), points


def release_lapsed_holds(session: Session, unit_id: int, *, limit: int = 500) -> int:
    """Release up to `limit` holds that have lapsed, and return how many there were."""
    holds = ledger.find_lapsed_holds(session, unit_id, limit=limit)
    ledger.post(
        session,
        [
            ledger.Entry(
                account=wallet,
                source="lapse",
                reference=str(hold),
                kind="lapse",
                acts=(ledger.Lapse(wallet),),
                cause={"hold": hold},
            )
            for wallet, hold in holds
        ],
    )
    return len(holds)


def expire_inactive(
    session: Session, programme: Programme, *, after: int = 0, limit: int = 500
) -> tuple[int, int]:
    """Take the usable points of members who neither earned nor redeemed for too long.

    Does nothing in a programme without `inactivity_months`. Returns the last wallet (0: none
    were left) and how many points lapsed.
    """
    if programme.inactivity_months is None:
        return 0, 0
    rows = session.execute(
        INACTIVE,
        {
            "programme": programme.id,
            "months": programme.inactivity_months,
            "after": after,
            "limit": limit,
        },
    ).all()
    last_at = {row.wallet: row.last_at for row in rows}
    balances = ledger.read_balances(session, list(last_at))
    entries = [
        _lapse_all(programme, wallet, last_at[wallet], balance.available)
        for wallet, balance in sorted(balances.items())
        if balance.available
    ]
    posted = [o for o in ledger.post(session, entries) if isinstance(o, ledger.Posted)]
    points = sum(line.amount for outcome in posted for line in outcome.lines)
    return (rows[-1].wallet if rows else 0), points


def _lapse_all(programme: Programme, wallet: int, last_at: datetime, amount: int) -> ledger.Entry:
    until = last_at + timedelta(days=1)
    return ledger.Entry(
        account=wallet,
        source="inactivity",
        reference=until.date().isoformat(),
        kind="expire",
        acts=(ledger.Move(wallet, programme.points.expired, amount),),
        cause={"reason": "inactivity", "months": programme.inactivity_months},
    )
