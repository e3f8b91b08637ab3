"""HTTPS, which the build for glibc has and the static one says that it has not: asked by curl, OpenSSL, Python and a real
Prometheus, and asked badly."""
import errno
import http.client
import os
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from conftest import BINARIES
from prometheus import Prometheus
from test_serve import BACKSTOP, CONNECTIONS, PER_ADDRESS, TIMEOUT, Container, alive, free_port, plain_environment

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare(1)")

GLIBC, STATIC = BINARIES["glibc"], BINARIES["release"]
TOKEN = "wHatEver-0123456789~abcdef"


def issue(public, name, *, kind=("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")):
    """A certificate that vouches for itself: NAME.pem and NAME.key, which root alone may read."""
    subprocess.run(["openssl", "req", "-x509", *kind, "-noenc", "-days", "30", "-subj", f"/CN={name}", "-addext",
                    "subjectAltName=IP:127.0.0.1,DNS:localhost", "-out", f"{public}/{name}.pem", "-keyout", f"{public}/{name}.key"],
                   check=True, capture_output=True)
    assert (public / f"{name}.key").stat().st_mode & 0o077 == 0
    return public / f"{name}.pem", public / f"{name}.key"


def options_of(certificate, key):
    return ["--metrics-tls-cert", str(certificate), "--metrics-tls-key", str(key)]


class Secure(Container):
    """The same, asked by HTTPS."""

    def __init__(self, certificate, key, *, options=(), trusted=None):
        self.context = ssl.create_default_context(cafile=str(trusted or certificate))
        super().__init__(options=[*options_of(certificate, key), *options], binary=GLIBC)

    def connection(self, source):
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=BACKSTOP, context=self.context,
                                           source_address=source)

    def names(self):
        """Whom the certificate names that is served now."""
        with self.connect() as plain, self.context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
            return dict(part for parts in connection.getpeercert()["subject"] for part in parts)["commonName"]

    def restarts(self):
        return self.sample("monitor_restarts_total")


@pytest.fixture(scope="module")
def secure():
    """A container whose files are replaced by no test."""
    directory = tempfile.TemporaryDirectory()
    os.chmod(directory.name, 0o755)
    subject = Secure(*issue(Path(directory.name), "first", kind=("-newkey", "rsa:2048")))
    subject.place = Path(directory.name)
    monitor = subject.monitor
    yield subject
    assert subject.monitor == monitor, "the monitor died of a test"
    subject.close()
    directory.cleanup()


@pytest.fixture
def start():
    started = []

    def begin(*words, **more):
        started.append(Secure(*words, **more))
        return started[-1]
    yield begin
    for container in started:
        container.close()


def s_client(container, *words, given=""):
    return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{container.port}", "-CAfile",
                           str(container.place / "first.pem"), *words], input=given, capture_output=True, text=True,
                          timeout=BACKSTOP)


# --- what is served -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("path", ["/", "/metrics", "/metrics/self", "/livez", "/readyz?verbose"])
def test_curl_gets_every_page(secure, path):
    run = subprocess.run(["curl", "-sS", "-i", "--compressed", "--cacert", str(secure.place / "first.pem"),
                          f"https://localhost:{secure.port}{path}"], capture_output=True, text=True, timeout=BACKSTOP)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("HTTP/1.1 200 OK\n")


def test_who_does_not_trust_the_certificate_is_told_nothing(secure):
    run = subprocess.run(["curl", "-sS", f"https://localhost:{secure.port}/livez"], capture_output=True, text=True,
                         timeout=BACKSTOP)
    assert (run.returncode, run.stdout) == (60, "")  # CURLE_PEER_FAILED_VERIFICATION


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_the_versions_that_are_spoken(secure, version):
    run = s_client(secure, "-" + version.lower().replace("v", "").replace(".", "_"), "-verify_return_error", "-ign_eof",
                   given="GET /livez HTTP/1.1\nHost: x\nConnection: close\n\n")
    assert run.returncode == 0, run.stderr
    assert f"New, {version}, Cipher is " in run.stdout and "\nHTTP/1.1 200 OK" in run.stdout


@pytest.mark.parametrize("words", [("-tls1",), ("-tls1_1",), ("-tls1_2", "-cipher", "AES256-GCM-SHA384")])
def test_what_is_too_old_is_refused(secure, words):
    """The last one has no forward secrecy: whoever steals the key would read all that was said."""
    run = s_client(secure, *words, *(() if "-cipher" in words else ("-cipher", "DEFAULT@SECLEVEL=0")))
    assert run.returncode != 0
    assert "Cipher is (NONE)" in run.stdout


def test_a_connection_serves_several_requests(secure):
    connection = http.client.HTTPSConnection("127.0.0.1", secure.port, timeout=BACKSTOP, context=secure.context)
    for _ in range(100):
        connection.request("GET", "/livez")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"ok\n")
    connection.request("GET", f"https://localhost:{secure.port}/readyz")  # absolute (RFC 9112, section 3.2.2)
    assert connection.getresponse().status == 200
    connection.close()


def test_an_rsa_key_and_its_chain(start, public):
    """The file has more than one certificate: who knows the one at the end of the chain alone trusts the first."""
    issue(public, "authority")
    subprocess.run(["openssl", "req", "-newkey", "rsa:2048", "-noenc", "-subj", "/CN=leaf", "-out", f"{public}/leaf.csr",
                    "-keyout", f"{public}/leaf.key"], check=True, capture_output=True)
    subprocess.run(["openssl", "x509", "-req", "-in", f"{public}/leaf.csr", "-CA", f"{public}/authority.pem", "-CAkey",
                    f"{public}/authority.key", "-days", "30", "-out", f"{public}/leaf.pem", "-extfile", "/dev/stdin"],
                   input=b"subjectAltName=IP:127.0.0.1", check=True, capture_output=True)
    chain = public / "chain.pem"
    chain.write_text((public / "leaf.pem").read_text() + (public / "authority.pem").read_text())
    container = start(chain, public / "leaf.key", trusted=public / "authority.pem")
    assert container.names() == "leaf"


def test_every_address_and_the_unix_socket(start, public):
    port = free_port()
    files = issue(public, "all")
    container = start(*files, options=["--metrics", f"[::1]:{port}", "--metrics", f"unix:{public}/s"])
    for where in (["-g", f"https://localhost:{port}/livez", "--resolve", f"localhost:{port}:[::1]"],
                  ["--unix-socket", f"{public}/s", "https://localhost/livez"]):
        run = subprocess.run(["curl", "-sS", "--cacert", str(files[0]), *where], capture_output=True, text=True,
                             timeout=BACKSTOP)
        assert (run.returncode, run.stdout) == (0, "ok\n"), run.stderr
    assert container.get("/livez")[0] == 200


def test_users_and_tokens_are_asked_for_in_secret(start, public):
    (public / "tokens").write_text(TOKEN)
    users = subprocess.run(["htpasswd", "-nbBC", "4", "a", "b"], capture_output=True, text=True, check=True)
    (public / "users").write_text(users.stdout)
    container = start(*issue(public, "guarded"),
                      options=["--metrics-tokens", str(public / "tokens"), "--metrics-users", str(public / "users")])
    assert container.get("/metrics")[0] == 401
    assert container.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})[0] == 200
    assert container.get("/metrics", headers={"Authorization": "Basic YTpi"})[0] == 200  # a suspended connection
    assert container.get("/metrics", headers={"Authorization": "Basic YTpj"})[0] == 401


@pytest.mark.skipif(not shutil.which("prometheus"), reason="prometheus is not installed")
def test_prometheus_scrapes_it(secure, tmp_path):
    scrape = {"scheme": "https", "tls_config": {"ca_file": str(secure.place / "first.pem")}}
    with Prometheus(tmp_path, f"127.0.0.1:{secure.port}", port=free_port(), scrape=scrape) as prometheus:
        secure.wait_until(lambda: prometheus.query("up") == [({}, 1.0)])
        assert prometheus.query("nest_init_service_up") == [({"service": "main"}, 1.0)]


# --- asked badly --------------------------------------------------------------------------------------------------

def test_plain_http_gets_no_page(secure):
    for request in b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n\r\n", b"GET ":
        with secure.connect() as connection:
            answer = b""
            try:
                connection.sendall(request)
                connection.shutdown(socket.SHUT_WR)
                while piece := connection.recv(65536):
                    answer += piece
            except OSError:
                pass
        assert b"HTTP" not in answer and b"nest_init" not in answer and len(answer) <= 7  # an alert (RFC 8446, section 6)
    assert secure.get("/livez")[0] == 200


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def test_garbage_costs_nothing(secure):
    chance = random.Random(20250211)
    hello = client_hello()
    resident = 0
    for i in range(3000):
        mangled = bytearray(hello)
        for _ in range(chance.randrange(1, 6)):
            mangled[chance.randrange(len(mangled))] = chance.randrange(256)
        pieces = [bytes(mangled), hello[:chance.randrange(len(hello))], hello * 3, b"\x16\x03\x01\xff\xff" + chance.randbytes(200),
                  b"\x80\x2e\x01\x00\x02", b"\x15\x03\x03\x00\x02\x02\x28", b"\x17\x03\x03\x40\x00" + b"\0" * 500,
                  chance.randbytes(chance.randrange(300)), hello + b"\x14\x03\x03\x00\x01\x01" * 20]
        try:
            with secure.connect(f"127.0.6.{i % 200 + 1}") as connection:
                connection.sendall(chance.choice(pieces))
        except ConnectionError:
            pass
        if i == 1000:
            resident = secure.resident_kib()
    assert secure.get("/livez")[0] == 200
    assert secure.resident_kib() < resident + 4096 or "sanitize" in GLIBC  # which gives nothing back
    assert secure.restarts() == 0


def test_half_open_handshakes_shut_nobody_out(secure):
    """As many as there are places, silent, or with half of what opens a handshake, or all of it and no more: a newcomer is
    answered, PID 1 is as well, and ten seconds later they are gone."""
    hello = client_hello()
    before = secure.sockets()
    held = []
    try:
        for i in range(300):
            held.append(secure.connect(f"127.0.4.{i % 6 + 1}"))
            try:
                held[-1].send((b"", hello[:100], hello)[i % 3])
            except ConnectionError:
                pass
        assert secure.get("/livez", source="127.0.9.9")[0] == 200
        assert secure.get("/readyz")[0] == 200
        assert secure.sockets() <= before + CONNECTIONS
        assert secure.resident_kib() < 65536 or "sanitize" in GLIBC
        secure.wait_until(lambda: secure.sockets() <= before)
    finally:
        for connection in held:
            connection.close()
    assert secure.restarts() == 0


def test_one_address_has_its_share_of_handshakes(secure):
    held = [secure.connect("127.0.4.9") for _ in range(2 * PER_ADDRESS)]
    try:
        assert secure.get("/livez", source="127.0.9.9")[0] == 200
        assert sum(map(alive, held)) <= PER_ADDRESS
    finally:
        for connection in held:
            connection.close()


def test_the_deadline_is_for_the_handshake_too(secure):
    hello = client_hello()
    began = time.monotonic()
    with secure.connect() as connection:
        for byte in hello[:200]:
            try:
                connection.send(bytes([byte]))
            except ConnectionError:
                break
            time.sleep(0.25)
        else:
            pytest.fail("two hundred bytes, four a second, and nobody ended it")
    assert TIMEOUT - 1 < time.monotonic() - began < TIMEOUT + 20


def test_it_stops_at_once_whatever_hangs(start, public):
    container = start(*issue(public, "stopped"))
    held = [container.connect() for _ in range(50)]
    os.kill(container.pid1, signal.SIGTERM)
    try:
        assert container.process.wait(BACKSTOP) == 128 + signal.SIGTERM
    finally:
        for connection in held:
            connection.close()


# --- files that change --------------------------------------------------------------------------------------------

def replace(new, old):
    os.rename(new[0], old[0])
    os.rename(new[1], old[1])


def trust(container, *certificates):
    for certificate in certificates:
        container.context.load_verify_locations(str(certificate))


def test_files_that_change_are_read_again(start, public):
    files, second = issue(public, "first"), issue(public, "second")
    container = start(*files)
    trust(container, second[0])
    assert container.names() == "first"
    monitor = container.monitor
    early = http.client.HTTPSConnection("127.0.0.1", container.port, timeout=BACKSTOP, context=container.context)
    early.request("GET", "/livez")
    assert early.getresponse().read() == b"ok\n"
    replace(second, files)
    container.wait_until(lambda: container.names() == "second")
    try:
        early.request("GET", "/livez")  # a connection keeps what it began with
        assert early.getresponse().read() == b"ok\n"
    except (http.client.HTTPException, ConnectionError):
        pass  # ten seconds are over on a busy machine
    early.close()
    third = issue(public, "third")
    trust(container, third[0])
    for new, old in zip(third, files):
        old.write_text(new.read_text())  # in public
    container.wait_until(lambda: container.names() == "third")
    assert container.monitor == monitor


def test_what_is_wrong_later_changes_nothing(start, public):
    files, other = issue(public, "good"), issue(public, "other")
    container = start(*files)
    trust(container, other[0])
    good = files[0].read_text()
    files[0].write_text(other[0].read_text())  # not the key's any more
    for _ in range(12):
        assert container.names() == "good"
        time.sleep(0.1)
    files[0].write_text("garbage")
    files[1].unlink()
    time.sleep(1.1)
    assert container.names() == "good"
    files[0].write_text(good)
    os.rename(other[0], files[0])
    os.rename(other[1], files[1])
    container.wait_until(lambda: container.names() == "other")
    assert container.restarts() == 0


def test_a_monitor_that_finds_no_certificate_waits_for_one(start, public):
    """Nothing goes out in the clear meanwhile."""
    files = issue(public, "back")
    kept = files[0].read_text()
    container = start(*files)
    files[0].write_text("nothing")
    first = container.monitor
    os.kill(first, signal.SIGKILL)
    container.wait_until(lambda: container.monitor != first)
    with container.connect() as connection:
        try:
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(100) == b""
        except ConnectionError:
            pass
    with pytest.raises(OSError):
        container.get("/livez")
    files[0].write_text(kept)
    container.wait_until(lambda: container.get("/livez")[0] == 200)
    assert container.restarts() == 1


# --- what is refused ----------------------------------------------------------------------------------------------

def refusal(binary, *options):
    run = subprocess.run([binary, "--metrics", f"127.0.0.1:{free_port()}", *options, "--", "true"], capture_output=True,
                         text=True, timeout=BACKSTOP, env=plain_environment())
    assert run.returncode == 125 and run.stderr.count("\n") == 1
    return run.stderr.removeprefix("nest-init: ").rstrip("\n")


def test_the_static_build_says_that_it_has_none(public):
    assert refusal(STATIC, *options_of(*issue(public, "any"))) == \
        "--metrics-tls-cert: this build has no TLS: take the one for glibc, or leave this out and put a reverse proxy " \
        "in front of --metrics"


def test_files_that_do_not_serve_refuse_the_start(public):
    certificate, key = issue(public, "one")
    other = issue(public, "two")[1]
    wrong = public / "wrong"
    for given, sentence in (
            ((wrong, key), f"--metrics-tls-cert {wrong}: {os.strerror(errno.ENOENT)}"),
            ((key, key), f"--metrics-tls-cert {key}: no certificate in PEM form (-----BEGIN CERTIFICATE-----)"),
            ((certificate, wrong), f"--metrics-tls-key {wrong}: {os.strerror(errno.ENOENT)}"),
            ((certificate, certificate), f"--metrics-tls-key {certificate}: no private key in PEM form (-----BEGIN PRIVATE KEY-----)"),
            ((certificate, other), f"--metrics-tls-key {other}: it is not the key of that certificate"),
            ((public, key), f"--metrics-tls-cert {public}: no regular file")):
        assert refusal(GLIBC, *options_of(*given)) == sentence
    subprocess.run(["openssl", "pkcs8", "-topk8", "-in", str(key), "-out", str(wrong), "-passout", "pass:x"], check=True)
    assert refusal(GLIBC, *options_of(certificate, wrong)) == \
        f"--metrics-tls-key {wrong}: it is encrypted, and nobody is there to say its password"
    wrong.write_bytes(b"-----BEGIN CERTIFICATE-----\n" + b"A" * 70000)
    assert re.fullmatch(f"--metrics-tls-cert {wrong}: File too large", refusal(GLIBC, *options_of(wrong, key)))


@pytest.mark.parametrize("one, other", [("cert", "key"), ("key", "cert")])
def test_one_does_not_serve_without_the_other(public, one, other):
    assert re.fullmatch(rf"--metrics-tls-{one}: a \w+ serves nothing without its \w+; give a --metrics-tls-{other}",
                        refusal(GLIBC, f"--metrics-tls-{one}", "/x"))
