"""Our own files for the pages: addressed by their content, so browsers may keep them for good."""

from functools import cache
from hashlib import sha256
from pathlib import Path

from flask import Blueprint, Response, send_from_directory
from werkzeug.exceptions import NotFound

from loyalty.web.access import Access
from loyalty.web.endpoints import page

blueprint = Blueprint("assets", __name__)

STATIC = Path(__file__).parent / "static"
FOR_GOOD = "public, max-age=31536000, immutable"
SHORTLY = "public, max-age=300"


def address_of(name: str) -> str:
    """Return the address of a file, which changes with its content. Raises on unknown names."""
    return f"/assets/{digest_of(name)}/{name}"


@cache
def digest_of(name: str) -> str:
    """Return a short digest of a file's content."""
    return sha256((STATIC / name).read_bytes()).hexdigest()[:16]


@page(
    blueprint,
    "GET",
    "/assets/{digest}/{name}",
    access=Access.public(),
    summary=("页面所用的文件", "A file that the pages use"),
)
def get_asset(digest: str, name: str) -> Response:
    """Serve one of our files; under another digest than its own for a short while only."""
    if name not in {path.name for path in STATIC.iterdir()}:
        raise NotFound
    response = send_from_directory(STATIC, name)
    response.headers["Cache-Control"] = FOR_GOOD if digest == digest_of(name) else SHORTLY
    return response
