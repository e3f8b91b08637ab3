#!/bin/bash
# fetch.sh [--tar-only] DIRECTORY PACKAGE...: Debian source packages (.dsc and what belongs to it) into DIRECTORY; with
# --tar-only the original tarball alone.
#
# `apt-get source` needs deb-src lines, which few machines have. apt-sources.sh derives them from the machine's own, in a
# private directory: mirror, proxy and keys are the machine's, its configuration stays as it is.
# Needs apt alone: no root, no package to be installed.
set -euo pipefail
export LC_ALL=C

fail() { printf 'fetch.sh: %s\n' "$@" >&2; exit 1; }

only=
if [ "${1:-}" = --tar-only ]; then only=--tar-only; shift; fi
[ $# -ge 2 ] || fail 'usage: fetch.sh DIRECTORY PACKAGE...'
here=$(cd "$(dirname "$0")" && pwd)
directory=$1
shift
mkdir -p "$directory"
command -v apt-get >/dev/null || fail "apt-get is missing: put the .dsc, .orig and .debian files of $* into $directory by hand"

# As root apt downloads as _apt, who can rarely enter a checkout: let it work in a temporary directory of its own.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -m 700 "$work/etc"   # an entry may hold a password
mkdir -p "$work/lists/partial" "$work/cache" "$work/download"
if [ "$(id -u)" = 0 ] && id _apt >/dev/null 2>&1; then
    chmod 755 "$work"
    chown _apt "$work/lists/partial" "$work/download"
fi

"$here/apt-sources.sh" deb-src "$work/etc" || fail "or put the .dsc, .orig and .debian files of $* into $directory by hand"

# A file given with -c is read last, the only place from which a hook of the machine's can be cleared.
cat >"$work/apt.conf" <<EOF
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$work/etc";
Dir::State::lists "$work/lists";
Dir::Cache "$work/cache";
Acquire::Retries "3";
APT::Update::Error-Mode "any";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
EOF
cd "$work/download"
if ! apt-get -c "$work/apt.conf" -qq update || ! apt-get -c "$work/apt.conf" -qq source --download-only $only "$@"; then
    fail "apt could not fetch the sources of $*" \
        "if the machine is offline: put their .dsc, .orig and .debian files into $directory by hand"
fi
cd "$OLDPWD"

# The .dsc last: who finds it finds the rest.
for pass in '*[!c]' '*.asc' '*.dsc'; do
    for file in "$work/download"/$pass; do
        [ -e "$file" ] || continue
        cp "$file" "$directory/.part" && mv "$directory/.part" "$directory/${file##*/}"
    done
done
