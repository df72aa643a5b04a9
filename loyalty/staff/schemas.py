"""The token endpoint's form and answer."""

from marshmallow import Schema, fields

from loyalty.web.fields import Whole


class TokenForm(Schema):
    """A client credentials request, as `application/x-www-form-urlencoded`."""

    grant_type = fields.String(required=True, metadata={"enum": ["client_credentials"]})
    scope = fields.String(metadata={"description": "space-separated; all of the client's without"})
    client_id = fields.String(metadata={"examples": ["cli_0000000000001"]})
    client_secret = fields.String()
    client_assertion_type = fields.String()
    client_assertion = fields.String()


class TokenAnswer(Schema):
    """An access token, alive for `expires_in` seconds."""

    access_token = fields.String(required=True)
    token_type = fields.String(required=True, metadata={"enum": ["Bearer"]})
    expires_in = Whole(1, 600, required=True)
    scope = fields.String(required=True)


class TokenRefusal(Schema):
    """Why there is no token, in the words of RFC 6749, section 5.2."""

    error = fields.String(required=True)
