#!/bin/bash
# fetch.sh [--tar-only] DIRECTORY PACKAGE...: Debian source packages (.dsc and what belongs to it) into DIRECTORY; with
# --tar-only the original tarball alone.
#
# `apt-get source` needs deb-src lines, which few machines have. They are derived here from the machine's own entries for
# Debian, in a private directory: mirror, proxy and keys are the machine's, its configuration stays as it is.
# Needs apt alone: no root, no package to be installed.
set -euo pipefail
export LC_ALL=C

RELEASE=bookworm

fail() { printf 'fetch.sh: %s\n' "$@" >&2; exit 1; }

# One line each: "deb [OPTIONS] URI SUITE COMPONENT...". An architecture says nothing about sources.
one_line() {
    awk -v release="$RELEASE" '
        { sub(/#.*/, "") }
        $1 != "deb" && $1 != "deb-src" { next }
        {
            i = 2; options = ""
            if ($2 ~ /^\[/) {
                do options = options " " $i; while ($(i++) !~ /\]$/ && i <= NF)
                gsub(/[][]/, " ", options)
                gsub(/(^| )arch[+-]?=[^ ]*/, "", options)
            }
            uri = $i; suite = $(i + 1); main = 0
            for (i += 2; i <= NF; i++) main = main || $i == "main"
            if (!main || suite !~ "^" release "(-updates|-security)?$") next
            if (options ~ /signed-by=/ && options !~ /debian-archive-/) next   # another archive with the same suite name
            line = "deb-src " (options ~ /[^ ]/ ? "[" options " ] " : "") uri " " suite " main"
            if (!seen[uri, suite]++) print line
        }' "$@"
}

# deb822-style stanzas, sources.list(5).
stanzas() {
    sed -e '/^#/d' -e 's/^[[:space:]]*$//' "$@" | awk -v release="$RELEASE" '
        BEGIN { RS = ""; FS = "\n" }
        {
            gsub(/\n[ \t]+/, " ")
            split("", field); rest = ""
            for (i = 1; i <= NF; i++) {
                name = tolower($i); sub(/:.*/, "", name)
                value = $i; sub(/^[^:]*:[ \t]*/, "", value)
                field[name] = value
                if (name !~ /^(types|suites|components|architectures)$/) rest = rest $i "\n"
            }
            if (tolower(field["enabled"]) ~ /^(no|false|without|off|disable)$/) next
            if (" " field["types"] " " !~ / deb(-src)? / || " " field["components"] " " !~ / main /) next
            if (field["signed-by"] != "" && field["signed-by"] !~ /debian-archive-/) next
            n = split(field["suites"], suite, /[ \t]+/); suites = ""
            for (i = 1; i <= n; i++)
                if (suite[i] ~ "^" release "(-updates|-security)?$" && !seen[field["uris"], suite[i]]++)
                    suites = suites " " suite[i]
            if (suites != "") printf "Types: deb-src\nSuites:%s\nComponents: main\n%s\n", suites, rest
        }'
}

only=
if [ "${1:-}" = --tar-only ]; then only=--tar-only; shift; fi
[ $# -ge 2 ] || fail 'usage: fetch.sh DIRECTORY PACKAGE...'
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

list='' parts=''
eval "$(apt-config shell list Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
[ -f "$list" ] || list=/dev/null
shopt -s nullglob
one_line "$list" "${parts%/}"/*.list >"$work/etc/debian.list"
stanzas /dev/null "${parts%/}"/*.sources >"$work/etc/debian.sources"
grep -q deb-src "$work"/etc/debian.* || fail \
    "no entry for Debian $RELEASE, component main, in apt's sources ($list, $parts)" \
    "add one (sources.list(5)), or put the .dsc, .orig and .debian files of $* into $directory by hand"

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
