"""What a real shell offers for a line: bash and zsh are asked by TAB at a terminal, fish by `complete -C`."""
import os
import pty
import select
import signal
import subprocess
import time

BACKSTOP = 60

# The shell's own completion runs as ever; what it came to is written down besides. "lo""aded" is no echo of itself.
BASH = """PS1=; bind 'set bell-style none'; bind 'set completion-query-items 0'; bind 'set page-completions off'
. FILE
noted() { _nest_init "$@"; local status=$?; printf '%s\\n' "${COMPREPLY[@]}" >ANSWER.new; mv ANSWER.new ANSWER; return $status; }
complete -F noted nest-init
echo lo""aded
"""
ZSH = """PS1=; LISTMAX=10000; unsetopt beep promptsp
fpath=(FOLDER $fpath); autoload -Uz compinit; compinit -u -D
compadd() {
    local -a offered
    case " ${@[1,(i)(-|--)]} " in
    *' '-[a-zA-Z]#[OAD]*) builtin compadd "$@"; return ;;
    esac
    builtin compadd -A offered "$@"
    (( $#offered )) && print -rl -- $offered >>ANSWER.new
    builtin compadd "$@"
}
asked() { : >>ANSWER.new; zle complete-word; mv ANSWER.new ANSWER; }
zle -N asked; bindkey '^I' asked
print lo""aded
"""


def environment(folder):
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "dumb", "LC_ALL": "C.UTF-8", "INPUTRC": "/dev/null"}


class Terminal:
    """An interactive shell at a terminal of its own, in a folder; what it is told and answers lies above that."""

    def __init__(self, words, setup, folder):
        self.folder, self.answer = folder, folder.parent / "answer"
        (folder.parent / "setup").write_text(setup.replace("ANSWER", str(self.answer)))
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(words[0], words, environment(folder))
        self.send(" . ../setup\n")
        self.wait_for(lambda said: "loaded" in said, "the setup")

    def send(self, text):
        os.write(self.fd, text.encode())

    def wait_for(self, done, what):
        """Reads what it writes meanwhile: it would wait for who does not."""
        end, said = time.monotonic() + BACKSTOP, ""
        while not done(said):
            if select.select([self.fd], [], [], 0.02)[0]:
                said += os.read(self.fd, 65536).decode(errors="replace")
            assert time.monotonic() < end, f"{what}: {said[-2000:]}"

    def ask(self, line):
        self.answer.unlink(missing_ok=True)
        self.send(f"\x15{line}\t")  # Ctrl-U: the line before is gone
        self.wait_for(lambda _: self.answer.exists(), line)
        return [offer for offer in self.answer.read_text().splitlines() if offer]

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


class Bash(Terminal):
    def __init__(self, completions, folder, more=""):
        super().__init__(["bash", "--norc", "--noprofile", "-i"],
                         more + BASH.replace("FILE", str(completions / "nest-init")), folder)


class Zsh(Terminal):
    def __init__(self, completions, folder):
        super().__init__(["zsh", "-f", "-i"], ZSH.replace("FOLDER", str(completions)), folder)


class Fish:
    def __init__(self, completions, folder):
        self.file, self.folder = completions / "nest-init.fish", folder

    def ask(self, line):
        done = subprocess.run(["fish", "--no-config", "-c", f"source {self.file}; complete -C $argv[1]", line],
                              cwd=self.folder, env=environment(self.folder), capture_output=True, text=True,
                              timeout=BACKSTOP, check=True)
        assert done.stderr == ""
        return [offer.split("\t")[0] for offer in done.stdout.splitlines()]

    def close(self):
        pass
