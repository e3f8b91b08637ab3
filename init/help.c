#include "init/help.h"

#include "base/option_table.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static const char usage[] = "nest-init: PID 1 for production containers\n"
			    "\n"
			    "  nest-init [OPTION...] [--] COMMAND [ARG...]   supervise COMMAND\n"
			    "  nest-init check [--print] [FILE]              all that is wrong in FILE\n"
			    "  nest-init exec [OPTION...] [--] COMMAND ...   confine, then become COMMAND\n"
			    "  nest-init health [--live|--ready|--startup]   PID 1's verdict, for HEALTHCHECK\n"
			    "  nest-init probe TARGET...                     look at each target once, now\n"
			    "  nest-init status [--json|--watch]             what runs, and what is in force\n"
			    "  nest-init ctl stop|start|restart SERVICE...   by hand; also signal, reload\n"
			    "  nest-init audit [--json] [--fail-on LEVEL]    the posture of this container\n"
			    "  nest-init seccomp record|explain|diff|compile make profiles, look into them\n"
			    "  nest-init SUBCOMMAND --help                   and its options\n"
			    "\n";

static const char notes[] = "\n"
			    "TIME: 500ms, 8s, 1m30s. Options that name several things may be repeated; in a\n"
			    "variable (--cap-drop: NEST_INIT_CAP_DROP) blanks part them. Options win.\n"
			    "Exit status: COMMAND's, 128+N if a signal ended it, 126 or 127 if it could not\n"
			    "be executed, 125 if nest-init refused. HUP reads the FILE of --config again.\n";

static const char more[] = "\n"
			   "  --version; --help all: every option; or one topic of them:\n"
			   "  --help confinement, --help stopping, --help health, --help metrics, --help log\n";

static const char topics[][12] = { "confinement", "stopping", "health", "metrics", "log" };
static const char headings[][184] = {
	"Confinement (what cannot be put in force refuses the start)",
	"Stopping, and starting again",
	"Health (TARGET: http://HOST:PORT/PATH, http+unix:SOCKET:/PATH,\n"
	"        tcp://HOST:PORT, unix:SOCKET, file:PATH[?max_age=TIME], exec:COMMAND;\n"
	"        for --ready also notify)",
	"Metrics",
	"Log, and a file instead of options",
};
static_assert(sizeof topics / sizeof topics[0] == SECTION_COUNT, "a topic for every section");
static_assert(sizeof headings / sizeof headings[0] == SECTION_COUNT, "a heading for every section");

static void write_section(enum option_section section, bool common_only, FILE *stream)
{
	fprintf(stream, "%s\n", headings[section]);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *row = &option_rows[i];
		char usage_of[OPTION_NAME_SIZE + sizeof row->argument];

		if (row->section != section || (common_only && (row->flags & COMMON) == 0))
			continue;
		snprintf(usage_of, sizeof usage_of, "%s%s", row->name, row->argument);
		fprintf(stream, "  --%-26s %s\n", usage_of, row->help);
	}
}

int help_write(const char *topic, FILE *stream)
{
	bool all = topic == NULL || strcmp(topic, "all") == 0;
	enum option_section section = 0;

	while (!all && section < SECTION_COUNT && strcmp(topic, topics[section]) != 0)
		section++;
	if (section == SECTION_COUNT)
		return -EINVAL;
	if (!all) {
		write_section(section, false, stream);
		return 0;
	}
	fputs(usage, stream);
	for (; section < SECTION_COUNT; section++)
		write_section(section, topic == NULL, stream);
	fputs(notes, stream);
	if (topic == NULL)
		fputs(more, stream);
	return 0;
}
