"""
Errors whose class says what to do next.

OrchestratorError            .remedy
├─ CloudError(cloud)
│  ├─ CloudUnavailable       RETRY      5xx, timeout on a read
│  ├─ RateLimited            RETRY      carries retry_after
│  ├─ OfferGone              ELSEWHERE  the normal case on a market
│  ├─ NoCapacity             ELSEWHERE
│  ├─ LaunchUncertain        RECONCILE  the answer was lost; money may be running
│  ├─ NotYetTerminated       RETRY      told to go, still there
│  ├─ AccountProblem         OPERATOR   key refused, balance empty, quota
│  ├─ VolumeMissing          OPERATOR   the settings name a volume that is not there
│  └─ CloudProtocolError     OPERATOR   we no longer understand this API
├─ HostError(instance)
│  ├─ HostUnreachable        RETRY, then ELSEWHERE after the deadline
│  └─ PreparationFailed      ELSEWHERE  carries step, code, last lines
├─ ComfyError
│  ├─ ComfyUnavailable       RETRY
│  │  └─ ComfyStuck          RETRY      after starting it again
│  ├─ OutOfVram              ELSEWHERE  bigger card
│  └─ GraphRejected          GIVE_UP    no other machine will like it better
├─ InferenceError            carries cost, what the API has or may have charged
│  ├─ InferenceUnavailable   RETRY      nothing was ordered
│  ├─ InferenceUncertain     ELSEWHERE  the answer was lost; never ordered there again
│  ├─ InferenceFailed        ELSEWHERE  it was made badly or not at all
│  ├─ PictureFiltered        GIVE_UP    kept back as indecent
│  └─ ApiOff                 OPERATOR   key refused, no money, our model is gone
├─ StoreError
│  ├─ StaleWrite             RETRY      somebody moved first: load again
│  └─ DiskFull               RETRY      nothing new is taken on meanwhile
├─ SettingsProblem           OPERATOR   says which setting to change
├─ LogProblem                OPERATOR   says what a log of requests lacks
└─ RequestError              GIVE_UP    has a text key for the person

IllegalTransitionError is a bug and is caught by nothing but a loop's last resort. What meets one again and again is
given up: see :class:`orchestrator.control.loop.Workers`.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

from orchestrator.domain.ids import CloudName, CloudRef
from orchestrator.domain.money import MicroUsd


class Remedy(StrEnum):
    """What the caller does next."""

    RETRY = "retry"
    ELSEWHERE = "elsewhere"
    RECONCILE = "reconcile"
    GIVE_UP = "give_up"
    OPERATOR = "operator"


class OrchestratorError(Exception):
    """Whatever went wrong outside our own code; the subclass says what to do."""

    remedy = Remedy.GIVE_UP


def is_expected(error: BaseException) -> bool:
    """Whether it is one of these, or a group of nothing else, as a TaskGroup raises it."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_expected(each) for each in error.exceptions)
    return isinstance(error, OrchestratorError)


class CloudError(OrchestratorError):
    def __init__(self, cloud: CloudName, message: str) -> None:
        super().__init__(f"{cloud}: {message}")
        self.cloud = cloud


class CloudUnavailable(CloudError):
    """The cloud did not answer, or answered 5xx: ask again later."""

    remedy = Remedy.RETRY


class RateLimited(CloudError):
    """Asked too often: ask again after *retry_after*."""

    remedy = Remedy.RETRY

    def __init__(self, cloud: CloudName, message: str, *, retry_after: timedelta) -> None:
        super().__init__(cloud, message)
        self.retry_after = retry_after


class OfferGone(CloudError):
    """Someone else took it: try the next offer."""

    remedy = Remedy.ELSEWHERE


class NoCapacity(CloudError):
    """This cloud has nothing acceptable now."""

    remedy = Remedy.ELSEWHERE


class LaunchUncertain(CloudError):
    """
    The answer to an order was lost. The machine may exist and cost money.

    Attributes:
        ref: The machine, where the failed answer still named it: it is to be ended.
    """

    remedy = Remedy.RECONCILE

    def __init__(self, cloud: CloudName, message: str, *, ref: CloudRef | None = None) -> None:
        super().__init__(cloud, message)
        self.ref = ref


class NotYetTerminated(CloudError):
    """Told to go, still there: tell it again."""

    remedy = Remedy.RETRY


class AccountProblem(CloudError):
    """The key is refused, the balance is empty or a quota is reached: only the operator can mend that."""

    remedy = Remedy.OPERATOR


class VolumeMissing(CloudError):
    """
    The account lacks a volume that the settings name: machines can be had, and fetch their models each time.

    Attributes:
        balance: What the account has, where its cloud told that beside.
    """

    remedy = Remedy.OPERATOR

    def __init__(self, cloud: CloudName, message: str, *, balance: MicroUsd | None = None) -> None:
        super().__init__(cloud, message)
        self.balance = balance


class CloudProtocolError(CloudError):
    """An answer that this adapter does not understand: never read as "nothing there"."""

    remedy = Remedy.OPERATOR


class HostError(OrchestratorError):
    pass


class HostUnreachable(HostError):
    """SSH does not answer, or the connection broke: try again until the deadline, then elsewhere."""

    remedy = Remedy.RETRY


class PreparationFailed(HostError):
    """
    A step on the machine failed for good.

    Attributes:
        step: Which one, in the words of :class:`orchestrator.domain.stages.Step`.
        code: A short machine-readable cause, such as ``disk_full`` or ``bad_checksum``.
    """

    remedy = Remedy.ELSEWHERE

    def __init__(self, message: str, *, step: str, code: str) -> None:
        super().__init__(message)
        self.step = step
        self.code = code


class ComfyError(OrchestratorError):
    pass


class ComfyUnavailable(ComfyError):
    """ComfyUI does not answer, or has stopped answering."""

    remedy = Remedy.RETRY


class ComfyStuck(ComfyUnavailable):
    """ComfyUI answers and has taken the prompt, and the picture does not get on: start it again."""


class OutOfVram(ComfyError):
    """The card is too small for this graph: take a bigger one."""

    remedy = Remedy.ELSEWHERE


class GraphRejected(ComfyError):
    """
    ComfyUI refuses this graph; no other machine will like it better.

    Attributes:
        sentence: What a person can do about it, in one sentence.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class AttemptInterrupted(ComfyError):
    """The prompt was interrupted or deleted before it was done."""


NOTHING = MicroUsd(0)


class InferenceError(OrchestratorError):
    """
    A managed API did not make the picture.

    Attributes:
        cost: What it has charged all the same, or may have.
    """

    def __init__(self, message: str, *, cost: MicroUsd = NOTHING) -> None:
        super().__init__(message)
        self.cost = cost


class InferenceUnavailable(InferenceError):
    """
    The managed API does not answer or has no room, and nothing was ordered: try again or go elsewhere.

    Attributes:
        retry_after: What it asked for; None when it did not say.
    """

    remedy = Remedy.RETRY

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class InferenceUncertain(InferenceError):
    """
    The answer to an order was lost, and the API cannot be asked for it: it may be made and charged.

    It is never ordered there again: none of these APIs knows an idempotency key.
    """

    remedy = Remedy.ELSEWHERE


class InferenceFailed(InferenceError):
    """It was ordered and not made: a machine or another API may do better."""

    remedy = Remedy.ELSEWHERE


class PictureFiltered(InferenceError):
    """The API took the picture, or the words, for indecent and keeps it back: its person is told."""

    remedy = Remedy.GIVE_UP


class ApiOff(InferenceError):
    """The key is refused, the money is spent or our model is gone: only the operator can mend that."""

    remedy = Remedy.OPERATOR


class StoreError(OrchestratorError):
    remedy = Remedy.RETRY


class StaleWrite(StoreError):
    """Somebody moved first: load again and decide again."""


class DiskFull(StoreError):
    """Nothing can be written until somebody makes room: take nothing new on, and keep trying what is under way."""


class SettingsProblem(OrchestratorError):
    """The settings do not fit together, or not to what is there: whoever set them reads what to change."""

    remedy = Remedy.OPERATOR


class LogProblem(OrchestratorError):
    """A file is no log of requests, or cannot be read: whoever named it reads what it has to be."""

    remedy = Remedy.OPERATOR


class RequestError(OrchestratorError):
    """
    A person asked for something that cannot be done. No job exists.

    Attributes:
        key: Which sentence to show; the bot owns the sentences.
        values: What to fill into it.
    """

    def __init__(self, key: str, **values: str | float) -> None:
        super().__init__(f"{key} {values}" if values else key)
        self.key = key
        self.values: Mapping[str, str | float] = values


class IllegalTransitionError(Exception):
    """A move that no table allows: a bug of ours."""
