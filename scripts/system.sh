#!/bin/sh
# Install, by name, what some tests need and only the system has. Services are kept from starting.
set -eu
packages=
command -v sshd >/dev/null 2>&1 || [ -x /usr/sbin/sshd ] || packages="$packages openssh-server"
command -v aria2c >/dev/null 2>&1 || packages="$packages aria2"
command -v chromium >/dev/null 2>&1 || packages="$packages chromium"
[ -n "$packages" ] || { echo "nothing to install"; exit 0; }

command -v apt-get >/dev/null 2>&1 || {
    echo "this target knows Debian's apt only; install by hand:$packages" >&2
    exit 1
}
root=
[ "$(id -u)" = 0 ] || root=sudo

policy=/usr/sbin/policy-rc.d
made=
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $root tee "$policy" >/dev/null
    $root chmod 755 "$policy"
    made=1
fi
undo() { [ -z "$made" ] || $root rm -f "$policy"; }
trap undo EXIT

$root apt-get update -qq
# shellcheck disable=SC2086 # a list of names
$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
echo "installed:$packages"
