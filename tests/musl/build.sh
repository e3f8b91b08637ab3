#!/bin/bash
# build.sh DIRECTORY: programs linked with musl, for recordings, compiled from the sources that Debian ships. Leaves
#   DIRECTORY/nginx  static, with all that needs no library but zlib
#   DIRECTORY/libuv  libuv's own tests: what Node asks the kernel for it asks through libuv
# Does nothing when both are there. Half a minute of two cores, once.
set -euo pipefail
export LC_ALL=C

fail() { printf 'build.sh: %s\n' "$@" >&2; exit 1; }

[ $# = 1 ] || fail 'usage: build.sh DIRECTORY'
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
directory=$(cd "$1" && pwd)
exec 9>"$directory/lock"
flock 9
stamp=$(cat "$0" | sha256sum)
[ "$stamp" != "$(cat "$directory/stamp" 2>/dev/null)" ] || exit 0

rm -f "$directory"/*.orig.tar.*   # of an earlier version
"$here/../../packaging/static/fetch.sh" --tar-only "$directory" nginx zlib libuv1
work=$directory/work
rm -rf "$work"
mkdir "$work"
for archive in "$directory"/*.orig.tar.*; do tar -C "$work" -xf "$archive"; done
mv "$work"/zlib-* "$work/zlib"

# The kernel's headers, which musl does not have. nginx includes crypt.h, which Debian's musl has not either, nor the function.
include=$work/include
mkdir "$include"
ln -s /usr/include/linux /usr/include/asm-generic "$include"
ln -s "/usr/include/$(gcc -print-multiarch)/asm" "$include"
touch "$include/crypt.h"
# They are run for a moment: compiling fast is worth more than running fast.
flags="-O0 -g0 -w -isystem $include"

cd "$work"/nginx-*
./configure --with-cc=musl-gcc --with-cc-opt="$flags -DNGX_CRYPT=0" --with-ld-opt=-static --with-zlib=../zlib \
    --without-http_rewrite_module --without-http_auth_basic_module --with-threads --with-file-aio --with-http_v2_module \
    --with-http_dav_module --with-http_stub_status_module --with-http_gunzip_module --with-http_sub_module --with-stream
make -j"$(nproc)"
cp objs/nginx "$directory/nginx"

cd "$work"/libuv1-*
mkdir objects
# What its Makefile.am lists for Linux.
unix='async core dl epoll fs getaddrinfo getnameinfo linux-core linux-inotify linux-syscalls loop loop-watcher pipe poll
    process procfs-exepath proctitle random-devurandom random-getrandom random-sysctl-linux signal stream tcp thread tty udp'
{
    ls src/*.c
    printf 'src/unix/%s.c\n' $unix
    ls test/*.c | grep -v -e '/benchmark-' -e '/run-benchmarks' -e '-win\.c$'
} | xargs -P "$(nproc)" -n 16 sh -c 'for file; do
        musl-gcc $0 -D_GNU_SOURCE -Iinclude -Isrc -c "$file" -o "objects/$(echo "$file" | tr / _).o" || exit 255
    done' "$flags"
ar rcs objects/libuv.a objects/src_*.o   # its tests have some of its files for themselves
musl-gcc -static -o "$directory/libuv" objects/test_*.o objects/libuv.a

rm -rf "$work"
echo "$stamp" >"$directory/stamp"
