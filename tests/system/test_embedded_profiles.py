"""Our embedded profiles, held against the programs they are named for, recorded anew.

Debian's nginx and Node stand for glibc. nginx from Debian's source, linked with musl, stands for Alpine's. Neither Debian
nor npm has a Node linked with musl (npm has Bun, another engine, which wants a libstdc++ for musl that neither has):
libuv's own tests stand for it, linked with musl, as it is libuv that asks the kernel in Node's name. V8's own share,
memory and threads, goes through musl's mmap and pthreads, which those tests use as well. arm64 is derived by names: see
tests/unit/test_seccomp_verdicts.c.
"""
import contextlib
import http.server
import json
import os
import re
import shlex
import signal
import socket
import ssl
import string
import subprocess
import threading
from pathlib import Path

import pytest

from bundle import Container, bind, tmpfs
from busybox import BACKSTOP, METRICS, NEST_INIT, REPO, needs_runc, wait_until
from test_denials import denials
from test_record import SERVERS, live as one_life, root  # noqa: F401
from test_seccomp import SAID, SERVICE, node_image  # noqa: F401

pytestmark = needs_runc

MUSL = REPO / "build/musl"


@pytest.fixture(scope="session")
def musl():
    """Programs linked with musl; built by whoever comes first, once."""
    log = REPO / "build/musl.log"
    with open(log, "w") as out:
        done = subprocess.run([REPO / "tests/musl/build.sh", MUSL], stdout=out, stderr=subprocess.STDOUT)
    assert done.returncode == 0, log.read_text()[-3000:]
    return MUSL


# --- what a recording says ------------------------------------------------------------------------------------------

class Recording:
    """The system calls that were seen, without the families that `record` adds, and the domains of sockets."""

    def __init__(self, path, summary):
        self.calls, self.domains = set(), set()
        for rule in json.loads(path.read_text())["syscalls"]:
            words, comment = rule["names"], rule["comment"]
            if "Seen:" in comment:
                self.calls |= set(comment.partition("Seen:")[2].split())
            elif comment == "Seen, and of no family.":
                self.calls |= set(words)
            if domain := re.fullmatch(r"socket of domain (\d+)\.", comment):
                self.domains.add(int(domain[1]))
        assert len(self.calls) == int(re.search(r"(\d+) syscalls seen", summary)[1])


def verdicts(profile):
    done = subprocess.run([NEST_INIT, "seccomp", "explain", "--json", profile], capture_output=True, text=True, check=True)
    return {call["name"]: call["verdict"] for call in json.loads(done.stdout)["syscalls"]}


def refused(profile, recording):
    """What of a recording the profile does not let through, whatever its arguments. clone3 is answered as by a kernel that
    has none: libc takes clone then."""
    said = verdicts(profile)
    assert said["clone3"] == "ERRNO(ENOSYS)"
    calls = {call for call in recording.calls - {"clone3"} if "ALLOW" not in said[call]}
    return calls | {domain for domain in recording.domains if not re.search(rf"\barg0 == {domain:#x}\b", said["socket"])}


RECORD = ["/nest-init", "seccomp", "record", "-o", "/out/profile.json", "--"]


def recording(path, container, status=0):
    assert container.wait(BACKSTOP) == status, container.errors()
    return Recording(path / "profile.json", container.errors())


# --- nginx ------------------------------------------------------------------------------------------------------------

CONFIGURATION = string.Template("""
user nobody nogroup;
pid /run/nginx.pid;
error_log /var/log/errors info;
timer_resolution 100ms;
worker_processes 2;
worker_priority 5;
worker_cpu_affinity auto;
worker_rlimit_nofile 512;
thread_pool default threads=2;
events { worker_connections 64; accept_mutex on; }
http {
  access_log /var/log/access combined;
  access_log syslog:server=unix:/run/log;
  client_body_temp_path /run/t/body; proxy_temp_path /run/t/proxy; fastcgi_temp_path /run/t/f;
  uwsgi_temp_path /run/t/u; scgi_temp_path /run/t/s;
  proxy_cache_path /run/t/cache keys_zone=cache:1m max_size=1m min_free=1k inactive=1s;
  proxy_buffer_size 4k; proxy_buffers 4 4k; proxy_busy_buffers_size 4k;
  client_body_buffer_size 1k; client_max_body_size 10m;
  sendfile on; tcp_nopush on; gzip on; gzip_min_length 1; gzip_types *;
  open_file_cache max=10;
  resolver 127.0.0.1:5353 ipv6=off;
  map $$arg_name $$named { default upstream.test; }
  upstream far { zone far 64k; server 127.0.0.1:9000; keepalive 2; }
  server {
    listen 80 reuseport; listen [::1]:80; listen unix:/run/nginx.sock; $listen
    root /srv;
    location / { autoindex on; }
    location /status { stub_status; }
    location /threads/ { alias /srv/; sendfile off; aio threads; }
    location /dav/ { dav_methods PUT DELETE MKCOL COPY MOVE; create_full_put_path on; dav_access user:rw group:r; }
    location /far/ { proxy_pass http://far/; proxy_http_version 1.1; proxy_set_header Connection ""; }
    location /cached/ { proxy_pass http://far/; proxy_cache cache; proxy_cache_valid 1m; }
    location /stored/ { root /srv/dav; proxy_pass http://far/; proxy_store on; }
    location /named/ { proxy_pass http://$$named:9000/; }
    $locations
  }
}
$others
""")

# What each build has and the other has not.
EXTRAS = {
    "glibc": {"listen": "listen 443 ssl http2; ssl_certificate /cert.pem; ssl_certificate_key /key.pem;", "locations": "",
              "others": ""},
    "musl": {"listen": "", "locations": "location /aio/ { alias /srv/; aio on; directio 512; sendfile off; }",
             "others": "stream { server { listen 81; proxy_pass 127.0.0.1:9000; }\n"
                       "  server { listen 82 udp; proxy_pass 127.0.0.1:5353; proxy_responses 1; } }"},
}
LIBCS = sorted(EXTRAS)
BIG = b"0123456789abcdef" * 20000


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    directory = tmp_path_factory.mktemp("certificate")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
                    "2", "-subj", "/CN=nest", "-keyout", directory / "key.pem", "-out", directory / "cert.pem"],
                   check=True, capture_output=True)
    return directory


class Upstream(http.server.BaseHTTPRequestHandler):
    """What nginx is in front of: /slow answers once the test says so."""
    protocol_version = "HTTP/1.1"
    timeout = BACKSTOP

    def do_GET(self):
        if "slow" in self.path:
            self.server.asked.set()
            self.server.go_on.wait(BACKSTOP)
        body = BIG if "big" in self.path else b"hello"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_):
        pass


def names(sock):
    """Every name is 127.0.0.1's, until the socket is shut down."""
    with contextlib.suppress(OSError):
        while (received := sock.recvfrom(512))[0]:
            query, sender = received
            sock.sendto(query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + query[12:query.index(0, 12) + 5] +
                        b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4\x7f\0\0\1", sender)


class Nginx(Container):
    """With an upstream, a name server and a system log of ours."""

    def __enter__(self):
        super().__enter__()
        try:
            self.upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 9000), Upstream, bind_and_activate=False)
            self.upstream.socket.close()
            self.upstream.socket = self.socket()
            self.upstream.asked, self.upstream.go_on = threading.Event(), threading.Event()
            self.upstream.server_bind()
            self.upstream.server_activate()
            self.names = self.socket(kind=socket.SOCK_DGRAM)
            self.names.bind(("127.0.0.1", 5353))
            self.log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.log.settimeout(BACKSTOP)
            self.log.bind(str(self.file("/run/log")))
            self.file("/run/log").chmod(0o666)
            threading.Thread(target=self.upstream.serve_forever, args=[0.05], daemon=True).start()
            threading.Thread(target=names, args=[self.names], daemon=True).start()
            wait_until(lambda: self.answers("/") == 200)
        except BaseException:
            self.cleanup()
            raise
        return self

    def __exit__(self, *_):
        self.upstream.go_on.set()
        self.upstream.shutdown()
        self.upstream.server_close()
        with contextlib.suppress(OSError):
            self.names.shutdown(socket.SHUT_RDWR)
        self.names.close()
        self.log.close()
        super().__exit__()

    def answers(self, path):
        assert self.running(), self.errors()
        try:
            return self.http(f"http://127.0.0.1{path}").status
        except OSError:
            return None

    def of_kind(self, kind):
        """Masters or workers, as the host numbers them."""
        return {pid for pid, line in self.processes().items() if line.startswith(f"nginx: {kind} process")}

    def file(self, path):
        return Path(f"/proc/{self.pid}/root{path}")


def nginx(root, musl, certificate, tmp_path, libc, before, **options):  # noqa: F811
    (tmp_path / "nginx.conf").write_text(CONFIGURATION.substitute(EXTRAS[libc]))
    (tmp_path / "big").write_bytes(BIG)
    tmp_path.chmod(0o777)
    files = {"/nginx-musl": musl / "nginx", "/nginx.conf": tmp_path / "nginx.conf", "/srv/big": tmp_path / "big",
             "/run/t/empty": "/dev/null", "/cert.pem": certificate / "cert.pem", "/key.pem": certificate / "key.pem"}
    return Nginx(before, root, files=files, mounts=[bind("/usr", "/usr", "ro"), bind(tmp_path, "/out"),
                                                    tmpfs("/srv/dav", "mode=777")], **options)


def command(libc):
    return [{"glibc": "/usr/sbin/nginx", "musl": "/nginx-musl"}[libc], "-e", "/var/log/errors", "-c", "/nginx.conf"]


FOREGROUND = ["-g", "daemon off;"]
# What the start script of an nginx image does: its configuration is written, then nginx takes its place.
START = ["/bin/sh", "-ec", """
find /etc/nginx -follow -type f -print | sort -V >/run/files
cp -p /nginx.conf /run/copy; sed -i -e 's,80,8080,' /run/copy; touch /run/copy; md5sum /run/copy >/run/sum
awk '{ print $1 }' /run/sum | tee /run/word | grep -q . && [ -w /run/copy ]; mv /run/copy "$(mktemp -d)"; nproc >/run/cpus
exec "$@"
""", "sh"]
# With what MediaNest leaves it of capabilities.
CONFINED = ["/nest-init", "--seccomp", "nginx", "--seccomp-report", "--metrics", METRICS, "--cap-drop", "all", "--cap-add",
            "chown,setuid,setgid,net_bind_service", "--stop-signal", "QUIT", "--"]


def ask_for_everything(c, libc):
    """Static files, ranges, directories, gzip, keep-alive, large bodies, upstreams, a cache, WebDAV, TLS, Unix sockets."""
    def get(path, status=200, **more):
        answer = c.http(f"http://127.0.0.1{path}", **more)
        said = c.file("/var/log/errors").read_text()[-2000:]
        if answer.status == 500 and "(4: Interrupted system call)" in said:
            # A busy recorder takes a call up late: a signal that comes before that ends it (seccomp_unotify(2)).
            answer = c.http(f"http://127.0.0.1{path}", **more)
        assert answer.status == status, (path, answer.status, said)
        return answer

    assert get("/big").body == get("/threads/big").body == get("/far/big").body == BIG
    assert len(get("/big", headers={"Accept-Encoding": "gzip"}).body) < 10000
    assert get("/big", 206, headers={"Range": "bytes=16-31"}).body == BIG[:16]
    assert b"GET /" in c.log.recv(4096)
    assert b"big" in get("/").body and b"Active" in get("/status").body
    get("/none", 404)
    assert get("/far/x", method="POST", body=BIG).body == get("/named/x").body == b"hello"
    assert get("/cached/x").body == get("/cached/x").body == get("/stored/x").body == b"hello"
    get("/dav/d/new", 201, method="PUT", body=BIG)
    get("/dav/e/", 201, method="MKCOL")
    for method in "COPY", "MOVE":
        get("/dav/d/new", 204, method=method, headers={"Destination": "http://127.0.0.1/dav/e/new"})
    get("/dav/e/", 204, method="DELETE")
    with c.connect(80) as kept, c.connect(80, "::1") as other:
        for sock in kept, other, kept:
            sock.sendall(b"GET /far/x HTTP/1.1\r\nHost: x\r\n\r\n")
            assert sock.recv(65536).startswith(b"HTTP/1.1 200")
    with c.socket(socket.AF_UNIX) as sock:
        sock.connect(str(c.file("/run/nginx.sock")))
        sock.sendall(b"GET /status HTTP/1.0\r\n\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 200")
    if libc == "glibc":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(c.connect(443)) as sock:
            sock.sendall(b"GET /status HTTP/1.0\r\n\r\n")
            assert sock.recv(65536).startswith(b"HTTP/1.1 200")
    else:
        assert get("/aio/big").body == c.http("http://127.0.0.1:81/big").body == BIG
        with c.socket(kind=socket.SOCK_DGRAM) as sock:
            sock.settimeout(BACKSTOP)
            sock.connect(("127.0.0.1", 82))
            sock.sendall(b"\x12\x34\1\0\0\1\0\0\0\0\0\0\1x\0\0\1\0\1")
            assert sock.recv(512).startswith(b"\x12\x34\x81\x80")


def live(c, libc):
    """Requests, a reload, new log files, requests."""
    ask_for_everything(c, libc)
    workers = c.of_kind("worker")
    c.kill("HUP")
    wait_until(lambda: len(c.of_kind("worker")) == 2 and not workers & c.of_kind("worker"))
    c.file("/var/log/access").rename(c.file("/var/log/access.1"))
    c.kill("USR1")
    wait_until(c.file("/var/log/access").exists)
    ask_for_everything(c, libc)


@pytest.mark.parametrize("libc", LIBCS)
def test_nginx_recorded_calls_nothing_that_is_refused(root, musl, certificate, tmp_path, libc):  # noqa: F811
    with nginx(root, musl, certificate, tmp_path, libc, RECORD + command(libc) + FOREGROUND) as c:
        live(c, libc)
        c.kill("QUIT")
        seen = recording(tmp_path, c)
    # All of that was done.
    assert {"sendfile", "accept4", "pwrite64", "setgroups", "socketpair", "setpriority", "rename", "unlink"} <= seen.calls
    assert refused("nginx", seen) == refused("default", seen) == set()


@pytest.mark.parametrize("libc", LIBCS)
def test_nginx_runs_under_its_profile(root, musl, certificate, tmp_path, libc):  # noqa: F811
    """From its start script on; a request that is there when the stop comes is answered."""
    with nginx(root, musl, certificate, tmp_path, libc, CONFINED + START + command(libc) + FOREGROUND) as c:
        live(c, libc)
        assert {c.status_of(pid)["Seccomp"] for pid in c.of_kind("worker")} == {"2"}
        assert denials(c) == {}
        late = []
        client = threading.Thread(target=lambda: late.append(c.http("http://127.0.0.1/far/slow-big", timeout=BACKSTOP)))
        client.start()
        assert c.upstream.asked.wait(BACKSTOP)
        c.kill("TERM")
        wait_until(lambda: c.answers("/") is None)
        c.upstream.go_on.set()
        client.join()
        assert (late[0].status, late[0].body) == (200, BIG)
        assert c.wait(BACKSTOP) == 0, c.errors()


@pytest.mark.parametrize("libc", LIBCS)
def test_nginx_gives_way_to_a_new_binary_under_its_profile(root, musl, certificate, tmp_path, libc):  # noqa: F811
    """A shell as the main process: nginx takes USR2 only after its parent has gone."""
    script = '"$@"; read line'
    with nginx(root, musl, certificate, tmp_path, libc, [*CONFINED, "/bin/sh", "-c", script, "sh", *command(libc)],
               stdin=subprocess.PIPE) as c:
        # What has just been forked has its parent's title for a moment.
        wait_until(lambda: (len(c.of_kind("master")), len(c.of_kind("worker"))) == (1, 2))
        old, = c.of_kind("master")
        os.kill(old, signal.SIGUSR2)
        wait_until(lambda: len(c.of_kind("master")) == 2 and len(c.of_kind("worker")) == 4)
        os.kill(old, signal.SIGQUIT)
        wait_until(lambda: len(c.of_kind("master") - {old}) == len(c.of_kind("master")) == 1 and len(c.of_kind("worker")) == 2)
        assert c.answers("/status") == 200 and denials(c) == {}


# --- Node -------------------------------------------------------------------------------------------------------------

def node(image, tmp_path, command, files=(), **options):
    tmp_path.chmod(0o777)
    return Container([*RECORD, "/usr/bin/node", *command], image, mounts=[tmpfs("/tmp"), bind(tmp_path, "/out")],
                     files={"/nest-init": NEST_INIT, **dict(files)}, **options)


def test_node_recorded_calls_nothing_that_is_refused(node_image, tmp_path):  # noqa: F811
    """Child processes, workers, names, files, watchers, Unix sockets: test_seccomp.py runs the same under the profile."""
    (tmp_path / "service.js").write_text(SERVICE)
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n")
    with node(node_image, tmp_path, ["/service.js"], {"/service.js": tmp_path / "service.js",
                                                      "/etc/hosts": tmp_path / "hosts"}) as c:
        seen = recording(tmp_path, c)
        said = dict(map(json.loads, c.output().splitlines()))
    differs = {"root_is_read_only", "denied"}
    assert {key: said[key] for key in SAID.keys() - differs} == {key: SAID[key] for key in SAID.keys() - differs}
    # The one call that a trial makes to be refused.
    assert refused("node", seen) == refused("default", seen) == {"unshare"}


def test_the_express_service_recorded_calls_nothing_that_is_refused(node_image, tmp_path):  # noqa: F811
    with node(node_image, tmp_path, ["server.js"], cwd="/app/backend", env={"NODE_ENV": "production"}) as c:
        c.wait_http("http://127.0.0.1:4000/api/health")
        for path in "/", "/metrics", "/slow?ms=50":
            assert c.http(f"http://127.0.0.1:4000{path}").status == 200
        assert c.http("http://127.0.0.1:4000/write?path=/tmp/x", "POST").status == 201
        c.kill("TERM")
        seen = recording(tmp_path, c)
    assert refused("node", seen) == refused("default", seen) == set()


# Of each kind a few, that take no longer than a moment and need no file of libuv's source.
KINDS = ("fs_|spawn|udp_(bind|connect|mmsg)|tcp_(open|flags|try|rst)|pipe_[gs]|ipc_|get|signal|thread|fork_|random|process|"
         "semaphore|condvar|tty|kill|cwd")
LEFT_OUT = ("_[2-9]$|_(multi|no|null|invalid|bad|close|stop|start|fail)|alotof|partial|watch_file|exact|timeout|heavy|fs_poll|"
            "inprocess|spawn_(and|exercise)|fork_fs")
LIBUV = f"""cd /tmp
for name in $(/libuv --list | cut -d' ' -f1 | grep -E '^({KINDS})' | grep -vE '{LEFT_OUT}'); do
    if /libuv $name >said 2>&1; then echo "$name passed"; else echo "$name: $(tail -n 3 said)" >&2; fi
done
"""


@pytest.mark.parametrize("before", [RECORD, ["/nest-init", "--seccomp", "node", "--seccomp-report", "--metrics", METRICS, "--"]],
                         ids=["recorded", "under the profile"])
def test_libuv_s_own_tests_linked_with_musl(root, musl, tmp_path, before):  # noqa: F811
    tmp_path.chmod(0o777)
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    wait = "" if before is RECORD else "; read line"
    with Container([*before, "/bin/sh", "-c", LIBUV + "echo done" + wait], root, user=1001, stdin=subprocess.PIPE, files={
            "/libuv": musl / "libuv", "/etc/resolv.conf": tmp_path / "resolv.conf"},
                   mounts=[bind("/usr", "/usr", "ro"), bind(tmp_path, "/out"), tmpfs("/tmp", "mode=1777")]) as c:
        wait_until(lambda: "done\n" in c.output() or not c.running(), timeout=10 * BACKSTOP)
        passed = c.output().count(" passed\n")
        assert passed >= 80, c.errors()
        if before is RECORD:
            seen = recording(tmp_path, c)
            assert {"clone", "fork", "inotify_add_watch", "epoll_pwait", "copy_file_range"} <= seen.calls
            assert refused("node", seen) == refused("default", seen) == set()
        else:
            assert denials(c) == {}


# --- others -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["redis", "memcached", "dnsmasq", "mosquitto", "python"])
def test_other_servers_recorded_call_nothing_that_default_refuses(root, tmp_path, name):  # noqa: F811
    tmp_path.chmod(0o777)
    server = SERVERS[name]
    status, errors = one_life(root, tmp_path, RECORD + shlex.split(server.command), server)
    assert status == server.status, errors
    assert refused("default", Recording(tmp_path / "profile.json", errors)) == set()


@pytest.mark.parametrize("arch", ["amd64", "arm64"])
@pytest.mark.parametrize("profile", ["node", "nginx"])
def test_default_allows_what_the_others_allow(profile, arch):
    done = subprocess.run([NEST_INIT, "seccomp", "diff", "--json", "--arch", arch, *(
        REPO / f"seccomp-profiles/{name}.json" for name in (profile, "default"))], capture_output=True, text=True)
    assert done.returncode == 1
    assert [call["name"] for call in json.loads(done.stdout)["syscalls"] if call["change"] in ("lost", "changed")] == []
