/* Reads the figures of the service: of its whole tree of processes (metrics/process_tree.h). Opens for reading only. */
#pragma once

#include "metrics/readings.h"

/* Most processes in /proc that one reading looks at, which takes 2 MiB: with more, the service's figures are left out
 * rather than wrong. */
#define READ_PROC_MAX 16384

/* Adds the service's CPU time (with that of children it waited for), resident memory, descriptors, threads and
 * processes to *readings; mark keeps the CPU time from falling. proc_fd: a directory of procfs (O_PATH or not,
 * borrowed). main_pid 0 adds nothing. Returns 0, or -errno with *readings unchanged: -ESRCH once the main process is
 * gone, -E2BIG above READ_PROC_MAX, -ENOMEM. */
int read_service(int proc_fd, pid_t main_pid, struct cpu_mark *mark, struct readings *readings);
