/* `nest-init exec`: the confinement of a run, for what is not the run itself (docker exec, a script's one step), and in
 * place of gosu, su-exec and setpriv. */
#include "init/commands.h"

#include "base/log.h"
#include "base/options.h"
#include "base/version.h"
#include "init/confine.h"
#include "init/secret_read.h"
#include "init/spawn.h"

#include <stdio.h>
#include <unistd.h>

extern char **environ;

static const char help[] = "nest-init exec [OPTION...] [--] COMMAND [ARG...]\n"
			   "\n"
			   "Confines this process as the options of nest-init --help, the NEST_INIT_\n"
			   "variables and the file say, and becomes COMMAND: nothing is supervised. In a\n"
			   "container whose variables or file confine the service, docker exec CONTAINER\n"
			   "nest-init exec COMMAND is confined as the service is. What supervises there is\n"
			   "passed over.\n"
			   "\n"
			   "  --service NAME   as this service, or task, of several in the file\n"
			   "\n"
			   "Exit status: COMMAND's, 126 or 127 if it could not be executed, 125 refused.\n";

static void warn(const char *sentence)
{
	log_line(LOG_LEVEL_WARNING, "%s", sentence);
}

static void tell_not_enforced(void *context, enum layer layer, const char *why)
{
	(void)context;
	(void)layer;
	log_line(LOG_LEVEL_WARNING, "not in force: %s", why);
}

static void tell_nothing(void *context, const char *how)
{
	(void)context;
	(void)how;
}

/* Whatever can be refused before anything is in force. */
static int prepare(struct model *model, size_t index, struct confine_plan *ret_plan, struct secret_source *ret_secrets,
	struct complaint *ret_why)
{
	static struct secret_list list;
	struct service *service = index == 0 ? &model->main : &model->more[index - 1];
	int error;

	service->confinement.has_joined = getpid() != 1;
	ret_plan->command = service->command[0];
	error = confine_plan(&service->confinement, warn, ret_plan, ret_why);
	if (error < 0 || !model_has_secrets(model, index))
		return error;
	list = (struct secret_list){ .secret = model->secret, .count = model->secret_count };
	*ret_secrets = (struct secret_source){ .list = &list, .service = index, .plan = ret_plan };
	return secret_read(ret_secrets, false, ret_why);
}

int exec_main(int argc, char **argv)
{
	static const struct confine_reporter reporter = { .not_enforced = tell_not_enforced,
		.read_only = tell_nothing };
	static struct model model;
	static struct confine_plan plan;
	struct secret_source secrets = { .list = NULL };
	struct complaint why;
	enum options_wish wish;
	size_t index = 0;
	int error, status = STATUS_USAGE;

	(void)argc;
	error = options_parse_exec(argv, environ, CONFIG_DEFAULT, &model, &index, &wish, &why);
	if (error == 0 && wish != OPTIONS_RUN)
		return fputs(wish == OPTIONS_HELP ? help : "nest-init " NEST_INIT_VERSION "\n", stdout) >= 0 ? 0
													     : status;
	if (error == 0)
		error = prepare(&model, index, &plan, &secrets, &why);
	if (error == 0)
		error = confine_apply(&plan, false, &reporter, &why);
	if (error == 0)
		error = secret_put(&why);
	if (error == 0)
		status = spawn_exec(model_service(&model, index)->command, &error, &why);
	log_line(LOG_LEVEL_ERROR, "%s", why.text);
	spawn_leave(status);
}
