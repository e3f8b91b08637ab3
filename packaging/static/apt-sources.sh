#!/bin/bash
# apt-sources.sh TYPE DIRECTORY: the machine's own entries for Debian, component main, as entries of TYPE (deb or deb-src),
# into DIRECTORY/debian.list and DIRECTORY/debian.sources.
#
# Mirror, options and keys are the machine's; it is only read. The files may hold a password: DIRECTORY is the caller's.
set -euo pipefail
export LC_ALL=C

RELEASE=bookworm

fail() { printf 'apt-sources.sh: %s\n' "$@" >&2; exit 1; }

# One line each: "deb [OPTIONS] URI SUITE COMPONENT...". An architecture is for whoever uses the entries.
one_line() {
    awk -v release="$RELEASE" -v type="$type" '
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
            line = type " " (options ~ /[^ ]/ ? "[" options " ] " : "") uri " " suite " main"
            if (!seen[uri, suite]++) print line
        }' "$@"
}

# deb822-style stanzas, sources.list(5).
stanzas() {
    sed -e '/^#/d' -e 's/^[[:space:]]*$//' "$@" | awk -v release="$RELEASE" -v type="$type" '
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
            if (suites != "") printf "Types: " type "\nSuites:%s\nComponents: main\n%s\n", suites, rest
        }'
}

[ $# = 2 ] || fail 'usage: apt-sources.sh deb|deb-src DIRECTORY'
type=$1
directory=$2
list='' parts=''
eval "$(apt-config shell list Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
[ -f "$list" ] || list=/dev/null
shopt -s nullglob
one_line "$list" "${parts%/}"/*.list >"$directory/debian.list"
stanzas /dev/null "${parts%/}"/*.sources >"$directory/debian.sources"
grep -q deb "$directory"/debian.list "$directory"/debian.sources || fail \
    "no entry for Debian $RELEASE, component main, in apt's sources ($list, $parts)" "add one (sources.list(5))"
