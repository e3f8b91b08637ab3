#!/usr/bin/python3
"""contents.py RELEASE DIRECTORY: what is in the static release of the build directory RELEASE, into DIRECTORY: a bill of
materials (nest-init.cdx.json, CycloneDX 1.5) and what each library's source package says of its licence (licences/NAME).
contents.py --built-using RELEASE: the same for a control field of that name.

Which libraries are in it is the linker's map's to say, their versions and licences are facts of Debian's source packages,
which packaging/static/libraries.sh has kept. A licence that it cannot read from them is an error."""

import fnmatch
import hashlib
import json
import os
import re
import sys
import time
from pathlib import Path
from urllib.parse import quote

# For each archive: the library's name, and one of its files that is linked.
LIBRARIES = {
    "libc.a": ("musl", "src/stdio/vfprintf.c"),
    "libcap-ng.a": ("libcap-ng", "src/cap-ng.c"),
    "libcjson.a": ("cjson", "cJSON.c"),
    "libgcc.a": ("libgcc", None),
    "libmicrohttpd.a": ("libmicrohttpd", "src/microhttpd/daemon.c"),
    "libseccomp.a": ("libseccomp", "src/api.c"),
    "libxcrypt.a": ("libxcrypt", None),
}
# Debian's short names, which are not all SPDX's.
SPDX = {"MIT": "MIT", "LGPL-2.1": "LGPL-2.1-only", "LGPL-2.1+": "LGPL-2.1-or-later"}
# Where the licences are told in prose: the sentence, and what it means.
PROSE = {
    "libgcc": ("GCC Runtime Library Exception", "GPL-3.0-or-later WITH GCC-exception-3.1"),
    # bcrypt's own file is in the public domain, crypt-port.h is as the whole.
    "libxcrypt": ("The overall license for libxcrypt is the GNU Lesser General Public License, version 2.1 (or, at your "
                  "option, any later version)", "LGPL-2.1-or-later"),
}


def licence(name, file, text):
    """The SPDX expression: of the last paragraph that names the file, as the machine-readable format has it."""
    if name in PROSE:
        sentence, expression = PROSE[name]
        if sentence in " ".join(text.split()):
            return expression
    else:
        found = None
        for paragraph in re.split(r"\n\s*\n", text):
            files = re.search(r"^Files:((?:.*\n?)(?:[ \t]+.*\n?)*)", paragraph, re.M)
            short = re.search(r"^License: *(\S+)", paragraph, re.M)
            if files and short and any(fnmatch.fnmatchcase(file, pattern) for pattern in files.group(1).split()):
                found = short.group(1)
        if found in SPDX:
            return SPDX[found]
    sys.exit(f"contents.py: {name}: its copyright file says nothing that is known here of the licence of {file or name}")


def linked(release):
    """[(name, source package, its version, version, SPDX expression, copyright file)] of what is in RELEASE/nest-init."""
    prefix = re.search(r"pkg_config_libdir = '(.*)/lib/pkgconfig'", (release / "musl.ini").read_text()).group(1)
    facts = Path(prefix) / "facts"
    archives = set(re.findall(r"/(lib[^/\s]+\.a)\(", (release / "nest-init.map").read_text()))
    own = {path.name for path in release.glob("*/lib*.a")}
    unknown = archives - own - set(LIBRARIES)
    if unknown:
        sys.exit(f"contents.py: {', '.join(sorted(unknown))}: linked, but unknown here")
    for name, file in sorted(LIBRARIES[archive] for archive in archives - own):
        source, source_version, version = (facts / f"{name}.source").read_text().split()
        text = (facts / f"{name}.copyright").read_text()
        yield name, source, source_version, version, licence(name, file, text), text


def bill(release, libraries):
    project = Path(__file__).resolve().parents[2] / "meson.build"
    version = re.search(r"version: '([^']+)'", project.read_text()).group(1)
    machine = re.search(r"cpu = '(.*)'", (release / "musl.ini").read_text()).group(1)
    binary = (release / "nest-init").read_bytes()
    made = time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"]))
    program = f"pkg:generic/nest-init@{version}?arch={machine}"
    components = []
    for name, source, source_version, version_of_it, expression, _ in libraries:
        purl = f"pkg:deb/debian/{source}@{quote(source_version, safe='')}?arch=source"
        components.append({"type": "library", "bom-ref": purl, "name": name, "version": version_of_it,
                           "licenses": [{"expression": expression}], "purl": purl})
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", made),
            "component": {"type": "application", "bom-ref": program, "name": "nest-init", "version": version,
                          "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(binary).hexdigest()}],
                          "licenses": [{"license": {"id": "MIT"}}], "purl": program},
        },
        "components": components,
        "dependencies": [{"ref": program, "dependsOn": [component["bom-ref"] for component in components]}]
        + [{"ref": component["bom-ref"]} for component in components],
    }


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: contents.py RELEASE DIRECTORY | --built-using RELEASE")
    if sys.argv[1] == "--built-using":
        print(", ".join(f"{source} (= {version})" for _, source, version, *_ in linked(Path(sys.argv[2]))))
        return
    release, directory = map(Path, sys.argv[1:])
    libraries = list(linked(release))
    (directory / "licences").mkdir(parents=True, exist_ok=True)
    (directory / "nest-init.cdx.json").write_text(json.dumps(bill(release, libraries), indent=2) + "\n")
    for name, *_, text in libraries:
        (directory / "licences" / name).write_text(text)


if __name__ == "__main__":
    main()
