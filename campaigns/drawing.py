"""Holding a draw: tickets for those who take part, the promised seed, winners, and their prizes.

Two people agree to it once its published time has come. Then a run writes the tickets, draws in
one step, and gives the prizes; each of its chunks finds what the one before it left.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

import ledger
from campaigns import draws, giving
from campaigns.queries import Campaign, Launch, find_launch, read_campaign, read_launch
from campaigns.rules import CONTROL, prize_cost
from loyalty import coupons, outbox, programmes, proposals
from loyalty.coupons import NotIssued, Order
from loyalty.programmes import Member, Programme
from loyalty.proposals import Kind, Proposal, Seat
from loyalty.web import Bilingual, Caller, NotFound, Refused, ids
from loyalty.web.keyfiles import read_secret

RUN = "campaigns.draw"
AT_ONCE = 2_000
TICKET_BYTES = 16

_HOLDERS = text("""
SELECT m.customer_id FROM campaigns.members m JOIN loyalty.customers c ON c.id = m.customer_id
WHERE m.launch_id = :launch AND m.customer_id > :after AND m.arm <> :control
    AND c.state = 'active' AND (:entry = 'audience' OR EXISTS (
        SELECT FROM loyalty.purchases p
        WHERE p.customer_id = m.customer_id AND p.programme_id = :programme
            AND p.purchased_at >= CAST(:since AS timestamptz)
            AND p.purchased_at < CAST(:until AS timestamptz)))
ORDER BY m.customer_id LIMIT :limit
""")
_ISSUE = text("""
INSERT INTO campaigns.tickets (launch_id, customer_id, ticket)
SELECT :launch, * FROM unnest(CAST(:customers AS bigint[]), CAST(:tickets AS text[]))
""")
_TICKETS = text("SELECT ticket FROM campaigns.tickets WHERE launch_id = :launch")
_HOLD = text("""
INSERT INTO campaigns.draws (launch_id, seed, tickets, tickets_digest, drawn_by)
VALUES (:launch, :seed, :tickets, :digest, :by)
""")
_WIN = text("""
INSERT INTO campaigns.winners (launch_id, ticket, place, prize)
SELECT :launch, * FROM unnest(CAST(:tickets AS text[]), CAST(:places AS integer[]),
    CAST(:prizes AS smallint[]))
""")
_WINNERS = text("""
SELECT w.ticket, w.place, w.prize, t.customer_id
FROM campaigns.winners w JOIN campaigns.tickets t USING (launch_id, ticket)
WHERE w.launch_id = :launch AND w.place > :after ORDER BY w.place LIMIT :limit
""")
_GIVEN = text("""
INSERT INTO campaigns.gifts (launch_id, ticket, gift, refusal)
SELECT :launch, * FROM unnest(CAST(:tickets AS text[]), CAST(:gifts AS text[]),
    CAST(:refusals AS text[]))
""")
_DUE = text("""
SELECT CAST(n.notice ->> 'drawn_at' AS timestamptz) <= clock_timestamp() AS is_due,
    EXISTS (SELECT FROM loyalty.runs r WHERE r.kind = 'campaigns.draw'
        AND r.arguments ->> 'launch' = CAST(n.launch_id AS text)) AS is_held
FROM campaigns.prize_notices n WHERE n.launch_id = :launch
""")


@dataclass(frozen=True, slots=True)
class Step:
    """What one chunk did, and where the next one begins."""

    done: int
    failed: int
    cursor: dict[str, Any]
    is_over: bool = False


def seed_of(launch_id: int) -> bytes:
    """Return the seed of a launch's draw: made from a key outside the database."""
    return hmac.digest(read_secret("draws"), f"launch:{launch_id}".encode(), sha256)


def ticket_of(launch_id: int, customer_id: int) -> str:
    """Return a customer's ticket: nobody without the key can tell whose it is."""
    name = f"ticket:{launch_id}:{customer_id}".encode()
    return hmac.digest(read_secret("tickets"), name, sha256)[:TICKET_BYTES].hex()


def propose_draw(session: Session, caller: Caller, campaign_id: int, launch_id: int) -> Proposal:
    """Propose to hold the draw of a campaign's launch; consumer protection or compliance agrees.

    Raises `Refused` with `campaign-not-launched` or `draw-not-due`.
    """
    launch = find_launch(session, campaign_id)
    if launch is None or launch.id != launch_id:
        raise Refused("campaign-not-launched")
    _refuse_early(session, launch.id)
    content = {"launch": ids.encode("lch", launch.id)}
    return proposals.propose(session, caller, DRAW, "campaign", campaign_id, content)


def _refuse_early(session: Session, launch_id: int) -> None:
    row = session.execute(_DUE, {"launch": launch_id}).one_or_none()
    if row is None or not row.is_due or row.is_held:
        raise Refused("draw-not-due")


def _look(session: Session, _: str, content: Mapping[str, Any]) -> Any:
    row = session.execute(_DUE, {"launch": ids.decode("lch", content["launch"])}).one()
    return {"is_held": row.is_held}


def _apply(session: Session, caller: Caller, proposal: Proposal) -> dict[str, Any]:
    launch_id = ids.decode("lch", proposal.content["launch"])
    _refuse_early(session, launch_id)
    arguments = {"launch": launch_id, "by": proposal.proposed_by}
    outbox.start_run(session, RUN, arguments, created_by=caller.id)
    return {"launch": proposal.content["launch"]}


def advance(session: Session, launch_id: int, by: int, cursor: Mapping[str, Any] | None) -> Step:
    """Do the next part of a draw: some tickets, or the draw itself, or some prizes."""
    launch = read_launch(session, launch_id)
    campaign = read_campaign(session, launch.campaign_id, launch.version)
    programme = programmes.find_programme(session, campaign.programme)
    at = cursor or {"part": "tickets", "after": 0}
    if at["part"] == "tickets":
        return _issue_tickets(session, programme, campaign, launch, at["after"])
    if at["part"] == "draw":
        return _draw(session, campaign, launch, by)
    return _give_prizes(session, programme, campaign, launch, at["after"])


def _issue_tickets(
    session: Session, programme: Programme, campaign: Campaign, launch: Launch, after: int
) -> Step:
    schedule = campaign.document["schedule"]
    holders = session.scalars(
        _HOLDERS,
        {
            "launch": launch.id,
            "after": after,
            "control": CONTROL,
            "entry": campaign.document["draw"]["entry"],
            "programme": programme.id,
            "since": schedule["starts_at"],
            "until": schedule["ends_at"],
            "limit": AT_ONCE,
        },
    ).all()
    tickets = [ticket_of(launch.id, holder) for holder in holders]
    session.execute(_ISSUE, {"launch": launch.id, "customers": list(holders), "tickets": tickets})
    if len(holders) < AT_ONCE:
        return Step(len(holders), 0, {"part": "draw"})
    return Step(len(holders), 0, {"part": "tickets", "after": holders[-1]})


def _draw(session: Session, campaign: Campaign, launch: Launch, by: int) -> Step:
    """Draw from all tickets at once: from the commit on nothing about it can change."""
    tickets = session.scalars(_TICKETS, {"launch": launch.id}).all()
    seed = seed_of(launch.id)
    prizes = campaign.document["draw"]["prizes"]
    kinds = [draws.Prize(str(place), prize["count"]) for place, prize in enumerate(prizes)]
    won = draws.draw(seed, tickets, kinds)
    held = {
        "launch": launch.id,
        "seed": seed,
        "tickets": len(tickets),
        "digest": draws.digest_tickets(tickets),
        "by": by,
    }
    session.execute(_HOLD, held)
    session.execute(
        _WIN,
        {
            "launch": launch.id,
            "tickets": [one.ticket for one in won],
            "places": list(range(1, len(won) + 1)),
            "prizes": [int(one.prize) for one in won],
        },
    )
    return Step(0, 0, {"part": "prizes", "after": 0})


def _give_prizes(
    session: Session, programme: Programme, campaign: Campaign, launch: Launch, after: int
) -> Step:
    asked = {"launch": launch.id, "after": after, "limit": AT_ONCE}
    winners = session.execute(_WINNERS, asked).all()
    given = dict(_give(session, programme, campaign, launch, winners))
    failed = sum(isinstance(one, NotIssued) for one in given.values())
    session.execute(
        _GIVEN,
        {
            "launch": launch.id,
            "tickets": list(given),
            "gifts": [None if isinstance(one, NotIssued) else one for one in given.values()],
            "refusals": [
                one.code if isinstance(one, NotIssued) else None for one in given.values()
            ],
        },
    )
    last = winners[-1].place if winners else after
    cursor = {"part": "prizes", "after": last}
    return Step(len(given) - failed, failed, cursor, is_over=len(winners) < AT_ONCE)


def _give(
    session: Session,
    programme: Programme,
    campaign: Campaign,
    launch: Launch,
    winners: Sequence[Row[Any]],
) -> Iterator[tuple[str, str | NotIssued]]:
    """Yield by ticket what was given; of prizes that are handed over there is nothing to yield."""
    for place, prize in enumerate(campaign.document["draw"]["prizes"]):
        mine = [winner for winner in winners if winner.prize == place]
        gives = prize.get("gives") or {}
        if "coupon" in gives:
            yield from _give_coupons(session, programme, launch, prize, mine)
        elif "points" in gives:
            yield from _give_points(session, programme, launch, prize, mine)


def _give_coupons(
    session: Session, programme: Programme, launch: Launch, prize: Any, winners: Sequence[Row[Any]]
) -> Iterator[tuple[str, str | NotIssued]]:
    series = coupons.find_series(session, programme, prize["gives"]["coupon"]["series"])
    orders = {
        Order(f"{launch.id}:prize:{one.ticket}", one.customer_id): one.ticket for one in winners
    }
    budget, worth = launch.means["prizes"], prize_cost(prize)
    given = giving.give_coupons(session, programme, launch, budget, series, list(orders), worth)
    for order, one in given.items():
        gift = one if isinstance(one, NotIssued) else ids.encode("cpn", one.coupon_id)
        yield orders[order], gift


def _give_points(
    session: Session, programme: Programme, launch: Launch, prize: Any, winners: Sequence[Row[Any]]
) -> Iterator[tuple[str, str | NotIssued]]:
    members = programmes.find_members(session, programme, [one.customer_id for one in winners])
    budget, points = launch.means["prizes"], prize["gives"]["points"]
    wallets = [members[one.customer_id].points_wallet for one in winners]
    giving.lock_budget(session, budget, *wallets)
    giving.use_budget(session, launch, budget, {f"prize:{one.ticket}": points for one in winners})
    entries = [
        _prize_entry(programme, launch, members[one.customer_id], one.ticket, points)
        for one in winners
    ]
    for one, outcome in zip(winners, ledger.post(session, entries), strict=True):
        if isinstance(outcome, ledger.Refusal):
            yield one.ticket, NotIssued(outcome.code)
        else:
            yield one.ticket, f"{points} points"


def _prize_entry(
    programme: Programme, launch: Launch, member: Member, ticket: str, points: int
) -> ledger.Entry:
    return ledger.Entry(
        member.points_wallet,
        giving.SOURCE,
        f"prize:{launch.id}:{ticket}",
        "earn",
        (ledger.Move(programme.points.issued, member.points_wallet, points),),
        cause={"campaign": ids.encode("cmp", launch.campaign_id), "prize": ticket},
    )


DRAW = proposals.register(
    Kind(
        name="campaign.draw",
        title=Bilingual("开奖", "Hold a prize draw"),
        makers=frozenset({"marketing_maker"}),
        seats=(Seat.of("consumer-protection", "consumer_protection", "compliance"),),
        apply=_apply,
        look=_look,
    )
)


@dataclass(frozen=True, slots=True)
class Notice:
    """What everybody may read of a draw; its last five are None until it was held."""

    launch_id: int
    names: dict[str, str]
    starts_at: str
    ends_at: str
    notice: dict[str, Any]
    digest: bytes
    commitment: str
    published_at: datetime
    seed: bytes | None
    tickets: int | None
    tickets_digest: str | None
    drawn_at: datetime | None


_NOTICE = text("""
SELECT n.launch_id, v.document -> 'names' AS names,
    v.document #>> '{schedule,starts_at}' AS starts_at,
    v.document #>> '{schedule,ends_at}' AS ends_at, n.notice, n.digest, n.commitment,
    n.published_at, d.seed, d.tickets, d.tickets_digest, d.drawn_at
FROM campaigns.prize_notices n JOIN campaigns.launches l ON l.id = n.launch_id
JOIN campaigns.versions v ON v.campaign_id = l.campaign_id AND v.version = l.version
LEFT JOIN campaigns.draws d ON d.launch_id = n.launch_id
WHERE n.launch_id = :launch
""")
_LINES = text("""
SELECT t.ticket, w.prize, w.place FROM campaigns.tickets t
JOIN campaigns.draws d ON d.launch_id = t.launch_id
LEFT JOIN campaigns.winners w ON w.launch_id = t.launch_id AND w.ticket = t.ticket
WHERE t.launch_id = :launch AND t.ticket > :after ORDER BY t.ticket LIMIT :limit
""")
_OWN = text("""
SELECT t.launch_id, t.ticket, w.prize, g.gift FROM campaigns.tickets t
LEFT JOIN campaigns.winners w ON w.launch_id = t.launch_id AND w.ticket = t.ticket
LEFT JOIN campaigns.gifts g ON g.launch_id = t.launch_id AND g.ticket = t.ticket
WHERE t.customer_id = :customer ORDER BY t.launch_id DESC LIMIT 100
""")


def read_notice(session: Session, launch_id: int) -> Notice:
    """Return what is published of a launch's draw. Raises `NotFound`."""
    row = session.execute(_NOTICE, {"launch": launch_id}).one_or_none()
    if row is None:
        raise NotFound
    return Notice(*row)


def list_tickets(session: Session, launch_id: int, after: str, limit: int) -> Sequence[Row[Any]]:
    """Return up to `limit` tickets behind `after` of a draw that was held, with what they won."""
    return session.execute(_LINES, {"launch": launch_id, "after": after, "limit": limit}).all()


def list_own(session: Session, customer_id: int) -> Sequence[Row[Any]]:
    """Return a customer's newest tickets, with what they won."""
    return session.execute(_OWN, {"customer": customer_id}).all()
