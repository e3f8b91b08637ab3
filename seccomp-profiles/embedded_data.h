/* What embed_main.c writes and embedded.c reads: nobody else includes this. */
#pragma once

#include "seccomp-profiles/embedded.h"

extern const struct sock_filter embedded_insns[];
/* In the order of their names; the last one has no name. */
extern const struct embedded_profile embedded_profiles[];
