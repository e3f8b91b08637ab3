/* The configured checks, each looked at once, now: for where no monitor looks at them. */
#pragma once

#include "base/model.h"
#include "base/wire.h"

/* Looks at the checks of the kinds asked for (a bit for each enum check_kind), side by side as far as probe_run() goes,
 * timeout_ns in all; one look decides, whatever retries and thresholds say. Fills in a record for each,
 * model->main.check_count at the most, and the verdict of every kind: 0 or 1, and 1 where there is no check. Commands
 * run as children of ours, as confined as we are. Returns 0, or -errno if nothing could be looked at. */
int check_once(const struct model *model, unsigned kinds, int64_t timeout_ns, struct wire_check *ret_records,
	size_t *ret_count, uint8_t ret_healthy[static CHECK_KIND_COUNT]);
