"""What a service writes, line by line: --service-log. No line is lost, torn or doubled, whatever ends."""
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from namespace import Namespace, logger_of, status_of, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare(1)")

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
LINE = re.compile(rf"^{TIME} (\S+) (stdout|stderr) ([|+!]) (.*)$")
LINES = 200000
# So many lines, each with its number, as fast as a shell's seq gets them out.
MANY = f"seq -f 'line %.0f of the log that is to be whole' 1 {LINES}"
WHOLE = [f"line {n} of the log that is to be whole" for n in range(1, LINES + 1)]


def logged(init, how, *command, options=(), **keywords):
    return Namespace(init, *command, options=["--service-log", how, *options], **keywords)


def texts(lines, stream="stdout"):
    """What a service wrote, from tagged lines: pieces put together."""
    found, begun = [], ""
    for line in lines:
        match = LINE.match(line)
        assert match, line
        if match[2] != stream:
            continue
        begun += match[4]
        if match[3] == "|":
            found.append(begun)
            begun = ""
    assert begun == ""
    return found


def files(path, count):
    """The texts of the files of a log, the oldest first."""
    names = [f"{path}.{n}" for n in range(count - 1, 0, -1)] + [str(path)]
    return [Path(name).read_text() for name in names if os.path.exists(name)]


@pytest.fixture
def folder(public):
    return public / "app.log"


# --- lines ------------------------------------------------------------------------------------------------------------

def test_lines_are_tagged(either):
    with logged(either, "tagged", "sh", "-c", "echo one; echo two >&2; echo; printf half") as n:
        assert n.wait() == 0
        assert [LINE.match(line).groups() for line in n.output().splitlines()] == [
            ("main", "stdout", "|", "one"), ("main", "stdout", "|", ""), ("main", "stdout", "|", "half")]
        assert [LINE.match(line).groups() for line in n.errors().splitlines()] == [("main", "stderr", "|", "two")]


def test_lines_are_json(either):
    line = r'{"level":"info"} a"b\ ' + "é\t\x1b"
    script = "import sys; sys.stdout.buffer.write(sys.argv[1].encode() + b'\\xff\\n')"
    with logged(either, "json", "/usr/bin/python3", "-c", script, line) as n:
        assert n.wait() == 0
        found = json.loads(n.output())
        assert re.fullmatch(TIME, found.pop("time"))
        assert found == {"service": "main", "stream": "stdout", "message": line + "\ufffd"}


def test_a_long_line_comes_in_pieces(either):
    text = "x" * 40000
    with logged(either, "json", "/usr/bin/python3", "-c", "print('x' * 40000)") as n:
        assert n.wait() == 0
        found = [json.loads(line) for line in n.output().splitlines()]
        assert [len(line["message"]) for line in found] == [16384, 16384, 7232]
        assert "".join(line["message"] for line in found) == text
        assert [line.get("partial") for line in found] == [True, True, None]


def test_half_lines_become_whole_ones(nest_init):
    script = ("import os, time\n"
              "for n in range(300):\n"
              "    text = f'line {n} has many parts\\n'.encode()\n"
              "    for at in range(0, len(text), 5):\n"
              "        os.write(1, text[at:at + 5])\n"
              "    os.write(2, b'e'); os.write(2, b'\\n')\n")
    with logged(nest_init, "tagged", "/usr/bin/python3", "-c", script) as n:
        assert n.wait() == 0
        assert texts(n.output().splitlines()) == [f"line {n} has many parts" for n in range(300)]
        assert texts(n.errors().splitlines(), "stderr") == ["e"] * 300


def test_the_service_has_the_name_that_the_file_says(nest_init, tmp_path):
    config = tmp_path / "c.json"
    config.write_text(json.dumps({"services": {"api": {"command": ["echo", "hi"], "logging": "json"}}}))
    with Namespace(nest_init, options=["--config", str(config)]) as n:
        assert n.wait() == 0
        assert json.loads(n.output())["service"] == "api"


def test_without_logs_the_streams_are_the_services_own(nest_init):
    with Namespace(nest_init, "sh", "-c", "readlink /proc/self/fd/1; readlink /proc/$PPID/fd/1") as n:
        assert n.wait() == 0
        mine, init = n.output().splitlines()
        assert mine == init


# --- nothing is lost ----------------------------------------------------------------------------------------------------

def test_node_ends_at_once_and_nothing_is_lost(nest_init):
    script = "let s = ''; for (let n = 1; n <= 20000; n++) s += `line ${n}\\n`; process.stdout.write(s); process.exit(0)"
    reader, writer = os.pipe()
    with logged(nest_init, "tagged", "node", "-e", script, stdout=writer) as n:
        os.close(writer)
        with os.fdopen(reader) as out:
            lines = out.read().splitlines()
        assert n.wait() == 0
        # Node itself may leave what a pipe had no room for behind (process.exit() in its manual): whole, up to there.
        found = texts(lines)
        assert len(found) > 1000 and found[:-1] == [f"line {n}" for n in range(1, len(found))]


@pytest.mark.parametrize("how", ["stdout", "file"])
def test_all_lines_come_in_order(either, folder, how):
    option = "tagged" if how == "stdout" else f"tagged,file={folder},max-size=100m"
    with open(folder.parent / "out", "wb") as out:
        with logged(either, option, "sh", "-c", MANY, stdout=out) as n:
            assert n.wait() == 0
    assert texts((folder.parent / "out" if how == "stdout" else folder).read_text().splitlines()) == WHOLE


def test_every_line_is_in_one_file_and_sizes_are_kept(either, folder):
    with logged(either, f"tagged,file={folder},max-size=256k,max-file=200", "sh", "-c", MANY) as n:
        assert n.wait() == 0
    found = files(folder, 200)
    assert len(found) > 50
    assert all(200 * 1024 < len(text) <= 256 * 1024 for text in found[:-1]) and len(found[-1]) <= 256 * 1024
    assert all(text.endswith("\n") for text in found)
    assert texts("".join(found).splitlines()) == WHOLE


def test_as_many_files_stay_as_asked_for(nest_init, folder):
    with logged(nest_init, f"tagged,file={folder},max-size=128k,max-file=3", "sh", "-c", MANY) as n:
        assert n.wait() == 0
    assert sorted(os.listdir(folder.parent)) == ["app.log", "app.log.1", "app.log.2"]
    found = texts("".join(files(folder, 3)).splitlines())
    assert found == WHOLE[-len(found):]


def test_one_file_is_begun_anew(nest_init, folder):
    with logged(nest_init, f"tagged,file={folder},max-size=128k,max-file=1", "sh", "-c", MANY) as n:
        assert n.wait() == 0
    assert os.listdir(folder.parent) == ["app.log"] and folder.stat().st_size <= 128 * 1024
    found = texts(folder.read_text().splitlines())
    assert found == WHOLE[-len(found):]


def test_a_file_that_is_there_goes_on(nest_init, folder):
    folder.write_text("before\n")
    with logged(nest_init, f"tagged,file={folder}", "echo", "after") as n:
        assert n.wait() == 0
    assert folder.read_text().startswith("before\n") and folder.read_text().endswith(" | after\n")


COUNTING = "n=0; while :; do n=$((n + 1)); echo line $n; sleep 0.02; done"


def test_a_file_that_another_moves_away_is_made_anew(either, folder):
    """And no line is lost on the way, or written twice."""
    moved = folder.parent / "moved"
    with logged(either, f"tagged,file={folder}", "sh", "-c", COUNTING) as n:
        wait_until(lambda: folder.exists() and folder.read_text().count("\n") > 3)
        folder.rename(moved)
        wait_until(lambda: folder.exists() and folder.read_text().count("\n") > 3)
        n.kill(signal.SIGTERM)
        n.wait()
    found = texts((moved.read_text() + folder.read_text()).splitlines())
    assert found == [f"line {n}" for n in range(1, len(found) + 1)]


def test_a_file_that_another_removes_or_puts_in_its_place_is_written_to(nest_init, folder):
    with logged(nest_init, f"tagged,file={folder}", "sh", "-c", COUNTING) as n:
        wait_until(lambda: folder.exists() and folder.read_text().count("\n") > 3)
        folder.unlink()
        wait_until(lambda: folder.exists() and folder.read_text().count("\n") > 3)
        other = folder.parent / "other"
        other.write_text("another one's " * 1000 + "\n")  # longer than what was written: none of it is taken for ours
        os.rename(other, folder)
        wait_until(lambda: folder.read_text().count("\n") > 3)
        n.kill(signal.SIGTERM)
        n.wait()
    first, *lines = folder.read_text().splitlines()
    numbers = [int(text.split()[1]) for text in texts(lines)]
    assert first.startswith("another") and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert os.listdir(folder.parent) == ["app.log"]


def test_a_file_that_is_another_one_by_the_time_a_log_process_comes_back_is_none_of_ours(nest_init, folder):
    """However long it is: what waits is written to it all the same."""
    script = "echo one; read line <$0/fifo; echo two; sleep 1000"
    os.mkfifo(folder.parent / "fifo")
    with logged(nest_init, f"tagged,file={folder}", "sh", "-c", script, folder.parent) as n:
        wait_until(lambda: folder.exists() and texts(folder.read_text().splitlines()) == ["one"])
        other = folder.parent / "other"
        reader = logger_of(n.pid)
        resource.prlimit(reader, resource.RLIMIT_FSIZE, (folder.stat().st_size,) * 2)
        with open(folder.parent / "fifo", "w") as fifo:
            fifo.write("go\n")
        n.wait_for_error("nest-init logger: log")  # the limit counts for that file as well
        os.kill(reader, signal.SIGSTOP)
        # As much longer as a line that the dead one might have written and not noted.
        other.write_text(folder.read_text() + "x" * 20 + "\n")
        os.rename(other, folder)
        os.kill(reader, signal.SIGKILL)
        wait_until(lambda: "two" in folder.read_text())
        n.kill(signal.SIGTERM)
        n.wait()
    one, foreign, two = folder.read_text().splitlines()
    assert foreign == "x" * 20 and texts([one, two]) == ["one", "two"]


def kill_again_and_again(n, times, seconds):
    """Kills the log process whenever it is there; returns how often."""
    killed = 0
    end = time.monotonic() + 60
    while killed < times and n.process.poll() is None and time.monotonic() < end:
        pid = logger_of(n.pid)
        if pid is not None:
            time.sleep(random.random() * seconds)
            try:
                os.kill(pid, signal.SIGKILL)
                killed += 1
            except ProcessLookupError:
                pass
    return killed


TIMES = 8


@pytest.fixture
def fast(tmp_path):
    """A service that writes as fast as pipes are: cat, so often the same lines. And what it writes."""
    lines = tmp_path / "lines"
    lines.write_text("\n".join(WHOLE) + "\n")
    return ["cat", *[str(lines)] * TIMES], lines.read_bytes() * TIMES


def untagged(text):
    return re.sub(rb"^" + TIME.encode() + rb" main stdout \| ", b"", text, flags=re.M)


def test_a_log_process_that_is_killed_loses_and_doubles_nothing(either, folder, fast):
    command, written = fast
    with logged(either, f"tagged,file={folder},max-size=4m,max-file=1000", *command, options=["--log-level", "error"]) as n:
        wait_until(lambda: logger_of(n.pid))
        assert kill_again_and_again(n, 9, 0.005) >= 3
        assert n.wait() == 0
    assert untagged("".join(files(folder, 1000)).encode()) == written


def test_to_our_own_output_one_write_may_come_twice(nest_init, fast):
    command, written = fast
    reader, writer = os.pipe()
    text = []

    def read():
        with os.fdopen(reader, "rb") as out:
            text.append(out.read())
    taker = threading.Thread(target=read)
    taker.start()
    with logged(nest_init, "tagged", *command, stdout=writer) as n:
        os.close(writer)
        wait_until(lambda: logger_of(n.pid))
        killed = kill_again_and_again(n, 9, 0.005)
        assert killed >= 3
        assert n.wait() == 0
    taker.join()
    found, expected = untagged(text[0]).splitlines(), written.splitlines()
    again = at = 0
    while found != expected[:len(found)] or len(found) < len(expected):
        while at < len(found) and found[at] == expected[at]:
            at += 1
        assert at < len(found) and at > 0
        begin = next((k for k in range(max(0, at - 100), at) if expected[k] == found[at]), None)
        assert begin is not None, f"{found[at]} behind {found[at - 1]}"
        del found[at:2 * at - begin]  # what came twice
        again += 1
    assert again <= killed


def test_a_log_process_that_is_killed_is_told_of(nest_init, folder):
    with logged(nest_init, f"tagged,file={folder}", "sh", "-c", "echo a; read line; echo b", stdin=subprocess.PIPE) as n:
        first = wait_until(lambda: logger_of(n.pid))
        wait_until(lambda: folder.exists() and folder.read_text().endswith("| a\n"))
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: logger_of(n.pid) not in (None, first))
        n.process.stdin.write(b"\n")
        n.process.stdin.close()
        assert n.wait() == 0
        assert n.errors() == "nest-init: the log process of main was killed by SIGKILL; starting it again\n"
    assert texts(folder.read_text().splitlines()) == ["a", "b"]


def test_what_comes_while_it_is_dead_waits(nest_init, folder):
    """The service has no broken pipe."""
    script = f"trap 'echo pipe' PIPE; read line; {MANY}"
    with logged(nest_init, f"tagged,file={folder},max-size=100m", "sh", "-c", script, stdin=subprocess.PIPE) as n:
        pid = wait_until(lambda: logger_of(n.pid))
        os.kill(pid, signal.SIGSTOP)
        n.process.stdin.write(b"\n")
        n.process.stdin.close()
        time.sleep(0.2)
        os.kill(pid, signal.SIGKILL)
        assert n.wait() == 0
    assert texts(folder.read_text().splitlines()) == WHOLE


def test_where_a_filter_denies_splice_lines_come_all_the_same(nest_init, tmp_path, folder):
    profile = tmp_path / "no-splice.json"
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["splice"], "action": "SCMP_ACT_ERRNO"}]}))
    with logged(nest_init, f"tagged,file={folder},max-size=100m", "sh", "-c", MANY,
                wrap=[os.path.realpath(nest_init), "exec", "--seccomp", profile, "--"]) as n:
        assert n.wait() == 0
    assert texts(folder.read_text().splitlines()) == WHOLE


def test_a_monitor_and_a_log_process_stand_side_by_side(either, folder):
    script = "echo up; trap 'exit 0' TERM; while :; do sleep 0.02; done"
    with logged(either, f"tagged,file={folder}", "sh", "-c", script,
                options=["--ready", "exec:echo probed", "--pre-stop", "echo drained", "--restart", "always"]) as n:
        wait_until(lambda: folder.exists() and "up" in folder.read_text())
        pid = wait_until(lambda: logger_of(n.pid))
        n.kill(signal.SIGTERM)
        assert n.wait() == 0
        assert "log process" not in n.errors() and pid
    assert texts(folder.read_text().splitlines()) == ["up", "drained"]


# --- a stop -------------------------------------------------------------------------------------------------------------

def test_a_stop_loses_nothing(either, folder):
    script = "trap 'echo bye; exit 7' TERM; i=0; while :; do i=$((i+1)); echo \"line $i\"; done"
    with logged(either, f"tagged,file={folder},max-size=100m", "sh", "-c", script) as n:
        wait_until(lambda: folder.exists() and folder.stat().st_size > 100000)
        n.kill(signal.SIGTERM)
        assert n.wait() == 7
    found = texts(folder.read_text().splitlines())
    assert found == [f"line {i}" for i in range(1, len(found))] + ["bye"]


def test_those_that_are_killed_at_the_end_leave_whole_lines(nest_init, folder):
    script = "trap '' TERM; (setsid sh -c 'trap \"\" TERM; echo orphan; sleep 100' &); echo up; sleep 100"
    with logged(nest_init, f"tagged,file={folder}", "sh", "-c", script, options=["--stop-timeout", "1s"]) as n:
        wait_until(lambda: folder.exists() and folder.read_text().count("\n") == 2)
        n.kill(signal.SIGTERM)
        assert n.wait() == 137
        assert "the log process" not in n.errors()
        assert not re.search(r"left:.*nest-init", n.errors())
    assert sorted(texts(folder.read_text().splitlines())) == ["orphan", "up"]


@pytest.mark.parametrize("name", ["dumb-init", "tini"])
def test_who_keeps_the_pipe_open_holds_nothing_up(nest_init, tmp_path, folder, name):
    """Under another's name what is left behind is not waited for."""
    link = tmp_path / name
    link.symlink_to(os.path.realpath(nest_init))
    script = f"import os\nif os.fork() == 0:\n    os.setsid()\n    print('left', flush=True)\n    import time; time.sleep(300)\n" \
             "import time; time.sleep(0.3); print('main', flush=True)"
    begin = time.monotonic()
    run = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", link, "--", "/usr/bin/python3", "-c", script],
                         env={**os.environ, "NEST_INIT_SERVICE_LOG": f"tagged,file={folder}"}, timeout=60,
                         capture_output=True)
    assert run.returncode == 0 and time.monotonic() - begin < 60
    assert sorted(texts(folder.read_text().splitlines())) == ["left", "main"]


def test_nobody_takes_our_output_and_the_end_comes_all_the_same(nest_init):
    reader, writer = os.pipe()
    with logged(nest_init, "tagged", "sh", "-c", "exec timeout 1 yes", stdout=writer) as n:
        os.close(writer)
        assert n.wait() == 124
        assert "nest-init logger: warning: what is left of main could not be written in time\n" in n.errors()
    os.close(reader)


def test_a_reader_that_is_gone_kills_nobody(nest_init):
    reader, writer = os.pipe()
    os.close(reader)
    with logged(nest_init, "tagged", "sh", "-c", f"{MANY} && echo fine >&2", stdout=writer) as n:
        os.close(writer)
        assert n.wait() == 0
        assert texts([line for line in n.errors().splitlines() if LINE.match(line)], "stderr") == ["fine"]
        assert "nest-init logger: standard output: Broken pipe: the lines for it are lost\n" in n.errors()


# --- back-pressure --------------------------------------------------------------------------------------------------------

def test_who_writes_waits_for_who_reads(nest_init):
    reader, writer = os.pipe()
    with logged(nest_init, "tagged", "sh", "-c", f"{MANY}; echo done >&2", stdout=writer) as n:
        os.close(writer)
        time.sleep(0.5)
        assert "done" not in n.errors()
        with os.fdopen(reader) as out:
            assert texts(out.read().splitlines()) == WHOLE
        assert n.wait() == 0


def test_or_lines_are_dropped_and_counted(either):
    reader, writer = os.pipe()
    with logged(either, "json,mode=non-blocking,max-buffer-size=256k", "sh", "-c",
                f"{MANY}; echo done >&2; read line; echo last", stdout=writer, stdin=subprocess.PIPE) as n:
        os.close(writer)
        wait_until(lambda: "done" in n.errors())
        time.sleep(0.2)
        got = []
        with os.fdopen(reader) as out:
            taker = threading.Thread(target=lambda: got.extend(map(json.loads, out)))
            taker.start()
            time.sleep(0.5)
            n.process.stdin.write(b"\n")
            n.process.stdin.close()
            assert n.wait() == 0
            taker.join()
    kept = [line["message"] for line in got if "message" in line]
    dropped = sum(line["dropped"] for line in got if "dropped" in line)
    assert dropped > 0 and len(kept) + dropped == LINES + 1
    assert kept[-1] == "last" and kept[:1000] == WHOLE[:1000]


def test_a_full_disk_is_told_and_waited_for(nest_init, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=True)
    try:
        (disk / "waste").write_bytes(b"x" * 600000)
        log = disk / "a.log"
        with logged(nest_init, f"tagged,file={log},max-size=100m", "sh", "-c", "seq 1 10000") as n:
            wait_until(lambda: "No space left on device" in n.errors())
            (disk / "waste").unlink()
            assert n.wait() == 0
            assert n.errors().count("No space left on device; trying again every second") == 1
        assert texts(log.read_text().splitlines()) == [str(i) for i in range(1, 10001)]
    finally:
        subprocess.run(["umount", disk], check=True)


# --- lives ----------------------------------------------------------------------------------------------------------------

def test_a_new_life_begins_a_new_line(either, folder):
    script = "printf 'no end of'; exit 1"
    with logged(either, f"tagged,file={folder}", "sh", "-c", script,
                options=["--restart", "on-failure:2", "--restart-backoff", "10ms"]) as n:
        assert n.wait() == 1
    assert texts(folder.read_text().splitlines()) == ["no end of"] * 3


def test_the_log_process_outlives_a_life(nest_init, folder):
    with logged(nest_init, f"tagged,file={folder}", "sh", "-c", "(sleep 100 &) ; echo up; sleep 0.1; exit 1",
                options=["--restart", "always:3", "--restart-backoff", "10ms"]) as n:
        first = wait_until(lambda: logger_of(n.pid))
        wait_until(lambda: folder.exists() and folder.read_text().count("up") >= 2)
        assert logger_of(n.pid) == first
        assert n.wait() == 1
    assert texts(folder.read_text().splitlines()) == ["up"] * 4


# --- last words -----------------------------------------------------------------------------------------------------------

def certificates(n):
    return [line for line in n.errors().splitlines() if " ended with status " in line or " was killed by " in line]


def test_the_last_lines_of_stderr_are_in_the_certificate(either, folder):
    script = "for i in 1 2 3 4 5 6 7; do echo \"Error: no. $i\" >&2; done; printf '\\033[31mred' >&2; exit 1"
    with logged(either, f"tagged,file={folder}", "sh", "-c", script) as n:
        assert n.wait() == 1
        assert certificates(n)[0].endswith(
            "; stderr: Error: no. 4 | Error: no. 5 | Error: no. 6 | Error: no. 7 | ?[31mred")


def test_each_life_has_its_own_last_words(nest_init, folder):
    script = 'echo life >>"$0"; if [ $(wc -l <"$0") = 1 ]; then echo first >&2; fi; exit 1'
    with logged(nest_init, f"tagged,file={folder}", "sh", "-c", script, str(folder) + ".lives",
                options=["--restart", "on-failure:1", "--restart-backoff", "10ms"]) as n:
        assert n.wait() == 1
        first, second = certificates(n)
        assert first.endswith("; stderr: first") and "stderr" not in second


def test_last_words_are_json_in_json(nest_init, folder):
    with logged(nest_init, f"json,file={folder}", "sh", "-c", "echo one >&2; echo two >&2; kill -SEGV $$",
                options=["--log-format", "json"]) as n:
        assert n.wait() == 139
        death = json.loads(n.errors().splitlines()[-1])["death"]
        assert death["stderr"] == ["one", "two"]


def test_what_ends_well_has_no_last_words(nest_init, folder):
    with logged(nest_init, f"tagged,file={folder}", "sh", "-c", "echo warning >&2", options=["--log-level", "info"]) as n:
        assert n.wait() == 0
        assert "stderr:" not in n.errors()


# --- who it is ------------------------------------------------------------------------------------------------------------

def caged(pid):
    status = status_of(pid)
    return {key: status[key] for key in ("Uid", "CapPrm", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp")}


@pytest.mark.parametrize("owner, expected", [(None, 65534), (1001, 1001), (0, 0)])
def test_the_log_process_may_do_next_to_nothing(either, folder, owner, expected):
    how = "tagged"
    if owner is not None:
        os.chown(folder.parent, owner, owner)
        how += f",file={folder}"
    with logged(either, how, "sleep", "100") as n:
        pid = wait_until(lambda: logger_of(n.pid))
        nothing = "0" * 16
        wait_until(lambda: caged(pid)["Seccomp"] == "2")
        assert caged(pid) == {"Uid": "\t".join([str(expected)] * 4), "CapPrm": nothing, "CapEff": nothing,
                              "CapBnd": nothing, "NoNewPrivs": "1", "Seccomp": "2"}
        assert sorted(os.listdir(f"/proc/{pid}/fd"), key=int)[:9] == [str(fd) for fd in range(9)]
        assert len(os.listdir(f"/proc/{pid}/fd")) == 9 + (owner is not None)
        n.kill(signal.SIGTERM)
        assert n.wait() == 143
    if owner:
        assert folder.stat().st_uid == owner and folder.stat().st_mode & 0o777 == 0o640


def test_it_starts_again_where_pid_1_has_given_up_its_capabilities(nest_init, folder):
    with logged(nest_init, f"tagged,file={folder}", "sh", "-c", "echo up; sleep 100",
                options=["--user", "1001:1001", "--cap-drop", "all"]) as n:
        first = wait_until(lambda: logger_of(n.pid))
        wait_until(lambda: folder.exists() and "up" in folder.read_text())
        os.kill(first, signal.SIGKILL)
        second = wait_until(lambda: (pid := logger_of(n.pid)) != first and pid)
        wait_until(lambda: caged(second)["Seccomp"] == "2")
        n.kill(signal.SIGTERM)
        assert n.wait() == 143


def test_another_user_may_open_dev_stderr(nest_init):
    with logged(nest_init, "tagged", "sh", "-c", "echo again >/dev/stderr; echo out >/proc/self/fd/1",
                options=["--user", "1001:1001"]) as n:
        assert n.wait() == 0
        assert texts(n.output().splitlines()) == ["out"]
        assert texts(n.errors().splitlines(), "stderr") == ["again"]


def test_the_service_inherits_no_descriptor_of_the_logs(nest_init):
    with logged(nest_init, "tagged", "sh", "-c", "ls /proc/self/fd | tr '\\n' ' '; echo") as n:
        assert n.wait() == 0
        assert texts(n.output().splitlines()) == ["0 1 2 3 "]  # 3 is ls's own


@pytest.mark.parametrize("file, why", [
    ("/no/such/a.log", "--service-log: directory /no/such of the log file: No such file or directory"),
    ("/proc/a.log", "--service-log: cannot write to /proc/a.log as user 0: No such file or directory (it is written as the "
                    "owner of its directory, without capabilities)"),
    ("/dev/null", "--service-log: /dev/null is no regular file"),
])
def test_a_file_that_cannot_be_written_refuses_the_start(either, file, why):
    with logged(either, f"tagged,file={file}", "touch", "/tmp/never-there") as n:
        assert n.wait() == 125
        assert n.errors() == f"nest-init: {why}\n"
