"""Cookies of the pages: their names and flags, as strict as the address allows."""

from ipaddress import ip_address

from flask import current_app, request
from werkzeug.wrappers import Response

from loyalty.web.errors import Refused

VISITOR = "visitor"


def is_https() -> bool:
    """Return whether this installation is reached by https."""
    return str(current_app.config["ISSUER"]).startswith("https:")


def name_of(kind: str) -> str:
    """Return the cookie's name; with https browsers refuse it from any other host or by http."""
    return f"__Host-quanyi-{kind}" if is_https() else f"quanyi-{kind}"


def read(kind: str) -> str:
    """Return the value that the browser sent, or nothing."""
    value = request.cookies.get(name_of(kind), "")
    return value if len(value) <= 100 else ""


def give(response: Response, kind: str, value: str) -> None:
    """Set a cookie that scripts cannot read and other sites cannot send; gone with the browser."""
    response.set_cookie(
        name_of(kind), value, path="/", secure=is_https(), httponly=True, samesite="Lax"
    )


def take_back(response: Response, kind: str) -> None:
    """Delete a cookie."""
    response.delete_cookie(
        name_of(kind), path="/", secure=is_https(), httponly=True, samesite="Lax"
    )


def refuse_in_clear() -> None:
    """Raise `Refused` with `insecure-connection` where a password would cross a network in clear.

    Without https only this machine itself is safe.
    """
    if not is_https() and not _is_loopback(request.host.rsplit(":", 1)[0].strip("[]")):
        raise Refused("insecure-connection")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
