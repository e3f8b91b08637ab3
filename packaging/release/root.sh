#!/bin/bash
# root.sh DIRECTORY CONTROL|- [PACKAGE...]: a clean Debian root with no more than the packages, and the Build-Depends of the file
# CONTROL. Prints its path, DIRECTORY/KEY, where KEY stands for what was asked for: made once. Needs root and mmdebstrap.
#
# Mirror, options and keys are the machine's own. Remove DIRECTORY to have newer packages.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
directory=$1
control=$2
shift 2
key=$({ echo "$@"; [ "$control" = - ] || sed -n '/^Build-Depends:/,/^Standards-Version:/p' "$control"; } | sha256sum | cut -c 1-12)
root=$directory/$key
mkdir -p "$directory"
exec 9>"$directory/.lock"
flock 9
if [ ! -d "$root" ]; then
	work=$(mktemp -d)   # an entry of apt's may hold a password
	trap 'rm -rf "$work"' EXIT
	"$here/../static/apt-sources.sh" deb "$work"
	options=()
	[ $# = 0 ] || options+=("--include=$(IFS=,; echo "$*")")
	if [ "$control" != - ]; then
		mkdir -p "$work/tree/debian"
		cp "$control" "$work/tree/debian/control"
		# shellcheck disable=SC2016  # the hook's shell has $1
		options+=("--customize-hook=copy-in $work/tree /tmp"
			'--customize-hook=chroot "$1" apt-get --quiet=2 --yes --no-install-recommends build-dep /tmp/tree'
			'--customize-hook=rm -rf "$1/tmp/tree"')
	fi
	proxy=''
	eval "$(apt-config shell proxy Acquire::http::Proxy)"
	[ -z "$proxy" ] || options+=("--aptopt=Acquire::http::Proxy \"$proxy\"")
	rm -rf "$directory/.new"
	sources=()
	for file in "$work/debian.list" "$work/debian.sources"; do [ ! -s "$file" ] || sources+=("$file"); done
	mmdebstrap --quiet --mode=root --variant=minbase "${options[@]}" bookworm "$directory/.new" "${sources[@]}" \
		>"$directory/log" 2>&1 || { tail -n 30 "$directory/log" >&2; exit 1; }
	mv "$directory/.new" "$root"
fi
printf '%s\n' "$root"
