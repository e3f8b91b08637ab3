#!/bin/bash
# release.sh BUILD [ARCHITECTURE [OPTION...]]: the static release as BUILD/release/nest-init, with its libraries in
# BUILD/static; as BUILD/release-ARCHITECTURE/nest-init where that is not the machine's own. OPTION is meson's.
#
# The same sources and the same packages of Debian make the same bytes, whatever BUILD is called.
set -euo pipefail
# The flags are the cross file's.
unset CFLAGS CPPFLAGS LDFLAGS

here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../.." && pwd)
build=$1
own=$(dpkg --print-architecture)
architecture=${2:-$own}
suffix=-$architecture
[ "$architecture" != "$own" ] || suffix=
release=$build/release$suffix
mkdir -p "$build"

# run LOG COMMAND...: what a command prints is of interest where it failed.
run() {
	local log=$build/$1
	shift
	"$@" >"$log" 2>&1 || { cat "$log" >&2; return 1; }
}

run "libraries$suffix.log" "$here/libraries.sh" "$build/static" "$architecture"
cross_file=$build/static/musl$suffix.ini
# A changed cross file means other libraries: the directory is made anew.
cmp -s "$cross_file" "$release/musl.ini" || rm -rf "$release"
[ -d "$release" ] || run "setup$suffix.log" meson setup "$release" "$source" --cross-file "$cross_file" \
	-Dstatic_release=true -Dtests=false -Dwerror=true "${@:3}"
cp "$cross_file" "$release/musl.ini"
ninja -C "$release" --quiet
