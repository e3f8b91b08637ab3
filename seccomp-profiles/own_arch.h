/* The architecture that we are built for, as a filter sees it (struct seccomp_data, seccomp(2)). */
#pragma once

#include <linux/audit.h>

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#else
#error "name this architecture's AUDIT_ARCH_*"
#endif
