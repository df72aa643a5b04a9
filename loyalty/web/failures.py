"""What may be written about an exception: its kind and where it rose, never its words.

Messages of exceptions carry values (a statement's parameters, the key that was taken), and
values may be a person's. Frames hold only our own names.
"""

import traceback
from typing import Any

FRAMES = 30


def describe_failure(error: BaseException, frames: int = FRAMES) -> dict[str, Any]:
    """Return the fields that a log line about `error` carries, safe to keep.

    `frames` is how many of the innermost are told: 0 where the kind alone says enough.
    """
    places = traceback.extract_tb(error.__traceback__)[-frames:] if frames else []
    original = getattr(error, "orig", error)
    cause = error.__cause__ or error.__context__
    return {
        "error": type(error).__qualname__,
        "sqlstate": getattr(original, "sqlstate", None),
        "cause": type(cause).__qualname__ if cause is not None else None,
        "frames": [f"{place.filename}:{place.lineno} {place.name}" for place in places],
    }
