/* What a file asks for and this very machine does not have: accounts, profiles, files. */
#pragma once

#include "base/config.h"

/* Adds a warning for each, for an image is often checked elsewhere, and an error where no machine could have it.
 * Returns 0 or -ENOMEM. */
int check_here(const struct model *model, struct config *config);
