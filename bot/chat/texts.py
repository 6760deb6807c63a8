"""Every sentence that a person reads when something is refused, fails or is news, by key."""

import string
from collections.abc import Mapping

from bot.chat.words import clipped, usd
from orchestrator.api import EndReason, Step

LONGEST_VALUE = 80
"""What a person typed is quoted back no longer than this."""

# A key has one or more sentences: the first whose values are all there is the one to say.

REQUESTS: Mapping[str, tuple[str, ...]] = {
    # What is typed.
    "empty_prompt": ("Say what to paint, for example: /imagine a lighthouse at dusk.",),
    "too_long": ("{name} is too long: {length} characters, at most {allowed}. Shorten it.", "That is too long."),
    "unknown_flag": ("There is no option {name} for {workflow}.{meant} /workflows lists them.",),
    "one_of_flags": ("{names} say where it is made; say one of them.",),
    "flag_twice": ("{name} is there twice; say it once.",),
    "missing_value": ("{name} needs a value, for example: {example}.",),
    "unbalanced_quote": ("The value of {name} begins with a quote that never ends; close it.",),
    "unbalanced_brace": (
        "A brace is opened or closed once too often; close each {{, or write \\{{ and \\}} for the braces themselves.",
    ),
    "too_deep": ("Braces are nested more than {allowed} deep; use fewer.",),
    "too_many_jobs_at_once": ("That makes {jobs} requests, at most {allowed} can be started at once; take fewer.",),
    "bad_size": ("--size wants a width and a height such as 1024x768, not {value}.",),
    "needs_picture": ("{workflow} starts from a picture: use Vary below one, or /vary ID.",),
    "bad_preset": ("A preset has options alone, such as --ar 2:3 --steps 6; leave out {value}.",),
    "blocked_word": ("{word} may not be asked for here; say it in other words, or ask an admin.",),
    "adults_only": (
        "Pictures are made in age-restricted channels alone here; ask there, or an admin (/admin pictures plain).",
    ),
    "not_blocked": ("{word} is not blocked here; /admin words lists what is.",),
    "too_many_blocked": ("{limit} words are blocked here, more are not kept; remove one first.",),
    "still_under_way": ("Requests of yours are under way ({unfinished}); wait for them or /cancel them first.",),
    "join_under_way": (
        (
            "Requests of this account are under way ({unfinished}); wait for them or /cancel them, then send the code"
            " again, or a new one when it is older than ten minutes."
        ),
    ),
    "unknown_preset": ("You have no preset {name}.{meant} /presets lists yours.",),
    "too_many_presets": ("You have {limit} presets, more are not kept; remove one with /presets remove NAME.",),
    "no_workflows": ("No workflow is installed, so nothing can be painted; an admin has to add one.",),
    "unknown_command": ("There is no command {name}.{meant} /help lists them all.",),
    "bad_argument": ("{command} does not understand {value}; write it like this: {example}.",),
    "admins_only": ("{command} is for admins.",),
    "person_blocked": (
        "An admin has switched this bot off for you; ask them why. /cancel, /release and /forget me still work.",
    ),
    "unknown_person": (
        "Nobody called {name} has asked for anything; say a name, or an account such as /cost lists them.",
    ),
    "several_people": ("Several people are called {name}; say which one: {known}.",),
    "unknown_routing": ("There is no way called {name}.{meant} Known are: {known}.",),
    "unknown_cap": ("There is no cap {name}.{meant} Known are: {known}.",),
    "not_allowed": ("You are not on the list of those who may use this bot here; ask {contact} to add {user}.",),
    "button_gone": ("That button is from before; send the request again to get a new one.",),
    "link_elsewhere": ("Accounts are joined on Discord and Telegram: write /link to the bot there.",),
    "bad_link_code": (
        "That code is wrong, used or older than ten minutes; write /link on the other chat for a new one.",
    ),
    "overheard_code": (
        (
            "Others have read that code, so it is good no more; write /link on the other chat for a new one, and send"
            " it to the bot in a private chat."
        ),
    ),
    "for_one_only": ("That answer is for you alone; write {command} to the bot in a private chat.",),
    "linked_already": ("These accounts are one person already; /me lists them.",),
    "not_linked": ("This account was joined to no other; if others were joined to it, write /link remove there.",),
    "too_many_accounts": ("One person has at most {limit} accounts.",),
    "machine_is_yours_here": (
        (
            "Your GPU here is still warm or on its way; /session release it, wait a minute, and send the code again, or"
            " a new one when it is older than ten minutes."
        ),
    ),
    "unknown_notice": ("There is no notice {name}.{meant} Known are: {known}.",),
    "not_editable": ("That started from a picture, which cannot be typed; use Vary below one.",),
    "bad_user": ("A name has 1 to 40 characters, all of them printable.",),
    # What is asked for.
    "unknown_workflow": (
        "There is no workflow {name}.{meant} Known are: {known}.",
        "There is no workflow {name} any more.",
    ),
    "unknown_parameter": ("{workflow} has no {name}.{meant}",),
    "missing_parameter": ("{name} is missing; say it.",),
    "not_a_number": ("{name} must be {allowed}, not {value}.", "{name} must be a number, not {value}."),
    "not_a_whole_number": ("{name} must be a whole number, {allowed}, not {value}.",),
    "out_of_range": ("{name} must be {allowed}, not {value}.",),
    "not_a_multiple": ("{name} must be a multiple of {step}, not {value}.",),
    "not_a_choice": ("{name} can be {allowed}, not {value}.{meant}",),
    "unknown_lora": (
        'The LoRA "{name}" does not exist.{meant} Known are: {known}.',
        'The LoRA "{name}" does not exist.{meant}',
    ),
    "bad_lora_name": (
        'A LoRA\'s name has 1 to 24 small letters, digits, "-" or "_", and is not "none"; {name} does not fit.',
    ),
    "lora_of_workflow": ("A LoRA {name} comes with a workflow already; choose another name.",),
    "lora_exists": ("There is a LoRA {name} already; choose another name, or /lora remove {name} first.",),
    "lora_not_added": ("You have added no LoRA {name}.{meant} /lora list shows them.",),
    "lora_is_shared": ("The LoRA {name} is everybody's; an admin removes it with /lora remove {name} shared.",),
    "too_many_loras": ("There are {limit} LoRAs already, which is the most; /lora remove one you no longer use.",),
    "no_lora_workflow": ("No workflow here takes a LoRA; an admin can install one that does.",),
    "long_triggers": ("Trigger words have at most {allowed} characters together, not {length}.",),
    "lora_busy": ("Another LoRA is being read right now; try again in a minute.",),
    "bad_lora_link": (
        "That is no link to a file; copy the address of its download button, which begins with https://.",
    ),
    "lora_link_has_key": (
        (
            "That link carries a key or a password, which rented machines would see; use a link that works without"
            " one, and make a new key now if others have read this one."
        ),
    ),
    "lora_link_not_https": ("Only https links are fetched, and that one is or leads to another.",),
    "lora_link_private": ("That link leads into a private network, from which nothing is fetched; use a public one.",),
    "lora_link_redirects": ("That link leads on more than {most} times; use the address that it ends at.",),
    "lora_link_refused": (
        "That link answers {status} instead of the file; it has to be one that anybody can download.",
    ),
    "lora_link_is_page": ("That link leads to a page, not to a file; copy the address of its download button.",),
    "lora_link_dead": ("Nothing answers at that link, or the answer broke off; check it and try again.",),
    "lora_link_slow": ("That link is too slow; the file has to come within a few minutes. Use a faster one.",),
    "lora_too_large": ("That file has {size_gb} GB; a LoRA may have {allowed_gb} GB.",),
    "not_safetensors": ("That file is no whole safetensors file; LoRAs are taken in that format alone.",),
    "not_a_lora": ("That file is a model, but no LoRA: it has no lora_up and lora_down tensors.",),
    "takes_no_picture": ("{workflow} does not start from a picture.",),
    "bad_source": ("The picture to start from is gone, or none was named; choose another one.",),
    "unknown_picture": ("That request has no picture {picture}; it has {known}.", "There is no such picture."),
    "no_longer_kept": ("The pictures of that request are no longer kept; Again has it painted anew.",),
    "no_vary": ("No workflow that starts from a picture is installed.",),
    "not_painted": ("That request has no picture yet; wait until it is done.",),
    # What is allowed.
    "too_many_jobs": ("You have {unfinished} requests under way, at most {limit}; wait for one or cancel it.",),
    "over_budget": (
        "The budget {cap} of {limit_usd} is used up; ask an admin to raise it, or come back when it starts anew.",
        "The budget does not allow another machine; ask an admin to raise it, or come back tomorrow.",
    ),
    "draining": ("No new request is accepted right now; an admin has switched that off.",),
    # What does not exist.
    "unknown_job": ("There is no request {job}; /history lists yours.", "You have not asked for anything yet."),
    "not_yours": ("That request is somebody else's.",),
    "already_over": ("That request is over already.",),
    "disk_full": (
        "The bot's disk is full, so nothing new is taken on; what is under way is kept. An admin has to make room.",
    ),
    "has_rival": (
        "Another copy of this bot is running, so this one rents no machine; an admin has to stop one of the two.",
    ),
    "nothing_to_cancel": ("Nothing of yours is under way.",),
    "nothing_to_keep": ("You have no warm machine to keep; ask for a picture to warm one up.",),
    "nothing_to_release": ("You have no machine to give back; nothing costs money.",),
    "unknown_machine": ("There is no live machine {machine}; /admin sessions lists them.",),
}

FAILURES: Mapping[str, tuple[str, ...]] = {
    "deadline": (
        "No machine was ready within {minutes} minutes, so this was given up; try again, or later when more are free.",
    ),
    "gave_up": ("Given up after {tries} tries; the last one: {reason}. Try again later.",),
    "graph_rejected": ("{sentence}",),
    "out_of_vram": ("The GPU has too little memory for this; ask for a smaller size or fewer pictures.",),
    "account": ("{cloud} refuses our key or our balance; an admin has to look at the account.",),
    "no_cloud": ("No GPU cloud is set up; an admin has to add a key.",),
    "no_offer": ("No cloud has a suitable GPU at an acceptable price; try again later.",),
    "filtered": (
        "{api} keeps this picture back as indecent; say it in other words, or add --own to have your own GPU paint it.",
    ),
    "bridge_failed": ("{api} could not paint it; try again.",),
}

NOTICES: Mapping[str, tuple[str, ...]] = {
    "cloud_account": ("{cloud} refuses our key or our balance: {problem}. Nothing is rented there meanwhile.",),
    "volume_missing": ("{problem}. Machines are rented there all the same, and fetch the models each time.",),
    "bridge_off": ("{api} is switched off: {problem} Nobody is sent there meanwhile.",),
    "orphan_ended": ("A machine at {cloud} ({machine}) carried our label and belonged to nobody; it is being ended.",),
    "machine_will_not_die": (
        "{cloud} still shows the machine {machine}, {minutes} minutes after its end; end it in the cloud's console.",
    ),
    "left_behind": (
        (
            "The machine {machine} at {cloud} may be in use by the bot that this data folder was copied from, so it is "
            "left alone. If that bot is gone and the machine does not end by itself, run: glowplug sweep"
        ),
    ),
    "rival": (
        (
            "Another copy of this bot was started after this one and rents at {cloud} ({machine}), so this one rents "
            "nothing more. Stop one of the two, then start the other again."
        ),
    ),
    "job_done": ("{pictures} done: {prompt}",),
    "job_failed": ("This was not painted: {prompt}. {sentence}", "This was not painted. {sentence}"),
    "giving_back": (
        "Your {gpu} is given back at {until} if you ask for nothing more.",
        "Your {gpu} is given back soon if you ask for nothing more.",
    ),
    "low_balance": ("{cloud} has {left_usd} of our money left; machines stop when it is used up.",),
    "budget_nearly_used": ("{share} % of the budget {cap} ({limit_usd}) is used.",),
    "over_budget": ("The budget {cap} is used up; machines are given back.", "The budget is used up."),
}

SENTENCES: Mapping[str, tuple[str, ...]] = {**NOTICES, **FAILURES, **REQUESTS}

CAPS: Mapping[str, str] = {
    "person_day": "for one person and day",
    "day": "for one day",
    "month": "for one month",
}

REASONS: Mapping[EndReason, str] = {
    EndReason.IDLE: "The machine was idle and was given back",
    EndReason.RELEASED: "The machine was given back",
    EndReason.NOT_NEEDED: "The machine was no longer needed",
    EndReason.NOT_ASKED: "The machine was started early and nobody asked for a picture",
    EndReason.OVERTAKEN: "Another machine painted first",
    EndReason.SHUTDOWN: "The bot was stopped and its machines were ended",
    EndReason.ADMIN: "An admin ended the machine",
    EndReason.OVER_BUDGET: "The budget is used up",
    EndReason.NO_OFFER: "No suitable GPU is on offer",
    EndReason.OFFER_GONE: "Somebody else rented the machine first",
    EndReason.ACCOUNT: "The cloud refuses our key or our balance",
    EndReason.CLOUD_UNAVAILABLE: "The cloud does not answer",
    EndReason.LEFT_BEHIND: "The machine may belong to the bot that this data folder was copied from",
    EndReason.LAUNCH_LOST: "The cloud lost the order",
    EndReason.BOOT_FAILED: "The machine did not start",
    EndReason.BOOT_TOO_SLOW: "The machine took too long to start",
    EndReason.SSH_UNREACHABLE: "The machine never let us in",
    EndReason.WRONG_MACHINE: "The machine has another GPU than the one ordered",
    EndReason.DISK_FULL: "The machine's disk is full",
    EndReason.BAD_DOWNLOAD: "The machine got damaged model files",
    EndReason.DOWNLOAD_TOO_SLOW: "The machine loaded the models too slowly",
    EndReason.PREPARE_FAILED: "The machine could not be prepared",
    EndReason.COMFYUI_FAILED: "ComfyUI failed on the machine",
    EndReason.COMFYUI_STUCK: "ComfyUI got stuck on the machine",
    EndReason.OUT_OF_VRAM: "The GPU ran out of memory",
    EndReason.UNEXPECTED: "Something went wrong on the machine that we did not expect",
    EndReason.VANISHED: "The machine vanished",
    EndReason.HOST_LOST: "The machine stopped answering",
    EndReason.ORPHAN: "The machine belonged to nobody",
}

STEPS: Mapping[Step, str] = {
    Step.PROVISION: "while it was ordered",
    Step.BOOT: "while it started",
    Step.SSH: "before it let us in",
    Step.AGENT: "while our agent started",
    Step.CLONE: "while ComfyUI was fetched",
    Step.TORCH: "while PyTorch was installed",
    Step.REQUIREMENTS: "while ComfyUI's packages were installed",
    Step.COMFYUI: "while ComfyUI started",
    Step.MODELS: "while the models were loading",
    Step.LORA: "while your LoRA was fetched",
    Step.ENCODE: "while your prompt was read",
    Step.SMOKE: "during its test picture",
}

STEP_NAMES: Mapping[Step, str] = {
    Step.PROVISION: "renting",
    Step.BOOT: "starting",
    Step.SSH: "SSH",
    Step.AGENT: "agent",
    Step.CLONE: "ComfyUI's source",
    Step.TORCH: "PyTorch",
    Step.REQUIREMENTS: "ComfyUI's packages",
    Step.COMFYUI: "ComfyUI",
    Step.MODELS: "models",
    Step.LORA: "your LoRA",
    Step.ENCODE: "your prompt",
    Step.SMOKE: "test picture",
}

_STEP_ADDS_SOMETHING = frozenset(
    {EndReason.VANISHED, EndReason.HOST_LOST, EndReason.PREPARE_FAILED, EndReason.CLOUD_UNAVAILABLE},
)
_SEVERAL = frozenset({Step.REQUIREMENTS, Step.MODELS})
"""Steps whose names are plurals."""
_NO_MACHINE = frozenset(
    {EndReason.NO_OFFER, EndReason.OFFER_GONE, EndReason.ACCOUNT, EndReason.CLOUD_UNAVAILABLE, EndReason.LAUNCH_LOST},
)
"""Reasons that speak of a search, not of a machine that was had."""


def sentence(key: str, values: Mapping[str, str | float]) -> str:
    """
    Say what *key* means.

    Never fails: a key that is not known here still gives a sentence that helps whoever looks into it.
    """
    said = _Said(values)
    for template in SENTENCES.get(key, ()):
        if _fields(template) <= said.keys():
            return template.format_map(said)
    facts = ", ".join(f"{name} {clipped(str(value), LONGEST_VALUE)}" for name, value in values.items())
    return f"This cannot be done ({key.replace('_', ' ')}{': ' + facts if facts else ''}); /help says what can."


class _Said(dict[str, str]):
    """Values as they are read out."""

    def __init__(self, values: Mapping[str, str | float]) -> None:
        super().__init__({name: _read_out(name, value) for name, value in values.items()})
        closest = self.get("closest", "")
        self["meant"] = f" Did you mean {closest}?" if closest else ""


def _read_out(name: str, value: str | float) -> str:
    if name.endswith("_usd") and not isinstance(value, str):
        return usd(value)
    if isinstance(value, float):
        return f"{value:g}"
    match name:
        case "cap":
            return CAPS.get(str(value), str(value))
        case "reason":
            return reason_words(str(value)).lower()
        case "sentence" | "problem" | "known" | "allowed":
            return clipped(str(value), 600)
        case _:
            return clipped(str(value), LONGEST_VALUE)


def _fields(template: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(template) if field}


def reason_words(reason: str) -> str:
    """Why a machine was given up, as the beginning of a sentence."""
    return REASONS[EndReason(reason)] if reason in set(EndReason) else "The machine failed"


def trouble_words(reason: EndReason, step: Step | None, *, machine: int) -> str:
    """What happened to the machine before, and that the next one is on its way; 1 is after a search that failed."""
    what = REASONS[reason]
    if step is not None and reason in _STEP_ADDS_SOMETHING:
        what = f"{what} {STEPS[step]}"
    return f"{what}; starting another (machine {machine})" if machine > 1 else f"{what}; trying again"


def restart_words(reason: EndReason) -> str:
    """Why the same machine tries once more."""
    return f"{REASONS[reason]}; starting ComfyUI again for another try, same prompt, same seed"


def late_words(step: Step, *, is_measured: bool, until: str) -> str:
    """That a step takes long, and what happens next; *until* is when it is given up, empty where nobody knows."""
    takes = "take" if step in _SEVERAL else "takes"
    than = "nine in ten did before" if is_measured else "expected"
    when = f"not done by {until}" if until else "it gets stuck"
    return f"{STEP_NAMES[step]} {takes} longer than {than}; if {when}, another machine is tried"


def waiting_words(waiting_for: str, place: str) -> str:
    """Why a request that waits for its turn is not begun. *place* is its place in the person's queue."""
    match waiting_for:
        case "":
            return "You are next" if place == "next" else f"You are {place} in your own queue"
        case "machine":
            return "Looking for a GPU for you"
        case "capacity":
            return f"{REASONS[EndReason.NO_OFFER]}; asking again until one is"
        case _ if waiting_for in _NO_MACHINE:
            return f"{reason_words(waiting_for)}; trying again"
        case _:
            return f"{reason_words(waiting_for)}; looking for another one"
