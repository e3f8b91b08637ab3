#include "seccomp-profiles/seccomp_main.h"

#include "base/capname.h"
#include "base/cleanup.h"
#include "base/fdio.h"
#include "seccomp-profiles/compile.h"
#include "seccomp-profiles/embedded.h"
#include "seccomp-profiles/record_main.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#define EXIT_REFUSED 125 /* our own refusals, as docker run has it */

static const char help[] =
	"Usage: nest-init seccomp compile FILE|NAME -o OUT [OPTION...]\n"
	"       nest-init seccomp record --help\n"
	"Compile a profile to the BPF that --seccomp OUT applies without compiling anything.\n"
	"\n"
	"FILE is JSON as Docker, the OCI runtime-spec or containers/common have it; NAME is one of our own:\n"
	"default, monitor, node. OUT gets the kernel's sock_filter entries as they are; the same input gives the\n"
	"same bytes. \"flags\" of the profile are not in them.\n"
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

static int refuse(const char *what, const char *why)
{
	fprintf(stderr, "nest-init seccomp: %s: %s\n", what, why);
	return EXIT_REFUSED;
}

/* capabilities(7): a capability above the kernel's last is EINVAL. */
static uint64_t bounding_set(void)
{
	uint64_t caps = 0;

	for (unsigned cap = 0; cap < 64; cap++)
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			caps |= UINT64_C(1) << cap;
	return caps;
}

/* all, none, or names with commas between them. */
static int parse_caps(const char *list, uint64_t *ret_caps)
{
	uint64_t caps = 0;
	char name[64];

	if (strcmp(list, "none") == 0) {
		*ret_caps = 0;
		return 0;
	}
	for (;;) {
		size_t length = strcspn(list, ",");
		uint64_t bits;

		if (length == 0 || length >= sizeof name)
			return -EINVAL;
		memcpy(name, list, length);
		name[length] = '\0';
		if (capname_parse(name, &bits) < 0)
			return -EINVAL;
		caps |= bits;
		if (list[length] == '\0')
			break;
		list += length + 1;
	}
	*ret_caps = caps;
	return 0;
}

enum option_code { OPTION_STRICT = 256, OPTION_CAPS, OPTION_ARCH, OPTION_HELP }; /* above any character */

static const struct option options[] = {
	{ "output", required_argument, NULL, 'o' },
	{ "strict", no_argument, NULL, OPTION_STRICT },
	{ "caps", required_argument, NULL, OPTION_CAPS },
	{ "arch", required_argument, NULL, OPTION_ARCH },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

/* What getopt_long(3) did not like. */
static int refuse_option(int code, char *const *argv)
{
	char letter[3] = { '-', (char)optopt, '\0' };
	const char *word = optopt > 0 && optopt < 256 ? letter : argv[optind - 1];

	return refuse(word, code == ':' ? "takes an argument" : "unknown option; see nest-init seccomp --help");
}

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
		return parse_caps(optarg, &request->context.profile.caps) < 0
			? refuse(optarg, "not a list of capabilities")
			: 0;
	case OPTION_ARCH:
		request->specific = true;
		return profile_arch_find(optarg, &request->context.profile.arch) < 0 ||
				(request->context.profile.arch != PROFILE_X86_64 &&
					request->context.profile.arch != PROFILE_AARCH64)
			? refuse(optarg, "the architectures are amd64 and arm64")
			: 0;
	default:
		return refuse_option(code, argv);
	}
}

static int write_program(const struct request *request, const struct sock_filter *insn, size_t length)
{
	cleanup_close int file = -1;
	int fd = STDOUT_FILENO, rc;

	if (strcmp(request->output, "-") != 0) {
		file = open(request->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0644);
		if (file < 0)
			return refuse(request->output, strerror(errno));
		fd = file;
	}
	rc = fd_write_all(fd, insn, length * sizeof *insn);
	return rc < 0 ? refuse(request->output, strerror(-rc)) : 0;
}

static int compile(const struct request *request)
{
	const struct embedded_profile *own = embedded_find(request->input);
	cleanup_free struct seccomp_program *program = NULL;
	struct seccomp_warnings warnings;
	struct complaint why;
	char text[1024];

	if (own != NULL && request->specific)
		return refuse(request->input, "our own profiles depend on neither --caps nor --arch");
	if (own != NULL)
		return write_program(request, embedded_insn(own), own->length);
	program = malloc(sizeof *program);
	if (program == NULL)
		return refuse(request->input, strerror(ENOMEM));
	if (seccomp_compile_file(request->input, &request->context, program, &warnings, &why) < 0) {
		fprintf(stderr, "nest-init seccomp: %s\n", why.text);
		return EXIT_REFUSED;
	}
	if (warnings.count > 0) {
		seccomp_warnings_text(request->input, &warnings, text, sizeof text);
		fprintf(stderr, "nest-init seccomp: %s\n", text);
	}
	return write_program(request, program->insn, program->length);
}

int seccomp_main(int argc, char **argv)
{
	struct request request = { .input = NULL };
	int code, rc;

	if (argc > 1 && strcmp(argv[1], "record") == 0)
		return record_main(argc - 1, argv + 1);
	seccomp_context_native(bounding_set(), &request.context);
	opterr = 0;
	optind = 0; /* glibc and musl: start afresh, whatever was parsed before */
	while ((code = getopt_long(argc, argv, ":o:", options, NULL)) != -1) {
		if (code == OPTION_HELP)
			return fputs(help, stdout) < 0 || fflush(stdout) != 0 ? EXIT_REFUSED : 0;
		rc = take_option(code, argv, &request);
		if (rc != 0)
			return rc;
	}
	if (optind == argc || strcmp(argv[optind], "compile") != 0)
		return refuse(optind == argc ? "what to do" : argv[optind],
			"expected \"compile\" or \"record\"; see nest-init seccomp --help");
	if (argc - optind != 2)
		return refuse("compile", "takes one FILE or NAME");
	request.input = argv[optind + 1];
	if (request.output == NULL)
		return refuse("compile", "needs -o OUT");
	return compile(&request);
}
