#!/bin/bash
# libraries.sh [--fetch-only] DIRECTORY [ARCHITECTURE] (build/static, say): what meson needs to make the one static-PIE musl binary.
#
#   packaging/static/libraries.sh build/static
#   meson setup build/release --cross-file build/static/musl.ini
#
# For an architecture that is not the machine's own (arm64 on amd64, in Debian's names) the cross file is
# DIRECTORY/musl-ARCHITECTURE.ini. musl itself is built then, too, and cmocka for the unit tests, which run under QEMU.
#
# Compiles libseccomp, libcap-ng, cJSON, libmicrohttpd and libxcrypt's bcrypt from Debian's source packages into
# DIRECTORY/KEY, where KEY stands for their versions, the compiler and the flags: built once, and again when one of them changes. Prints a line
# for each library and the path of the cross file as the last one. DIRECTORY/sources keeps what was downloaded (remove it
# to look for newer versions; nothing is fetched while it is complete), DIRECTORY/logs how each library was built.
PACKAGES='musl-tools gcc binutils make dpkg-dev apt linux-libc-dev pkgconf'
CROSS_PACKAGES='gcc-aarch64-linux-gnu linux-libc-dev-arm64-cross qemu-user-static'
set -euo pipefail
unset CC CFLAGS CPPFLAGS LDFLAGS LIBS CONFIG_SITE MAKEFLAGS MFLAGS PKG_CONFIG_PATH "${!MHD_@}"
export LC_ALL=C

JOBS=$(nproc)

# The compiler sees libraries and program as one (-flto), so that what is called once, or always alike, costs no call. Code
# and data in sections of their own, so that --gc-sections drops what nobody calls. Unwind tables would be a tenth of the
# program, for C++ exceptions that it does not have. The linker's gcc must be told again.
FLAGS='-fPIE -flto=auto -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables -fstack-protector-strong'
CFLAGS="-Oz $FLAGS -Werror=implicit-function-declaration"

declare -A PURPOSE=(
    [libseccomp]='compiles and explains seccomp profiles'
    [libcap-ng]='sets of capabilities'
    [cjson]='reads the configuration and the profiles'
    [libmicrohttpd]='serves health and metrics'
    [libxcrypt]='compares passwords'
    [musl]='is the libc'
    [cmocka]='runs the unit tests'
)
ORDER=(libmicrohttpd libseccomp libxcrypt libcap-ng cjson)   # the slowest first: they are built side by side

# choose_architecture ARCHITECTURE: the names of things for it. Where it is the machine's own, musl is Debian's package.
choose_architecture() {
    case $1 in
    amd64) CPU=x86_64 ;;
    arm64) CPU=aarch64 ;;
    *) fail "$1: unknown architecture, expected amd64 or arm64" ;;
    esac
    TRIPLET=$CPU-linux-gnu
    if [ "$1" = "$(dpkg --print-architecture)" ]; then
        MUSL_LIB=/usr/lib/$CPU-linux-musl
        MUSL_INCLUDE=/usr/include/$CPU-linux-musl
        KERNEL=/usr/include
        KERNEL_ASM=/usr/include/$TRIPLET/asm
        CROSS_FILE=musl.ini
        WRAPPER=
    else
        MUSL_LIB='' MUSL_INCLUDE=''
        KERNEL=/usr/$TRIPLET/include
        KERNEL_ASM=$KERNEL/asm
        CROSS_FILE=musl-$1.ini
        WRAPPER="exe_wrapper = 'qemu-$CPU-static'"
        ORDER+=(cmocka)
        PACKAGES+=" $CROSS_PACKAGES"
    fi
    local gcc=$TRIPLET-gcc
    CONFIGURE="--host=$TRIPLET --disable-shared --disable-dependency-tracking AR=$gcc-ar NM=$gcc-nm RANLIB=$gcc-ranlib"
}

say() { printf 'libraries.sh: %s\n' "$@" >&2; }
fail() { say "$@"; exit 1; }

# keep_library NAME VERSION DESCRIPTION ARCHIVE HEADER...: into the new prefix, with a .pc file that may be moved.
keep_library() {
    local name=$1 version=$2 description=$3 archive=$4
    shift 4
    install -m 644 "$archive" "$prefix/lib/lib${name#lib}.a"
    install -m 644 "$@" "$include"
    cat >"$prefix/lib/pkgconfig/$name.pc" <<EOF
prefix=\${pcfiledir}/../..
libdir=\${prefix}/lib
includedir=\${prefix}/include

Name: $name
Description: $description
Version: ${version%-*}
Libs: -L\${libdir} -l${name#lib}
Cflags: -I\${includedir}
EOF
}

# keep_facts NAME SOURCE SOURCE-VERSION VERSION FILE...: for the bill of materials, from which source package of Debian a
# library comes, and what that says of licences.
keep_facts() {
    mkdir -p "$prefix/facts"
    echo "$2 $3 $4" >"$prefix/facts/$1.source"
    cat "${@:5}" >"$prefix/facts/$1.copyright"
}

# keep_debians NAME FILE: the same of a library that is linked as Debian has built it.
keep_debians() {
    local package
    package=$(dpkg-query -S "$(realpath "$2")")
    package=${package%%: *}
    # shellcheck disable=SC2016,SC2046  # dpkg's variables; words on purpose
    keep_facts "$1" $(dpkg-query -W -f '${source:Package} ${source:Version} ${Version}' "$package") \
        "/usr/share/doc/${package%%:*}/copyright"
}

# build_*: in the unpacked source; $compiler, $prefix, $include and $version are set.

build_libseccomp() {
    # A smaller table, from the one to which Debian adds newer system calls (see syscall-table.c).
    { head -n 1 src/syscalls.csv; tail -n +2 src/syscalls.csv | sort -t, -k1,1; } >sorted.csv
    awk -f "$here/syscall-table.awk" sorted.csv >src/syscall-table.h
    cp "$here/syscall-table.c" src/syscalls.perf.c
    touch -r src/syscalls.perf.c src/syscalls.perf   # make is not to generate it anew
    # The architectures that the table knows. compile.c leaves out what another family runs.
    sed -i '/^\tcase SCMP_ARCH_\(MIPS\|PARISC\|PPC\|S390\|RISCV\)[0-9A-Z]*:$/,+1d' src/arch.c
    [ "$(sed -n '/^const struct arch_def \*arch_def_lookup(/,/^}/s/^\tcase //p' src/arch.c | tr -d '\n')" = \
        SCMP_ARCH_X86:SCMP_ARCH_X86_64:SCMP_ARCH_X32:SCMP_ARCH_ARM:SCMP_ARCH_AARCH64: ]
    # shellcheck disable=SC2086  # words on purpose
    ./configure $CONFIGURE --disable-python CC="$compiler" CFLAGS="$CFLAGS" GPERF=false
    make -C src libseccomp.la
    keep_library libseccomp "$version" 'system call filter' src/.libs/libseccomp.a include/seccomp.h include/seccomp-syscalls.h
}

build_libcap-ng() {
    # Its constructor costs every program eight system calls before main. Each function
    # that needs the answers asks for them itself, except capng_capability_to_name(): it knows no name before them.
    # It would tell syslog of a failure that its return value tells us: that is 10 KB of times and time zones.
    printf '#include <syslog.h>\n#define syslog(...) ((void)0)\n' >no-syslog.h
    # shellcheck disable=SC2086  # words on purpose
    ./configure $CONFIGURE --without-python --without-python3 CC="$compiler" \
        CPPFLAGS="-Dconstructor=used -include $PWD/no-syslog.h" CFLAGS="$CFLAGS"
    make -C src libcap-ng.la
    keep_library libcap-ng "$version" 'capability sets' src/.libs/libcap-ng.a src/cap-ng.h
}

build_cjson() {
    # shellcheck disable=SC2086  # words on purpose
    $compiler $CFLAGS -std=c99 -c cJSON.c
    "$TRIPLET-gcc-ar" rcsD libcjson.a cJSON.o
    include=$prefix/include/cjson
    mkdir "$include"
    keep_library libcjson "$version" 'JSON parser' libcjson.a cJSON.h
}

build_libmicrohttpd() {
    # No constructor here either: MHD_start_daemon() initialises. The monitor has no threads and waits by epoll(7). In 0.9.75
    # MHD_get_timeout() calls a function that is compiled for threads alone: it is taken out of that #if. If that fails the
    # compiler says so.
    sed -i '/^static uint64_t$/{
        N
        /\nconnection_get_wait (/{
            s/^/#endif\n/
            :body
            n
            /^}$/!b body
            a #if defined(MHD_USE_POSIX_THREADS) || defined(MHD_USE_W32_THREADS)
        }
    }' src/microhttpd/daemon.c
    cp "$here/reason-phrases.c" src/microhttpd/reason_phrase.c
    # shellcheck disable=SC2086  # words on purpose
    ./configure $CONFIGURE --disable-nls --disable-doc --disable-examples \
        --disable-curl --disable-https --disable-postprocessor --disable-dauth --disable-bauth --disable-httpupgrade \
        --disable-sendfile --disable-messages --enable-epoll=yes --disable-poll --with-threads=none CC="$compiler" \
        CPPFLAGS=-D_GNUC_ATTR_CONSTR_NOT_SUPPORTED=1 CFLAGS="$CFLAGS"
    make -C src/microhttpd libmicrohttpd.la
    keep_library libmicrohttpd "$version" 'HTTP server' src/microhttpd/.libs/libmicrohttpd.a src/include/microhttpd.h
}

build_libxcrypt() {
    # bcrypt alone, by two files: Debian's musl has no crypt(3) at all, and the other ways to hash are ten times as large.
    cp "$here/crypt.c" "$here/crypt.h" lib
    # What its configure script would find out.
    printf '#define %s 1\n' HAVE_EXPLICIT_BZERO HAVE_STATIC_ASSERT_IN_ASSERT_H HAVE_MAX_ALIGN_T ENDIANNESS_IS_LITTLE \
        >lib/config.h
    echo '#define INCLUDE_bcrypt 1' >lib/crypt-hashes.h
    (
        cd lib
        # shellcheck disable=SC2086  # words on purpose
        $compiler $CFLAGS -DHAVE_CONFIG_H -c crypt-bcrypt.c crypt.c
        "$TRIPLET-gcc-ar" rcsD ../libxcrypt.a crypt-bcrypt.o crypt.o
    )
    keep_library libxcrypt "$version" 'bcrypt' libxcrypt.a "$here/crypt.h"
}

# As the release is: small. What is linked with it must be as its objects are.
build_musl() {
    ./configure --prefix="$prefix/musl" --disable-shared --target="$TRIPLET" CROSS_COMPILE="$TRIPLET-" CC="$TRIPLET-gcc" CFLAGS="-Os -fPIC"
    make
    make install
}

build_cmocka() {
    # What its configure script would find out.
    printf '#define %s 1\n' HAVE_{INTTYPES,MALLOC,SETJMP,SIGNAL,STDINT,STRINGS,TIME,UNISTD}_H HAVE_STRUCT_TIMESPEC \
        HAVE_STRSIGNAL HAVE_CLOCK_GETTIME HAVE_CLOCK_REALTIME HAVE_GCC_THREAD_LOCAL_STORAGE >config.h
    # Its header defines uintptr_t unless that is there already, which it cannot see of musl.
    local seen='-D_UINTPTR_T -include stdint.h'
    # shellcheck disable=SC2086  # words on purpose
    $compiler $CFLAGS $seen -DHAVE_CONFIG_H -I. -Iinclude -c src/cmocka.c
    "$TRIPLET-gcc-ar" rcsD libcmocka.a cmocka.o
    keep_library cmocka "$version" 'unit tests' libcmocka.a include/cmocka.h
    sed -i "/^Cflags/s/\$/ $seen/" "$prefix/lib/pkgconfig/cmocka.pc"
}

# write_if_new FILE: a cross file that is touched makes meson configure again.
write_if_new() {
    cat >"$1.new"
    if cmp -s "$1.new" "$1"; then rm "$1.new"; else mv "$1.new" "$1"; fi
}

# The compiler: gcc with our specs, and the kernel's headers, which musl does not have. /usr/include as a whole would
# bring glibc's own. A musl that we have built is in PREFIX.
write_compiler() {
    local directory=$1 prefix=$2
    mkdir -p "$directory/kernel"
    ln -sfn "$KERNEL/linux" "$directory/kernel/linux"
    ln -sfn "$KERNEL/asm-generic" "$directory/kernel/asm-generic"
    ln -sfn "$KERNEL_ASM" "$directory/kernel/asm"
    sed -e "s|@MUSL_LIB@|${MUSL_LIB:-$prefix/musl/lib}|g" -e "s|@MUSL_INCLUDE@|${MUSL_INCLUDE:-$prefix/musl/include}|g" \
        -e "s|@KERNEL_HEADERS@|$directory/kernel|g" \
        "$here/musl.specs.in" | write_if_new "$directory/musl.specs"
}

write_cross_file() {
    local flags="'${FLAGS// /\', \'}'"
    write_if_new "$2" <<EOF
# Written by packaging/static/libraries.sh: static-PIE musl programs for $1.
[binaries]
c = ['$TRIPLET-gcc', '-specs=$current/musl.specs']
ar = '$TRIPLET-gcc-ar'
strip = '$TRIPLET-strip'
objcopy = '$TRIPLET-objcopy'
pkgconfig = 'pkg-config'
$WRAPPER

[properties]
needs_exe_wrapper = $([ -n "$WRAPPER" ] && echo true || echo false)
pkg_config_libdir = '$current/lib/pkgconfig'

[built-in options]
c_args = [$flags]
# One segment for code and constants: two mappings and 8 of 120 microseconds less at each start.
c_link_args = [$flags, '-flto-partition=one', '-Wl,--gc-sections', '-Wl,-z,noseparate-code']
optimization = 's'
b_pie = true
b_staticpic = false
default_library = 'static'

[host_machine]
system = 'linux'
cpu_family = '$CPU'
cpu = '$CPU'
endian = 'little'
EOF
}

# build NAME: runs in the background; its log and a line of its own say how it went.
build() {
    local name=$1 version=${VERSION[$1]} log=$directory/logs/$1.log include=$prefix/include status
    set +e   # in a condition the inner set -e would count for nothing
    (
        set -e
        dpkg-source --no-copy -x "$directory/sources/${name}_$version.dsc" "$work/$name"
        cd "$work/$name"
        # __FILE__ in the libraries' messages must not tell where they were built.
        CFLAGS="$CFLAGS -ffile-prefix-map=$PWD=$name"
        MAKEFLAGS=-j$JOBS "build_$name"
        shopt -s nullglob
        keep_facts "$name" "$name" "$version" "$version" debian/copyright* LICENSING*   # libxcrypt's own is made of the two
    ) >"$log" 2>&1
    status=$?
    set -e
    if [ $status != 0 ]; then
        tail -n 25 "$log" >&2
        fail "$name $version was not built, see $log" "are these packages installed: $PACKAGES?"
    fi
    printf '%s %s -> %s\n' "$name" "$version" "${PURPOSE[$name]}"
}

main() {
    local fetch_only=
    if [ "${1:-}" = --fetch-only ]; then fetch_only=yes; shift; fi
    { [ $# = 1 ] || [ $# = 2 ]; } && [ -n "$1" ] || fail 'usage: libraries.sh [--fetch-only] DIRECTORY [ARCHITECTURE]'
    here=$(cd "$(dirname "$0")" && pwd)
    directory=$(realpath -m -- "$1")
    case $directory in
    *[[:space:]\'\|\&]*) fail "$directory: configure scripts and gcc's specs cannot live with such a name, use another" ;;
    esac
    local architecture=${2:-$(dpkg --print-architecture)}
    choose_architecture "$architecture"
    mkdir -p "$directory/logs" "$directory/sources"

    # Two at once in one tree: the second waits and finds the work done. What it starts inherits the lock, so that an
    # interrupted run keeps it until its last make has ended.
    exec 9>"$directory/.lock"
    flock 9

    local name dsc missing=()
    declare -gA VERSION
    local all=("${ORDER[@]}")
    [ -n "$MUSL_LIB" ] || all+=(musl)
    for name in "${all[@]}"; do
        compgen -G "$directory/sources/${name}_*.dsc" >/dev/null || missing+=("$name")
    done
    if [ ${#missing[@]} -gt 0 ]; then
        "$here/fetch.sh" "$directory/sources" "${missing[@]}" >"$directory/logs/fetch.log" 2>&1 || {
            tail -n 25 "$directory/logs/fetch.log" >&2
            fail "no sources of ${missing[*]}, see $directory/logs/fetch.log"
        }
    fi
    [ -z "$fetch_only" ] || return 0
    local tool
    for tool in "$TRIPLET-gcc" "${MUSL_LIB:-/usr}" make dpkg-source flock "$KERNEL_ASM/unistd.h"; do
        [ -e "$tool" ] || command -v "$tool" >/dev/null || fail "$tool is missing: apt-get install $PACKAGES"
    done
    for name in "${all[@]}"; do
        dsc=$(printf '%s\n' "$directory/sources/${name}"_*.dsc | sort -V | tail -n 1)
        dsc=${dsc##*_}
        VERSION[$name]=${dsc%.dsc}
    done

    # Not this file as a whole: a comment is no reason to build again.
    key=$({
        for name in "${all[@]}"; do echo "$name ${VERSION[$name]}"; declare -f "build_$name"; done
        declare -f build keep_library keep_facts keep_debians
        echo "$CFLAGS $CONFIGURE"
        cat "$here"/musl.specs.in "$here"/*.awk "$here"/*.[ch]
        "$TRIPLET-gcc" --version
        [ -z "$MUSL_LIB" ] || sha256sum "$MUSL_LIB/libc.a"
    } | sha256sum | cut -c 1-12)
    current=$directory/$key

    if [ ! -d "$current" ]; then
        # In a directory that is renamed when it is complete: what has the name can be used.
        work=$directory/.new
        rm -rf "$work"
        prefix=$work/prefix
        mkdir -p "$prefix/lib/pkgconfig" "$prefix/include"
        write_compiler "$work/compiler" "$prefix"
        compiler="$TRIPLET-gcc -specs=$work/compiler/musl.specs"
        local pids=() pid failed=
        keep_debians libgcc "$("$TRIPLET-gcc" -print-libgcc-file-name)"
        # The others need it.
        if [ -n "$MUSL_LIB" ]; then keep_debians musl "$MUSL_LIB/libc.a"; else build musl; fi
        for name in "${ORDER[@]}"; do build "$name" & pids+=($!); done
        for pid in "${pids[@]}"; do wait "$pid" || failed=yes; done
        [ -z "$failed" ] || exit 1
        mv "$prefix" "$current"
        rm -rf "$work"
    else
        for name in "${all[@]}"; do printf '%s %s -> %s\n' "$name" "${VERSION[$name]}" "${PURPOSE[$name]}"; done
    fi

    # Absolute paths are in these alone, so a tree may be moved or copied with its prefix.
    write_compiler "$current" "$current"
    write_cross_file "$architecture" "$directory/$CROSS_FILE"
    printf '%s\n' "$directory/$CROSS_FILE"
}

main "$@"
