"""Campaigns: versions nobody changes, previews that add up, approvals bound to hashes, launches."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
    event,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from campaigns.rules import TYPES
from ledger.base import APPEND_ONLY, PROJECTION, Base

SCHEMA = "campaigns"
Instant = DateTime(timezone=True)
NOW = func.clock_timestamp()
STAFF = "loyalty.staff.id"
OUTCOMES = ("sendable", "control", "deferred", "excluded")
STATES = ("draft", "approved", "running", "stopped", "ended")


def one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    """Return the check that a column holds one of these words."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


class CampaignRow(Base):
    """A campaign by its code. `salt` divides its audience: no other campaign divides it so."""

    __tablename__ = "campaigns"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        UniqueConstraint("programme_id", "code"),
        one_of("type", TYPES),
        CheckConstraint("length(salt) = 16", name="salt"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    programme_id: Mapped[int] = mapped_column(SmallInteger, ForeignKey("loyalty.programmes.id"))
    code: Mapped[str] = mapped_column(Text)
    type: Mapped[str] = mapped_column(Text)
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    opened_by: Mapped[int] = mapped_column(ForeignKey(STAFF))
    opened_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW)


class VersionRow(Base):
    """What a campaign was at one save. `document` has the disclosures that were put in."""

    __tablename__ = "versions"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        CheckConstraint("version > 0", name="version"),
        UniqueConstraint("campaign_id", "version", "digest"),
        {"schema": SCHEMA},
    )

    campaign_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.campaigns.id"), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    document: Mapped[dict[str, Any]] = mapped_column(JSONB)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    findings: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    pack: Mapped[str] = mapped_column(Text)
    saved_by: Mapped[int] = mapped_column(ForeignKey(STAFF))
    saved_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW)


class CampaignState(Base):
    """Where a campaign stands, and its newest version: the row that writers lock."""

    __tablename__ = "states"
    __kind__ = PROJECTION
    __table_args__ = (one_of("state", STATES), {"schema": SCHEMA})

    campaign_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.campaigns.id"), primary_key=True)
    version: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(Text)


class PreviewRow(Base):
    """A dry run of the gate over a version's audience, as of one instant."""

    __tablename__ = "previews"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        ForeignKeyConstraint(
            ["campaign_id", "version", "digest"],
            [f"{SCHEMA}.versions.{name}" for name in ("campaign_id", "version", "digest")],
        ),
        UniqueConstraint("id", "campaign_id", "version", "digest"),
        Index(None, "campaign_id", "id"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    campaign_id: Mapped[int] = mapped_column(BigInteger)
    version: Mapped[int] = mapped_column(Integer)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    pack: Mapped[str] = mapped_column(Text)
    as_of: Mapped[datetime] = mapped_column(Instant)
    asked_by: Mapped[int | None] = mapped_column(ForeignKey(STAFF))
    asked_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW)


class PreviewMember(Base):
    """What the gate would say of one customer: where several rules fire, the first and all.

    No foreign keys: a million look-ups for rows that were read from those tables in the same
    statement. Staff without the right to see persons see only how many there are.
    """

    __tablename__ = "preview_members"
    __kind__ = APPEND_ONLY
    __table_args__ = (one_of("outcome", OUTCOMES), {"schema": SCHEMA})

    preview_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    customer_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    outcome: Mapped[str] = mapped_column(Text)
    arm: Mapped[str] = mapped_column(Text)
    channel: Mapped[str] = mapped_column(Text)
    primary_rule: Mapped[str | None] = mapped_column(Text)
    rules: Mapped[list[str]] = mapped_column(ARRAY(Text))


class PreviewTotal(Base):
    """What a preview comes to. It adds up, or the database does not take it."""

    __tablename__ = "preview_totals"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        CheckConstraint(
            "total = sendable + control + deferred + campaigns.add_up(excluded)", name="adds_up"
        ),
        CheckConstraint("least(total, sendable, control, deferred) >= 0", name="counts"),
        {"schema": SCHEMA},
    )

    preview_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.previews.id"), primary_key=True)
    total: Mapped[int] = mapped_column(BigInteger)
    sendable: Mapped[int] = mapped_column(BigInteger)
    control: Mapped[int] = mapped_column(BigInteger)
    deferred: Mapped[int] = mapped_column(BigInteger)
    excluded: Mapped[dict[str, int]] = mapped_column(JSONB)
    fired: Mapped[dict[str, int]] = mapped_column(JSONB)
    arms: Mapped[dict[str, int]] = mapped_column(JSONB)
    finished_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW)


event.listen(
    PreviewTotal.__table__,
    "before_create",
    DDL(  # type: ignore[no-untyped-call]
        """
CREATE FUNCTION campaigns.add_up(counts jsonb) RETURNS bigint
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog
    AS 'SELECT coalesce(sum(value::bigint), 0)::bigint FROM jsonb_each_text(counts)'
"""
    ),
)  # a check cannot sum by itself


class ApprovalRow(Base):
    """A version that every seat agreed to, with its preview and policy pack, for thirty days."""

    __tablename__ = "approvals"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        UniqueConstraint("proposal_id"),
        UniqueConstraint("id", "campaign_id", "version", "digest"),
        ForeignKeyConstraint(
            ["preview_id", "campaign_id", "version", "digest"],
            [f"{SCHEMA}.previews.{name}" for name in ("id", "campaign_id", "version", "digest")],
        ),
        CheckConstraint("expires_at > approved_at", name="expires_at"),
        Index(None, "campaign_id", "id"),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    campaign_id: Mapped[int] = mapped_column(BigInteger)
    version: Mapped[int] = mapped_column(Integer)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    bundle: Mapped[bytes] = mapped_column(LargeBinary)
    preview_id: Mapped[int] = mapped_column(BigInteger)
    proposal_id: Mapped[int] = mapped_column(ForeignKey("loyalty.proposals.id"))
    pack: Mapped[str] = mapped_column(Text)
    approved_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)


class LaunchRow(Base):
    """A version that was let go: exactly what was approved, by the key, in time, by the check."""

    __tablename__ = "launches"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        UniqueConstraint("campaign_id"),
        ForeignKeyConstraint(
            ["approval_id", "campaign_id", "version", "digest"],
            [f"{SCHEMA}.approvals.{name}" for name in ("id", "campaign_id", "version", "digest")],
        ),
        ForeignKeyConstraint(
            ["preview_id", "campaign_id", "version", "digest"],
            [f"{SCHEMA}.previews.{name}" for name in ("id", "campaign_id", "version", "digest")],
        ),
        {"schema": SCHEMA},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    campaign_id: Mapped[int] = mapped_column(BigInteger)
    version: Mapped[int] = mapped_column(Integer)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    approval_id: Mapped[int] = mapped_column(BigInteger)
    preview_id: Mapped[int] = mapped_column(BigInteger)
    means: Mapped[dict[str, Any]] = mapped_column(JSONB)
    launched_by: Mapped[int] = mapped_column(ForeignKey(STAFF))
    launched_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW)


class Advertisement(Base):
    """The archive that the Advertising Law asks for: what was said, and who had reviewed it."""

    __tablename__ = "advertisements"
    __kind__ = APPEND_ONLY
    __data_class__ = "C0"
    __table_args__ = ({"schema": SCHEMA},)

    launch_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.launches.id"), primary_key=True)
    arm: Mapped[str] = mapped_column(Text, primary_key=True)
    channel: Mapped[str] = mapped_column(Text, primary_key=True)
    language: Mapped[str] = mapped_column(Text, primary_key=True)
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    review: Mapped[str] = mapped_column(Text)
    kept_until: Mapped[datetime] = mapped_column(Instant)
    registered_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW)


class MemberRow(Base):
    """Who was in the audience at the launch, in which arm: the control group too, once and all.

    `refusal` says why a member got no offer: there was no more of it, or no more budget.
    No foreign key on the customer, for the reason that `PreviewMember` gives.
    """

    __tablename__ = "members"
    __kind__ = APPEND_ONLY
    __table_args__ = (Index(None, "customer_id", "launch_id"), {"schema": SCHEMA})

    launch_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.launches.id"), primary_key=True)
    customer_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    arm: Mapped[str] = mapped_column(Text)
    channel: Mapped[str] = mapped_column(Text)
    refusal: Mapped[str | None] = mapped_column(Text)
    enrolled_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW)


class StopRow(Base):
    """An emergency stop, by one person, or the restart that two agreed on. The last counts."""

    __tablename__ = "stops"
    __kind__ = APPEND_ONLY
    __table_args__ = (one_of("act", ("stop", "resume")), {"schema": SCHEMA})

    campaign_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.campaigns.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    act: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text, info={"data_class": "C2"})
    done_by: Mapped[int] = mapped_column(ForeignKey(STAFF))
    at: Mapped[datetime] = mapped_column(Instant, server_default=NOW)


class ProductFacts(Base):
    """What a message may state of a product, as its contract says. A fix is another version."""

    __tablename__ = "product_facts"
    __kind__ = APPEND_ONLY
    __data_class__ = "C0"
    __table_args__ = (CheckConstraint("version > 0", name="version"), {"schema": SCHEMA})

    code: Mapped[str] = mapped_column(Text, primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    proposal_id: Mapped[int] = mapped_column(ForeignKey("loyalty.proposals.id"))
    effective_from: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW)


class PrizeNotice(Base):
    """What was published of a prize draw before it began, with the hash of its seed."""

    __tablename__ = "prize_notices"
    __kind__ = APPEND_ONLY
    __data_class__ = "C0"
    __table_args__ = ({"schema": SCHEMA},)

    launch_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.launches.id"), primary_key=True)
    notice: Mapped[dict[str, Any]] = mapped_column(JSONB)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    commitment: Mapped[str] = mapped_column(Text)
    published_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW)


class Ticket(Base):
    """A customer's entry in a draw, under a name that tells nobody else who it is."""

    __tablename__ = "tickets"
    __kind__ = APPEND_ONLY
    __table_args__ = (UniqueConstraint("launch_id", "ticket"), {"schema": SCHEMA})

    launch_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.launches.id"), primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("loyalty.customers.id"), primary_key=True)
    ticket: Mapped[str] = mapped_column(Text)


class DrawRow(Base):
    """A draw as it was held: the seed that was promised before, and the hash of the tickets."""

    __tablename__ = "draws"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        CheckConstraint("length(seed) = 32", name="seed"),
        {"schema": SCHEMA},
    )

    launch_id: Mapped[int] = mapped_column(
        ForeignKey(f"{SCHEMA}.prize_notices.launch_id"), primary_key=True
    )
    seed: Mapped[bytes] = mapped_column(LargeBinary)
    tickets: Mapped[int] = mapped_column(BigInteger)
    tickets_digest: Mapped[str] = mapped_column(Text)
    drawn_by: Mapped[int] = mapped_column(ForeignKey(STAFF))
    drawn_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW)


class WinnerRow(Base):
    """A ticket that won, in the order of the ranks; `prize` is the place in the notice's list."""

    __tablename__ = "winners"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        UniqueConstraint("launch_id", "place"),
        ForeignKeyConstraint(
            ["launch_id", "ticket"],
            [f"{SCHEMA}.tickets.launch_id", f"{SCHEMA}.tickets.ticket"],
            name="fk_winners_launch_id_ticket",
        ),
        {"schema": SCHEMA},
    )

    launch_id: Mapped[int] = mapped_column(
        ForeignKey(f"{SCHEMA}.draws.launch_id"), primary_key=True
    )
    ticket: Mapped[str] = mapped_column(Text, primary_key=True)
    place: Mapped[int] = mapped_column(Integer)
    prize: Mapped[int] = mapped_column(SmallInteger)


class GiftRow(Base):
    """What a winning ticket was given, or why not; a prize that is handed over has no row here."""

    __tablename__ = "gifts"
    __kind__ = APPEND_ONLY
    __table_args__ = (
        ForeignKeyConstraint(
            ["launch_id", "ticket"],
            [f"{SCHEMA}.winners.launch_id", f"{SCHEMA}.winners.ticket"],
        ),
        CheckConstraint("num_nonnulls(gift, refusal) = 1", name="gift"),
        {"schema": SCHEMA},
    )

    launch_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    ticket: Mapped[str] = mapped_column(Text, primary_key=True)
    gift: Mapped[str | None] = mapped_column(Text)
    refusal: Mapped[str | None] = mapped_column(Text)
    given_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW)


class ClickRow(Base):
    """Somebody followed the link of a campaign: who, only where they agreed to be looked at.

    Of who is named the first time counts; of the others, each.
    """

    __tablename__ = "clicks"
    __kind__ = APPEND_ONLY
    __table_args__ = (UniqueConstraint("launch_id", "customer_id"), {"schema": SCHEMA})

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    launch_id: Mapped[int] = mapped_column(ForeignKey(f"{SCHEMA}.launches.id"))
    arm: Mapped[str] = mapped_column(Text)
    customer_id: Mapped[int | None] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(Instant, server_default=NOW)
