"""What a customer will read, shown to who writes it: composed as it is when it leaves."""

from collections.abc import Mapping

from loyalty.messages.gateways import gateways
from loyalty.messages.rules import Message, Template, Unsendable, compose


def show(
    words: Mapping[str, str],
    channel: str,
    language: str,
    filling: Mapping[str, str],
    *,
    is_marketing: bool,
) -> Message | None:
    """Return the message that these words make; None where they make none that could leave.

    It is that of nobody: the contact is empty, and the link to refuse leads to the house.
    """
    here = gateways()
    template = Template(
        version_id=0,
        code="",
        version=0,
        class_="marketing" if is_marketing else "service",
        purpose="",
        contents={channel: {language: words}},
        placeholders={},
        digest=b"",
    )
    try:
        return compose(template, channel, language, filling, "", here.sender, here.base_url)
    except Unsendable:
        return None
