/* The descriptors that PID 1 hands to the monitor, by number: it is executed afresh and knows nothing else. */
#pragma once

#define MONITOR_FD_CHANNEL 3
#define MONITOR_FD_CONTROL 4
#define MONITOR_FD_LISTEN 5 /* and those after it, one for each --metrics */
