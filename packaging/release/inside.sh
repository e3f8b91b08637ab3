#!/bin/bash
# inside.sh, in the root that packages.sh has made: the packages and the tarballs of the tree that it is in, beside the tree.
# With nocheck in DEB_BUILD_OPTIONS it runs no test and not lintian.
set -euo pipefail

cd "$(dirname "$0")/../.."
tree=$PWD
out=$(dirname "$tree")
version=${tree##*-}
SOURCE_DATE_EPOCH=$(dpkg-parsechangelog -S Timestamp)
export SOURCE_DATE_EPOCH
case " ${DEB_BUILD_OPTIONS:-} " in
*" nocheck "*) checked=false ;;
*) checked=true ;;
esac

# tarball ARCHITECTURE RELEASE: what somebody needs who has no package manager, and the bill of materials beside it.
tarball() {
	local name=nest-init-$version-linux-$1 release=$2
	local stage=$tree/obj-stage/$1
	local directory=$stage/nest-init-$version
	packaging/release/contents.py "$release" "$directory"
	cp "$directory/nest-init.cdx.json" "$out/$name.cdx.json"
	cp LICENSE README.md packaging/nest-init.schema.json "$directory"
	meson install -C "$release" --no-rebuild --quiet --destdir "$stage/installed"
	mv "$stage/installed/usr/local/sbin/nest-init" "$directory"
	[ ! -d "$stage/installed/usr/local/share" ] || mv "$stage/installed/usr/local/share" "$directory"
	tar -C "$stage" --sort=name --format=ustar --owner=0 --group=0 --numeric-owner --mode=u+rwX,go=rX \
		--mtime="@$SOURCE_DATE_EPOCH" -c "nest-init-$version" | gzip -9n >"$out/$name.tar.gz"
}

dpkg-buildpackage -us -uc
tarball amd64 "$tree/obj-static/release"

mkdir -p obj-arm64/static
cp -R "$out/sources" obj-arm64/static/sources
packaging/static/release.sh "$tree/obj-arm64" arm64 "-Dtests=$checked"
# Ten times as slow as the machine.
if $checked; then meson test -C obj-arm64/release-arm64 --no-rebuild --print-errorlogs --timeout-multiplier 10; fi
tarball arm64 "$tree/obj-arm64/release-arm64"

if $checked; then
	lintian --allow-root --info --tag-display-limit 0 --fail-on error,warning,info "$out"/*.changes
fi
