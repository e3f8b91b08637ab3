"""What of the packages can be looked at without building them. tests/images/test_packages.py builds and installs them."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import jsonschema
import pytest

from npm import installed

ROOT = Path(__file__).resolve().parents[2]
RELEASE = ROOT / "build/release"
VERSION = re.search(r"version: '([^']+)'", (ROOT / "meson.build").read_text()).group(1)
LIBRARIES = {"cjson": "MIT", "libcap-ng": "LGPL-2.1-or-later", "libmicrohttpd": "LGPL-2.1-or-later",
             "libseccomp": "LGPL-2.1-only", "libxcrypt": "LGPL-2.1-or-later", "musl": "MIT"}


def test_the_packages_have_the_projects_version():
    changelog = (ROOT / "packaging/debian/changelog").read_text()
    apkbuild = (ROOT / "packaging/alpine/APKBUILD").read_text()
    assert re.match(r"nest-init \((\S+)-\d+\)", changelog).group(1) == VERSION
    assert re.search(r"^pkgver=(.*)$", apkbuild, re.M).group(1) == VERSION


def test_the_names_are_those_that_the_program_answers_to():
    """Each alternative is a name under which it is that program; the man page of update-alternatives(1) wants each link once."""
    for package, program in (("nest-init", "nest-init"), ("nest-init-static", "nest-init-static")):
        text = (ROOT / f"packaging/debian/{package}.alternatives").read_text()
        stanzas = [dict(line.split(": ") for line in stanza.splitlines()) for stanza in text.strip().split("\n\n")]
        assert [Path(stanza["Link"]).name for stanza in stanzas] == ["catatonit", "dumb-init", "tini"]
        for stanza in stanzas:
            assert stanza["Link"] == "/usr/lib/nest-init/bin/" + stanza["Name"].removeprefix("nest-init-")
            assert stanza["Alternative"] == f"/usr/bin/{program}"


@pytest.fixture
def contents(tmp_path):
    """What contents.py says of the release, made at the time 86400."""
    subprocess.run([ROOT / "packaging/release/contents.py", RELEASE, tmp_path], check=True,
                   env={**os.environ, "SOURCE_DATE_EPOCH": "86400"})
    return tmp_path


def test_the_bill_of_materials_names_what_is_linked(contents):
    bill = json.loads((contents / "nest-init.cdx.json").read_text())
    program = bill["metadata"]["component"]
    assert bill["metadata"]["timestamp"] == "1970-01-02T00:00:00Z"
    assert (program["name"], program["version"]) == ("nest-init", VERSION)
    assert program["hashes"] == [{"alg": "SHA-256",
                                  "content": hashlib.sha256((RELEASE / "nest-init").read_bytes()).hexdigest()}]
    assert {part["name"]: part["licenses"] for part in bill["components"]} == {
        name: [{"expression": licence}] for name, licence in LIBRARIES.items()}
    assert bill["dependencies"][0]["dependsOn"] == [part["bom-ref"] for part in bill["components"]]


@pytest.mark.skipif(not shutil.which("npm"), reason="needs npm")
def test_the_bill_of_materials_is_one_by_the_published_schema(contents):
    modules = installed(ROOT / "tests/system/cyclonedx", ROOT / "build/cyclonedx")
    schemas = [json.loads(path.read_text())
               for path in (modules / "@cyclonedx/cyclonedx-library/res/schema").glob("*.schema.json")]
    store = {schema["$id"]: schema for schema in schemas}
    names = {name.replace(".schema.json", ".SNAPSHOT.schema.json"): schema for name, schema in store.items()}
    whole = next(schema for name, schema in store.items() if name.endswith("/bom-1.5.schema.json"))
    validator = jsonschema.Draft7Validator(whole, resolver=jsonschema.RefResolver.from_schema(whole, store={**store, **names}))
    bill = json.loads((contents / "nest-init.cdx.json").read_text())
    assert list(validator.iter_errors(bill)) == []
    bill["components"][0]["licenses"] = [{"license": {"id": "No such licence"}}]
    assert len(list(validator.iter_errors(bill))) == 1


def test_the_versions_are_those_of_the_sources(contents):
    bill = json.loads((contents / "nest-init.cdx.json").read_text())
    for part in bill["components"]:
        if part["name"] != "musl":  # Debian's own package
            assert (ROOT / f"build/static/sources/{part['name']}_{part['version']}.dsc").exists()


def test_each_licence_stands_beside_the_bill(contents):
    assert {path.name for path in (contents / "licences").iterdir()} == set(LIBRARIES)
    assert "GNU Lesser General Public License" in " ".join((contents / "licences/libseccomp").read_text().split())


def test_an_unknown_licence_is_refused(tmp_path):
    """A new version of a library may have another one."""
    facts = next((ROOT / "build/static").glob("*/facts"))
    shutil.copytree(facts, tmp_path / "prefix/facts")
    copyright_file = tmp_path / "prefix/facts/libseccomp.copyright"
    copyright_file.write_text(copyright_file.read_text().replace("License: LGPL-2.1", "License: Proprietary"))
    (tmp_path / "release").mkdir()
    shutil.copy(RELEASE / "nest-init.map", tmp_path / "release")
    (tmp_path / "release/musl.ini").write_text(f"pkg_config_libdir = '{tmp_path}/prefix/lib/pkgconfig'\n")
    run = subprocess.run([ROOT / "packaging/release/contents.py", tmp_path / "release", tmp_path / "out"],
                         capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr == ("contents.py: libseccomp: its copyright file says nothing that is known here of the licence of "
                          "src/api.c\n")


SOURCES = """Types: deb
URIs: http://mirror.invalid/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://other.invalid
Suites: bookworm
Components: main
Signed-By: /usr/share/keyrings/other.gpg

Types: deb
Enabled: no
URIs: http://off.invalid/debian
Suites: bookworm
Components: main
"""
LIST = """# a comment
deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://list.invalid/debian bookworm main non-free
deb http://list.invalid/debian trixie main
"""


@pytest.mark.parametrize("kind", ["deb", "deb-src"])
def test_the_machines_entries_for_debian_are_derived(kind, tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "parts/debian.sources").write_text(SOURCES)
    (tmp_path / "sources.list").write_text(LIST)
    (tmp_path / "apt.conf").write_text(f'Dir::Etc::sourcelist "{tmp_path}/sources.list";\n'
                                       f'Dir::Etc::sourceparts "{tmp_path}/parts";\n')
    subprocess.run([ROOT / "packaging/static/apt-sources.sh", kind, tmp_path / "out"], check=True,
                   env={**os.environ, "APT_CONFIG": str(tmp_path / "apt.conf")})
    assert (tmp_path / "out/debian.list").read_text().split() == [
        kind, "[", "signed-by=/usr/share/keyrings/debian-archive-keyring.gpg", "]", "http://list.invalid/debian", "bookworm",
        "main"]
    assert (tmp_path / "out/debian.sources").read_text() == (
        f"Types: {kind}\nSuites: bookworm bookworm-updates\nComponents: main\nURIs: http://mirror.invalid/debian\n"
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n")


def test_without_an_entry_for_debian_it_says_so(tmp_path):
    (tmp_path / "apt.conf").write_text(f'Dir::Etc::sourcelist "{tmp_path}/no";\nDir::Etc::sourceparts "{tmp_path}/none";\n')
    run = subprocess.run([ROOT / "packaging/static/apt-sources.sh", "deb", tmp_path], capture_output=True, text=True,
                         env={**os.environ, "APT_CONFIG": str(tmp_path / "apt.conf")})
    assert run.returncode == 1
    assert "no entry for Debian bookworm, component main" in run.stderr


@pytest.fixture
def buildah():
    """buildah(WORD...): its output; with a storage that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="nest-buildah-") as name:  # its state takes no long path
        directory = Path(name)
        storage = ["--root", directory / "storage", "--runroot", directory / "run", "--storage-driver", "vfs"]

        def run(*words):
            done = subprocess.run(["buildah", *map(str, [*storage, *words])], capture_output=True, text=True, timeout=120,
                                  stdin=subprocess.DEVNULL)
            assert done.returncode == 0, done.stderr
            return done.stdout

        run.directory = directory
        yield run
        run("rmi", "--all", "--force")


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("buildah"), reason="needs root and buildah")
def test_the_image_has_only_the_binary_and_others_copy_it_from_there(buildah):
    context = buildah.directory / "context"
    context.mkdir()
    shutil.copy(RELEASE / "nest-init", context)
    build = ["bud", "--format", "docker", "--pull-never", "--network", "none"]
    image = f"localhost/nest-init:{VERSION}"
    buildah(*build, "--build-arg", f"VERSION={VERSION}", "-f", ROOT / "packaging/image/Dockerfile", "-t", image, context)
    labels = json.loads(buildah("inspect", "--type", "image", image))["Docker"]["config"]["Labels"]
    assert labels["org.opencontainers.image.version"] == VERSION
    assert labels["org.opencontainers.image.licenses"] == "MIT AND " + " AND ".join(sorted(set(LIBRARIES.values()) - {"MIT"}))

    copy = re.search(r"^ *(COPY --from=.*)$", (ROOT / "README.md").read_text(), re.M).group(1)
    assert copy == f"COPY --from={image} /nest-init /sbin/nest-init"
    empty = buildah.directory / "empty"
    empty.mkdir()
    (empty / "Dockerfile").write_text(f"FROM scratch\n{copy}\n")
    buildah(*build, "-t", "localhost/other:1", empty)

    for name, where in ((image, "nest-init"), ("localhost/other:1", "sbin/nest-init")):
        mounted = Path(buildah("mount", buildah("from", name).strip()).strip())
        assert [str(path.relative_to(mounted)) for path in sorted(mounted.rglob("*")) if path.is_file()] == [where]
        shown = subprocess.run([mounted / where, "--version"], capture_output=True, text=True)
        assert shown.stdout == f"nest-init {VERSION}\n"
    buildah("umount", "--all")
    buildah("rm", "--all")
