#include "base/model.h"

#include <assert.h>

static const char layer_names[][16] = { "user", "capabilities", "no_new_privs", "seccomp", "read_only", "tmpfs" };
static_assert(sizeof layer_names / sizeof layer_names[0] == LAYER_COUNT, "a name for every layer");

static const char check_kind_names[][8] = { "live", "ready", "startup" };
static_assert(sizeof check_kind_names / sizeof check_kind_names[0] == CHECK_KIND_COUNT, "a name for every kind");

const char *layer_name(enum layer layer)
{
	return layer_names[layer];
}

const char *check_kind_name(enum check_kind kind)
{
	return check_kind_names[kind];
}

bool model_wants_monitor(const struct model *model)
{
	return model->check_count > 0 || model->listen_count > 0;
}
