/* `nest-init seccomp`: work with profiles. */
#pragma once

/* argv[0] is "seccomp". Returns the exit status: 0, or 125 when it refuses. */
int seccomp_main(int argc, char **argv);
