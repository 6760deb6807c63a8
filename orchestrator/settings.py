"""
The orchestrator's settings: read once, from the environment and ``.env``; nothing reads them later.

``.env.example`` is generated from these fields and those of ``bot/settings.py``; a test holds it equal.
"""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from orchestrator.adapters.presigned import BucketAccess
from orchestrator.domain.money import MicroUsd, micro_usd, micro_usd_per_hour
from orchestrator.domain.policy.keeping import Keep
from orchestrator.domain.policy.routing import Routing
from orchestrator.domain.policy.spend import Caps
from orchestrator.domain.policy.variants import Pin
from orchestrator.ports.inference import Access


@dataclass(frozen=True, slots=True)
class OfCloud:
    """Marks the one field that configures a cloud: the account's key, or in plain text where its machines are."""

    name: str


@dataclass(frozen=True, slots=True)
class VolumesOfCloud:
    """Marks the one field that names what outlives machines of a cloud and is to be mounted on them."""

    name: str


class Settings(BaseSettings):
    """Every field may be set in the environment by its alias; an empty value counts as unset."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True, populate_by_name=True
    )

    data: Path = Field(
        Path("var/glowplug"), alias="GLOWPLUG_DATA", description="Where everything that must last is kept."
    )
    installation: str = Field(
        "",
        alias="GLOWPLUG_INSTALLATION",
        pattern=r"^[a-z0-9]{0,16}$",
        description="Marks our machines at the clouds; drawn at the first start unless set.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", alias="GLOWPLUG_LOG_LEVEL", description="DEBUG, INFO, WARNING or ERROR."
    )

    vast_api_key: Annotated[SecretStr, OfCloud("vast")] = Field(
        SecretStr(""),
        alias="VAST_API_KEY",
        description="A Vast.ai key: rents real machines there instead of the sandbox.",
    )
    runpod_api_key: Annotated[SecretStr, OfCloud("runpod")] = Field(
        SecretStr(""),
        alias="RUNPOD_API_KEY",
        description="A RunPod key: pods, and a bridge.",
    )
    runpod_volume: Annotated[str, VolumesOfCloud("runpod")] = Field(
        "",
        alias="GLOWPLUG_RUNPOD_VOLUME",
        pattern=r"^[A-Za-z0-9_-]{0,64}$",
        description="Id of a RunPod network volume of yours that keeps the models; a GPU in stock there comes with it.",
    )
    runpod_endpoint: str = Field(
        "",
        alias="RUNPOD_ENDPOINT",
        pattern=r"^[A-Za-z0-9-]{0,64}$",
        description="Id of a RunPod serverless endpoint of yours that runs worker-comfyui.",
    )
    lambda_api_key: Annotated[SecretStr, OfCloud("lambda")] = Field(
        SecretStr(""), alias="LAMBDA_API_KEY", description="A Lambda Cloud key: rents machines there."
    )
    lambda_file_systems: Annotated[str, VolumesOfCloud("lambda")] = Field(
        "",
        alias="LAMBDA_FILE_SYSTEMS",
        pattern=r"^[A-Za-z0-9, -]*$",
        description="File systems of yours at Lambda that keep the models, by name; one a region, with commas.",
    )
    static_hosts: Annotated[str, OfCloud("static")] = Field(
        "",
        alias="GLOWPLUG_STATIC_HOSTS",
        description="Machines you own, such as root@10.0.0.5:22=RTX 3090; several with commas.",
    )
    replicate_api_token: SecretStr = Field(
        SecretStr(""), alias="REPLICATE_API_TOKEN", description="A Replicate token: a bridge."
    )
    together_api_key: SecretStr = Field(
        SecretStr(""), alias="TOGETHER_API_KEY", description="A Together.ai key: a bridge."
    )
    modal_url: str = Field(
        "",
        alias="MODAL_URL",
        description="Where deploy/modal_app.py was deployed to, such as https://you--paint.modal.run.",
    )
    modal_key: SecretStr = Field(SecretStr(""), alias="MODAL_KEY", description="Its proxy token's id (wk-...).")
    modal_secret: SecretStr = Field(
        SecretStr(""), alias="MODAL_SECRET", description="Its proxy token's secret (ws-...)."
    )
    comfyui_url: str = Field(
        "",
        alias="COMFYUI_URL",
        description="A ComfyUI that runs already, such as http://127.0.0.1:8188: nothing is rented.",
    )
    comfyui_token: SecretStr = Field(
        SecretStr(""), alias="COMFYUI_TOKEN", description="Its bearer token, if it wants one."
    )
    bridge: str = Field(
        "",
        alias="GLOWPLUG_BRIDGE",
        description='Managed APIs by name, best first, with commas; empty: all that are configured; "none": none.',
    )
    routing: Routing = Field(
        Routing.HYBRID,
        alias="GLOWPLUG_ROUTING",
        description="While a machine is cold: hybrid (an API, batches wait), own (wait), bridge (always an API).",
    )
    models_index: str = Field(
        "",
        alias="GLOWPLUG_MODELS_INDEX",
        description="URL or file that says where model files are, in place of the workflow manifests.",
    )

    models_base_url: str = Field(
        "",
        alias="MODELS_BASE_URL",
        pattern=r"^(https?://[^\s\"'<>?#]+)?$",
        description="Public address of a bucket with the models in folders unet, vae, clip, checkpoints, loras.",
    )
    r2_endpoint: str = Field(
        "",
        alias="R2_ENDPOINT",
        pattern=r"^(https://[^\s/?#@]+/?|http://127\.0\.0\.1:\d+|[0-9a-f]{32})?$",
        description="Cloudflare R2, for `glowplug models upload`: your account's id, or the S3 address of the bucket.",
    )
    r2_bucket: str = Field(
        "", alias="R2_BUCKET", pattern=r"^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$", description="Name of the bucket."
    )
    r2_access_key_id: SecretStr = Field(
        SecretStr(""),
        alias="R2_ACCESS_KEY_ID",
        description="Its key; machines get addresses that expire, and never a key.",
    )
    r2_secret_access_key: SecretStr = Field(
        SecretStr(""), alias="R2_SECRET_ACCESS_KEY", description="The secret that belongs to it."
    )
    hf_token: SecretStr = Field(
        SecretStr(""),
        alias="HF_TOKEN",
        description="A Hugging Face token, for gated repositories; used by `glowplug models` on this computer alone.",
    )
    hf_endpoint: str = Field(
        "https://huggingface.co",
        alias="HF_ENDPOINT",
        pattern=r"^https?://[^\s/?#@]+/?$",
        description="Where Hugging Face is, or a mirror of it; the token goes there and nowhere else.",
    )

    sandbox_url: str = Field(
        "", alias="GLOWPLUG_SANDBOX_URL", description="A sandbox cloud that runs already; excludes every real cloud."
    )
    sandbox_key: SecretStr = Field(SecretStr(""), alias="GLOWPLUG_SANDBOX_KEY", description="Its key.")
    sandbox_clouds: str = Field(
        "vast",
        alias="GLOWPLUG_SANDBOX_CLOUDS",
        description="Whose ways the embedded sandbox has: vast, runpod, lambda; several with commas.",
    )
    sandbox_bridge: str = Field(
        "replicate",
        alias="GLOWPLUG_SANDBOX_BRIDGE",
        description="Which managed APIs it has: replicate, together, runpod_serverless, modal; none for none.",
    )
    sandbox_faults: str = Field(
        "none",
        alias="GLOWPLUG_SANDBOX_FAULTS",
        description="Fault profile of the embedded sandbox: none, first-user, market.",
    )

    policy: str = Field(
        "auto",
        alias="GLOWPLUG_POLICY",
        description="When machines are rented and given back: auto (by what it costs), first-user (at the first"
        " request, given back after the idle timeout), bridge-only, fixed(REQUESTS,WINDOW_S,KEEP_S), always-on(24) or"
        " always-on(BEGIN-END).",
    )
    start_early: bool = Field(
        False,
        alias="GLOWPLUG_START_EARLY",
        description="With auto: start a machine for who seems about to ask, where that should save money; at most one"
        " an hour and person, ended after 90 s without a request.",
    )
    idle_timeout_s: float = Field(
        600,
        alias="GLOWPLUG_IDLE_TIMEOUT_S",
        gt=0,
        description="Seconds after the last request until a machine is given back.",
    )
    job_deadline_s: float = Field(
        3600,
        alias="GLOWPLUG_JOB_DEADLINE_S",
        gt=0,
        description="Seconds during which further machines are tried for a job.",
    )
    boot_deadline_s: float | None = Field(
        None, alias="GLOWPLUG_BOOT_DEADLINE_S", gt=0, description="Seconds a machine may boot (300; sandbox 20)."
    )
    ssh_deadline_s: float | None = Field(
        None,
        alias="GLOWPLUG_SSH_DEADLINE_S",
        gt=0,
        description="Seconds until its SSH must let us in (180; sandbox 10).",
    )
    stall_s: float | None = Field(
        None,
        alias="GLOWPLUG_STALL_S",
        gt=0,
        description="Seconds that a picture may stand still until its ComfyUI is started again (300; sandbox 30).",
    )
    dead_man_s: float = Field(
        600,
        alias="GLOWPLUG_DEAD_MAN_S",
        ge=1,
        description="Seconds without a heartbeat of ours after which a machine destroys itself.",
    )
    hedges_per_hour: int = Field(
        4,
        alias="GLOWPLUG_HEDGES_PER_HOUR",
        ge=0,
        description="Second machines an hour, tried beside those that take longer than three in four did; 0 is off.",
    )
    host_memory: bool = Field(
        True,
        alias="GLOWPLUG_HOST_MEMORY",
        description="Whether it is remembered which machines and hosts failed, which worked, and how fast links were.",
    )
    wait_usd_hour: float = Field(
        0.30,
        alias="GLOWPLUG_WAIT_USD_HOUR",
        ge=0,
        le=1000,
        description="Dollars that an hour of waiting is worth when a machine is chosen: a faster link may cost so much"
        " more. The default is what a usual machine takes; 0 counts what machines cost alone.",
    )
    max_tries: int | None = Field(
        None,
        alias="GLOWPLUG_MAX_TRIES",
        ge=1,
        description="Machines that may fail under one job before it fails, too; without it its deadline alone counts.",
    )
    max_machines: int = Field(
        5, alias="GLOWPLUG_MAX_MACHINES", ge=1, description="Machines at any time, those that may exist included."
    )
    max_usd_hour: float = Field(
        0.80,
        alias="GLOWPLUG_MAX_USD_HOUR",
        gt=0,
        description="The dearest machine that may be rented, in dollars an hour.",
    )
    variants: Pin = Field(
        Pin.AUTO,
        alias="GLOWPLUG_VARIANTS",
        description="Model files: auto (lighter where a link is slow or a card is small), full, light.",
    )
    max_queue: int = Field(20, alias="GLOWPLUG_MAX_QUEUE", ge=1, description="Unfinished jobs of one person.")
    cap_person_day_usd: float | None = Field(
        None, alias="GLOWPLUG_CAP_PERSON_DAY_USD", ge=0, description="Dollars a person a day (2 with a real cloud)."
    )
    cap_day_usd: float | None = Field(
        None, alias="GLOWPLUG_CAP_DAY_USD", ge=0, description="Dollars a day in all (5 with a real cloud)."
    )
    cap_month_usd: float | None = Field(
        None, alias="GLOWPLUG_CAP_MONTH_USD", ge=0, description="Dollars a month in all (50 with a real cloud)."
    )

    keep_days: int = Field(90, alias="GLOWPLUG_KEEP_DAYS", ge=1, description="Days that pictures and events are kept.")
    keep_gb: float = Field(
        20,
        alias="GLOWPLUG_KEEP_GB",
        gt=0,
        description="Gigabytes of pictures that are kept; beyond that the oldest go first.",
    )

    @property
    def keep(self) -> Keep:
        return Keep(span=timedelta(days=self.keep_days), size=round(self.keep_gb * 10**9))

    @classmethod
    def fields_of_clouds(cls) -> dict[str, str]:
        """Of each cloud that can be configured: the name of its field."""
        marks = ((name, mark) for name, field in cls.model_fields.items() for mark in field.metadata)
        return {mark.name: name for name, mark in marks if isinstance(mark, OfCloud)}

    @classmethod
    def variable_of_cloud(cls, cloud: str) -> str:
        """What its field is called in the environment."""
        return str(cls.model_fields[cls.fields_of_clouds()[cloud]].alias)

    def volumes_of_cloud(self, cloud: str) -> tuple[str, ...]:
        """What is to be mounted on its machines, by name."""
        found = (
            str(getattr(self, name))
            for name, field in type(self).model_fields.items()
            if VolumesOfCloud(cloud) in field.metadata
        )
        return tuple(volume.strip() for names in found for volume in names.split(",") if volume.strip())

    def cloud_keys(self) -> dict[str, tuple[str | None, str]]:
        """Of each real cloud that is configured: where it is, unless at its usual address, and the account's key."""
        found: dict[str, tuple[str | None, str]] = {}
        for name, field in self.fields_of_clouds().items():
            value = getattr(self, field)
            if isinstance(value, SecretStr) and value:
                found[name] = None, value.get_secret_value()
            elif isinstance(value, str) and value:
                found[name] = value, ""
        return found

    def with_cloud_alone(self, cloud: str) -> "Settings":
        """The same without any other cloud, without managed APIs and without a sandbox."""
        fields = self.fields_of_clouds()
        others = {fields[name]: type(getattr(self, fields[name]))("") for name in fields if name != cloud}
        return self.model_copy(update={**others, "bridge": "none", "sandbox_url": ""})

    @property
    def rents_for_real(self) -> bool:
        """Whether money is spent: a real cloud's key is there, and no sandbox excludes it."""
        return any(key for _, key in self.cloud_keys().values()) and not self.sandbox_url

    @property
    def needs_sandbox(self) -> bool:
        """Whether the embedded sandbox is to be started or found: nothing else is configured."""
        return not (self.sandbox_url or self.cloud_keys() or self.has_real_bridge)

    @property
    def has_real_bridge(self) -> bool:
        """Whether a managed API of somebody else, or a ComfyUI, is configured."""
        keys = (self.replicate_api_token, self.together_api_key)
        return bool(self.comfyui_url or self.modal_url) or any(key.get_secret_value() for key in keys)

    def bridge_access(self) -> dict[str, Access]:
        """Of each managed API that is configured, what it takes to use it; those that cost least come first."""
        runpod, found = self.runpod_api_key.get_secret_value(), dict[str, Access]()
        if self.comfyui_url:
            found["comfy_endpoint"] = Access(url=self.comfyui_url, key=self.comfyui_token.get_secret_value())
        if self.modal_url:
            key, secret = self.modal_key.get_secret_value(), self.modal_secret.get_secret_value()
            found["modal"] = Access(url=self.modal_url, key=key, secret=secret)
        if runpod and self.runpod_endpoint:
            found["runpod_serverless"] = Access(key=runpod, endpoint=self.runpod_endpoint)
        if runpod:
            found["runpod_public"] = Access(key=runpod)
        for name, token in (("together", self.together_api_key), ("replicate", self.replicate_api_token)):
            if token.get_secret_value():
                found[name] = Access(key=token.get_secret_value())
        return found

    @property
    def bucket(self) -> BucketAccess | None:
        """Our bucket, where all four settings are there; :meth:`bucket_lacks` says which are not."""
        if self.bucket_lacks():
            return None
        is_account = not self.r2_endpoint.startswith("http")
        return BucketAccess(
            endpoint=f"https://{self.r2_endpoint}.r2.cloudflarestorage.com"
            if is_account
            else self.r2_endpoint.rstrip("/"),
            bucket=self.r2_bucket,
            key_id=self.r2_access_key_id.get_secret_value(),
            secret=self.r2_secret_access_key.get_secret_value(),
        )

    def bucket_lacks(self) -> tuple[str, ...]:
        """The settings that a bucket still needs, by their names in the environment."""
        fields = ("r2_endpoint", "r2_bucket", "r2_access_key_id", "r2_secret_access_key")
        return tuple(str(type(self).model_fields[name].alias) for name in fields if not getattr(self, name))

    @property
    def idle_timeout(self) -> timedelta:
        return timedelta(seconds=self.idle_timeout_s)

    def caps(self) -> Caps:
        """Those that were set; the defaults are in force as soon as a real key is."""
        return Caps(
            person_day=self._cap(self.cap_person_day_usd, 2),
            day=self._cap(self.cap_day_usd, 5),
            month=self._cap(self.cap_month_usd, 50),
        )

    def _cap(self, given: float | None, default: float) -> MicroUsd | None:
        if given is not None:
            return micro_usd(given)
        return micro_usd(default) if self.rents_for_real else None

    def secrets(self) -> tuple[str, ...]:
        """What must never be seen anywhere."""
        fields = (getattr(self, name) for name in type(self).model_fields)
        return tuple(value.get_secret_value() for value in fields if isinstance(value, SecretStr) and value)

    @property
    def max_price(self) -> int:
        return micro_usd_per_hour(self.max_usd_hour)
