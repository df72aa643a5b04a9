"""Clients that write down what they send before they send it, and what came back after.

An act whose outcome is unknown (the connection broke, or the service said that it could not
answer) is sent again with the same key until its outcome is known. What the files say in the end
is all that a bank could know; the ledger must agree with it.
"""

import http.client
import json
import random
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.http.serving import Answer, Web

PROBLEM = "application/problem+json"
RETRIED = frozenset({429, 503})
TIMEOUT = 20.0  # seconds that an answer may take before its outcome counts as unknown


@dataclass(frozen=True)
class Act:
    """One thing that a bank's system does, under a key of its own."""

    key: str
    kind: str
    path: str
    body: dict[str, Any]

    @property
    def raw(self) -> bytes:
        return json.dumps(self.body).encode()


@dataclass
class Story:
    """All that a client has written down about one act."""

    act: Act
    attempts: int = 0
    lost: list[str] = field(default_factory=list)
    answers: list[tuple[int, str, str]] = field(default_factory=list)
    """Status, media type and body of each answer."""

    @property
    def done(self) -> dict[str, Any] | None:
        """The answer that said that the act is done, or None where it was refused."""
        done = {body for status, _, body in self.answers if status == 201}
        assert len(done) <= 1, f"{self.act.key} was answered in different words: {done}"
        return json.loads(done.pop()) if done else None


class Recorder(threading.Thread):
    """One client. It works until it is told to stop, and then until its last act is known."""

    def __init__(
        self, number: int, web: Web, token: str, folder: Path, customers: Sequence[tuple[str, str]]
    ) -> None:
        """`customers` are references with public ids; `number` is also the seed."""
        super().__init__(name=f"client-{number}", daemon=True)
        self.path = folder / f"client-{number}.jsonl"
        self.finished = 0
        self.failure: BaseException | None = None
        self._stopping = threading.Event()
        self._connection = web.connect(token, TIMEOUT)
        self._customers = customers
        self._number = number
        self._chance = random.Random(number)
        self._bought: list[tuple[str, int]] = []

    def run(self) -> None:
        """Do one act after the other."""
        try:
            with self.path.open("a") as journal:
                for act in self._acts():
                    self._do(act, journal)
                    if self._stopping.is_set():
                        break
        except BaseException as failure:  # told to the test, which looks at it
            self.failure = failure
            raise

    def finish(self) -> None:
        """Stop after the act under way; return once its outcome is known."""
        self._stopping.set()
        self.join(60)
        assert not self.is_alive(), "an outcome stays unknown"
        assert self.failure is None, self.failure

    def _acts(self) -> Iterator[Act]:
        count = 0
        while True:
            count += 1
            reference = f"c{self._number}-{count}"
            kind = self._chance.choices(("purchase", "redemption", "refund"), (5, 3, 2))[0]
            if kind == "refund" and not self._bought:
                kind = "purchase"
            yield Act(reference, kind, *getattr(self, f"_{kind}")(reference))

    def _purchase(self, reference: str) -> tuple[str, dict[str, Any]]:
        customer, _ = self._chance.choice(self._customers)
        amount = self._chance.randrange(100, 100_000)
        self._bought.append((reference, amount))
        at = datetime.now(UTC) - timedelta(minutes=1)
        purchase = {
            "reference": reference,
            "customer": customer,
            "purchased_at": at.isoformat(),
            "amount": amount,
        }
        return "/v1/purchases", {"purchases": [purchase]}

    def _redemption(self, reference: str) -> tuple[str, dict[str, Any]]:
        _, customer_id = self._chance.choice(self._customers)
        body = {"reference": reference, "points": self._chance.randrange(1, 1_500)}
        return f"/v1/customers/{customer_id}/redemptions", body

    def _refund(self, reference: str) -> tuple[str, dict[str, Any]]:
        position = self._chance.randrange(len(self._bought))
        purchase, amount = self._bought.pop(position)
        body = {
            "reference": reference,
            "purchase": purchase,
            "refunded_at": datetime.now(UTC).isoformat(),
            "amount": self._chance.randrange(1, amount + 1),
        }
        return "/v1/refunds", body

    def _do(self, act: Act, journal: Any) -> None:
        while True:
            write(journal, attempt=act.key, kind=act.kind, path=act.path, body=act.body)
            try:
                answer = self._connection.post(act.path, act.raw, act.key)
            except (OSError, http.client.HTTPException) as error:
                write(journal, lost=act.key, error=type(error).__name__)
                self._stopping.wait(0.1)
                continue
            write(journal, answered=act.key, **describe(answer))
            if answer.status not in RETRIED:
                self.finished += 1
                return
            self._stopping.wait(0.1)


def write(journal: Any, **line: Any) -> None:
    """Write one line and see that it left this process."""
    journal.write(json.dumps(line) + "\n")
    journal.flush()


def describe(answer: Answer) -> dict[str, Any]:
    """Return what a journal keeps of an answer."""
    media_type = answer.headers.get("Content-Type", "")
    return {"status": answer.status, "type": media_type, "body": answer.body.decode()}


def read_stories(recorders: Sequence[Recorder]) -> list[Story]:
    """Return what the clients' files tell, act by act."""
    stories: dict[str, Story] = {}
    for recorder in recorders:
        for line in map(json.loads, recorder.path.read_text().splitlines()):
            if "attempt" in line:
                act = Act(line["attempt"], line["kind"], line["path"], line["body"])
                stories.setdefault(act.key, Story(act)).attempts += 1
            elif "lost" in line:
                stories[line["lost"]].lost.append(line["error"])
            else:
                answer = (line["status"], line["type"], line["body"])
                stories[line["answered"]].answers.append(answer)
    return list(stories.values())


def summarise(stories: Sequence[Story]) -> Counter[str]:
    """Return how often each kind of outcome was met, over all attempts."""
    counts: Counter[str] = Counter()
    for story in stories:
        counts.update(story.lost)
        counts.update(f"{status}" for status, _, _ in story.answers)
    return counts
