/* Rules of a profile in words. Pure. */
#pragma once

#include "seccomp-profiles/profile.h"

#include <stdio.h>

/* "arg0 & 0x7e020000 == 0x0, arg1 > 0x2": nothing where a rule looks at no argument. */
void rule_args_print(FILE *out, const struct profile_rule *rule);
/* Its includes and excludes: "if CAP_SYS_ADMIN, if amd64 or x32, unless Linux 4.8"; nothing where it has none. */
void rule_filters_print(FILE *out, const struct profile_rule *rule);
bool rule_has_filters(const struct profile_rule *rule);
/* True if the rule names the syscall. */
bool rule_names(const struct profile_rule *rule, const char *syscall);
