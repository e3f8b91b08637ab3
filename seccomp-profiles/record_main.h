/* `nest-init seccomp record`: a profile from a run. */
#pragma once

/* argv[0] is "record". Returns the exit status: the command's, 128+N, 126 or 127 as nest-init has it, 125 when it
 * refuses. */
int record_main(int argc, char **argv);
