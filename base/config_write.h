/* A model as a configuration file, which means the same when it is read (config.h). */
#pragma once

#include "base/model.h"
#include "base/secret.h"

#include <stdio.h>

enum config_audience {
	CONFIG_FOR_PEOPLE,  /* with what looks like a secret as "REDACTED" */
	CONFIG_FOR_MONITOR, /* without what only the workload needs: its command and its environment */
	CONFIG_WHOLE,       /* all of it */
};

#define CONFIG_REDACTED SECRET_HIDDEN

/* One service of it alone, all of it; all secrets; or what is of metrics and tracing. Two models that have the same
 * text mean the same. */
void config_write_service(const struct model *model, size_t index, FILE *out);
void config_write_secrets(const struct model *model, FILE *out);
void config_write_container(const struct model *model, FILE *out);

/* Writes to `out` (borrowed; its error state tells of failures). */
void config_write(const struct model *model, enum config_audience whom, FILE *out);
