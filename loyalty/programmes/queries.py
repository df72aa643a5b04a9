"""Finding programmes. Their rows never change, so each process reads a programme once."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

import ledger
from loyalty.programmes.wording import WHICH
from loyalty.web import NotFound, Refused


@dataclass(frozen=True, slots=True)
class Programme:
    """A programme with the house accounts of its two units.

    `currency` has two minor digits; `zone` is where its days begin and end.
    """

    id: int
    code: str
    name_zh: str
    name_en: str
    zone_name: str
    currency: str
    points_unit_id: int
    status_unit_id: int
    inactivity_months: int | None
    debt_limit: int
    points: ledger.House
    status: ledger.House

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which the programme's days begin and end."""
        return ZoneInfo(self.zone_name)


FIND = text("""
SELECT id, code, name_zh, name_en, zone, currency, points_unit_id, status_unit_id,
    inactivity_months, debt_limit
FROM loyalty.programmes WHERE CAST(:code AS text) IS NULL OR code = :code ORDER BY id
""")


SEEN_WITHIN = 5.0

IN_QUERY: Mapping[str, str] = {"parameter": "programme"}
IN_BODY: Mapping[str, str] = {"pointer": "/programme"}

_found: WeakKeyDictionary[Engine, dict[str, Programme]] = WeakKeyDictionary()
_codes: WeakKeyDictionary[Engine, tuple[float, list[str]]] = WeakKeyDictionary()


def find_programme(session: Session, code: str) -> Programme:
    """Return the programme with this code. Raises `NotFound`."""
    found = _found.setdefault(session.get_bind().engine, {})
    if code not in found:
        found.update({programme.code: programme for programme in read_programmes(session, code)})
    if code not in found:
        raise NotFound
    return found[code]


def only_programme(session: Session) -> Programme | None:
    """Return the programme where there is just one, else None.

    A second one that is opened counts here within `SEEN_WITHIN` seconds.
    """
    engine = session.get_bind().engine
    read_at, codes = _codes.get(engine, (0.0, []))
    if not codes or time.monotonic() - read_at > SEEN_WITHIN:
        codes = list(session.scalars(text("SELECT code FROM loyalty.programmes LIMIT 2")))
        _codes[engine] = (time.monotonic(), codes)
    return find_programme(session, codes[0]) if len(codes) == 1 else None


def choose_programme(
    session: Session, code: str | None, place: Mapping[str, str] = IN_QUERY
) -> Programme:
    """Return the programme with this code, or without one the only one there is.

    Raises `NotFound`, or `Refused` with `programme-needed` where there are several; `place` says
    where a request names it (`IN_QUERY` or `IN_BODY`).
    """
    if code is not None:
        return find_programme(session, code)
    only = only_programme(session)
    if only is None:
        fault = {**place, "code": "required", "detail": WHICH}
        raise Refused("programme-needed", errors=[fault])
    return only


def list_programmes(session: Session) -> list[Programme]:
    """Return all programmes, in the order in which they were opened."""
    return read_programmes(session, None)


def read_programmes(session: Session, code: str | None) -> list[Programme]:
    """Return the programme with this code, or all, as the database has them now."""
    rows = session.execute(FIND, {"code": code}).all()
    return [
        Programme(
            row.id,
            row.code,
            row.name_zh,
            row.name_en,
            row.zone,
            row.currency,
            row.points_unit_id,
            row.status_unit_id,
            row.inactivity_months,
            row.debt_limit,
            points=ledger.house(session, row.points_unit_id),
            status=ledger.house(session, row.status_unit_id),
        )
        for row in rows
    ]
