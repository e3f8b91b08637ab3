#!/bin/bash
# in_root.sh [--network] ROOT [FROM:TO] COMMAND...: runs it in ROOT, which stays as it is: what it writes goes to memory and is
# gone with it, but for the directory FROM, which it sees as TO. Of the environment it has DEB_BUILD_OPTIONS alone, and no
# network but loopback unless asked for. Needs root.
set -euo pipefail

net=--net
if [ "$1" = --network ]; then net=; shift; fi
# shellcheck disable=SC2016  # the inner shell's variables
NET=$net exec unshare --mount --pid $net --uts --ipc --fork --kill-child bash -euc '
	root=$(realpath "$1") bound=$2
	shift
	[ -z "${NET:-}" ] || ip link set lo up
	mount --make-rprivate /
	mnt=$(dirname "$root")/.mounted
	mkdir -p "$mnt"
	mount -t tmpfs -o mode=755 none "$mnt"
	mkdir "$mnt/upper" "$mnt/work" "$mnt/root"
	mount -t overlay -o "lowerdir=$root,upperdir=$mnt/upper,workdir=$mnt/work" none "$mnt/root"
	mount -t proc proc "$mnt/root/proc"
	mount --rbind /dev "$mnt/root/dev"
	cp /etc/resolv.conf "$mnt/root/etc/resolv.conf"
	case $bound in
	/*:/*)
		shift
		mkdir -p "$mnt/root${bound#*:}"
		mount --bind "${bound%%:*}" "$mnt/root${bound#*:}" ;;
	esac
	exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
		"DEB_BUILD_OPTIONS=${DEB_BUILD_OPTIONS:-}" chroot "$mnt/root" "$@"' in_root.sh "$@"
