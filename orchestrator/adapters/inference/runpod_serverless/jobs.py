"""Order one job, follow it to its end, withdraw it: the job API that all of RunPod's endpoints share."""

import asyncio
import logging
from dataclasses import dataclass, field

from orchestrator.adapters.inference.runpod_serverless import answers, wire
from orchestrator.adapters.inference.runpod_serverless.client import JobClient, Reply
from orchestrator.adapters.inference.runpod_serverless.limits import Limits
from orchestrator.adapters.inference.runpod_serverless.wire import JobState
from orchestrator.adapters.once import AnswerLost, NothingSent, Unanswered
from orchestrator.domain.errors import InferenceError, InferenceFailed, InferenceUnavailable, InferenceUncertain
from orchestrator.domain.money import MicroUsd

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class _Watch:
    """
    What is known of a job that is followed; times are the loop's, in seconds.

    Attributes:
        worst: What it may cost at most.
        began: When it was first seen to run.
        heard: When the last good answer about it came.
    """

    ref: str
    worst: MicroUsd
    since: float
    heard: float
    began: float | None = None
    state: JobState = field(default_factory=lambda: JobState(word=wire.IN_QUEUE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """
    A job that is over.

    Attributes:
        ran_s: How long it ran, as told or else as watched; 0 if it never began.
    """

    state: JobState
    ran_s: float


class Jobs:
    """
    The queue of one endpoint.

    RunPod knows no idempotency key and has no documented search, so an order whose answer is lost stays lost: its
    policy ends it.
    """

    def __init__(self, client: JobClient, limits: Limits, *, title: str) -> None:
        self._client = client
        self._limits = limits
        self._title = title

    async def probe(self) -> None:
        """Ask how its workers are: that takes the key and the endpoint, and costs nothing."""
        try:
            reply = await self._client.health()
        except Unanswered as error:
            raise InferenceUnavailable(f"{self._title}: {error}") from None
        if reply.status == 404:
            raise answers.gone(self._title)
        refused = answers.off(reply, self._title)
        if refused is not None:
            raise refused
        if reply.status != 200 or wire.workers_of(reply.body) is None:
            raise InferenceUnavailable(f"{self._title}: {reply.status} {answers.words_of(reply)}".rstrip())

    async def order(self, body: bytes, *, worst: MicroUsd) -> str:
        """
        Put a job into the queue; returns its id.

        Args:
            worst: What it may cost if its answer is lost.
        """
        if len(body) > self._limits.order_bytes:
            raise InferenceFailed(f"{self._title}: the picture to start from is too large to be sent there")
        try:
            reply = await self._client.run(body)
        except NothingSent as error:
            raise InferenceUnavailable(f"{self._title}: {error}") from None
        except AnswerLost as error:
            raise InferenceUncertain(f"{self._title}: the answer to an order was lost: {error}", cost=worst) from None
        ref = reply.fields.get("id")
        if reply.status == 200 and wire.is_ref(ref):
            return str(ref)
        raise answers.order_refused(reply, self._title, worst=worst)

    async def follow(self, ref: str, *, worst: MicroUsd) -> Ended:
        """
        Wait until the job is over.

        Raises:
            InferenceUnavailable: No worker took it in time; it is withdrawn and has cost nothing.
            InferenceUncertain: It is lost sight of.
        """
        now = _now()
        watch = _Watch(ref=ref, worst=worst, since=now, heard=now)
        pause = self._limits.poll
        while True:
            await self._look(watch)
            if watch.state.is_over:
                return _ended(watch)
            reason = await self._reason_to_leave(watch)
            if reason:
                return await self._leave(watch, reason)
            await asyncio.sleep(pause.total_seconds())
            pause = min(pause * 1.5, self._limits.longest_poll)

    async def cancel(self, ref: str) -> None:
        """Stop it; silent when there is nothing to stop."""
        if not wire.is_ref(ref):
            return
        try:
            reply = await self._client.cancel(ref)
        except Unanswered as error:
            raise InferenceUnavailable(f"{self._title}: {error}") from None
        refused = answers.off(reply, self._title)
        if refused is not None:
            raise refused
        if reply.status >= 500 or reply.status == 429:
            raise InferenceUnavailable(f"{self._title}: {reply.status} {answers.words_of(reply)}".rstrip())

    async def _look(self, watch: _Watch) -> None:
        """Note how the job is; an answer that tells nothing changes nothing."""
        try:
            reply = await self._client.status(watch.ref)
        except Unanswered as error:
            log.info("%s: job %s: %s", self._title, watch.ref, error)
            return
        if reply.status != 200:
            self._check(reply, watch)
            return
        state = wire.state_of(reply.body)
        if state is not None:
            watch.state, watch.heard = state, _now()
            if watch.began is None and state.word != wire.IN_QUEUE and not state.is_over:
                watch.began = watch.heard

    def _check(self, reply: Reply, watch: _Watch) -> None:
        """
        What an answer without a state means.

        404: its time to live is over, or that of its result (30 min). It may have run before.
        """
        refused = answers.off(reply, self._title, cost=watch.worst)
        if refused is not None:
            raise refused
        if reply.status == 404:
            raise InferenceUncertain(f"{self._title}: it no longer knows job {watch.ref}", cost=watch.worst)
        log.info("%s: job %s: %d", self._title, watch.ref, reply.status)

    async def _reason_to_leave(self, watch: _Watch) -> str:
        """Why nobody waits any longer; empty while there is hope."""
        now, limits = _now(), self._limits
        if now - watch.heard > limits.patience.total_seconds():
            return "it does not answer"
        waited = now - watch.since
        if waited > limits.whole.total_seconds():
            return f"it was not done in {waited:.0f} s"
        if watch.state.word != wire.IN_QUEUE or waited <= limits.queue.total_seconds():
            return ""
        workers = await self._workers()
        if workers is not None and workers.are_coming and waited <= limits.start.total_seconds():
            return ""
        return f"no worker took it in {waited:.0f} s (workers: {workers or 'unknown'}); see the endpoint's max workers"

    async def _workers(self) -> wire.Workers | None:
        """There is no error when no worker is to be had, so a queue that stands still is asked for them."""
        try:
            return wire.workers_of((await self._client.health()).body)
        except Unanswered:
            return None

    async def _leave(self, watch: _Watch, reason: str) -> Ended:
        """Withdraw it, and see how it stood: it may have ended at this moment."""
        try:
            await self.cancel(watch.ref)
        except InferenceUnavailable as error:
            log.info("%s: job %s cannot be withdrawn: %s", self._title, watch.ref, error)
        await self._look(watch)
        state = watch.state
        if state.word == wire.CANCELLED and watch.began is None and not state.run_s:
            raise InferenceUnavailable(f"{self._title}: {reason}")
        if state.is_over:
            return _ended(watch)
        raise InferenceUncertain(f"{self._title}: {reason}", cost=watch.worst)


def failure(ended: Ended, title: str, *, cost: MicroUsd) -> InferenceError | None:
    """Why a job that is over made nothing; None when it completed."""
    match ended.state.word:
        case wire.COMPLETED:
            return None
        case wire.FAILED:
            return InferenceFailed(f"{title}: {ended.state.error or 'it failed there'}", cost=cost)
        case wire.TIMED_OUT:
            return InferenceFailed(f"{title}: it took longer than it may", cost=cost)
        case _:
            return InferenceFailed(f"{title}: it was cancelled there", cost=cost)


def _ended(watch: _Watch) -> Ended:
    told = watch.state.run_s
    watched = 0.0 if watch.began is None else _now() - watch.began
    return Ended(state=watch.state, ran_s=watched if told is None else told)


def _now() -> float:
    return asyncio.get_running_loop().time()
