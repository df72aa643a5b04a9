"""What the forms of this slice's pages take."""

from marshmallow import Schema, fields, validate

from loyalty.web.fields import Reference


class CodeForm(Schema):
    """The customer's number at the bank and a one-time code."""

    reference = Reference(required=True)
    code = fields.String(required=True, validate=validate.Length(1, 20))
    next = fields.String(load_default="", validate=validate.Length(max=2000))


class HandOverForm(Schema):
    """What the bank signed."""

    assertion = fields.String(required=True, validate=validate.Length(1, 4000))
