#!/bin/sh
# Install lbw from this directory into .venv here; `sh setup.sh test` adds what the tests need.
#
# On a Debian system, and as root, the few packages that are missing are installed first; otherwise they are named.
set -eu
cd "$(dirname "$0")"

python=
for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "setup.sh: Python 3.11 or later is needed" >&2
    exit 1
fi

missing=
[ -x .venv/bin/pip ] || "$python" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
command -v gpgv >/dev/null || missing="$missing gpgv"
if [ -e /etc/debian_version ] && [ ! -e /usr/share/keyrings/debian-archive-keyring.gpg ]; then
    missing="$missing debian-archive-keyring"
fi
if [ -n "$missing" ]; then
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        apt-get -qq update || echo "setup.sh: some package lists are not up to date" >&2
        # shellcheck disable=SC2086
        DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends $missing >/dev/null
    else
        echo "setup.sh: please install first:$missing" >&2
        case $missing in *venv*) exit 1 ;; esac
    fi
fi

[ -x .venv/bin/pip ] || "$python" -m venv .venv
# "compat": a path in a file, instead of a finder whose imports every start of lbw would pay for.
.venv/bin/pip install --quiet --disable-pip-version-check --config-settings editable_mode=compat --editable ".${1:+[$1]}"
# Where Python is told not to keep what it compiled, every start would compile lbw again.
.venv/bin/python -m compileall -q lbw
