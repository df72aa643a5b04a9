"""What a schema found wrong, as a list of pointers with a code and words in both languages."""

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import Schema, ValidationError
from werkzeug.datastructures import MultiDict

from loyalty.web.errors import Refused

# Codes of our own fields, and the fixed sentences of marshmallow's, each with its words.
MESSAGES: dict[str, tuple[str, str, str]] = {
    "integer": ("integer", "必须是整数", "must be a JSON integer"),
    "range": ("range", "超出允许的范围", "is out of range"),
    "money": ("money", "请填写金额，例如 128 或 128.50", "must be an amount such as 128 or 128.50"),
    "boolean": ("boolean", "必须是 true 或 false", "must be true or false"),
    "instant": (
        "instant",
        "必须是带时区偏移的 RFC 3339 时刻",
        "must be an RFC 3339 instant with an offset",
    ),
    "opening_hours": (
        "opening_hours",
        "不是合规的营业时间",
        'must be pairs of times in order, such as ["09:00", "21:30"]',
    ),
    "day": ("day", "必须是形如 2026-01-31 的日期", "must be a day such as 2026-01-31"),
    "text": ("text", "必须是文本", "must be a text"),
    "length": ("length", "长度不符", "is too short or too long"),
    "characters": ("characters", "含有不允许的字符", "has characters that are not allowed"),
    "code": (
        "code",
        "须以小写字母开头,只含小写字母、数字、- 和 _",
        "takes lower-case letters, digits, - and _, a letter first",
    ),
    "public_id": ("public_id", "不是合格的编号", "is not an id of this kind"),
    "past": ("past", "已经过去", "lies in the past"),
    "before_start": ("before_start", "必须晚于开始时间", "must come after the beginning"),
    "percent_only": (
        "percent_only",
        "只有比例券须给出",
        "is for percentages, and needed there",
    ),
    "amount_only": ("amount_only", "只有满减券可以分次使用", "is for amounts off alone"),
    "bound_only": ("bound_only", "只有绑定客户的券可以用短码", "is for bound coupons alone"),
    "end_needed": ("end_needed", "须给出截止时间或天数", "needs an end, or days"),
    "hour": ("hour", "必须是形如 09:30 的时刻", "must be a time of day such as 09:30"),
    "one_of": ("one_of", "须且只须给出其中之一", "takes one of the two, not both"),
    "repeated": ("repeated", "参数重复", "stands more than once"),
    "Missing data for required field.": ("required", "缺少此项", "is required"),
    "Unknown field.": ("unknown", "未知的字段", "is not a known field"),
    "Field may not be null.": ("null", "不能为 null", "may not be null"),
    "Invalid input type.": ("object", "必须是对象", "must be an object"),
    "Not a valid list.": ("list", "必须是数组", "must be a list"),
    "Not a valid string.": ("text", "必须是文本", "must be a text"),
    "Not a valid integer.": ("integer", "必须是整数", "must be a JSON integer"),
    "Not a valid boolean.": ("boolean", "必须是 true 或 false", "must be true or false"),
    "Not a valid mapping type.": ("object", "必须是对象", "must be an object"),
}
_BEGINNINGS: tuple[tuple[str, tuple[str, str, str]], ...] = (
    ("Must be one of", ("choice", "不在允许的取值之中", "is not one of the allowed values")),
    ("Length must be", ("length", "长度不符", "is too short or too long")),
    ("Shorter than", ("length", "长度不符", "is too short or too long")),
    ("Longer than", ("length", "长度不符", "is too short or too long")),
    ("Must be greater", ("range", "超出允许的范围", "is out of range")),
    ("Must be less", ("range", "超出允许的范围", "is out of range")),
)
MOST_ERRORS = 100


def load_body(schema: Schema, content: Any) -> Any:
    """Return what `schema` makes of a parsed body; raises `Refused` with `invalid-content`."""
    try:
        return schema.load(content)
    except ValidationError as error:
        raise Refused("invalid-content", errors=list_errors(error, "pointer")) from None


def load_query(schema: Schema | None, arguments: MultiDict[str, str]) -> dict[str, Any]:
    """Return what `schema` makes of the query; raises `Refused` with `invalid-query`.

    Each parameter may stand once: whoever reads first and whoever reads last would otherwise
    see different requests. Without a schema every parameter is unknown.
    """
    repeated = [name for name, values in arguments.lists() if len(values) > 1]
    if repeated:
        raise Refused(
            "invalid-query", errors=[_error("parameter", n, "repeated") for n in repeated]
        )
    for name, value in arguments.items():
        if "\0" in name or "\0" in value:
            raise Refused("invalid-query", errors=[_error("parameter", name, "characters")])
    if schema is None:
        unknown = [_error("parameter", name, "Unknown field.") for name in arguments]
        raise Refused("invalid-query", errors=unknown)
    try:
        return dict(schema.load(arguments.to_dict()))
    except ValidationError as error:
        raise Refused("invalid-query", errors=list_errors(error, "parameter")) from None


def list_errors(error: ValidationError, kind: str) -> list[dict[str, Any]]:
    """Return up to `MOST_ERRORS` faults in the shape of `Refused.errors`.

    `kind` is `pointer`, which names each place by a JSON pointer, or `parameter`.
    """
    found = []
    for path, message in _walk(error.messages, ()):
        place = path[0] if kind == "parameter" and path else point_to(path)
        found.append(_error(kind, place, message))
        if len(found) == MOST_ERRORS:
            break
    return found


def _walk(messages: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            # marshmallow files what concerns the whole object under this name.
            step = () if name == "_schema" else (str(name),)
            yield from _walk(inner, path + step)
    elif isinstance(messages, list):
        for inner in messages:
            yield from _walk(inner, path)
    else:
        yield path, str(messages)


def point_to(path: tuple[str, ...]) -> str:
    """Return the JSON pointer (RFC 6901) to the place that these steps lead to."""
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in path)


def _error(kind: str, place: str, message: str) -> dict[str, Any]:
    code, zh, en = _words(message)
    return {kind: place[:200], "code": code, "detail": (zh, en)}


def _words(message: str) -> tuple[str, str, str]:
    known = MESSAGES.get(message)
    if known is not None:
        return known
    for beginning, words in _BEGINNINGS:
        if message.startswith(beginning):
            return words
    return "invalid", message, message
