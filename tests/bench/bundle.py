#!/usr/bin/python3
"""bundle.py DIRECTORY PREFIX: the OCI bundle that runc and crun run in the bench, as the template DIRECTORY/config.json.in.

It confines as the options of programs.c do (user, no capability, no_new_privs, Docker's profile, a read-only root, a tmpfs
on /tmp) and does nothing else that is not asked of the others: one namespace, no resource limits, no masked paths. The
bench fills in @COMMAND@ and @ID@. PREFIX begins the name of the cgroups.
"""
import json
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "system"))

from bundle import bind, oci_config, tmpfs  # noqa: E402
from engine_profile import as_oci  # noqa: E402

directory, prefix = Path(sys.argv[1]), sys.argv[2]
profile = json.loads((TESTS / "data/seccomp/docker-default.json").read_text())
config = oci_config(["@COMMAND@"], user=65534, caps=(), no_new_privs=True, read_only=True, cwd="/mnt", cgroup=f"/{prefix}@ID@",
                    seccomp=as_oci(profile, ()))
config["root"]["path"] = "/mnt/root"  # runtime.c binds it
config["mounts"] = [bind("/dev", "/dev"), tmpfs("/tmp")]
config["linux"] = {key: config["linux"][key] for key in ("seccomp", "cgroupsPath")} | {"namespaces": [{"type": "mount"}]}
del config["hostname"]
(directory / "config.json.in").write_text(json.dumps(config))
