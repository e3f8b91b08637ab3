/* Loading seccomp filters, and two of our own for what Landlock does not see. */
#pragma once

#include "base/complaint.h"

#include <linux/filter.h>
#include <stdint.h>

/* Loads a filter on the calling process. profile: for the sentence. Returns 0 or -errno with a sentence. */
int filter_load(const char *profile, const struct sock_filter *insn, uint16_t length, uint32_t flags,
	struct complaint *ret_why);

/* The same of one that asks a listener where it would deny. `give` gets the listener before any call is denied, as
 * listener_load() has it: it ends the process where it cannot hand it over. */
int filter_load_reported(const struct sock_filter *insn, uint16_t length, uint32_t flags,
	void (*give)(void *context, int listener), void *context, struct complaint *ret_why);

/* What memfd_create(2) makes is on no file system that Landlock sees, and could be executed: refused with EPERM, unless
 * it is sealed against that (MFD_NOEXEC_SEAL, Linux 6.3). */
int filter_programs_in_memory(struct complaint *ret_why);

/* Ways to TCP that pass by Landlock's rules of ports: MPTCP and SMC sockets (EPROTONOSUPPORT, as where the kernel has
 * none: programs then take TCP), TCP Fast Open (EOPNOTSUPP), and socketcall(2) of 32-bit programs (EPERM), whose
 * arguments no filter can read. */
int filter_ways_around_ports(struct complaint *ret_why);
