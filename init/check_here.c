#include "init/check_here.h"

#include "base/cleanup.h"
#include "base/fdio.h"
#include "init/identity.h"
#include "seccomp-profiles/embedded.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ACCOUNTS_SIZE_MAX (16 * 1024 * 1024)

struct here {
	struct config *config;
	size_t service;
	char *passwd, *group; /* "" where there is none */
	int error;
};

static void warn(struct here *here, enum option option, const char *sentence)
{
	if (here->error == 0)
		here->error = config_warn(here->config, here->service, option, sentence);
}

/* A number that there is not is none on any machine. */
static void judge_account(struct here *here, enum option option, int error, const struct complaint *why)
{
	if (error == -ENOENT)
		warn(here, option, why->text);
	else if (error < 0 && here->error == 0)
		here->error = config_add(here->config, here->service, option, why->text);
}

static void look_for_accounts(struct here *here, const struct confinement *asked)
{
	struct identity identity = { 0 };
	struct complaint why;
	int error;

	if (asked->user != NULL) {
		error = identity_resolve(asked->user, here->passwd, here->group, &identity, &why);
		judge_account(here, OPTION_USER, error, &why);
	}
	for (size_t i = 0; i < asked->groups.count; i++) {
		error = identity_add_group(asked->groups.group[i], here->group, &identity, &why);
		judge_account(here, OPTION_GROUP_ADD, error, &why);
	}
}

static void look_for_profile(struct here *here, const char *profile)
{
	/* The monitor's own is nobody else's. */
	const bool ours = profile != NULL && strcmp(profile, "monitor") != 0 && embedded_find(profile) != NULL;
	struct complaint why;

	if (profile == NULL || strcmp(profile, "unconfined") == 0 || ours || access(profile, F_OK) == 0)
		return;
	if (strchr(profile, '/') != NULL)
		complain(&why, ENOENT, "%.200s: %s", profile, strerror(errno));
	else
		complain(&why, ENOENT, "'%.200s' is neither a profile of ours (default, nginx, node) nor a file",
			profile);
	warn(here, OPTION_SECCOMP, why.text);
}

/* With a slash behind it what is no directory is refused. */
static void look_for_directory(struct here *here, const char *path)
{
	struct complaint why;
	char directory[PATH_MAX];

	if (path == NULL || snprintf(directory, sizeof directory, "%s/", path) >= (int)sizeof directory ||
		access(directory, F_OK) == 0)
		return;
	complain(&why, ENOENT, "%.200s: %s", path, strerror(errno));
	warn(here, OPTION_WORKDIR, why.text);
}

static void look_for_files(struct here *here, const struct model *model)
{
	static const uint8_t options[MODEL_FILE_BEARER] = { OPTION_METRICS_USERS, OPTION_METRICS_TOKENS,
		OPTION_METRICS_TLS_CERT, OPTION_METRICS_TLS_KEY };

	for (uint32_t file = 0; file < MODEL_FILE_BEARER; file++) {
		const char *path = model_file(model, file);
		struct complaint why;

		if (path == NULL || access(path, F_OK) == 0)
			continue;
		complain(&why, ENOENT, "%.200s: %s", path, strerror(errno));
		warn(here, (enum option)options[file], why.text);
	}
}

static char *read_accounts(const char *path)
{
	char *text;
	size_t length;

	return file_read(path, ACCOUNTS_SIZE_MAX, &text, &length) == 0 ? text : strdup("");
}

int check_here(const struct model *model, struct config *config)
{
	cleanup_free char *passwd = read_accounts("/etc/passwd"), *group = read_accounts("/etc/group");
	struct here here = { .config = config, .passwd = passwd, .group = group };

	if (passwd == NULL || group == NULL)
		return -ENOMEM;
	look_for_files(&here, model);
	for (here.service = 0; here.service < model_service_count(model); here.service++) {
		const struct confinement *asked = &model_service(model, here.service)->confinement;

		look_for_accounts(&here, asked);
		look_for_profile(&here, asked->seccomp);
		look_for_directory(&here, asked->workdir);
	}
	return here.error;
}
