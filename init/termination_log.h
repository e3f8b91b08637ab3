/* Kubernetes' file for the last words of a container (its documentation of terminationMessagePath). */
#pragma once

/* Appends the text and a newline to /dev/termination-log where that is there, a file, and has room for it within the
 * 4096 bytes that Kubernetes reads. What the workload itself wrote there stays. */
void termination_log_write(const char *text);
