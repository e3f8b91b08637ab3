/* The monitor's side of --seccomp-report: answers the calls that the workload's filter denies, with the errno that the
 * filter would have answered, and keeps the count. */
#pragma once

#include "seccomp-profiles/denials.h"
#include "seccomp-profiles/program.h"
#include "seccomp-profiles/verdict_text.h"

#include <stddef.h>

struct denial_reports {
	int listener;           /* -1: there is nothing to answer (any more) */
	struct denials *memory; /* NULL: there never was */
	const char *profile;    /* borrowed: for sentences */
};

/* For PID 1, once: the memory (memfd_create(2)) that every monitor of its life gets, with the filter in it. Returns a
 * descriptor, CLOEXEC, or -errno. */
int denial_reports_memory(const struct sock_filter *insn, uint16_t length);

/* Takes the descriptors that PID 1 has handed over; where there are none, there is nothing to do. What a killed
 * predecessor left without an answer gets it. `tell` gets one sentence a call. Returns 0 or -errno. */
int denial_reports_open(int listener, int memory, const char *profile, void (*tell)(const char *sentence),
	struct denial_reports *ret_reports);

/* The workload was started again, under a filter of the same bytes: its listener (ours from now on) takes the place of
 * the one before. */
void denial_reports_go_on(struct denial_reports *reports, int listener);

/* Answers who waits, without waiting for anybody; bounded work in one call. */
void denial_reports_run(struct denial_reports *reports, void (*tell)(const char *sentence));

/* What is counted under that index: the syscall ("ptrace", "x86:ptrace" of another architecture, or "other" for all
 * that had no room) and the action. Returns the count: 0 if there is none. */
uint64_t denial_reports_at(const struct denial_reports *reports, size_t index, char ret_syscall[SECCOMP_NAME_SIZE],
	char ret_action[ACTION_TEXT_SIZE]);
