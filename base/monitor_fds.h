/* The descriptors that PID 1 hands to the monitor, by number: it is executed afresh and knows nothing else. */
#pragma once

#define MONITOR_FD_CHANNEL 3
#define MONITOR_FD_CONTROL 4
/* The memory that keeps its counts (base/kept.h); not open where there is none. */
#define MONITOR_FD_KEPT 5
/* One for each --metrics; behind them the socket where the workload says how it is, if it is asked to; behind that the
 * listener of --seccomp-report and the memory that goes with it. */
#define MONITOR_FD_LISTEN 6
/* Where the configuration is a file, its only argument says so: MONITOR_FD_LISTEN is then what PID 1 has read
 * (init/monitor_model.h), and all others come one later. */
#define MONITOR_HAS_MODEL "--model"
