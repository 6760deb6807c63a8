"""
The dead-man's switch of a machine: a script that ends its own machine when we have been silent for too long.

It is started by the launch order, before anybody has logged in, and is nobody's child: neither our agent nor an SSH
session takes it down with it. It has the key that the cloud gave to this one machine, which can do nothing but stop
and destroy it (Vast.ai, api-reference/hello-world: ``CONTAINER_API_KEY``); no other key is ever there.
"""

import shlex
from datetime import timedelta

from orchestrator.ports.cloud import DeadMan

MOST_TICKS = 60
"""Looks within the silence that is allowed: it is exact to the sixtieth part, and to a second at best."""

# It counts its own ticks and reads no clock: the clock of a strange machine may jump. A heartbeat is any change of the
# file's time, which needs no room on a full disk; an old file says nothing after a restart of the container. It never
# gives up, it stops when it is fed again, and it leaves when a newer one has taken its place.
_GUARD = """\
cat > "$state/guard.sh" <<'GUARD'
state=$1 first={first} silent={silent} tick={tick}
echo $$ > "$state/guard.pid"
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
  url={url}/api/v0/instances/$CONTAINER_ID/
  printf 'header = "Authorization: Bearer %s"' "$CONTAINER_API_KEY" |
    curl -sS -m 15 -K - -X DELETE -H 'Content-Type: application/json' -d '{{}}' "$url" ||
    URL=$url KEY=$CONTAINER_API_KEY python3 -c 'import os, urllib.request as u
h = {{"Authorization": "Bearer " + os.environ["KEY"], "Content-Type": "application/json"}}
u.urlopen(u.Request(os.environ["URL"], data=b"{{}}", headers=h, method="DELETE"), timeout=15)'
done >> "$state/guard.log" 2>&1
GUARD
cat > "$state/guard.key" <<KEY
CONTAINER_ID='$CONTAINER_ID' CONTAINER_API_KEY='$CONTAINER_API_KEY'
KEY
{start}
"""

_START = """\
$(command -v setsid || command -v nohup) sh "$state/guard.sh" "$state" < /dev/null > /dev/null 2>&1 &
"""


def guard_steps(url: str, dead_man: DeadMan) -> str:
    """
    Write what arms the switch: lines for ``onstart``, in which ``$state`` is our folder on the machine.

    Args:
        url: Of the cloud's API, as the machine reaches it.
    """
    silent = _seconds(dead_man.silent)
    tick = max(1, silent // MOST_TICKS)
    return _GUARD.format(
        first=_seconds(dead_man.first), silent=silent, tick=tick, url=shlex.quote(url), start=_START.strip()
    )


def _seconds(span: timedelta) -> int:
    return max(1, round(span.total_seconds()))
