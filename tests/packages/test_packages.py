"""The packages as `./dev packages` makes them (it is run first, and does nothing where they are there), installed in a clean
root, and built again elsewhere. Needs root, mmdebstrap and some minutes."""

import hashlib
import io
import json
import os
import re
import subprocess
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ROOT / "build/packages"
VERSION = re.search(r"version: '([^']+)'", (ROOT / "meson.build").read_text()).group(1)


def run(*words, **options):
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, stdin=subprocess.DEVNULL, **options)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def packages():
    run(ROOT / "packaging/release/packages.sh", PACKAGES, timeout=3600)
    return PACKAGES


def sums(directory):
    """{name: SHA-256} of what is handed out."""
    return {name: sha for sha, name in (line.split() for line in (directory / "SHA256SUMS").read_text().splitlines())}


def test_the_sums_are_right_and_nothing_is_missing(packages):
    assert sorted(sums(packages)) == sorted([
        "APKBUILD",
        f"nest-init-{VERSION}-linux-amd64.cdx.json", f"nest-init-{VERSION}-linux-amd64.tar.gz",
        f"nest-init-{VERSION}-linux-arm64.cdx.json", f"nest-init-{VERSION}-linux-arm64.tar.gz",
        f"nest-init-dbgsym_{VERSION}-1_amd64.deb", f"nest-init-static_{VERSION}-1_amd64.deb", f"nest-init_{VERSION}-1.debian.tar.xz",
        f"nest-init_{VERSION}-1.dsc", f"nest-init_{VERSION}-1_amd64.deb", f"nest-init_{VERSION}.orig-libraries.tar.xz",
        f"nest-init_{VERSION}.orig.tar.xz"])
    for name, sha in sums(packages).items():
        assert hashlib.sha256((packages / name).read_bytes()).hexdigest() == sha, name


def test_a_second_build_elsewhere_has_the_same_bytes(packages, tmp_path):
    """Of another length and depth of path, at another time, on one core, and by another user's umask."""
    run(ROOT / "packaging/release/packages.sh", tmp_path / "again", "/srv/some/where/else", timeout=3600, umask=0o077,
        env={**os.environ, "DEB_BUILD_OPTIONS": "nocheck parallel=1"})
    assert sums(tmp_path / "again") == sums(packages)


def members(tarball):
    with tarfile.open(tarball) as archive:
        return {member.name: member for member in archive}, {
            member.name: archive.extractfile(member).read() for member in archive if member.isfile()}


@pytest.mark.parametrize("architecture,libgcc", [("amd64", False), ("arm64", True)])
def test_a_tarball_has_the_file_its_bill_and_the_licences(packages, architecture, libgcc):
    found, content = members(packages / f"nest-init-{VERSION}-linux-{architecture}.tar.gz")
    top = f"nest-init-{VERSION}"
    bill = json.loads(content[f"{top}/nest-init.cdx.json"])
    assert bill["metadata"]["component"]["hashes"][0]["content"] == hashlib.sha256(content[f"{top}/nest-init"]).hexdigest()
    assert content[f"{top}/nest-init.cdx.json"] == (packages / f"nest-init-{VERSION}-linux-{architecture}.cdx.json").read_bytes()
    names = {part["name"] for part in bill["components"]}
    assert names == {"cjson", "libcap-ng", "libmicrohttpd", "libseccomp", "libxcrypt", "musl"} | ({"libgcc"} if libgcc else set())
    assert {f"{top}/licences/{name}" for name in names} | {f"{top}/LICENSE", f"{top}/README.md"} <= set(content)
    assert {(member.uid, member.gid, member.mtime) for member in found.values()} == {
        (0, 0, found[f"{top}/nest-init"].mtime)}
    assert found[f"{top}/nest-init"].mode == 0o755


def test_the_static_package_has_the_tarballs_file(packages):
    tar = subprocess.run(["dpkg-deb", "--fsys-tarfile", packages / f"nest-init-static_{VERSION}-1_amd64.deb"], check=True,
                         stdout=subprocess.PIPE).stdout
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        packed = archive.extractfile("./usr/bin/nest-init-static").read()
    assert packed == members(packages / f"nest-init-{VERSION}-linux-amd64.tar.gz")[1][f"nest-init-{VERSION}/nest-init"]


def test_the_package_says_what_is_linked_into_it(packages):
    built_using = run("dpkg-deb", "--field", packages / f"nest-init-static_{VERSION}-1_amd64.deb", "Built-Using").strip()
    bill = json.loads((packages / f"nest-init-{VERSION}-linux-amd64.cdx.json").read_text())
    assert built_using == ", ".join(f"{part['name']} (= {part['version']})" for part in bill["components"])


def test_the_arm64_file_needs_no_other(packages, tmp_path):
    _, content = members(packages / f"nest-init-{VERSION}-linux-arm64.tar.gz")
    (tmp_path / "nest-init").write_bytes(content[f"nest-init-{VERSION}/nest-init"])
    headers = run("readelf", "-lhdW", tmp_path / "nest-init")
    assert "AArch64" in headers and "DYN (" in headers
    assert "INTERP" not in headers and "(NEEDED)" not in headers


def test_the_unit_tests_ran_on_both_architectures(packages):
    """What Debian's build ran, and what QEMU ran for arm64 (glibc and musl)."""
    log = (packages.parent / "packages.log").read_text(errors="replace")
    counts = re.findall(r"^(Ok|Fail|Timeout): +(\d+)", log, re.M)
    programs = str(len(re.findall(r"^  '\w+': \[\[", (ROOT / "tests/meson.build").read_text(), re.M)))
    assert counts == [("Ok", programs), ("Fail", "0"), ("Timeout", "0")] * 2


# One after the other in one root that is clean at first: what each line prints is what the test looks at.
INSTALLED = r"""
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
exec 3>&1 >/var/log/apt-output 2>&1
trap '[ $? = 0 ] || tail -n 40 /var/log/apt-output >&3' EXIT
say() { echo "$@" >&3; }
names() { for name in catatonit dumb-init tini; do say "$1 $name: $(readlink -f /usr/lib/nest-init/bin/$name || echo none)"; done; }

apt-get -q update
apt-get -qy --no-install-recommends install /packages/nest-init_*_amd64.deb dumb-init tini catatonit
say "version: $(nest-init --version)"
status=0; nest-init -- sh -c 'exit 7' || status=$?; say "status: $status"
say "tls: $(ldd /usr/bin/nest-init | grep -c libgnutls)"
say "schema: $(stat -c %a /usr/share/nest-init/nest-init.schema.json)"
names one
say "tini: $(/usr/lib/nest-init/bin/tini --version | head -n 1)"
say "debian's: $(dpkg -S /usr/bin/tini /usr/bin/dumb-init /usr/bin/catatonit | wc -l)"
apt-get -qy install /packages/nest-init-static_*_amd64.deb
say "version: $(nest-init-static --version)"
names both
update-alternatives --set nest-init-tini /usr/bin/nest-init-static
names chosen
apt-get -qy purge nest-init
names static
apt-get -qy purge nest-init-static
say "left: $(find / -xdev -path /proc -prune -o -path /packages -prune -o -path '/var/l*' -prune -o -name '*nest-init*' -print)"
say "debian's: $(dpkg -S /usr/bin/tini /usr/bin/dumb-init /usr/bin/catatonit | wc -l)"
"""


def test_the_packages_install_in_a_clean_root_and_leave_nothing(packages):
    root = run(ROOT / "packaging/release/root.sh", ROOT / "build/roots", "-", timeout=1200).strip()
    said = run(ROOT / "packaging/release/in_root.sh", "--network", root, f"{packages}:/packages", "bash", "-c", INSTALLED,
               timeout=1200)
    glibc, static = "/usr/bin/nest-init", "/usr/bin/nest-init-static"

    def names(when, catatonit, dumb_init, tini):
        return [f"{when} catatonit: {catatonit}", f"{when} dumb-init: {dumb_init}", f"{when} tini: {tini}"]

    assert said.splitlines() == [
        f"version: nest-init {VERSION}", "status: 7", "tls: 1", "schema: 644",
        *names("one", glibc, glibc, glibc), "tini: tini version 0.19.0", "debian's: 3", f"version: nest-init {VERSION}",
        *names("both", glibc, glibc, glibc), *names("chosen", glibc, glibc, static), *names("static", static, static, static),
        "left: ", "debian's: 3"]


APK = r"""
set -eu
. "$1"
pkgdir=$2
options='!check'
build
package
"""
ABUILD_MESON = """#!/bin/sh
exec meson setup --cross-file "$cross" --prefix=/usr --libdir=/usr/lib --bindir=/usr/bin --sbindir=/usr/sbin "$@"
"""


def test_the_steps_of_the_apkbuild_build_with_musl(packages, tmp_path):
    """abuild itself is Alpine's; its functions are run here as it would run them, and abuild-meson is played: our cross file
    gives it the compiler and the libraries for musl that Alpine has."""
    name = f"nest-init_{VERSION}.orig.tar.xz"
    script = packages / "APKBUILD"
    run("sh", "-n", script)
    assert hashlib.sha512((packages / name).read_bytes()).hexdigest() + f"  {name}" in script.read_text()
    run("tar", "-C", tmp_path, "-xf", packages / name)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/abuild-meson").write_text(ABUILD_MESON)
    (tmp_path / "bin/abuild-meson").chmod(0o755)
    run("busybox", "ash", "-c", APK, "apk", script, tmp_path / "pkg", cwd=tmp_path / f"nest-init-{VERSION}", timeout=1200,
        env={**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "cross": str(ROOT / "build/static/musl.ini")})
    installed = tmp_path / "pkg/usr"
    assert run(installed / "bin/nest-init", "--version") == f"nest-init {VERSION}\n"
    for other in ("catatonit", "dumb-init", "tini"):
        assert (installed / "lib/nest-init/bin" / other).resolve() == installed / "bin/nest-init"
    assert {path.name for path in (installed / "share/doc/nest-init").iterdir()} == {"README.md", "runbook.md"}
