"""What runs in the background: functions register here by name, and nothing else ever runs."""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

import loyalty
from loyalty.outbox.rules import Every

Ids = dict[str, Any]
"""Ids by name: integers, prefixed ids, instants, booleans, or lists of these; never people."""

LEASE = timedelta(seconds=30)
CHUNK_LEASE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Event:
    """One delivery of one thing that happened. `id` is the same at every attempt."""

    id: int
    topic: str
    aggregate: str
    aggregate_seq: int
    payload: Ids
    created_at: datetime
    attempts: int
    lease_token: UUID


@dataclass(frozen=True, slots=True)
class Run:
    """One long run as its next chunk finds it; `cursor` is what the last chunk left."""

    id: int
    kind: str
    arguments: Ids
    cursor: Ids | None
    total: int | None
    done: int
    failed: int
    chunks: int
    created_by: str
    lease_token: UUID


@dataclass(frozen=True, slots=True)
class Progress:
    """What one chunk did, and where the next one starts. `total` is set where it is known."""

    done: int = 0
    failed: int = 0
    cursor: Ids | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Done(Progress):
    """The last chunk: the run is complete."""


@dataclass(frozen=True, slots=True)
class Paused(Progress):
    """The run waits for a person, who resumes it."""


Subscriber = Callable[[Session, Event], None]
Job = Callable[[Event], None]
Work = Callable[[Session, Run], Progress]

_Subscriber = TypeVar("_Subscriber", bound=Subscriber)
_Job = TypeVar("_Job", bound=Job)
_Work = TypeVar("_Work", bound=Work)


@dataclass(frozen=True, slots=True)
class Consumer:
    """Who wants a topic: either in the delivery's transaction, or outside of any."""

    name: str
    inside: Subscriber | None
    outside: Job | None
    lease: timedelta


@dataclass(frozen=True, slots=True)
class Worker:
    """The function that does one chunk of a kind of run, and how long a chunk may take."""

    function: Work
    lease: timedelta


class AlreadyRegistered(Exception):
    """Two functions claim one name; the message says which."""


_consumers: dict[str, list[Consumer]] = {}
_workers: dict[str, Worker] = {}
_schedules: dict[str, Every] = {}


def subscriber(topic: str) -> Callable[[_Subscriber], _Subscriber]:
    """Register `(session, event) -> None`: its effect in PostgreSQL happens exactly once.

    The runner opens the transaction, deduplicates by event and consumer, and commits.
    """

    def register(function: _Subscriber) -> _Subscriber:
        _add_consumer(topic, Consumer(_name(function), function, None, LEASE))
        return function

    return register


def job(
    name: str, *, every: Every | None = None, lease: timedelta = LEASE
) -> Callable[[_Job], _Job]:
    """Register `(event) -> None` for effects outside PostgreSQL or under another role.

    It runs at least once and opens its own transactions; send with `event.id` so that the
    receiver can tell a repetition. After `lease` another worker may start it again.
    """

    def register(function: _Job) -> _Job:
        _add_consumer(name, Consumer(_name(function), None, function, lease))
        if every is not None:
            _add_schedule(name, every)
        return function

    return register


def scheduled(name: str, *, every: Every) -> Callable[[_Subscriber], _Subscriber]:
    """Register a subscriber that runs once per period, however many schedulers there are.

    `event.payload["period"]` is the period's start. Periods missed while everything was down
    are not made up one by one: the latest runs once.
    """

    def register(function: _Subscriber) -> _Subscriber:
        _add_schedule(name, every)
        return subscriber(name)(function)

    return register


def work(kind: str, *, lease: timedelta = CHUNK_LEASE) -> Callable[[_Work], _Work]:
    """Register `(session, run) -> Progress | Done | Paused`, which does one chunk of a run.

    Each chunk is one transaction, opened and committed by the runner. A chunk that outlives
    `lease` may be started by another worker; then the late one is rolled back.
    """

    def register(function: _Work) -> _Work:
        if kind in _workers:
            raise AlreadyRegistered(f"two functions do the work {kind!r}")
        _workers[kind] = Worker(function, lease)
        return function

    return register


def consumers(topic: str) -> list[Consumer]:
    """Return who wants `topic`, in the order of registration."""
    return _consumers.get(topic, [])


def topics() -> list[str]:
    """Return the topics that somebody wants."""
    return list(_consumers)


def worker(kind: str) -> Worker | None:
    """Return what does runs of `kind`, or None where nobody does."""
    return _workers.get(kind)


def kinds() -> list[str]:
    """Return the kinds of runs that somebody does."""
    return list(_workers)


def schedules() -> dict[str, Every]:
    """Return when each scheduled name is due."""
    return dict(_schedules)


def load() -> None:
    """Import every module named `jobs` below the packages, which registers what they hold."""
    campaigns = importlib.import_module("campaigns")
    for package in (loyalty, campaigns):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.rsplit(".", 1)[1] == "jobs":
                importlib.import_module(module.name)


def _add_consumer(topic: str, consumer: Consumer) -> None:
    wanting = _consumers.setdefault(topic, [])
    if any(other.name == consumer.name for other in wanting):
        raise AlreadyRegistered(f"{consumer.name} wants the topic {topic!r} twice")
    wanting.append(consumer)


def _add_schedule(name: str, every: Every) -> None:
    if name in _schedules:
        raise AlreadyRegistered(f"two schedules are named {name!r}")
    _schedules[name] = every


def _name(function: Callable[..., None]) -> str:
    return f"{function.__module__}.{function.__qualname__}"
