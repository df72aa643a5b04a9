# ruff: noqa: ARG002 - marshmallow hands every field arguments that few of them need
"""Strict fields: what a schema lets in means exactly one thing.

marshmallow's own integer takes `"１２３"`, `"1_000"` and 1.9; these do not. Messages are codes of
`validation.MESSAGES`, which holds the words in both languages.
"""

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, missing

from loyalty.web import ids

GREATEST = 2**53 - 1  # the largest integer that every JSON reader keeps exactly

_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
    r"(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CODE = re.compile(r"[a-z][a-z0-9_-]*")
_DIGITS = re.compile(r"-?(?:0|[1-9][0-9]{0,15})")
_MONEY = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,2}))?")


class Whole(fields.Field[int]):
    """A JSON integer from `minimum` to `maximum`; nothing that merely looks like one."""

    def __init__(self, minimum: int = 0, maximum: int = GREATEST, **options: Any) -> None:
        self.minimum = minimum
        self.maximum = maximum
        metadata = {"minimum": minimum, "maximum": maximum, **options.pop("metadata", {})}
        super().__init__(metadata=metadata, **options)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        if type(value) is not int:  # bool is an int to isinstance
            raise ValidationError("integer")
        if not self.minimum <= value <= self.maximum:
            raise ValidationError("range")
        return value


class Amount(Whole):
    """A positive whole number of points or minor units: 1 … 2^53−1."""

    def __init__(self, **options: Any) -> None:
        super().__init__(minimum=1, maximum=GREATEST, **options)


class QueryWhole(Whole):
    """An integer in a query string: ASCII digits, no sign but a minus, no leading zero."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        if not (isinstance(value, str) and _DIGITS.fullmatch(value)):
            raise ValidationError("integer")
        return super()._deserialize(int(value), attr, data, **kwargs)


class TypedWhole(Whole):
    """An integer as people type it into a form: ASCII digits, perhaps in groups."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        digits = value.strip().replace(",", "").replace(" ", "") if isinstance(value, str) else ""
        if not _DIGITS.fullmatch(digits):
            raise ValidationError("integer")
        return super()._deserialize(int(digits), attr, data, **kwargs)


class TypedMoney(fields.Field[int | None]):
    """Money as people type it, in minor units: digits, perhaps two after a point; empty is None."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int | None:
        typed = unicodedata.normalize("NFKC", value).strip() if isinstance(value, str) else "?"
        if not typed:
            return None
        found = _MONEY.fullmatch(typed.replace(",", "").replace(" ", ""))
        if found is None:
            raise ValidationError("money")
        return int(found[1]) * 100 + int((found[2] or "0").ljust(2, "0"))


class Truth(fields.Field[bool]):
    """`true` or `false`, and no other word, number or text for them."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("boolean")
        return value


class Instant(fields.Field[datetime]):
    """An RFC 3339 instant with an offset; loads as UTC, dumps with `Z`. Years 1900 to 2999."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> datetime:
        if not (isinstance(value, str) and _INSTANT.fullmatch(value)):
            raise ValidationError("instant")
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            raise ValidationError("instant") from None
        if not 1900 <= instant.year <= 2999:
            raise ValidationError("instant")
        return instant.astimezone(UTC)

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else dump_instant(value)


def dump_instant(instant: datetime) -> str:
    """Return `instant` (with an offset) as RFC 3339 in UTC with `Z`."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


class Day(fields.Field[date]):
    """A calendar day, `2026-01-31`. Years 1900 to 2999."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> date:
        if not (isinstance(value, str) and _DAY.fullmatch(value)):
            raise ValidationError("day")
        try:
            day = date.fromisoformat(value)
        except ValueError:
            raise ValidationError("day") from None
        if not 1900 <= day.year <= 2999:
            raise ValidationError("day")
        return day

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else value.isoformat()


class Text(fields.Field[str]):
    """1 to `maximum` characters, kept exactly as sent; no control characters.

    `lines=True` lets line ends and tabs in.
    """

    def __init__(self, maximum: int = 200, *, lines: bool = False, **options: Any) -> None:
        self.maximum = maximum
        self.kept = "\n\t" if lines else ""
        metadata = {"minLength": 1, "maxLength": maximum, **options.pop("metadata", {})}
        super().__init__(metadata=metadata, **options)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError("text")
        if not 1 <= len(value) <= self.maximum:
            raise ValidationError("length")
        if not value.isprintable() and any(self._is_refused(character) for character in value):
            raise ValidationError("characters")
        return value

    def _is_refused(self, character: str) -> bool:
        return unicodedata.category(character) in ("Cc", "Cs") and character not in self.kept


class Reference(Text):
    """Another system's name for something: 1 to 100 printable characters, no outer spaces."""

    def __init__(self, **options: Any) -> None:
        super().__init__(100, **options)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not text.isprintable() or text != text.strip():
            raise ValidationError("characters")
        return text


class Code(Text):
    """A short name of ours for something: lower-case letters, digits, `-` and `_`, up to 60."""

    def __init__(self, **options: Any) -> None:
        metadata = {"pattern": f"^{_CODE.pattern}$", **options.pop("metadata", {})}
        super().__init__(60, metadata=metadata, **options)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not _CODE.fullmatch(text):
            raise ValidationError("code")
        return text


class PublicId(fields.Field[int]):
    """A public id with this prefix in JSON; the row's number inside."""

    def __init__(self, prefix: str, **options: Any) -> None:
        self.prefix = prefix
        pattern = f"^{prefix}_[0-7][{ids.ALPHABET}]{{{ids.WIDTH - 1}}}$"
        metadata = {
            "pattern": pattern,
            "examples": [ids.encode(prefix, 17)],
            **options.pop("metadata", {}),
        }
        super().__init__(metadata=metadata, **options)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        try:
            return ids.decode(self.prefix, value)
        except (ValueError, TypeError, AttributeError):
            raise ValidationError("public_id") from None

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> str | None:
        return ids.encode(self.prefix, value) if isinstance(value, int) else value


class Lines(fields.List[Any]):
    """A list of 1 to `maximum` flat objects of one schema, for the bodies that are long.

    A line that is as it should be is loaded by a short loop over the schema's own fields; any
    other goes through the schema, which says what is wrong. Both come to the same result.
    """

    def __init__(self, schema: type[Schema], maximum: int = 1000, **options: Any) -> None:
        self.maximum = maximum
        self._plan = _plan_lines(schema())
        metadata = {"minItems": 1, "maxItems": maximum, **options.pop("metadata", {})}
        super().__init__(fields.Nested(schema), metadata=metadata, **options)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> list[Any]:
        if not isinstance(value, list):
            raise ValidationError("Not a valid list.")
        if not 1 <= len(value) <= self.maximum:
            raise ValidationError("length")
        lines: list[Any] = []
        errors: dict[int, Any] = {}
        for index, item in enumerate(value):
            line = self._load_quickly(item)
            if line is None:
                try:
                    line = self.inner.deserialize(item)
                except ValidationError as error:
                    errors[index] = error.messages
                    continue
            lines.append(line)
        if errors:
            raise ValidationError(errors)
        return lines

    def _load_quickly(self, item: Any) -> dict[str, Any] | None:
        """Return the line, or None where the schema has to look at it."""
        if type(item) is not dict or self._plan is None:
            return None
        line: dict[str, Any] = {}
        known = 0
        for key, name, required, default, load in self._plan:
            value = item.get(key, missing)
            if value is missing:
                if required:
                    return None
                if default is not missing:
                    line[name] = default
            elif value is None:
                return None
            else:
                known += 1
                try:
                    line[name] = load(value, key, item)
                except ValidationError:
                    return None
        return line if known == len(item) else None


Step = tuple[str, str, bool, Any, Callable[..., Any]]


def _plan_lines(schema: Schema) -> list[Step] | None:
    """Return how to load a line of `schema` in one loop; None where it has steps of its own."""
    own_steps = any(schema._hooks.values())
    plan: list[Step] = []
    for name, field in schema.load_fields.items():
        default = field.load_default
        shared = callable(default) or isinstance(default, list | dict | set)
        if own_steps or field.validators or shared:
            return None
        key = field.data_key if field.data_key is not None else name
        target = field.attribute or name
        plan.append((key, target, field.required, default, field._deserialize))
    return plan
