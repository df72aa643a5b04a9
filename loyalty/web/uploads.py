"""Uploads: a request's body written to a file as it arrives, never held as a whole."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from flask import request
from werkzeug.exceptions import UnsupportedMediaType

OCTETS = "application/octet-stream"
PIECE = 64 * 1024


@contextmanager
def received(limit: int) -> Iterator[Path]:
    """Yield the path of a file that holds the request's body; it is deleted afterwards.

    The file's name is ours, and its kind is for the view to find out. Raises werkzeug's 415 on
    another media type than octets and 413 on more than `limit` bytes.
    """
    if request.mimetype != OCTETS:
        raise UnsupportedMediaType
    request.max_content_length = limit
    with NamedTemporaryFile(prefix="quanyi-upload-") as file:
        while piece := request.stream.read(PIECE):
            file.write(piece)
        file.flush()
        yield Path(file.name)
