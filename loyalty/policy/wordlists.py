"""Looking for the words of a pack's lists in all texts of a message."""

from collections.abc import Mapping, Sequence
from typing import Any

from loyalty.policy.facts import Content
from loyalty.policy.judging import Finding


def find_words(
    content: Content, given: Mapping[str, Any], lists: Sequence[str] | None = None
) -> Finding | bool:
    """Return what of the rule's lists stands in the subject (text 0) or the texts, with spans.

    `given` are the rule's parameters: `lexicons` names its lists, `words` holds them.
    """
    spans = [
        {"text": place, "start": hit.start, "end": hit.end, "word": hit.word, "list": name}
        for place, text in enumerate([content["subject"], *content["texts"]])
        for name in (given["lexicons"] if lists is None else lists)
        for hit in given["words"][name].find(text)
    ]
    return Finding({"word": spans[0]["word"], "spans": spans}) if spans else False
