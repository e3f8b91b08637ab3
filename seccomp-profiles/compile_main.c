/* `nest-init seccomp compile`: a profile to the bytes that seccomp(2) takes. */
#include "seccomp-profiles/commands.h"

#include "base/cleanup.h"
#include "base/fdio.h"
#include "seccomp-profiles/embedded.h"
#include "seccomp-profiles/source.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
	"Usage: nest-init seccomp compile FILE|NAME -o OUT [OPTION...]\n"
	"Compile a profile to the BPF that --seccomp OUT applies without compiling anything.\n"
	"\n"
	"FILE is JSON as Docker, the OCI runtime-spec or containers/common have it; NAME is one of our own:\n"
	"default, logger, monitor, nginx, node. OUT gets the kernel's sock_filter entries as they are; the same input\n"
	"gives the same bytes. \"flags\" of the profile are not in them.\n"
	"\n"
	"  -o, --output OUT  where to write; - is standard output\n"
	"  --strict          refuse a syscall name that libseccomp does not know, instead of warning\n"
	"  --caps LIST       what includes and excludes test: all, none or NAME,NAME (the bounding set here)\n"
	"  --arch NAME       amd64 or arm64 (this one's)\n"
	"  --help            show this\n"
	"\n"
	"Exit status: 0 done, 125 refused; one line on standard error says why and where.\n";

struct request {
	struct seccomp_context context;
	const char *input, *output;
	bool specific; /* an option that changes the program was given: our own profiles have none */
};

enum option_code { OPTION_STRICT = 256, OPTION_CAPS, OPTION_ARCH, OPTION_HELP }; /* above any character */

static const struct option options[] = {
	{ "output", required_argument, NULL, 'o' },
	{ "strict", no_argument, NULL, OPTION_STRICT },
	{ "caps", required_argument, NULL, OPTION_CAPS },
	{ "arch", required_argument, NULL, OPTION_ARCH },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

static int take_option(int code, char *const *argv, struct request *request)
{
	switch (code) {
	case 'o':
		request->output = optarg;
		return 0;
	case OPTION_STRICT:
		request->context.strict = true;
		return 0;
	case OPTION_CAPS:
		request->specific = true;
		return command_take_caps(optarg, &request->context);
	case OPTION_ARCH:
		request->specific = true;
		return command_take_arch(optarg, &request->context);
	default:
		return command_refuse_option(code, argv);
	}
}

static int write_program(const struct request *request, const struct sock_filter *insn, size_t length)
{
	cleanup_close int file = -1;
	int fd = STDOUT_FILENO, rc;

	if (strcmp(request->output, "-") != 0) {
		file = open(request->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0644);
		if (file < 0)
			return command_refuse(request->output, strerror(errno));
		fd = file;
	}
	rc = fd_write_all(fd, insn, length * sizeof *insn);
	return rc < 0 ? command_refuse(request->output, strerror(-rc)) : 0;
}

static int compile(const struct request *request)
{
	const struct embedded_profile *own = embedded_find(request->input);
	cleanup_free struct seccomp_program *program = NULL;
	struct seccomp_warnings warnings;
	struct complaint why;
	char text[1024];

	if (own != NULL && request->specific)
		return command_refuse(request->input, "our own profiles depend on neither --caps nor --arch");
	if (own != NULL)
		return write_program(request, embedded_insn(own), own->length);
	program = malloc(sizeof *program);
	if (program == NULL)
		return command_refuse(request->input, strerror(ENOMEM));
	if (source_find(request->input, &why) < 0 ||
		seccomp_compile_file(request->input, &request->context, program, &warnings, &why) < 0) {
		fprintf(stderr, "nest-init seccomp: %s\n", why.text);
		return EXIT_REFUSED;
	}
	if (warnings.count > 0) {
		seccomp_warnings_text(request->input, &warnings, text, sizeof text);
		fprintf(stderr, "nest-init seccomp: %s\n", text);
	}
	return write_program(request, program->insn, program->length);
}

int seccomp_compile_main(int argc, char **argv)
{
	struct request request = { .input = NULL };
	int code, rc;

	command_context(&request.context);
	opterr = 0;
	optind = 0; /* glibc and musl: start afresh, whatever was parsed before */
	while ((code = getopt_long(argc, argv, ":o:", options, NULL)) != -1) {
		if (code == OPTION_HELP)
			return command_help(help);
		rc = take_option(code, argv, &request);
		if (rc != 0)
			return rc;
	}
	if (argc - optind != 1)
		return command_refuse("compile", "takes one FILE or NAME; see nest-init seccomp compile --help");
	request.input = argv[optind];
	if (request.output == NULL)
		return command_refuse("compile", "needs -o OUT");
	return compile(&request);
}
