#include "init/filter.h"

#include "seccomp-profiles/denials.h"
#include "seccomp-profiles/listener.h"
#include "seccomp-profiles/own_arch.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The architecture that the kernel runs beside its own, and its numbers. */
#if defined(__x86_64__)
#define OTHER_ARCH AUDIT_ARCH_I386
#define OTHER_MEMFD_CREATE 356
#define OTHER_SOCKETCALL 102
#define OTHER_SOCKET 359
#define OTHER_SENDTO 369
#define OTHER_SENDMSG 370
#define OTHER_SENDMMSG 345
#elif defined(__aarch64__)
#define OTHER_ARCH AUDIT_ARCH_ARM
#define OTHER_MEMFD_CREATE 385
#define OTHER_SOCKETCALL 102
#define OTHER_SOCKET 281
#define OTHER_SENDTO 290
#define OTHER_SENDMSG 296
#define OTHER_SENDMMSG 374
#endif
/* x32 has its own numbers for what takes pointers to pointers; the others are amd64's with a bit. arm64 has neither. */
#define X32_BIT 0x40000000
#define X32_SENDMSG 518
#define X32_SENDMMSG 538

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef AF_SMC
#define AF_SMC 43
#endif

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IF_EQUAL(value, then, otherwise) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, then, otherwise)
#define IF_ANY(bits, then, otherwise) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, then, otherwise)
#define WITHOUT_X32_BIT BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~X32_BIT)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define REFUSE(error) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))

int filter_load(
	const char *profile, const struct sock_filter *insn, uint16_t length, uint32_t flags, struct complaint *ret_why)
{
	struct sock_fprog program = { .len = length, .filter = (struct sock_filter *)insn };
	long rc = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);

	/* Linux before 4.17 does not know SPEC_ALLOW: the filter is the same without it, and slower. */
	if (rc < 0 && errno == EINVAL && (flags & SECCOMP_FILTER_FLAG_SPEC_ALLOW) != 0)
		rc = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags & ~SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program);
	if (rc < 0)
		return complain(ret_why, errno, "cannot load profile %s: %s%s", profile, strerror(errno),
			errno == EACCES ? " (it needs no_new_privs or CAP_SYS_ADMIN)" : "");
	return 0;
}

static int explain_listener(int error, struct complaint *ret_why)
{
	const char *hint = " (--seccomp-report needs Linux 5.0)";

	if (error == -EBUSY)
		hint = " (a filter that is in force here has a listener already: leave out --seccomp-report)";
	else if (error == -EACCES)
		hint = " (it needs no_new_privs or CAP_SYS_ADMIN)";
	else if (error == -EAGAIN)
		hint = " (is the limit of processes too low?)";
	return complain(ret_why, -error, "cannot listen to what the filter denies: %s%s", strerror(-error), hint);
}

int filter_load_reported(const struct sock_filter *insn, uint16_t length, uint32_t flags,
	void (*give)(void *context, int listener), void *context, struct complaint *ret_why)
{
	static struct sock_filter asking[BPF_MAXINSNS];
	int error;

	denials_notify(insn, length, asking);
	error = listener_load(asking, length, flags, give, context);
	return error < 0 ? explain_listener(error, ret_why) : 0;
}

int filter_programs_in_memory(struct complaint *ret_why)
{
	static const struct sock_filter insn[] = {
		/* 0 */ LOAD(arch),
		/* 1 */ IF_EQUAL(OWN_ARCH, 0, 3),
		/* 2 */ LOAD(nr),
		/* 3 */ WITHOUT_X32_BIT,
		/* 4 */ IF_EQUAL(SYS_memfd_create, 3, 5),
		/* 5 */ IF_EQUAL(OTHER_ARCH, 0, 4),
		/* 6 */ LOAD(nr),
		/* 7 */ IF_EQUAL(OTHER_MEMFD_CREATE, 0, 2),
		/* 8: the flags */ LOAD(args[1]),
		/* 9 */ IF_ANY(MFD_NOEXEC_SEAL, 0, 1),
		/* 10 */ ALLOW,
		/* 11 */ REFUSE(EPERM),
	};

	return filter_load(
		"of exec_allow", insn, sizeof insn / sizeof insn[0], SECCOMP_FILTER_FLAG_SPEC_ALLOW, ret_why);
}

int filter_ways_around_ports(struct complaint *ret_why)
{
	static const struct sock_filter insn[] = {
		/* 0 */ LOAD(arch),
		/* 1 */ IF_EQUAL(OWN_ARCH, 0, 8),
		/* 2 */ LOAD(nr),
		/* 3 */ WITHOUT_X32_BIT,
		/* 4 */ IF_EQUAL(SYS_socket, 12, 0),
		/* 5 */ IF_EQUAL(SYS_sendto, 15, 0),
		/* 6 */ IF_EQUAL(SYS_sendmmsg, 14, 0),
		/* 7 */ IF_EQUAL(X32_SENDMMSG, 13, 0),
		/* 8 */ IF_EQUAL(SYS_sendmsg, 14, 0),
		/* 9 */ IF_EQUAL(X32_SENDMSG, 13, 15),
		/* 10 */ IF_EQUAL(OTHER_ARCH, 0, 14),
		/* 11 */ LOAD(nr),
		/* 12 */ IF_EQUAL(OTHER_SOCKETCALL, 15, 0),
		/* 13 */ IF_EQUAL(OTHER_SOCKET, 3, 0),
		/* 14 */ IF_EQUAL(OTHER_SENDTO, 6, 0),
		/* 15 */ IF_EQUAL(OTHER_SENDMMSG, 5, 0),
		/* 16 */ IF_EQUAL(OTHER_SENDMSG, 6, 8),
		/* 17: socket(2), its protocol */ LOAD(args[2]),
		/* 18 */ IF_EQUAL(IPPROTO_MPTCP, 7, 0),
		/* 19: its family */ LOAD(args[0]),
		/* 20 */ IF_EQUAL(AF_SMC, 5, 4),
		/* 21: sendto(2), sendmmsg(2) */ LOAD(args[3]),
		/* 22 */ IF_ANY(MSG_FASTOPEN, 4, 2),
		/* 23: sendmsg(2) */ LOAD(args[2]),
		/* 24 */ IF_ANY(MSG_FASTOPEN, 2, 0),
		/* 25 */ ALLOW,
		/* 26 */ REFUSE(EPROTONOSUPPORT),
		/* 27 */ REFUSE(EOPNOTSUPP),
		/* 28 */ REFUSE(EPERM),
	};

	return filter_load("of tcp", insn, sizeof insn / sizeof insn[0], SECCOMP_FILTER_FLAG_SPEC_ALLOW, ret_why);
}
