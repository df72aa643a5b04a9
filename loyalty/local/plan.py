"""What `make run` runs: the steps before, the services, and the words at the end."""

import sys
from dataclasses import dataclass

from loyalty.local.roles import SENDER, WEB, WORKER


@dataclass(frozen=True)
class Program:
    """One command, what to call it in messages, and which login of the database it gets."""

    name: str
    command: tuple[str, ...]
    login: str = WORKER


@dataclass(frozen=True)
class Plan:
    """Steps run one after the other; then services run together; `welcome` once all answer."""

    steps: tuple[Program, ...]
    services: tuple[Program, ...]
    welcome: Program


def _loyalty(*words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "loyalty", *words)


PLAN = Plan(
    steps=(
        Program("keys", _loyalty("keys", "create", "--if-missing")),
        Program("sealing key", _loyalty("proof", "create-key")),
        Program("migrate", _loyalty("migrate")),
        Program("policy", _loyalty("policy", "install")),
        Program("demo", _loyalty("demo", "load")),
        Program("campaign", _loyalty("campaigns", "sample")),
    ),
    services=(
        Program(
            "web",
            (sys.executable, "-m", "gunicorn", "-c", "loyalty/web/gunicorn.py", "wsgi:app"),
            WEB,
        ),
        Program("worker", _loyalty("worker")),
        Program("relay", _loyalty("relay")),
        Program("sender", _loyalty("sender"), SENDER),
    ),
    welcome=Program("welcome", _loyalty("demo", "welcome")),
)
