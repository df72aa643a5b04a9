"""Judging facts by rules: every rule answers, and the first that fires is the primary reason."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from loyalty.policy.facts import Facts

if TYPE_CHECKING:
    from loyalty.policy.packs import Pack, RuleText


class Outcome(StrEnum):
    """What a rule says. UNANSWERED: a fact that it needs is not there, so it counts as firing."""

    PASSES = "passes"
    FIRES = "fires"
    NOT_APPLICABLE = "n/a"
    UNANSWERED = "unanswered"


class Verdict(StrEnum):
    """What may be done. DEFER: later."""

    ALLOW = "ALLOW"
    DENY = "DENY"
    DEFER = "DEFER"


class About(StrEnum):
    """What a rule's answer depends on: nothing of one person, or on who receives."""

    MESSAGE = "message"
    RECIPIENT = "recipient"


Detail = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """That a rule fires; `detail` fills in its text and says where, `spans` in which text."""

    detail: Detail = field(default_factory=dict)


Answer = Finding | bool | None
"""A finding or True: it fires. False: it passes. None: not applicable."""
Check = Callable[[Facts, Mapping[str, Any]], Answer]


@dataclass(frozen=True, slots=True)
class Result:
    """What one rule said."""

    rule: str
    outcome: Outcome
    detail: Detail = field(default_factory=dict)

    @property
    def fires(self) -> bool:
        """Whether the rule stands in the way, by what it found or because it could not look."""
        return self.outcome is Outcome.FIRES or self.outcome is Outcome.UNANSWERED


@dataclass(frozen=True, slots=True)
class Judgement:
    """What all rules of a stage said. `primary` is the first that stands in the way."""

    pack: str
    results: tuple[Result, ...]
    verdict: Verdict
    primary: Result | None
    warnings: tuple[Result, ...] = ()

    @property
    def firing(self) -> tuple[str, ...]:
        """The ids of all rules that fire, in the gate's order."""
        return tuple(result.rule for result in self.results if result.fires)


@dataclass(frozen=True, slots=True)
class _Known:
    check: Check
    about: About


_CHECKS: dict[str, _Known] = {}
PASSED, NOT_ASKED = Outcome.PASSES, Outcome.NOT_APPLICABLE


def rule(name: str, about: About = About.MESSAGE) -> Callable[[Check], Check]:
    """Register a function as what decides the rule called `name`. Raises `ValueError` if taken."""

    def keep(check: Check) -> Check:
        if _CHECKS.setdefault(name, _Known(check, about)).check is not check:
            raise ValueError(f"the rule {name} is taken")
        return check

    return keep


def decided_by_software() -> dict[str, About]:
    """Return the rules that have a function, with what they are about."""
    return {name: known.about for name, known in _CHECKS.items()}


def is_about_recipient(rule: str) -> bool:
    """Return whether what a rule says depends on who receives."""
    return _CHECKS[rule].about == About.RECIPIENT


def judge(pack: "Pack", when: str, facts: Facts, about: About | None = None) -> Judgement:
    """Return what every enforced rule of a stage says of the facts, in the gate's order.

    With `about` only the rules about that; `join` puts both halves together, so that what holds
    for a whole campaign is judged once. A warning never stands in the way.
    """
    results = []
    for text in pack.enforced(when):
        known = _CHECKS[text.id]
        if about is None or known.about == about:
            results.append(_ask(text, known.check, facts))
    return _conclude(pack, results)


def join(pack: "Pack", *parts: Judgement) -> Judgement:
    """Return one judgement of several of the same stage."""
    results = [result for part in parts for result in part.results]
    results.sort(key=lambda result: pack.place(result.rule))
    return _conclude(pack, results)


def _ask(text: "RuleText", check: Check, facts: Facts) -> Result:
    try:
        answer = check(facts, text.parameters)
    except LookupError as missing:
        return Result(text.id, Outcome.UNANSWERED, {"missing": str(missing.args[0])})
    if answer is None:
        return _plain(text.id, NOT_ASKED)
    if answer is False:
        return _plain(text.id, PASSED)
    return Result(text.id, Outcome.FIRES, answer.detail if isinstance(answer, Finding) else {})


@cache
def _plain(rule: str, outcome: Outcome) -> Result:
    """Return a result without detail, made once: most are such, thousands a second."""
    return Result(rule, outcome)


def _conclude(pack: "Pack", results: Iterable[Result]) -> Judgement:
    results = tuple(results)
    firing = [result for result in results if result.fires]
    blocking = [result for result in firing if not pack.is_warning(result.rule)]
    warnings = tuple(result for result in firing if pack.is_warning(result.rule))
    if not blocking:
        return Judgement(pack.version, results, Verdict.ALLOW, None, warnings)
    denying = [result for result in blocking if not pack.defers(result)]
    verdict = Verdict.DENY if denying else Verdict.DEFER
    return Judgement(pack.version, results, verdict, (denying or blocking)[0], warnings)
