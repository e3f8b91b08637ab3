"""The page for people: what is in it, what it must not let in, and how a real browser shows it."""
import base64
import hashlib
import html.parser
import os
import re
import shutil
import struct
import subprocess
import zlib

import pytest

from test_serve import BACKSTOP, Container

BROWSER = shutil.which("chromium-headless-shell") or shutil.which("chromium")

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare(1)")


@pytest.fixture(scope="module")
def container():
    subject = Container("sh", "-c", "sleep 1000; :", options=[
        "--ready", "name=<b>api</b> interval=10ms file:/", "--live", "retries=1000 interval=10ms tcp://127.0.0.1:1",
        "--cap-drop", "all", "--seccomp", "node"])
    subject.wait_until(lambda: "200 OK" not in subject.get("/")[1] and "connection refused" in subject.get("/")[1])
    yield subject
    subject.close()


class Strict(html.parser.HTMLParser):
    """Every element is closed, in order; `texts` holds what is written, by element."""
    VOID = {"meta", "br", "rect", "polygon", "polyline"}

    def __init__(self, page):
        super().__init__()
        self.open, self.texts, self.seen = [], {}, set()
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.seen.add(tag)
        assert not {name for name, _ in attributes if name.startswith("on") or name == "style"}
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        assert tag in self.VOID

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)


def test_the_page_says_what_one_wants_to_know(container):
    status, page, head = container.get("/")
    assert (status, head["Content-Type"]) == (200, "text/html; charset=utf-8")
    parsed = Strict(page)
    assert parsed.texts["title"] == ["ready · nest-init"] and parsed.texts["h1"] == ["main is ready"]
    assert parsed.texts["h2"] == ["Memory", "Processor", "Checks", "Confinement"]
    assert parsed.texts["b"] == ["<b>api</b>", "tcp://127.0.0.1:1"]
    assert re.search(r"pid 2, up [\d.ms]+, 2 processes, 2 threads", page)
    assert "capabilities <span class=\"soft\">none is left</span>" in page and "seccomp <span class=\"soft\">node</span>" in page
    assert "not asked for: user, securebits, read only" in page
    assert page.count("class=\"runs\"") == 2 and page.count('rx="1" class="bad"') >= 1


def test_the_page_tells_of_the_last_end():
    container = Container("sleep", "1000", options=["--restart", "always", "--restart-backoff", "10ms"])
    try:
        assert "The last end" not in container.get("/")[1]
        subprocess.run(["pkill", "-KILL", "-P", str(container.pid1), "sleep"], check=True)
        container.wait_until(lambda: "started 2 times" in container.get("/")[1])
        page = container.get("/")[1]
        assert re.search(r"<h2>The last end</h2><p>sleep \(pid 2\) was killed by SIGKILL after [\w.]+", page)
    finally:
        container.close()


def test_the_page_lets_nothing_in(container):
    _, page, head = container.get("/")
    style = re.search("<style>(.*)</style>", page, re.S)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert head["Content-Security-Policy"] == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; " \
        "form-action 'none'; frame-ancestors 'none'"
    assert [head[name] for name in ("Referrer-Policy", "X-Frame-Options", "X-Content-Type-Options", "Cache-Control",
                                    "Cross-Origin-Resource-Policy", "Cross-Origin-Opener-Policy")] == \
        ["no-referrer", "DENY", "nosniff", "no-store", "same-origin", "same-origin"]
    assert not Strict(page).seen & {"script", "link", "img", "iframe", "form", "object"}
    assert not re.search(r"https?://(?!127\.0\.0\.1)", page)


def pixel(png, x, y):
    """Of a PNG as Chromium writes it: 8 bits a channel, not interlaced."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at, data = 8, b""
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at:at + 8])
        if kind == b"IHDR":
            width, _, depth, colour = struct.unpack(">IIBB", png[at + 8:at + 18])
            assert depth == 8
            size = {2: 3, 6: 4}[colour]
        data += png[at + 8:at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
    data = zlib.decompress(data)
    above = bytearray(width * size)
    for row in range(y + 1):
        start = row * (width * size + 1)
        line, how = bytearray(data[start + 1:start + 1 + width * size]), data[start]
        for i in range(len(line)):
            left, up = line[i - size] if i >= size else 0, above[i]
            corner = above[i - size] if i >= size else 0
            guess = left + up - corner
            paeth = min((left, up, corner), key=lambda near: abs(guess - near))
            line[i] = (line[i] + (0, left, up, (left + up) // 2, paeth)[how]) & 255
        above = line
    return tuple(above[x * size:x * size + 3])


def browse(container, tmp_path, *words):
    run = subprocess.run([BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=800,600",
                          f"--user-data-dir={tmp_path}/profile", *words, f"http://127.0.0.1:{container.port}/"],
                         capture_output=True, timeout=BACKSTOP)
    assert run.returncode == 0, run.stderr.decode()
    return run.stdout.decode()


@pytest.mark.skipif(BROWSER is None, reason="chromium-headless-shell (Debian) is not installed")
def test_a_browser_reads_it(container, tmp_path):
    shown = browse(container, tmp_path, "--dump-dom")
    assert "<h1>main is ready</h1>" in shown and "<b>&lt;b&gt;api&lt;/b&gt;</b>" in shown


@pytest.mark.skipif(BROWSER is None, reason="chromium-headless-shell (Debian) is not installed")
@pytest.mark.parametrize("scheme, back, line", [(1, (0xf5, 0xf6, 0xf8), (0x17, 0x80, 0x3d)),
                                                (0, (0x12, 0x15, 0x1b), (0x4c, 0xc4, 0x72))])
def test_a_browser_shows_it_bright_and_dark(container, tmp_path, scheme, back, line):
    """The colours are the style's own, so that the policy has let it in."""
    browse(container, tmp_path, f"--blink-settings=preferredColorScheme={scheme}", f"--screenshot={tmp_path}/shot.png")
    png = (tmp_path / "shot.png").read_bytes()
    assert pixel(png, 3, 3) == back
    assert pixel(png, 18, 40) == line  # of the header: it is ready
