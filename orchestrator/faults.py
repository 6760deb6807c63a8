"""What goes wrong with clouds, machines and mirrors: one library for sandbox, simulation and benchmarks."""

import random
from enum import StrEnum

HOSTS_PER_GROUP = 5
MARKET_BAD_SHARE = 0.8


class Fault(StrEnum):
    """One way to fail. The value is what people and tests type."""

    # a machine
    SSH_NEVER_OPENS = "ssh-never-opens"  # it runs and bills, and nothing listens
    SSH_REFUSES_KEY = "ssh-refuses-key"  # our key never arrived on it
    SSH_DROPS = "ssh-drops"  # each connection is cut after a few seconds
    VANISHES = "vanishes"  # gone at once, processes, row and all
    VANISHES_WHILE_MODELS_LOAD = "vanishes-while-models-load"
    VANISHES_WHEN_READY = "vanishes-when-ready"  # soon after its first picture
    VANISHES_WHILE_PAINTING = "vanishes-while-painting"  # when a prompt arrives after the first picture
    GOES_OFFLINE = "goes-offline"  # still listed, but dead: the cloud lost touch with the host
    STATUS_FLAPS = "status-flaps"  # the cloud says "unknown" for a while although it works
    STUCK_LOADING = "stuck-loading"
    BOOT_FAILS = "boot-fails"  # the container runtime gives up, told only in status_msg
    BOOT_EXITS = "boot-exits"  # the container ends at once
    DISK_FULL = "disk-full"  # writes fail after the first megabyte of a file
    WRONG_GPU = "wrong-gpu"  # another card than the offer promised
    DEARER_THAN_OFFERED = "dearer-than-offered"  # the contract costs twice the offer
    COMFYUI_DIES = "comfyui-dies"
    COMFYUI_HANGS = "comfyui-hangs"  # accepts prompts and never runs them
    COMFYUI_OOM = "comfyui-oom"
    DESTROY_IGNORED = "destroy-ignored"  # "success", and it stays

    # an order
    CREATE_NO_SUCH_ASK = "api-create-no-such-ask"  # somebody else was faster
    CREATE_REFUSED_POLITELY = "api-create-success-false"  # 200 with "success": false
    CREATE_ANSWER_DROPPED = "api-drops-create-answer"  # accepted, and the connection breaks
    CREATE_ANSWER_WITHOUT_ID = "api-create-answer-without-id"  # accepted, and the answer does not say what
    CREATE_FAILS_BUT_BILLS = "api-create-error-with-contract"  # an error that names the machine it has made
    LATE_MACHINE = "late-machine"  # told to have failed; turns up some seconds later
    NO_MONEY = "no-money"
    OFFER_SOLD_TWICE = "offer-sold-twice"  # both orders are accepted, the second never boots

    # a listing
    LISTING_EMPTY = "listing-empty"  # well-formed and wrong
    LISTING_TRUNCATED = "listing-truncated"  # the last page is missing, and the count says so
    LISTING_STALE = "listing-stale"  # what was true when the fault began
    LISTING_410 = "listing-410"  # this version of the call is retired
    LISTING_RESHAPED = "listing-reshaped"  # other names, same meaning

    # any request
    API_429 = "api-429"  # plain text, nothing said about how long
    API_429_RETRY_AFTER = "api-429-retry-after"
    API_QUOTA = "api-quota"  # the day's searches are used up
    API_500 = "api-500"
    API_GARBAGE = "api-garbage"  # 200 with a page for people
    API_HANGS = "api-hangs"
    KEY_REVOKED = "key-revoked"  # 404, as if everything were gone

    # the download mirrors
    BAD_CHECKSUM = "bad-checksum"  # right length, wrong bytes
    MIRROR_DIES = "mirror-dies"
    MIRROR_RESETS = "mirror-resets"  # the connection breaks in mid-file
    MIRROR_IGNORES_RANGE = "mirror-ignores-range"
    MIRROR_WRONG_RANGE = "mirror-wrong-range"
    MIRROR_HTML = "mirror-html"
    SLOW_LINK = "slow-link"


class WorldFault(StrEnum):
    """One way in which the bot itself, or what it stands on, fails: for simulated worlds, where it can be arranged."""

    CRASH = "crash"  # SIGKILL between any two steps of its loop
    CRASH_TWICE = "crash-twice"  # and again soon after the next start
    CRASH_IN_RECOVERY = "crash-in-recovery"  # and again before the next start has looked around
    DOWN_FOR_HOURS = "down-for-hours"
    STOPPED = "stopped"  # by hand: every machine is to be ended first
    STORE_BUSY = "store-busy"
    STORE_FULL = "store-full"  # and the pictures' disk with it
    CLOCK_FORWARD = "clock-forward"  # an hour
    CLOCK_BACK = "clock-back"
    PERSON_CANCELS = "person-cancels"  # at any step
    PERSON_RELEASES = "person-releases"
    PERSON_KEEPS = "person-keeps"
    ADMIN_ENDS = "admin-ends"  # a machine, at any step
    SURFACE_DOWN = "surface-down"  # for hours
    BALANCE_RUNS_OUT = "balance-runs-out"  # the cloud deletes what runs
    ANSWERS_LATE = "answers-late"  # so that an older one may arrive after a newer one
    ORDERS_DOUBLED = "orders-doubled"  # by something between us and the cloud: two machines with one label
    LISTING_DOUBLED = "listing-doubled"  # each machine is shown twice
    LISTING_404 = "listing-404"
    CLOUD_DOWN = "cloud-down"  # of several clouds one after another answers nothing
    BRIDGE_FAILS = "bridge-fails"
    BRIDGE_LOSES_ANSWERS = "bridge-loses-answers"  # painted and charged, and the answer is lost


class Scope(StrEnum):
    """What a fault falls on."""

    MACHINE = "machine"
    ORDER = "order"
    LISTING = "listing"
    API = "api"
    MIRROR = "mirror"


_FIRST_OF_SCOPE = {
    Fault.SSH_NEVER_OPENS: Scope.MACHINE,
    Fault.CREATE_NO_SUCH_ASK: Scope.ORDER,
    Fault.LISTING_EMPTY: Scope.LISTING,
    Fault.API_429: Scope.API,
    Fault.BAD_CHECKSUM: Scope.MIRROR,
}


def _scopes() -> dict[Fault, Scope]:
    found, scope = {}, Scope.MACHINE
    for fault in Fault:
        scope = _FIRST_OF_SCOPE.get(fault, scope)
        found[fault] = scope
    return found


SCOPES = _scopes()
"""Faults are declared in blocks; this is which block each belongs to."""

MARKET_FAULTS = (
    Fault.SSH_NEVER_OPENS,
    Fault.SSH_REFUSES_KEY,
    Fault.VANISHES_WHILE_MODELS_LOAD,
    Fault.VANISHES_WHEN_READY,
    Fault.VANISHES_WHILE_PAINTING,
    Fault.GOES_OFFLINE,
    Fault.STUCK_LOADING,
    Fault.BOOT_FAILS,
    Fault.BOOT_EXITS,
    Fault.DISK_FULL,
    Fault.WRONG_GPU,
    Fault.COMFYUI_DIES,
    Fault.COMFYUI_HANGS,
)
"""The ways in which a host of the `market` profile is bad."""

_FIRST_USER_GROUP = (
    None,
    Fault.SSH_NEVER_OPENS,
    Fault.VANISHES_WHILE_MODELS_LOAD,
    Fault.VANISHES_WHILE_MODELS_LOAD,
    Fault.VANISHES_WHILE_MODELS_LOAD,
)


class Profile(StrEnum):
    """How bad a world's hosts are."""

    NONE = "none"
    FIRST_USER = "first-user"  # of each five hosts four are bad for good, as the first user measured
    MARKET = "market"  # each host is bad for a day with p = 0.8, in any way


def host_fault(profile: Profile, *, host: int, day: int, seed: int) -> Fault | None:
    """
    Say what is wrong with a host on a day; the same arguments give the same answer everywhere.

    Args:
        profile: The kind of world.
        host: The host's number, from 0.
        day: Any running number of days; only `market` changes with it.
        seed: The world.
    """
    match profile:
        case Profile.NONE:
            return None
        case Profile.FIRST_USER:
            group, place = divmod(host, HOSTS_PER_GROUP)
            return _dice(seed, group).sample(_FIRST_USER_GROUP, HOSTS_PER_GROUP)[place]
        case Profile.MARKET:
            dice = _dice(seed, host, day)
            return dice.choice(MARKET_FAULTS) if dice.random() < MARKET_BAD_SHARE else None


def _dice(*names: int) -> random.Random:
    # Random mixes a text's bytes well; tuples of small numbers would need a hash that differs between processes.
    return random.Random("/".join(map(str, names)))  # noqa: S311  (repeatable weather, no secret)
