"""Messages: nothing leaves the house but through the gate, and each decision can be asked why."""

from loyalty.messages import wording as wording
from loyalty.messages.deciding import Dispatched, dispatch
from loyalty.messages.gate import RISKIEST, SEPARATELY, decide
from loyalty.messages.gateways import base_url, own_hosts
from loyalty.messages.inbox import Received, read_inbox
from loyalty.messages.registered import newest_templates
from loyalty.messages.registration import NewTemplate, check_template, register_template
from loyalty.messages.releasing import NewRelease, Terms, release, resume, stop, stops_in_force
from loyalty.messages.requesting import Answer, Asked, NewRequest, ask
from loyalty.messages.rules import Message, Template
from loyalty.messages.showing import show

__all__ = [
    "RISKIEST",
    "SEPARATELY",
    "Answer",
    "Asked",
    "Dispatched",
    "Message",
    "NewRelease",
    "NewRequest",
    "NewTemplate",
    "Received",
    "Template",
    "Terms",
    "ask",
    "base_url",
    "check_template",
    "decide",
    "dispatch",
    "newest_templates",
    "own_hosts",
    "read_inbox",
    "register_template",
    "release",
    "resume",
    "show",
    "stop",
    "stops_in_force",
]
