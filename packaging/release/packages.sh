#!/bin/bash
# packages.sh DIRECTORY [PLACE]: all that is handed out, into DIRECTORY (build/packages, say): Debian packages and their source,
# static tarballs for amd64 and arm64, bills of materials, SHA256SUMS. Built on amd64, in a clean root without a network, at
# PLACE there. Does nothing where DIRECTORY is what this tree makes. Needs root.
set -euo pipefail
export LC_ALL=C
umask 022

CROSS="gcc-aarch64-linux-gnu linux-libc-dev-arm64-cross qemu-user-static lintian"

fail() { printf 'packages.sh: %s\n' "$@" >&2; exit 1; }

here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../.." && pwd)
out=$(realpath -m -- "$1")
place=${2:-/build}
cd "$source"
[ "$(dpkg --print-architecture)" = amd64 ] || fail 'packages are built on amd64'
version=$(sed -n "s/^ *version: '\(.*\)',/\1/p" meson.build)
epoch=$(dpkg-parsechangelog -l packaging/debian/changelog -S Timestamp)

# archive FILE DIRECTORY NAME...: the same bytes wherever and whenever it is made.
archive() {
	tar -C "$2" --sort=name --format=ustar --owner=0 --group=0 --numeric-owner --mode=u+rwX,go=rX --mtime="@$epoch" -c "${@:3}" |
		xz -T1 >"$1"
}

# list: what there is, with sizes and sums.
list() {
	local sum name
	while read -r sum name; do printf '%9d  %s  %s\n' "$(stat -c %s "$out/$name")" "$sum" "$name"; done <"$out/SHA256SUMS"
}

work=$(mktemp -d "${TMPDIR:-/tmp}/nest-packages-XXXXXX")
trap 'rm -rf "$work"' EXIT
name=nest-init-$version
mkdir "$work/made" "$work/made/$name" "$work/libraries"
git -c safe.directory="*" ls-files -z --cached --others --exclude-standard | xargs -0 sh -c 'for f; do [ ! -e "$f" ] || printf "%s\0" "$f"; done' - |
	tar --null --files-from=- -c | tar -C "$work/made/$name" -x
packaging/static/libraries.sh --fetch-only build/static amd64
packaging/static/libraries.sh --fetch-only build/static arm64
cp -R build/static/sources "$work/made/sources"
for library in libmicrohttpd libseccomp libxcrypt libcap-ng cjson; do
	cp build/static/sources/"${library}"_* "$work/libraries"
done
archive "$work/made/nest-init_$version.orig.tar.xz" "$work/made" "$name"
archive "$work/made/nest-init_$version.orig-libraries.tar.xz" "$work" libraries

# shellcheck disable=SC2086  # words on purpose
root=$("$here/root.sh" build/roots packaging/debian/control build-essential $CROSS)
stamp=$(cat "$root/var/lib/dpkg/status" "$work"/made/*.xz "$work"/made/sources/*.dsc | sha256sum)
if [ "$stamp" = "$(cat "$out/.made" 2>/dev/null)" ]; then list; exit 0; fi

cp -R "$work/libraries" "$work/made/$name"
cp -R packaging/debian "$work/made/$name/debian"
log=$work/log
"$here/in_root.sh" "$root" "$work/made:$place" "$place/$name/packaging/release/inside.sh" >"$log" 2>&1 </dev/null ||
	{ tail -n 60 "$log" >&2; cp "$log" "$out.log"; fail "see $out.log"; }

rm -rf "$out"
mkdir -p "$out"
find "$work/made" -maxdepth 1 -type f -exec cp -t "$out" {} +
{
	cat packaging/alpine/APKBUILD
	printf 'sha512sums="\n%s\n"\n' "$(cd "$out" && sha512sum "nest-init_$version.orig.tar.xz")"
} >"$out/APKBUILD"
(cd "$out" && sha256sum -- *.deb *.dsc *.tar.* *.cdx.json APKBUILD >SHA256SUMS)
cp "$log" "$out.log"
echo "$stamp" >"$out/.made"
list
