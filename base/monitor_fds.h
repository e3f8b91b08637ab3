/* The descriptors that PID 1 hands to the monitor, by number: it is executed afresh and knows nothing else. */
#pragma once

#define MONITOR_FD_CHANNEL 3
#define MONITOR_FD_CONTROL 4
/* One for each --metrics; behind them the socket where the workload says how it is, if it is asked to; behind that the
 * listener of --seccomp-report and the memory that goes with it. */
#define MONITOR_FD_LISTEN 5
