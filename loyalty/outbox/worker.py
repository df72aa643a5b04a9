"""The worker: waits at the doorbell in Redis and runs registered functions, and only those.

Whoever can write to Redis can ring, and nothing more: no name is imported, nothing is unpickled,
no callback, hook or command from Redis is obeyed.
"""

import logging
import zlib
from collections.abc import Mapping
from types import FrameType
from typing import Any

import structlog
from prometheus_client import Counter
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError
from rq import SimpleWorker
from rq.exceptions import NoSuchJobError, StopRequested
from rq.job import Job
from rq.registry import FailedJobRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer
from rq.utils import now
from rq.worker import WorkerStatus

from loyalty.outbox import doorbell, jobs, registry, rules, shutdown
from loyalty.settings import settings

REFUSED = Counter("quanyi_refused_jobs", "Jobs found in Redis that nobody registered")

_GREATEST = 4_096
_MAINTENANCE_SECONDS = 60
_WORKER_TTL_SECONDS = 20  # RQ waits 15 s less for a ring before it looks around
_RETRY_SECONDS = 1.0
_LOG = structlog.get_logger(__name__)
# What a ring writes into its job, and RQ while it runs one. A job with any other field set (a
# callback, a webhook, a retry, a result) is not one of ours.
_FIELDS = frozenset(
    {
        *("data", "origin", "description", "status", "timeout", "ttl", "result_ttl"),
        *("failure_ttl", "created_at", "enqueued_at", "started_at", "ended_at"),
        *("last_heartbeat", "worker_name"),
    }
)


class NotOurs(Exception):
    """A job in Redis that no doorbell of ours wrote."""


class RegisteredJob(Job):
    """A ring. Anything else in its place counts as refused and, for RQ, does not exist."""

    def restore(self, raw_data: Mapping[bytes, bytes]) -> None:
        """Read the job from Redis; raises `NoSuchJobError` and forgets it where it is not ours."""
        try:
            _check_fields(raw_data)
            super().restore(raw_data)
            _check_call(self.func_name, self.instance, self.args, self.kwargs)
        except Exception as error:  # whatever breaks while reading it: a job of ours does not
            REFUSED.inc()
            _LOG.warning("job_refused", error=rules.describe(error))
            self.connection.delete(self.key)
            raise NoSuchJobError("refused") from None

    @property
    def func(self) -> jobs.Look:
        """The registered function of this name; nothing is ever imported."""
        return jobs.FUNCTIONS[str(self.func_name)]

    def perform(self) -> Any:
        """Run the function; what it raises reaches RQ, and so Redis, without its words."""
        _check_call(self.func_name, self.instance, self.args, self.kwargs)
        try:
            return super().perform()
        except Exception as error:
            _LOG.warning("job_failed", function=self.func_name, error=rules.describe(error))
            raise RuntimeError(rules.describe(error)) from None


class Worker(SimpleWorker):
    """RQ's worker in one process: a kill leaves no child behind, and a stop reaches the work."""

    job_class = RegisteredJob
    log_result_lifespan = False
    max_connection_wait_time = 5.0

    def request_stop(self, _signum: int, _frame: FrameType | None) -> None:
        """End after the present event or chunk; no word to Redis, which may be down."""
        shutdown.requested.set()
        self._stop_requested = True
        if self.get_state() != WorkerStatus.BUSY:
            raise StopRequested

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Say that we live, at each turn of RQ's loop; leave it there where a stop was asked.

        The exception of `request_stop` is lost where it rises inside a logger.
        """
        if shutdown.requested.is_set() and self.get_state() != WorkerStatus.BUSY:
            raise StopRequested
        super().heartbeat(timeout, pipeline)

    def subscribe(self) -> None:
        """Take no commands from Redis."""

    def unsubscribe(self) -> None:
        """There is nothing to leave."""

    def clean_registries(self) -> None:
        """Forget rings whose worker was killed; the relay has rung again long since."""
        for queue in self.queues:
            if queue.acquire_maintenance_lock():
                StartedJobRegistry(queue=queue, job_class=self.job_class).cleanup()
                FailedJobRegistry(queue=queue, job_class=self.job_class).cleanup()
                queue.intermediate_queue.cleanup(self, queue)
                queue.release_maintenance_lock()  # type: ignore[no-untyped-call]
        self.last_cleaned_at = now()  # type: ignore[assignment]

    def clean_group_registries(self) -> None:
        """There are no groups, and RQ would unpickle what Redis holds for one."""


def run() -> None:
    """Work until SIGTERM or SIGINT; while Redis or the queue fails, wait and try again."""
    registry.load()
    _log_as_json()
    # A command may block for as long as RQ waits for a ring; RQ sets the time-out accordingly.
    connection = doorbell.connect(settings().redis_url, None)
    shutdown.listen()
    while not shutdown.requested.is_set():
        try:
            new_worker(connection).work(logging_level="WARNING")
        except StopRequested:
            break
        except (RedisError, OSError) as error:
            _LOG.warning("redis_unavailable", error=rules.describe(error))
        shutdown.listen()
        shutdown.requested.wait(_RETRY_SECONDS)


def new_worker(connection: Redis) -> Worker:
    """Return a worker on the one queue; raises what Redis raises where it does not answer."""
    return Worker(
        [doorbell.QUEUE],
        connection=connection,
        serializer=JSONSerializer,
        maintenance_interval=_MAINTENANCE_SECONDS,
        worker_ttl=_WORKER_TTL_SECONDS,
        default_result_ttl=0,
        log_job_description=False,
    )


class _ToStructlog(logging.Handler):
    """Passes RQ's warnings on without the traceback."""

    def emit(self, record: logging.LogRecord) -> None:
        _LOG.warning("rq", message=record.getMessage().partition("\n")[0])


def _log_as_json() -> None:
    for name in ("rq.worker", "rq.job"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.WARNING)
        logger.propagate = False
        logger.handlers = [_ToStructlog()]


def _check_fields(raw: Mapping[bytes, bytes]) -> None:
    fields = {key.decode("ascii"): value for key, value in raw.items() if value}
    if not fields.keys() <= _FIELDS or sum(map(len, fields.values())) > _GREATEST:
        raise NotOurs
    unpacker = zlib.decompressobj()
    unpacker.decompress(fields["data"], _GREATEST)
    if not unpacker.eof:
        raise NotOurs


def _check_call(function: object, instance: object, args: object, kwargs: object) -> None:
    names = {"drain": registry.topics, "work": registry.kinds}
    if instance is not None or kwargs != {} or not isinstance(function, str):
        raise NotOurs
    if function not in names or not isinstance(args, list) or len(args) != 1:
        raise NotOurs
    if args[0] not in names[function]():
        raise NotOurs
