#include "seccomp-profiles/profile.h"

#include <errno.h>
#include <string.h>

/* Arrays, not pointers: a static PIE relocates every pointer when it starts. */
static const char action_names[][22] = {
	[PROFILE_KILL_PROCESS] = "SCMP_ACT_KILL_PROCESS",
	[PROFILE_KILL_THREAD] = "SCMP_ACT_KILL_THREAD",
	[PROFILE_TRAP] = "SCMP_ACT_TRAP",
	[PROFILE_ERRNO] = "SCMP_ACT_ERRNO",
	[PROFILE_NOTIFY] = "SCMP_ACT_NOTIFY",
	[PROFILE_TRACE] = "SCMP_ACT_TRACE",
	[PROFILE_LOG] = "SCMP_ACT_LOG",
	[PROFILE_ALLOW] = "SCMP_ACT_ALLOW",
};
_Static_assert(sizeof action_names / sizeof action_names[0] == PROFILE_ACTION_COUNT, "a name for each action");

static const char op_names[][20] = {
	[PROFILE_NE] = "SCMP_CMP_NE",
	[PROFILE_LT] = "SCMP_CMP_LT",
	[PROFILE_LE] = "SCMP_CMP_LE",
	[PROFILE_EQ] = "SCMP_CMP_EQ",
	[PROFILE_GE] = "SCMP_CMP_GE",
	[PROFILE_GT] = "SCMP_CMP_GT",
	[PROFILE_MASKED_EQ] = "SCMP_CMP_MASKED_EQ",
};
_Static_assert(sizeof op_names / sizeof op_names[0] == PROFILE_OP_COUNT, "a name for each comparison");

/* `architectures` has libseccomp's names; includes and excludes have those of Docker's loader, which are Go's where Go
 * has the architecture. */
static const struct {
	char name[22], go_name[12];
} arch_names[] = {
	[PROFILE_X86] = { "SCMP_ARCH_X86", "x86" },
	[PROFILE_X86_64] = { "SCMP_ARCH_X86_64", "amd64" },
	[PROFILE_X32] = { "SCMP_ARCH_X32", "x32" },
	[PROFILE_ARM] = { "SCMP_ARCH_ARM", "arm" },
	[PROFILE_AARCH64] = { "SCMP_ARCH_AARCH64", "arm64" },
	[PROFILE_MIPS] = { "SCMP_ARCH_MIPS", "mips" },
	[PROFILE_MIPS64] = { "SCMP_ARCH_MIPS64", "mips64" },
	[PROFILE_MIPS64N32] = { "SCMP_ARCH_MIPS64N32", "mips64n32" },
	[PROFILE_MIPSEL] = { "SCMP_ARCH_MIPSEL", "mipsel" },
	[PROFILE_MIPSEL64] = { "SCMP_ARCH_MIPSEL64", "mipsel64" },
	[PROFILE_MIPSEL64N32] = { "SCMP_ARCH_MIPSEL64N32", "mipsel64n32" },
	[PROFILE_PPC] = { "SCMP_ARCH_PPC", "ppc" },
	[PROFILE_PPC64] = { "SCMP_ARCH_PPC64", "ppc64" },
	[PROFILE_PPC64LE] = { "SCMP_ARCH_PPC64LE", "ppc64le" },
	[PROFILE_S390] = { "SCMP_ARCH_S390", "s390" },
	[PROFILE_S390X] = { "SCMP_ARCH_S390X", "s390x" },
	[PROFILE_PARISC] = { "SCMP_ARCH_PARISC", "parisc" },
	[PROFILE_PARISC64] = { "SCMP_ARCH_PARISC64", "parisc64" },
	[PROFILE_RISCV64] = { "SCMP_ARCH_RISCV64", "riscv64" },
	[PROFILE_LOONGARCH64] = { "SCMP_ARCH_LOONGARCH64", "loong64" },
	[PROFILE_M68K] = { "SCMP_ARCH_M68K", "m68k" },
	[PROFILE_SH] = { "SCMP_ARCH_SH", "sh" },
	[PROFILE_SHEB] = { "SCMP_ARCH_SHEB", "sheb" },
};
_Static_assert(sizeof arch_names / sizeof arch_names[0] == PROFILE_ARCH_COUNT, "a name for each architecture");

/* errno(3). The numbers are those of the machine that this is compiled for; amd64 and arm64 share them. */
/* clang-format off */
#define NAMED(name) { #name, name }
/* clang-format on */
static const struct {
	char name[16];
	int number;
} errno_names[] = { NAMED(EPERM), NAMED(ENOENT), NAMED(ESRCH), NAMED(EINTR), NAMED(EIO), NAMED(ENXIO), NAMED(E2BIG),
	NAMED(ENOEXEC), NAMED(EBADF), NAMED(ECHILD), NAMED(EAGAIN), NAMED(ENOMEM), NAMED(EACCES), NAMED(EFAULT),
	NAMED(ENOTBLK), NAMED(EBUSY), NAMED(EEXIST), NAMED(EXDEV), NAMED(ENODEV), NAMED(ENOTDIR), NAMED(EISDIR),
	NAMED(EINVAL), NAMED(ENFILE), NAMED(EMFILE), NAMED(ENOTTY), NAMED(ETXTBSY), NAMED(EFBIG), NAMED(ENOSPC),
	NAMED(ESPIPE), NAMED(EROFS), NAMED(EMLINK), NAMED(EPIPE), NAMED(EDOM), NAMED(ERANGE), NAMED(EDEADLK),
	NAMED(ENAMETOOLONG), NAMED(ENOLCK), NAMED(ENOSYS), NAMED(ENOTEMPTY), NAMED(ELOOP), NAMED(EWOULDBLOCK),
	NAMED(ENOMSG), NAMED(EIDRM), NAMED(ECHRNG), NAMED(EL2NSYNC), NAMED(EL3HLT), NAMED(EL3RST), NAMED(ELNRNG),
	NAMED(EUNATCH), NAMED(ENOCSI), NAMED(EL2HLT), NAMED(EBADE), NAMED(EBADR), NAMED(EXFULL), NAMED(ENOANO),
	NAMED(EBADRQC), NAMED(EBADSLT), NAMED(EDEADLOCK), NAMED(EBFONT), NAMED(ENOSTR), NAMED(ENODATA), NAMED(ETIME),
	NAMED(ENOSR), NAMED(ENONET), NAMED(ENOPKG), NAMED(EREMOTE), NAMED(ENOLINK), NAMED(EADV), NAMED(ESRMNT),
	NAMED(ECOMM), NAMED(EPROTO), NAMED(EMULTIHOP), NAMED(EDOTDOT), NAMED(EBADMSG), NAMED(EOVERFLOW),
	NAMED(ENOTUNIQ), NAMED(EBADFD), NAMED(EREMCHG), NAMED(ELIBACC), NAMED(ELIBBAD), NAMED(ELIBSCN), NAMED(ELIBMAX),
	NAMED(ELIBEXEC), NAMED(EILSEQ), NAMED(ERESTART), NAMED(ESTRPIPE), NAMED(EUSERS), NAMED(ENOTSOCK),
	NAMED(EDESTADDRREQ), NAMED(EMSGSIZE), NAMED(EPROTOTYPE), NAMED(ENOPROTOOPT), NAMED(EPROTONOSUPPORT),
	NAMED(ESOCKTNOSUPPORT), NAMED(EOPNOTSUPP), NAMED(EPFNOSUPPORT), NAMED(EAFNOSUPPORT), NAMED(EADDRINUSE),
	NAMED(EADDRNOTAVAIL), NAMED(ENETDOWN), NAMED(ENETUNREACH), NAMED(ENETRESET), NAMED(ECONNABORTED),
	NAMED(ECONNRESET), NAMED(ENOBUFS), NAMED(EISCONN), NAMED(ENOTCONN), NAMED(ESHUTDOWN), NAMED(ETOOMANYREFS),
	NAMED(ETIMEDOUT), NAMED(ECONNREFUSED), NAMED(EHOSTDOWN), NAMED(EHOSTUNREACH), NAMED(EALREADY),
	NAMED(EINPROGRESS), NAMED(ESTALE), NAMED(EUCLEAN), NAMED(ENOTNAM), NAMED(ENAVAIL), NAMED(EISNAM),
	NAMED(EREMOTEIO), NAMED(EDQUOT), NAMED(ENOMEDIUM), NAMED(EMEDIUMTYPE), NAMED(ECANCELED), NAMED(ENOKEY),
	NAMED(EKEYEXPIRED), NAMED(EKEYREVOKED), NAMED(EKEYREJECTED), NAMED(EOWNERDEAD), NAMED(ENOTRECOVERABLE),
	NAMED(ERFKILL), NAMED(EHWPOISON), NAMED(ENOTSUP) };
#undef NAMED

const char *profile_action_name(enum profile_action action)
{
	return action_names[action];
}

const char *profile_op_name(enum profile_op op)
{
	return op_names[op];
}

const char *profile_arch_name(enum profile_arch arch)
{
	return arch_names[arch].name;
}

const char *profile_arch_go_name(enum profile_arch arch)
{
	return arch_names[arch].go_name;
}

int profile_arch_find(const char *go_name, enum profile_arch *ret_arch)
{
	for (unsigned i = 0; i < PROFILE_ARCH_COUNT; i++)
		if (strcmp(arch_names[i].go_name, go_name) == 0) {
			*ret_arch = (enum profile_arch)i;
			return 0;
		}
	return -ENOENT;
}

int profile_errno_find(const char *name, unsigned *ret_errno)
{
	for (size_t i = 0; i < sizeof errno_names / sizeof errno_names[0]; i++)
		if (strcmp(name, errno_names[i].name) == 0) {
			*ret_errno = (unsigned)errno_names[i].number;
			return 0;
		}
	return -ENOENT;
}

const char *profile_errno_name(unsigned number)
{
	for (size_t i = 0; i < sizeof errno_names / sizeof errno_names[0]; i++)
		if (errno_names[i].number == (int)number)
			return errno_names[i].name;
	return NULL;
}
