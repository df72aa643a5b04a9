"""Texts of campaigns as fields: they show all that they hold, and are never markup."""

import re
import unicodedata
from typing import Any

from marshmallow import Schema, ValidationError

from loyalty.web.fields import Text

_MARKUP = re.compile(r"<\s*/?\s*[A-Za-z!?]|&(?:#\d+|#x[0-9A-Fa-f]+|[A-Za-z]{2,20});")
_ADDRESS = re.compile(r"https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[!-~]*)?")
_HIDDEN = ("Cf", "Co", "Cn", "Zl", "Zp")
_LONGEST = 5_000


class Plain(Text):
    """A text without markup and without characters that hide or turn others round.

    Whoever approves it sees everything that is in it, and no reader's screen runs it.
    """

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if _MARKUP.search(text):
            raise ValidationError("markup")
        if any(unicodedata.category(character) in _HIDDEN for character in text):
            raise ValidationError("characters")
        return text


class Address(Plain):
    """An https address, as a browser would open it."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not _ADDRESS.fullmatch(text):
            raise ValidationError("address")
        return text


class CampaignNamesSchema(Schema):
    """What something is called, in both languages."""

    zh = Plain(60, required=True)
    en = Plain(60, required=True)


class CampaignTextsSchema(Schema):
    """The same words in both languages."""

    zh = Plain(1_000, lines=True, required=True)
    en = Plain(2_000, lines=True, required=True)


class CampaignWordsSchema(Schema):
    """What a message says in one language; a subject where the channel has one."""

    subject = Plain(100)
    body = Plain(_LONGEST, lines=True, required=True)
