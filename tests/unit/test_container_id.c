#include "init/container_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define ID "1f0e4c1bd7d0b6b8c1d9a8f7e6d5c4b3a2918070605040302010fedcba987654"
#define POD "aa0e4c1bd7d0b6b8c1d9a8f7e6d5c4b3a2918070605040302010fedcba987654"
#define MOUNT(root, point) "700 699 254:1 " root " " point " rw,relatime - ext4 /dev/vda1 rw\n"

/* As the runtimes make them. */
static void finds_the_id(void **state)
{
	static const struct {
		const char *what, *cgroups, *mounts;
	} rows[] = {
		{ "docker, v1", "12:pids:/docker/" ID "\n0::/docker/" ID "\n", "" },
		{ "docker, systemd", "0::/system.slice/docker-" ID ".scope\n", "" },
		{ "kubelet, cgroupfs", "3:cpu:/kubepods/burstable/pod1b6f0c1e-1111-2222-3333-444444444444/" ID "\n",
			"" },
		{ "kubelet, systemd",
			"0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1b6f.slice/"
			"cri-containerd-" ID ".scope\n",
			"" },
		{ "containerd's own",
			"0::/system.slice/containerd.service/kubepods-pod1b6f.slice:cri-containerd:" ID "\n", "" },
		{ "CRI-O", "0::/kubepods.slice/crio-" ID ".scope\n", "" },
		{ "podman", "0::/machine.slice/libpod-" ID ".scope/container\n", "" },
		{ "docker, private cgroup namespace", "0::/\n",
			MOUNT("/", "/") MOUNT("/var/lib/docker/containers/" ID "/resolv.conf", "/etc/resolv.conf")
				MOUNT("/var/lib/docker/containers/" ID "/hostname", "/etc/hostname") },
		{ "docker, another directory", "0::/\n", MOUNT("/srv/docker/containers/" ID "/hosts", "/etc/hosts") },
		{ "podman, private cgroup namespace", "0::/\n",
			MOUNT("/containers/storage/overlay-containers/" ID "/userdata/hostname", "/etc/hostname") },
		{ "no newline at the end", "0::/docker/" ID, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char id[CONTAINER_ID_SIZE] = "";

		if (container_id_find(rows[i].cgroups, rows[i].mounts, id) < 0 || strcmp(id, ID) != 0)
			fail_msg("%s: '%s'", rows[i].what, id);
	}
}

static void what_is_not_the_containers_is_not_taken(void **state)
{
	static const struct {
		const char *what, *cgroups, *mounts;
	} rows[] = {
		{ "nothing", "", "" },
		{ "no container", "0::/user.slice/user-0.slice/session-1.scope\n", MOUNT("/", "/") },
		{ "a pod's files", "0::/\n",
			MOUNT("/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/" POD "/hostname",
				"/etc/hostname") },
		{ "somebody else's mount", "0::/\n", MOUNT("/var/lib/docker/containers/" ID "/hostname", "/data") },
		{ "a mount that only begins so", "0::/\n",
			MOUNT("/var/lib/docker/containers/" ID "/hostname", "/etc/hostname.d") },
		{ "one digit more", "0::/docker/" ID "0\n",
			MOUNT("/var/lib/docker/containers/" ID "0/hostname", "/etc/hostname") },
		{ "one digit less", "0::/docker/1f0e4c1bd7d0b6b8c1d9a8f7e6d5c4b3a2918070605040302010fedcba98765\n",
			"" },
		{ "in capitals", "0::/docker/AA0E4C1BD7D0B6B8C1D9A8F7E6D5C4B3A2918070605040302010FEDCBA987654\n", "" },
		{ "a cut line", "0::/\n", "700 699 254:1 /var/lib/docker/containers/" ID "/hostname" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char id[CONTAINER_ID_SIZE] = "untouched";

		if (container_id_find(rows[i].cgroups, rows[i].mounts, id) != -ENODATA)
			fail_msg("%s: '%s'", rows[i].what, id);
		assert_string_equal(id, "untouched");
	}
}

static void of_a_container_in_a_container_the_inner_one_counts(void **state)
{
	char id[CONTAINER_ID_SIZE];

	(void)state;
	assert_int_equal(container_id_find("0::/docker/" POD "/docker/" ID "\n", "", id), 0);
	assert_string_equal(id, ID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_id),
		cmocka_unit_test(what_is_not_the_containers_is_not_taken),
		cmocka_unit_test(of_a_container_in_a_container_the_inner_one_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
