#!/bin/sh
# Builds the demo's image, a root file system in build/demo/rootfs: the Express service, Node, nest-init, and from Debian
# the shared libraries of Node and util-linux's unshare (the program that the demo lets the service try, in vain).
# No shell, no package manager. Run from the repository's root; does nothing when nothing has changed.
set -eu

service=packaging/demo/service
init=build/release/nest-init
out=build/demo
root=$out/rootfs
new=$out/rootfs.$$
umask 022
mkdir -p "$out"

for program in node npm unshare sha256sum; do
    command -v "$program" >/dev/null || { echo "image.sh: $program is missing" >&2; exit 1; }
done
[ -x "$init" ] || { echo "image.sh: $init is missing: ./dev build" >&2; exit 1; }
# Never a wrapper or a link of the machine's: the file that really runs.
node=$(node -p process.execPath)

stamp=$({ cat "$0" "$service"/*.js* "$init" && stat -Lc '%n %s %Y' "$node" /usr/bin/unshare; } | sha256sum)
current() { [ -d "$root" ] && [ "$stamp" = "$(cat "$out/stamp" 2>/dev/null)" ]; }

# Two demos at once build one image, and none is replaced while a container runs on it: who uses it holds the lock too.
exec 9>"$out/lock"
flock --shared 9
current && exit 0
flock 9
current && exit 0

# The dependencies, again only when what npm reads has changed.
deps=$out/service
lock=$(cat "$service"/package*.json | sha256sum)
if [ "$lock" != "$(cat "$deps/stamp" 2>/dev/null)" ]; then
    rm -rf "$deps"
    mkdir -p "$deps"
    cp "$service/package.json" "$service/package-lock.json" "$deps/"
    (cd "$deps" && npm ci --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
    echo "$lock" >"$deps/stamp"
fi

trap 'rm -rf "$new"' EXIT
trap 'exit 1' INT TERM
add() { # copies a file of the machine to the same path of the image
    mkdir -p "$new${1%/*}"
    cp -L --reflink=auto "$1" "$new$1"
}
add_program() { # FILE [PATH IN THE IMAGE]: with the libraries that ldd finds
    mkdir -p "$new/usr/bin"
    cp -L --reflink=auto "$1" "$new${2:-$1}"
    ldd "$1" | grep -o '/[^ ]*' | while read -r library; do
        [ -e "$new$library" ] || add "$library"
    done
}

add_program "$node" /usr/bin/node
add_program /usr/bin/unshare
# Debian's Node reads some of its own modules from files, whose names it knows.
"$node" -p '(process.config.target_defaults.defines || []).map((d) => d.split("="))
    .filter(([name]) => name.startsWith("NODE_SHARED_BUILTIN_")).map(([, path]) => path).join("\n")' |
while read -r file; do
    [ -z "$file" ] || add "$file"
done

mkdir -p "$new/sbin" "$new/etc" "$new/proc" "$new/dev" "$new/sys" "$new/run" "$new/app/backend/uploads"
mkdir -m 1777 "$new/tmp"
install -m 755 "$init" "$new/sbin/nest-init"
printf '%s\n' 'root:x:0:0:root:/root:/sbin/nologin' 'medianest:x:1001:1001::/app:/sbin/nologin' >"$new/etc/passwd"
printf '%s\n' 'root:x:0:' 'nodejs:x:1001:medianest' >"$new/etc/group"

cp -R "$deps/node_modules" "$deps/package.json" "$service/server.js" "$new/app/backend/"
# As COPY --chown leaves them: the service owns its files, so only --read-only keeps it from writing there.
chown -R 1001:1001 "$new/app/backend"

rm -rf "$root" "$out/stamp"
mv "$new" "$root"
echo "$stamp" >"$out/stamp"
