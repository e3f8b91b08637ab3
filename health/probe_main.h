/* `nest-init probe`: one look at each target, now. */
#pragma once

/* argv[0] is "probe". Returns the exit status: 0 all succeeded, 1 not, 125 bad usage. */
int probe_main(int argc, char **argv);
