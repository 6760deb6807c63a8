"""What a machine does first: arms its dead-man's switch, lets us in, keeps its environment for the logins to come."""

import shlex

LONGEST = 4096
"""Characters of `onstart`, by the cloud's own check of an order."""

# Runs again whenever the container starts, so that each line may be repeated. The environment of the container is not
# that of a login: it is copied to where logins look, beside what the image has there, and for root alone, because the
# machine's own key is in it. GLOWPLUG_ROOT is set where a machine is only a folder; then nothing outside it is touched.
_SCRIPT = """\
#!/bin/bash
key={key}
home="${{GLOWPLUG_ROOT:-$HOME}}"
umask 077
state="$home/glowplug"
mkdir -p "$state" "$home/.ssh"
{guard}touch "$home/.no_auto_tmux" "$home/.ssh/authorized_keys"
grep -qF "$key" "$home/.ssh/authorized_keys" || printf '\\n%s\\n' "$key" >> "$home/.ssh/authorized_keys"
if [ -z "$GLOWPLUG_ROOT" ] && [ -w /etc ]; then
  touch /etc/environment
  [ -e /etc/environment.image ] || cp /etc/environment /etc/environment.image
  env | grep -E '^[A-Za-z_][A-Za-z0-9_]*=' | grep -vE '^(HOME|PWD|OLDPWD|SHLVL|TERM|_)=' > /etc/environment.container
  chmod 600 /etc/environment
  cat /etc/environment.image /etc/environment.container > /etc/environment
fi
"""


def plain_key(public_key: str) -> str:
    """
    Reduce a key in OpenSSH's format to its type and its data: comments differ from place to place.

    Raises:
        ValueError: It is no public key.
    """
    parts = public_key.split()
    if len(parts) < 2 or not parts[0].startswith(("ssh-", "ecdsa-", "sk-")):
        raise ValueError("not a public key in OpenSSH's format")
    return f"{parts[0]} {parts[1]}"


def first_steps(public_key: str, guard: str = "") -> str:
    """
    Write the script that runs at each start of the container.

    Args:
        guard: What arms the dead-man's switch, see :func:`guard.guard_steps`.

    Raises:
        ValueError: The key is none, or so long that the cloud would not take the script.
    """
    script = _SCRIPT.format(key=shlex.quote(plain_key(public_key)), guard=guard)
    if len(script) > LONGEST:
        raise ValueError(f"onstart has {len(script)} characters; {LONGEST} are allowed")
    return script
