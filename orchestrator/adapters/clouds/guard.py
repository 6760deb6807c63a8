"""
The dead-man's switch of a machine: a script that ends its own machine when we have been silent for too long.

It is started by the launch order, before anybody has logged in, and is nobody's child: neither our agent nor an SSH
session takes it down with it. It has the key that the cloud gave to this one machine; no other key is ever there.
How a cloud wants to be told to end the machine is its :class:`Ending`. Called by the clouds whose machines have a key.
"""

import shlex
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.ports.cloud import DeadMan

MOST_TICKS = 60
"""Looks within the silence that is allowed: it is exact to the sixtieth part, and to a second at best."""

ID = "{id}"
"""In an ending's address and body: the machine's own name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """
    The one request that ends a machine, sent by itself.

    Attributes:
        url: Of the request, as the machine reaches it; may hold :data:`ID`, as *body* may.
        body: JSON.
        id_variable: The variable in which the cloud tells the machine its name.
        key_variable: The same for the key that may end this machine alone.
    """

    method: str
    url: str
    body: str
    id_variable: str
    key_variable: str


# It counts its own ticks and reads no clock: the clock of a strange machine may jump. A heartbeat is any change of the
# file's time, which needs no room on a full disk; an old file says nothing after a restart of the container. It never
# gives up, it stops when it is fed again, and it leaves when a newer one has taken its place.
_GUARD = """\
cat > "$state/guard.sh" <<'GUARD'
state=$1 first={first} silent={silent} tick={tick}
{until}echo $$ > "$state/guard.pid"
beat=$(stat -c %y "$state/heartbeat" 2>/dev/null)
quiet=0 limit=$first
while :; do
  sleep $tick
  quiet=$((quiet + tick))
  [ "$(cat "$state/guard.pid")" = $$ ] || exit 0
  now=$(stat -c %y "$state/heartbeat" 2>/dev/null)
  [ "$now" = "$beat" ] || {{ beat=$now quiet=0 limit=$silent; }}
  [ $quiet -lt $limit ] && continue
  . "$state/guard.key"
  url={url} body={body}
  printf 'header = "Authorization: Bearer %s"' "$KEY" |
    curl -sS -m 15 -K - -A glowplug -X {method} -H 'Content-Type: application/json' -d "$body" "$url" ||
    URL=$url KEY=$KEY BODY=$body python3 -c 'import os, urllib.request as u
e = os.environ
h = {{"Authorization": "Bearer " + e["KEY"], "Content-Type": "application/json", "User-Agent": "glowplug"}}
u.urlopen(u.Request(e["URL"], data=e["BODY"].encode(), headers=h, method="{method}"), timeout=15)'
done >> "$state/guard.log" 2>&1
GUARD
cat > "$state/guard.key" <<KEY
ID='${id_variable}' KEY='${key_variable}'
KEY
{start}
"""

# Where the disk is wiped by a restart, the order's own time is all that is left of the first start: a machine that
# starts again and again may not wait its whole time each time. A clock that is wrong shortens it to `silent` at worst.
_UNTIL = """\
left=$(({until} - $(date +%s)))
[ $left -lt $first ] && first=$left
[ $first -gt {least} ] || first={least}
"""

_START = """\
$(command -v setsid || command -v nohup) sh "$state/guard.sh" "$state" < /dev/null > /dev/null 2>&1 &
"""


def guard_steps(dead_man: DeadMan, ending: Ending, *, ordered_at: datetime | None = None) -> str:
    """
    Write what arms the switch: lines for a start script, in which ``$state`` is our folder on the machine.

    Args:
        ordered_at: For a machine whose disk a restart wipes; without it each restart counts anew.
    """
    first, silent = _seconds(dead_man.first), _seconds(dead_man.silent)
    until = ""
    if ordered_at is not None:
        until = _UNTIL.format(until=round((ordered_at + dead_man.first).timestamp()), least=min(first, silent))
    return _GUARD.format(
        first=first,
        silent=silent,
        tick=max(1, silent // MOST_TICKS),
        until=until,
        method=ending.method,
        url=_with_id(ending.url),
        body=_with_id(ending.body),
        id_variable=ending.id_variable,
        key_variable=ending.key_variable,
        start=_START.strip(),
    )


def _with_id(text: str) -> str:
    """Quote *text* for a shell that puts the machine's name into it."""
    return '"$ID"'.join(shlex.quote(part) if part else "" for part in text.split(ID))


def _seconds(span: timedelta) -> int:
    return max(1, round(span.total_seconds()))
