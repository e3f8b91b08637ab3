/* Which service of a configuration a command of ours is about. */
#pragma once

#include "base/complaint.h"
#include "base/model.h"

/* The one of that name, tasks among them; without a name (NULL) the only service, tasks aside, or the only task.
 * Returns 0 and its index in the model; or -ENOENT or -EINVAL with a sentence that tells the names. */
int which_service(const struct model *model, const char *name, size_t *ret_index, struct complaint *ret_why);
