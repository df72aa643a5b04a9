"""What the forms of this slice's pages take."""

from marshmallow import Schema, fields, validate

from loyalty.web.fields import Text


def _secret(longest: int) -> fields.String:
    return fields.String(required=True, validate=validate.Length(1, longest))


class SignInForm(Schema):
    """Name, password and code; `next` is where the person wanted to go."""

    login = Text(100, required=True)
    password = _secret(200)
    code = _secret(10)
    next = fields.String(load_default="", validate=validate.Length(max=2000))


class InvitationForm(Schema):
    """A new password, twice, and a code that shows that the authenticator is set up."""

    password = _secret(200)
    repeated = _secret(200)
    code = _secret(10)
