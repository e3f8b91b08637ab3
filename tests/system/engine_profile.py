"""A seccomp profile as the runtime gets it: what dockerd and podman do to their JSON. Standard library only."""
import platform
import re

from bundle import capabilities


def kernel():
    return tuple(map(int, re.match(r"(\d+)\.(\d+)", platform.release()).groups()))


def applies(rule, caps, min_kernel):
    includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
    if "amd64" in (excludes.get("arches") or []) or set(excludes.get("caps") or []) & caps:
        return False
    if includes.get("arches") and "amd64" not in includes["arches"]:
        return False
    if min_kernel and "minKernel" in includes and kernel() < tuple(map(int, includes["minKernel"].split("."))):
        return False
    return set(includes.get("caps") or []) <= caps


def as_oci(profile, caps):
    """dockerd's seccomp_linux.go and containers/common's, in a few lines."""
    caps = set(capabilities(caps))
    of_common = "defaultErrno" in profile  # which ignores minKernel
    oci = {"defaultAction": profile["defaultAction"], "syscalls": []}
    if profile.get("defaultErrnoRet") is not None:
        oci["defaultErrnoRet"] = profile["defaultErrnoRet"]
    for entry in profile["archMap"]:
        if entry["architecture"] == "SCMP_ARCH_X86_64":
            oci["architectures"] = [entry["architecture"], *entry["subArchitectures"]]
    for rule in profile["syscalls"]:
        if applies(rule, caps, not of_common):
            kept = {"names": rule["names"], "action": rule["action"], "args": rule.get("args") or []}
            if rule.get("errnoRet") is not None:
                kept["errnoRet"] = rule["errnoRet"]
            oci["syscalls"].append(kept)
    return oci
