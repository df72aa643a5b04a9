"""Concurrent callers: processes with threads that call one function until the time is over."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from typing import Any

Call = Callable[[int], int]
"""Does one call for the caller of this number and returns how many things it did."""


def measure_rate(
    maker: str, arguments: dict[str, Any], *, processes: int, threads: int, seconds: float
) -> float:
    """Return how many things a second `processes` times `threads` callers get done.

    `maker` is `module:function`; called with `arguments` in each process it returns the function
    that a caller calls. Each process warms up for half a second before the clock starts.
    """
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(processes)
    answers = context.Queue()
    workers = [
        context.Process(
            target=_work, args=(maker, arguments, threads, seconds, ready, answers, number)
        )
        for number in range(processes)
    ]
    for worker in workers:
        worker.start()
    found = [answers.get(timeout=seconds + 120) for _ in workers]
    for worker in workers:
        worker.join()
    faults = [answer for answer in found if isinstance(answer, str)]
    if faults:
        raise RuntimeError(faults[0])
    done: int = sum(found)
    return done / seconds


def _work(
    maker: str,
    arguments: dict[str, Any],
    threads: int,
    seconds: float,
    ready: Any,
    answers: Any,
    number: int,
) -> None:
    os.environ.update(arguments.get("environ", {}))
    module, _, name = maker.partition(":")
    call: Call = getattr(importlib.import_module(module), name)(**arguments)
    counts = [0] * threads
    start = threading.Barrier(threads)

    def run(thread: int) -> None:
        caller = number * threads + thread
        warm = time.monotonic() + 0.5
        while time.monotonic() < warm:
            call(caller)
        if start.wait() == 0:
            ready.wait(60)
        start.wait()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            counts[thread] += call(caller)

    faults: list[str] = []

    def report(thread: int) -> None:
        try:
            run(thread)
        except Exception as fault:
            faults.append(f"{type(fault).__name__}: {fault}")
            start.abort()
            raise

    running = [threading.Thread(target=report, args=(thread,)) for thread in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    answers.put(faults[0] if faults else sum(counts))
