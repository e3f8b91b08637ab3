"""What npm installs for a test."""
import fcntl
import shutil
import subprocess


def installed(source, into):
    """The directory `into`/node_modules, as npm has made it of source/package-lock.json: once for all of xdist's workers."""
    into.mkdir(parents=True, exist_ok=True)
    with open(into / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = (source / "package-lock.json").read_text()
        stamp = into / "stamp"
        if not stamp.exists() or stamp.read_text() != wanted:
            for name in ("package.json", "package-lock.json", ".npmrc"):
                if (source / name).exists():
                    shutil.copy(source / name, into)
            subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=into,
                           check=True, timeout=300, stdout=subprocess.DEVNULL)
            stamp.write_text(wanted)
    return into / "node_modules"
