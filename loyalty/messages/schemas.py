"""Templates and stops as JSON."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from loyalty.messages import placeholders
from loyalty.messages.rules import CHANNELS, CLASSES, LANGUAGES
from loyalty.web.fields import Code, Reference, Text

MOST_PLACEHOLDERS = 20


class TemplateNameSchema(Schema):
    """The same in Chinese and in English."""

    zh = Text(60, required=True)
    en = Text(60, required=True)


class TemplateWordsSchema(Schema):
    """What is said on one channel in one language; text messages have no subject."""

    subject = Text(120)
    body = Text(20_000, lines=True, required=True)


class NewTemplateSchema(Schema):
    """A version of a template. Class and purpose hold for all its versions.

    `contents` has words by channel and language; `placeholders` say what stands in each place.
    """

    code = Code(required=True)
    class_ = fields.String(data_key="class", required=True, validate=validate.OneOf(CLASSES))
    purpose = Reference(required=True)
    name = fields.Nested(TemplateNameSchema, required=True)
    contents = fields.Dict(
        keys=fields.String(validate=validate.OneOf(CHANNELS)),
        values=fields.Dict(
            keys=fields.String(validate=validate.OneOf(LANGUAGES)),
            values=fields.Nested(TemplateWordsSchema),
            validate=validate.Length(1, len(LANGUAGES)),
        ),
        required=True,
        validate=validate.Length(1, len(CHANNELS)),
    )
    placeholders = fields.Dict(
        keys=Code(),
        values=fields.String(validate=validate.OneOf(placeholders.KINDS)),
        load_default=dict,
        validate=validate.Length(0, MOST_PLACEHOLDERS),
    )

    @validates_schema
    def _check(self, content: dict[str, Any], **_: Any) -> None:
        for name, kind in content.get("placeholders", {}).items():
            if (name in placeholders.PERSON) != (kind == "person"):
                raise ValidationError({"placeholders": {name: ["characters"]}})


class NewStopSchema(Schema):
    """What is stopped: all (`name` empty), a channel, or a release by its number."""

    scope = fields.String(required=True, validate=validate.OneOf(("all", "channel", "release")))
    name = Reference(load_default="")
    reason = Code(required=True)


class StopSchema(Schema):
    """What was stopped."""

    scope = fields.String(required=True)
    name = fields.String(required=True)
    state = fields.String(required=True)
