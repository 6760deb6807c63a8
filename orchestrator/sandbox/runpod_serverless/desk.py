"""The jobs of all endpoints: who waits, who runs, what ended how, and what that costs."""

import asyncio
import base64
import json
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.sandbox.runpod_serverless.graph import Refused, Wish, wish_of
from orchestrator.sandbox.runpod_serverless.troubles import OF_A_JOB, Trouble
from orchestrator.sandbox.struck import Struck
from orchestrator.sandbox.studio import SECONDS, Studio

PUBLIC = "black-forest-labs-flux-1-schnell"
OWN = "runpod_serverless"
START_S, IDLE_S = 20.0, 5
PER_SECOND_USD, PER_MEGAPIXEL_USD = 0.00031, 0.0024
RUN_MS, LIFE_MS = 600_000, 86_400_000
"""What a job gets that comes without a policy of its own."""
STOPPED = {
    Trouble.CANCELLED: "CANCELLED",
    Trouble.TIMED_OUT: "TIMED_OUT",
    Trouble.ENDLESS: "TIMED_OUT",
}
OVER = frozenset({"COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT"})


@dataclass(slots=True, kw_only=True)
class Job:
    """
    One job. Times are those of the desk's clock.

    Attributes:
        troubles: What is wrong with it, drawn when it came.
        begins: When a worker takes it.
        expires: When it is forgotten, whether it runs or not.
    """

    id: str
    endpoint: str
    given: Mapping[str, Any]
    troubles: frozenset[Trouble]
    came: float
    begins: float
    ends: float
    expires: float
    ended: str = ""
    error: str = ""
    output: Any = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def is_public(self) -> bool:
        return self.endpoint == PUBLIC


class Desk:
    """
    Nothing runs here by itself: what has happened meanwhile is worked out when somebody asks.

    Starts and runs are as much faster as the studio is, and are told and charged as if they were not.
    """

    def __init__(self, studio: Studio, clock: Callable[[], float]) -> None:
        self.studio = studio
        self.troubles = Struck(Trouble)
        self.jobs: dict[str, Job] = {}
        self.pictures: dict[str, bytes] = {}
        self._clock = clock
        self._warm_until: dict[str, float] = {}

    @property
    def now(self) -> float:
        return self._clock()

    def take(self, endpoint: str, body: Mapping[str, Any]) -> Job:
        """Put a job into the queue; a cold worker starts for it."""
        now, speed, policy = self.now, self.studio.speed, body.get("policy") or {}
        is_warm = endpoint == PUBLIC or now < self._warm_until.get(endpoint, 0.0)
        troubles = frozenset(each for each in OF_A_JOB if self.troubles.take(each))
        begins = now if is_warm else now + START_S / speed
        if Trouble.NO_WORKER in troubles:
            begins = math.inf
        run_s = policy.get("executionTimeout", RUN_MS) / 1000 if Trouble.ENDLESS in troubles else SECONDS / speed
        job = Job(
            id=f"job-{len(self.jobs) + 1}-u1",
            endpoint=endpoint,
            given=body["input"],
            troubles=troubles,
            came=now,
            begins=begins,
            ends=begins + run_s,
            expires=now + policy.get("ttl", LIFE_MS) / 1000,
        )
        self.jobs[job.id] = job
        if math.isfinite(job.ends):
            self._warm_until[endpoint] = job.ends + IDLE_S / speed
        return job

    def find(self, endpoint: str, job_id: str) -> Job | None:
        """A job that is still known; one whose time to live is over is not, even if it runs."""
        job = self.jobs.get(job_id)
        if job is None or job.endpoint != endpoint or Trouble.EXPIRED in job.troubles:
            return None
        return job if job.ended or self.now < job.expires else None

    async def told(self, job: Job, base: str) -> dict[str, Any]:
        """The job as ``/status`` tells it; *base* is our own address, for pictures."""
        async with job.lock:
            if not job.ended and self.now >= job.ends:
                await self._end(job, base)
        told: dict[str, Any] = {"id": job.id, "status": job.ended or self._word(job)}
        if self.now >= job.begins:
            told |= {"delayTime": self._milliseconds(job.begins - job.came), "workerId": "worker-1"}
        if job.ended and self.now >= job.begins:
            told["executionTime"] = self._milliseconds(job.ends - job.begins)
        if job.error:
            told["error"] = job.error
        if job.output is not None:
            told["output"] = job.output
        return told

    def cancel(self, job: Job) -> None:
        if not job.ended:
            self._stop(job, "CANCELLED")

    def health(self) -> dict[str, Any]:
        jobs = list(self.jobs.values())
        waiting = sum(not job.ended and self.now < job.begins for job in jobs)
        running = sum(not job.ended and self.now >= job.begins for job in jobs)
        is_dry = Trouble.NO_WORKER in self.troubles or any(job.begins == math.inf for job in jobs)
        return {
            "jobs": {
                "completed": sum(job.ended == "COMPLETED" for job in jobs),
                "failed": sum(job.ended == "FAILED" for job in jobs),
                "inProgress": running,
                "inQueue": waiting,
                "retried": 0,
            },
            "workers": {
                "idle": 0 if is_dry else 1,
                "initializing": 0,
                "ready": 0 if is_dry else 1,
                "running": running,
                "throttled": 3 if is_dry else 0,
                "unhealthy": 0,
            },
        }

    def _word(self, job: Job) -> str:
        if self.now < job.begins:
            return "IN_QUEUE"
        return "WARMING_MODELS" if Trouble.STRANGE_WORD in job.troubles else "IN_PROGRESS"

    def _milliseconds(self, span: float) -> int:
        """As if nobody had hurried."""
        return round(span * self.studio.speed * 1000)

    def _stop(self, job: Job, word: str) -> None:
        job.ended, job.ends = word, max(min(self.now, job.ends), job.begins)
        self._charge(job)

    async def _end(self, job: Job, base: str) -> None:
        """What became of a job whose time is up."""
        for trouble, word in STOPPED.items():
            if trouble in job.troubles:
                self._stop(job, word)
                return
        try:
            job.output = await (self._public if job.is_public else self._comfy)(job, base)
            job.ended = "COMPLETED"
        except Refused as refused:
            job.ended, job.error = "FAILED", str(refused)
            if Trouble.FAILS in job.troubles:
                job.output = {"details": ["Workflow execution error: Node Type: VAEDecode, Message: no kernel image"]}
        self._charge(job)

    def _charge(self, job: Job) -> None:
        """By the second for a worker that has begun; by the megapixel for a picture of the public endpoint."""
        if job.is_public:
            if job.ended == "COMPLETED":
                self.studio.charge("runpod_public", job.id, _public_usd(job.given))
        elif self.now >= job.begins:
            seconds = math.ceil(self._milliseconds(job.ends - job.came) / 1000) + IDLE_S
            self.studio.charge(OWN, job.id, seconds * PER_SECOND_USD)

    async def _public(self, job: Job, base: str) -> dict[str, Any]:
        _fail(job.troubles)
        given = job.given
        seed = int(given.get("seed", -1))
        wish = Wish(
            prompt=str(given["prompt"]), width=int(given["width"]), height=int(given["height"]), seed=max(seed, 0)
        )
        picture = await self._painted(job, wish, 0, "JPEG" if given.get("image_format") == "jpeg" else "PNG")
        return {"image_url": self._kept(f"{job.id}.png", picture, base), "cost": _public_usd(given)}

    async def _comfy(self, job: Job, base: str) -> dict[str, Any] | None:
        _fail(job.troubles)
        if "workflow" not in job.given:
            raise Refused("Missing 'workflow' parameter")
        wish = wish_of(job.given["workflow"], job.given.get("images"))
        if Trouble.WITHOUT_OUTPUT in job.troubles:
            return None
        if Trouble.NO_IMAGES in job.troubles:
            return {"status": "success_no_images", "images": []}
        count = wish.count - (Trouble.TOO_FEW in job.troubles)
        pictures = [await self._painted(job, wish, number, "PNG") for number in range(count)]
        if Trouble.OLD_WORKER in job.troubles:
            return {"message": base64.b64encode(pictures[0]).decode(), "status": "success"}
        output: dict[str, Any] = {"images": [self._image(job, *each, base=base) for each in enumerate(pictures, 1)]}
        if Trouble.WITH_ERRORS in job.troubles:
            output["errors"] = ["Node preview: Error fetching image data"]
        return output

    def _image(self, job: Job, number: int, picture: bytes, *, base: str) -> dict[str, str]:
        name = f"ComfyUI_{number:05}_.png"
        if Trouble.IN_A_BUCKET in job.troubles:
            return {"filename": name, "type": "s3_url", "data": self._kept(f"{job.id}-{name}", picture, base)}
        return {"filename": name, "type": "base64", "data": base64.b64encode(picture).decode()}

    async def _painted(self, job: Job, wish: Wish, number: int, form: str) -> bytes:
        if Trouble.NO_PICTURE in job.troubles:
            return b"<html>not a picture</html>"
        return await self.studio.paint(
            wish.prompt, width=wish.width, height=wish.height, seed=wish.seed + number, form=form, seconds=0
        )

    def _kept(self, name: str, picture: bytes, base: str) -> str:
        self.pictures[name] = picture
        return f"{base}/pictures/{name}"


def _public_usd(given: Mapping[str, Any]) -> float:
    return int(given["width"]) * int(given["height"]) / 1e6 * PER_MEGAPIXEL_USD


def _fail(troubles: Collection[Trouble]) -> None:
    """The worker's own complaint is a text, and a crash of its handler is JSON in a text."""
    if Trouble.FAILS in troubles:
        raise Refused("Workflow execution failed")
    if Trouble.CRASHES in troubles:
        crash = {
            "error_type": "<class 'ValueError'>",
            "error_message": "bad handler",
            "error_traceback": "Traceback ...",
        }
        raise Refused(json.dumps(crash))
