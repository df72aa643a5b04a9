"""Guessing codes: counted in the database, so that it is bounded while Redis is away as well.

A long code has 84 random bits. With a thousand million coupons about, the caps leave whoever
guesses day and night on all partners' accounts one hit in more than a hundred million years.
"""

from sqlalchemy import text
from sqlalchemy.orm import Session

from loyalty.database import fetch
from loyalty.web import Refused

A_PARTNER = 100  # unknown codes a minute: a till that reads badly stays far below
EVERYBODY = 1_000
_KEPT = "1 hour"

READ = """
SELECT coalesce(sum(guesses), 0) AS everybody,
    coalesce(sum(guesses) FILTER (WHERE partner_id = %(partner)s), 0) AS theirs
FROM loyalty.coupon_guesses WHERE minute = date_trunc('minute', clock_timestamp())
"""
COUNT = text("""
INSERT INTO loyalty.coupon_guesses AS g (minute, partner_id, guesses)
VALUES (date_trunc('minute', clock_timestamp()), :partner, :guesses)
ON CONFLICT (minute, partner_id) DO UPDATE SET guesses = g.guesses + excluded.guesses
RETURNING guesses
""")
FORGET = text(f"""
DELETE FROM loyalty.coupon_guesses WHERE minute < clock_timestamp() - interval '{_KEPT}'
""")  # noqa: S608


def refuse_guessers(session: Session, partner_id: int) -> None:
    """Return where few unknown codes were asked about. Raises `Refused`: `too-many-requests`."""
    (found,) = fetch(session, READ, {"partner": partner_id})
    if found.theirs >= A_PARTNER or found.everybody >= EVERYBODY:
        raise Refused("too-many-requests", headers={"Retry-After": "60"})


def count_guesses(session: Session, partner_id: int, guesses: int) -> bool:
    """Count unknown codes of a partner's; return whether they just reached the cap."""
    if not guesses:
        return False
    asked = {"partner": partner_id, "guesses": guesses}
    total: int = session.execute(COUNT, asked).scalar_one()
    return total - guesses < A_PARTNER <= total


def forget_guesses(session: Session) -> None:
    """Delete the counts of minutes long past."""
    session.execute(FORGET)
