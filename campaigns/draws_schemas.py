"""Prize draws as JSON: what everybody may read before and after, and what a customer holds."""

from marshmallow import Schema, fields

from campaigns.fields import CampaignNamesSchema
from loyalty.web.cursors import PageQuery
from loyalty.web.fields import Instant, PublicId


class NewDrawSchema(Schema):
    """Which published draw is to be held: the one that the person has read."""

    launch_id = PublicId("lch", required=True)


class DrawHeldSchema(Schema):
    """A draw as it was held: with the list of tickets anybody can compute the winners from it.

    `tickets_digest` is SHA-256 of `quanyi.tickets/1`, a zero byte, and the tickets in order, each
    with a line end. The rank of a ticket is HMAC-SHA-256 of it under `seed`; the lowest win.
    """

    seed = fields.String(required=True)
    tickets = fields.Integer(required=True)
    tickets_digest = fields.String(required=True)
    drawn_at = Instant(required=True)


class PrizeDrawSchema(Schema):
    """What was published of a draw before it began; `held` once it was.

    `commitment` is SHA-256 of `quanyi.draw/1`, a zero byte, and the seed. `notice` has what the
    law wants, its prizes in the order in which they are drawn.
    """

    launch_id = PublicId("lch", required=True)
    names = fields.Nested(CampaignNamesSchema, required=True)
    starts_at = fields.String(required=True)
    ends_at = fields.String(required=True)
    notice = fields.Dict(required=True)
    digest = fields.String(required=True)
    commitment = fields.String(required=True)
    published_at = Instant(required=True)
    held = fields.Nested(DrawHeldSchema, required=True, allow_none=True)


class TicketsQuery(PageQuery):
    """Which page of tickets."""


class TicketSchema(Schema):
    """A ticket, and what it won: the place of the prize in the notice's list, from 0."""

    ticket = fields.String(required=True)
    prize = fields.Integer(required=True, allow_none=True)
    place = fields.Integer(required=True, allow_none=True)


class TicketsPageSchema(Schema):
    """One page of the tickets of a draw that was held, in their order."""

    items = fields.List(fields.Nested(TicketSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class OwnTicketSchema(Schema):
    """A ticket of one's own, with what it won and what was given for it so far."""

    launch_id = PublicId("lch", required=True)
    ticket = fields.String(required=True)
    prize = fields.Integer(required=True, allow_none=True)
    gift = fields.String(required=True, allow_none=True)


class OwnTicketsSchema(Schema):
    """A customer's newest tickets, at most a hundred."""

    items = fields.List(fields.Nested(OwnTicketSchema), required=True)
