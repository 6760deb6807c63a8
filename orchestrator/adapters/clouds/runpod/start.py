"""What a pod does first: arms its dead-man's switch, lets us in, keeps its environment for the logins to come."""

from datetime import datetime

from orchestrator.adapters.clouds import guard
from orchestrator.adapters.clouds.guard import Ending
from orchestrator.ports.cloud import DeadMan

# The container's only process: an image's own start is replaced, and so is its SSH server. Runs again whenever the
# container starts, on an empty disk, and must not end, for RunPod starts again what ends. A login does not inherit the
# container's environment (docs.runpod.io, environment variables): sshd reads it from a file that is root's alone,
# because the pod's own key is in it. GLOWPLUG_ROOT is set where a machine is only a folder; then nothing outside it is
# touched, and whoever gave the folder serves SSH.
_SCRIPT = """\
home="${{GLOWPLUG_ROOT:-/root}}"
umask 077
state="$home/glowplug"
mkdir -p "$state" "$home/.ssh"
{guard}touch "$home/.ssh/authorized_keys"
grep -qF "$PUBLIC_KEY" "$home/.ssh/authorized_keys" || printf '\\n%s\\n' "$PUBLIC_KEY" >> "$home/.ssh/authorized_keys"
env | grep -E '^[A-Za-z_][A-Za-z0-9_]*=' | grep -vE '^(HOME|PWD|OLDPWD|SHLVL|TERM|_)=' > "$home/.ssh/environment"
if [ -z "$GLOWPLUG_ROOT" ]; then
  PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
  if ! command -v sshd > /dev/null; then
    if command -v apt-get > /dev/null; then
      export DEBIAN_FRONTEND=noninteractive
      apt-get update -qq && apt-get install -y -qq --no-install-recommends openssh-server
    elif command -v apk > /dev/null; then
      apk add --no-cache openssh
    else
      dnf install -y openssh-server || yum install -y openssh-server
    fi
  fi
  umask 022
  mkdir -p /run/sshd
  ssh-keygen -A
  "$(command -v sshd)" -o PermitRootLogin=prohibit-password -o PasswordAuthentication=no \\
    -o PermitUserEnvironment=yes -o PubkeyAuthentication=yes -o StrictModes=no
fi
exec sleep infinity
"""


def plain_key(public_key: str) -> str:
    """
    Reduce a key in OpenSSH's format to its type and its data.

    Raises:
        ValueError: It is no public key.
    """
    parts = public_key.split()
    if len(parts) < 2 or not parts[0].startswith(("ssh-", "ecdsa-", "sk-")):
        raise ValueError("not a public key in OpenSSH's format")
    return f"{parts[0]} {parts[1]}"


def start_script(guard_lines: str = "") -> str:
    """Write the script that is the container; ``PUBLIC_KEY`` in its environment is let in."""
    return _SCRIPT.format(guard=guard_lines)


def guard_lines(url: str, dead_man: DeadMan, ordered_at: datetime) -> str:
    """
    Write what arms the switch.

    The key that a pod finds in its environment ends its own pod by GraphQL; REST refuses it. RunPod's documentation
    names the key and not what it may do (docs.runpod.io, environment variables); that was seen by third parties.

    Args:
        url: Of RunPod's API, as the pod reaches it.
    """
    mutation = f'mutation{{podTerminate(input:{{podId:\\"{guard.ID}\\"}})}}'
    ending = Ending(
        method="POST",
        url=f"{url.rstrip('/')}/graphql",
        body=f'{{"query":"{mutation}"}}',
        id_variable="RUNPOD_POD_ID",
        key_variable="RUNPOD_API_KEY",
    )
    return guard.guard_steps(dead_man, ending, ordered_at=ordered_at)
