"""The token endpoint, and the check that every bearer token goes through."""

from typing import Any

import orjson
from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import UnsupportedMediaType

from loyalty.database import transaction
from loyalty.staff import oauth, tokens
from loyalty.staff.schemas import TokenAnswer, TokenForm, TokenRefusal
from loyalty.web import Access, page
from loyalty.web.bearer import Verified

blueprint = Blueprint("staff", __name__)

PATH = "/v1/oauth/token"
FORM_TYPE = "application/x-www-form-urlencoded"


@page(
    blueprint,
    "POST",
    PATH,
    access=Access.public(),
    form=TokenForm,
    answer=TokenAnswer,
    refusals={400: TokenRefusal, 401: TokenRefusal},
    media_type="application/json",
    summary=("用客户端凭据换取访问令牌", "Get an access token with client credentials"),
    not_idempotent="every call makes a new token, and the proof is checked each time",
)
def post_token() -> Response:
    """Answer a token, or OAuth's own refusal: clients are OAuth libraries."""
    if request.mimetype != FORM_TYPE:
        raise UnsupportedMediaType
    try:
        if request.query_string or any(len(values) > 1 for _, values in request.form.lists()):
            raise oauth.OAuthRefused("invalid_request")
        issuer = current_app.config["ISSUER"]
        with transaction() as session:
            issued = oauth.grant(
                session,
                request.form.to_dict(),
                request.headers.get("Authorization"),
                audiences=frozenset({issuer, issuer + PATH}),
                request_id=request.environ["quanyi.request_id"],
            )
    except oauth.OAuthRefused as refusal:
        return _refuse(refusal.error)
    return _answer(
        200,
        {
            "access_token": issued.token,
            "token_type": "Bearer",
            "expires_in": issued.expires_in,
            "scope": " ".join(issued.scopes),
        },
    )


def verify_token(token: str) -> Verified:
    """Return who `token` stands for now; raises `Refused` with `unauthenticated`."""
    with transaction() as session:
        return tokens.verify_token(session, token)


def _refuse(error: str) -> Response:
    response = _answer(401 if error == "invalid_client" else 400, {"error": error})
    if error == "invalid_client":
        response.headers["WWW-Authenticate"] = 'Basic realm="quanyi", charset="UTF-8"'
    return response


def _answer(status: int, content: dict[str, Any]) -> Response:
    response = Response(orjson.dumps(content), status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response
