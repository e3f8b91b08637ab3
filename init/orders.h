/* What `nest-init ctl` wants of a service. Whoever may change something is not for the monitor to say: it hands the
 * connection over, and PID 1 asks the kernel who is at its other end and reads the order from there itself. A monitor
 * that somebody took over can withhold an order, and make none. */
#pragma once

struct loop;

/* Takes the order that waits in a connection (borrowed), does what it says and answers. What is no connection to our
 * own control socket, or has no whole record waiting, is passed over. Neither blocks nor allocates. */
void orders_take(struct loop *loop, int connection);
