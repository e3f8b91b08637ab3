#include "base/cleanup.h"
#include "base/config_expand.h"
#include "base/config_keys.h"
#include "base/config_write.h"
#include "base/options.h"
#include "base/size.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* What a model holds lives as long as the process (config.h). */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:config_read\nleak:take_file\nleak:set_from_variable\nleak:add_check\nleak:add_pages\nleak:option_"
	       "add_variable\nleak:expand_variables\nleak:set_logging\nleak:add_tmpfs\n";
}

static const char *const environment[] = { "HOME=/root", "EMPTY=", "PORT=4000", "DOLLAR=a$b", "AB=longer", "A=short",
	"TOKEN=geheim", NULL };

static struct model model;
static struct config config;
static struct complaint why;

/* ---- helpers ---- */

/* Reads a file; returns its findings, a line each, "" for none. */
static const char *read_as(const char *text, bool unset_is_no_error)
{
	static char findings[8192];
	const struct config_input input = { .file = "f",
		.text = text,
		.length = strlen(text),
		.env = (char **)environment,
		.unset_is_no_error = unset_is_no_error };
	char *const nothing[] = { NULL };
	size_t at = 0;

	memset(&model, 0, sizeof model);
	config_free(&config);
	memset(&config, 0, sizeof config);
	assert_int_equal(options_check_text(&input, (char **)nothing, &model, &config, &why), 0);
	findings[0] = '\0';
	for (size_t i = 0; i < config.finding_count && at < sizeof findings; i++)
		at += (size_t)snprintf(findings + at, sizeof findings - at, "%s%s%s", i > 0 ? "\n" : "",
			config.finding[i].is_warning ? "warning: " : "", config.finding[i].why.text);
	return findings;
}

/* A service of these members, and nothing else. */
static const char *service(const char *members)
{
	static char text[16384];

	assert_true(snprintf(text, sizeof text, "{\"services\":{\"main\":{%s}}}", members) < (int)sizeof text);
	return text;
}

static char *written(const struct model *what, enum config_audience whom)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	assert_non_null(out);
	config_write(what, whom, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

/* ---- a key means what its option means ---- */

#define LONG_TARGET "file:/a/path/that/is/longer/than/a/name/which/somebody/gives/may/be/for/a/check"

static const struct pair {
	const char *words[4], *members;
	const char *beside; /* members of the root */
} pairs[] = {
	{ { "--user=1000:1000" }, "\"user\": \"1000:1000\"", NULL },
	{ { "--user=7" }, "\"user\": 7", NULL },
	{ { "--group-add=video", "--group-add=44" }, "\"group_add\": [\"video\", 44]", NULL },
	{ { "--group-add=44" }, "\"group_add\": 44", NULL },
	{ { "--workdir=/app" }, "\"working_dir\": \"/app\"", NULL },
	{ { "--umask=027" }, "\"umask\": \"027\"", NULL },
	{ { "--umask=0" }, "\"umask\": \"000\"", NULL },
	{ { "--env=A=1", "--env=B=$${x}" }, "\"environment\": {\"A\": 1, \"B\": \"$${x}\"}", NULL },
	{ { "--file-env=A,B_c" }, "\"file_env\": \"A,B_c\"", NULL },
	{ { "--ulimit=nofile=65536" }, "\"limits\": {\"nofile\": 65536}", NULL },
	{ { "--ulimit=nofile=1:2", "--ulimit=core=-1", "--ulimit=memlock=67108864" },
		"\"limits\": {\"//\": 1, \"nofile\": \"1:2\", \"core\": \"unlimited\", \"memlock\": \"64MiB\"}", NULL },
	{ { "--ulimit=stack=1024:unlimited" }, "\"limits\": {\"stack\": {\"hard\": -1, \"soft\": \"1k\"}}", NULL },
	{ { "--oom-score-adj=-500" }, "\"oom_score_adj\": -500", NULL },
	{ { "--cap-drop=all", "--cap-add=chown,kill" },
		"\"capabilities\": {\"drop\": [\"all\"], \"add\": [\"CAP_CHOWN\", \"kill\"]}", NULL },
	{ { "--cap-drop=chown,kill" }, "\"capabilities\": {\"drop\": \"chown,kill\"}", NULL },
	{ { "--securebits=noroot,noroot_locked" }, "\"securebits\": [\"noroot\", \"noroot_locked\"]", NULL },
	{ { "--no-new-privs=no" }, "\"no_new_privs\": false", NULL },
	{ { "--no-new-privs=yes" }, "\"no_new_privs\": \"${NNP:-true}\"", NULL },
	{ { "--seccomp=node" }, "\"seccomp\": \"node\"", NULL },
	{ { "--seccomp=node", "--seccomp-report" }, "\"seccomp\": {\"profile\": \"node\", \"report\": true}", NULL },
	{ { "--read-only=landlock" }, "\"filesystem\": {\"read_only\": \"landlock\"}", NULL },
	{ { "--read-only" }, "\"filesystem\": {\"read_only\": true}", NULL },
	{ { "--read-only=auto", "--writable=/a", "--writable=/b" },
		"\"filesystem\": {\"read_only\": \"auto\", \"writable\": [\"/a\", \"/b\"]}", NULL },
	{ { "--tmpfs=/tmp:size=1m", "--tmpfs=/run" }, "\"filesystem\": {\"tmpfs\": [\"/tmp:size=1m\", \"/run\"]}",
		NULL },
	{ { "--exec-allow=/bin/sh" }, "\"filesystem\": {\"exec_allow\": \"/bin/sh\"}", NULL },
	{ { "--tcp-bind=80,443", "--tcp-connect=none" }, "\"network\": {\"tcp_bind\": [80, 443], \"tcp_connect\": []}",
		NULL },
	{ { "--tcp-bind=4000" }, "\"network\": {\"tcp_bind\": \"${PORT}\"}", NULL },
	{ { "--security-level=hardened" }, "\"security_level\": \"hardened\"", NULL },
	{ { "--security-level=hardened", "--seccomp=node", "--cap-drop=chown", "--read-only=no" },
		"\"security_level\": \"hardened\", \"seccomp\": \"node\", \"capabilities\": {\"drop\": \"chown\"}, "
		"\"filesystem\": {\"read_only\": false}",
		NULL },
	{ { "--best-effort" }, "\"best_effort\": true", NULL },
	{ { "--watch=/app/src", "--watch=/app/package.json" }, "\"watch\": [\"/app/src\", \"/app/package.json\"]",
		NULL },
	{ { "--stop-signal=QUIT", "--stop-on=TERM,USR1" }, "\"stop\": {\"signal\": 3, \"on\": [\"TERM\", \"SIGUSR1\"]}",
		NULL },
	{ { "--drain=2s", "--stop-timeout=1m30s", "--pre-stop=drain --all", "--pre-stop-timeout=3s" },
		"\"stop\": {\"drain\": \"2s\", \"timeout\": \"90s\", \"pre_stop\": [\"drain\", \"--all\"], "
		"\"pre_stop_timeout\": \"3s\"}",
		NULL },
	{ { "--pre-stop=drain --all" }, "\"stop\": {\"pre_stop\": \" drain  --all\"}", NULL },
	{ { "--drain=0" }, "\"stop\": {\"pre_stop\": []}", NULL },
	{ { "--rewrite=TERM:QUIT", "--rewrite=HUP:0" }, "\"stop\": {\"rewrite\": {\"TERM\": \"QUIT\", \"HUP\": 0}}",
		NULL },
	{ { "--rewrite=TERM:QUIT" }, "\"stop\": {\"rewrite\": [\"TERM:QUIT\"]}", NULL },
	{ { "--clean-exit=143,130" }, "\"stop\": {\"clean_exit\": [143, 130]}", NULL },
	{ { "--restart=always:3", "--restart-backoff=2s" },
		"\"restart\": {\"attempts\": 3, \"policy\": \"always\", \"backoff\": \"2s\"}", NULL },
	{ { "--restart=on-failure:0" }, "\"restart\": \"on-failure:0\"", NULL },
	{ { "--watchdog=10s", "--live=tcp://a:2", "--on-unhealthy=restart", "--ready=notify" },
		"\"health\": {\"watchdog\": \"10s\", \"live\": [\"tcp://a:2\"], \"ready\": [\"notify\"], "
		"\"on_unhealthy\": \"restart\"}",
		NULL },
	{ { "--live=tcp://a:2", "--on-unhealthy=restart" },
		"\"health\": {\"live\": [\"tcp://a:2\"], \"on_unhealthy\": \"restart\"}", NULL },
	{ { "--live=tcp://a:2 tcp://a:3", "--ready=exec:a b", "--startup=file:/x" },
		"\"health\": {\"ready\": [\"exec:a b\"], \"startup\": [{\"target\": \"file:/x\"}], "
		"\"live\": [\"tcp://a:2\", \"tcp://a:3\"]}",
		NULL },
	{ { "--ready=name=x exec:a b" }, "\"health\": {\"ready\": [{\"name\": \"x\", \"command\": [\"a\", \"b\"]}]}",
		NULL },
	{ { "--ready=name=api expect=200,429 interval=10s timeout=1s start_period=40s start_interval=2s retries=4 "
	    "success_threshold=2 jitter=10% method=POST header=Accept:a/b header='X: y' body='a b' http://h/p",
		  "--health-interval=1m", "--expect=401" },
		"\"health\": {\"ready\": [{\"name\": \"api\", \"expect\": [200, \"429\"], \"interval\": \"10s\", "
		"\"timeout\": \"1s\", \"start_period\": \"40s\", \"start_interval\": \"2s\", \"retries\": 4, "
		"\"success_threshold\": 2, \"jitter\": 10, \"method\": \"POST\", \"headers\": [\"Accept:a/b\", \"X: "
		"y\"], \"body\": \"a b\", \"target\": \"http://h/p\"}], \"interval\": \"1m\", \"expect\": 401}",
		NULL },
	{ { "--ready=jitter=7% header='X: y' http://h/p" },
		"\"health\": {\"ready\": [{\"jitter\": \"7%\", \"headers\": {\"X\": \"y\"}, \"target\": "
		"\"http://h/p\"}]}",
		NULL },
	{ { "--ready=" LONG_TARGET }, "\"health\": {\"ready\": [\"" LONG_TARGET "\"]}", NULL },
	{ { "--health-timeout=7s", "--health-start-period=3s", "--health-start-interval=2s", "--health-retries=5" },
		"\"health\": {\"timeout\": \"7s\", \"start_period\": \"3s\", \"start_interval\": \"2s\", \"retries\": "
		"5}",
		NULL },
	{ { "--metrics=unix:/run/m.sock?mode=666", "--metrics-users=/run/users", "--metrics-tokens=/run/tokens" }, "",
		"\"metrics\": {\"listen\": \"unix:/run/m.sock?mode=666\", \"users\": \"/run/users\", \"tokens\": "
		"\"/run/tokens\"}" },
	{ { "--metrics=:1", "--metrics-tls-cert=/run/cert", "--metrics-tls-key=/run/key" }, "",
		"\"metrics\": {\"listen\": \":1\", \"tls_cert\": \"/run/cert\", \"tls_key\": \"/run/key\"}" },
	{ { "--trace-endpoint=http://a:4318", "--otel-resource" }, "",
		"\"tracing\": {\"endpoint\": \"http://a:4318\", \"resource\": true}" },
	{ { "--metrics=:1", "--metrics-merge=name=a timeout=2s bearer_file='/run/a b' header='X: 1 2' http://a/m",
		  "--metrics-merge=http://b/" },
		"",
		"\"metrics\": {\"listen\": \":1\", \"merge\": [\"name=a timeout=2s bearer_file='/run/a b' header='X: 1 "
		"2' "
		"http://a/m\", \"http://b/\"]}" },
	{ { "--metrics=127.0.0.1:9911", "--metrics=:1" }, "",
		"\"metrics\": {\"listen\": [\"127.0.0.1:9911\", \":1\"]}" },
	{ { "--service-log=json" }, "\"logging\": \"json\"", NULL },
	{ { "--service-log=tagged,file=/a,max-size=10m,max-file=3" },
		"\"logging\": {\"file\": \"/a\", \"max_size\": \"10m\", \"max_file\": 3}", NULL },
	{ { "--service-log=json,mode=non-blocking,max-buffer-size=1048576" },
		"\"logging\": {\"mode\": \"non-blocking\", \"format\": \"json\", \"max_buffer_size\": 1048576}", NULL },
	{ { "--log-format=json", "--log-level=info" }, "", "\"log\": {\"format\": \"json\", \"level\": \"info\"}" },
};

static void parse_words(const char *const *words)
{
	const char *argv[6] = { "nest-init" };
	char *const nothing[] = { NULL };
	enum options_wish wish;

	for (size_t i = 0; i < 4 && words[i] != NULL; i++)
		argv[i + 1] = words[i];
	for (size_t i = 0; i < COUNT(argv); i++)
		if (argv[i] == NULL) {
			argv[i] = "true";
			break;
		}
	memset(&model, 0, sizeof model);
	if (options_parse((char **)argv, (char **)nothing, NULL, &model, &wish, &why) < 0)
		fail_msg("%s: %s", words[0], why.text);
	model.main.command = NULL;
}

static void a_key_means_what_its_option_means(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(pairs); i++) {
		cleanup_free char *by_words = NULL, *by_file = NULL, *file = NULL;
		const char *findings;

		parse_words(pairs[i].words);
		by_words = written(&model, CONFIG_FOR_PEOPLE);
		assert_true(asprintf(&file, "{\"services\":{\"main\":{%s}}%s%s}", pairs[i].members,
				    pairs[i].beside != NULL ? ", " : "",
				    pairs[i].beside != NULL ? pairs[i].beside : "") > 0);
		findings = read_as(file, false);
		if (*findings != '\0')
			fail_msg("%s: %s", file, findings);
		by_file = written(&model, CONFIG_FOR_PEOPLE);
		if (strcmp(by_words, by_file) != 0)
			fail_msg("%s: %s, expected %s", file, by_file, by_words);
	}
}

/* Each option has a key, and each key that sets one is tried. */
static void every_option_has_a_key(void **state)
{
	(void)state;
	for (unsigned option = OPTION_USER; option < OPTION_HELP; option++) {
		bool has_key = false, is_tried = false;

		for (size_t i = 0; i < config_key_count; i++)
			has_key = has_key ||
				(config_keys[i].group != GROUP_CHECK && config_keys[i].form != FORM_OBJECT &&
					config_keys[i].sets == option);
		for (size_t i = 0; i < COUNT(pairs); i++)
			for (size_t w = 0; w < 4 && pairs[i].words[w] != NULL; w++) {
				const char *word = pairs[i].words[w] + 2;

				is_tried = is_tried || option_find(word, strcspn(word, "=")) == option;
			}
		if (!has_key || !is_tried)
			fail_msg("--%s has no key, or no test", option_rows[option].name);
	}
}

/* ---- what no option says ---- */

static void a_command_is_words_or_split_at_blanks(void **state)
{
	(void)state;
	assert_string_equal(read_as(service("\"command\": [\"node\", \"\", \"a b\"]"), false), "");
	assert_string_equal(model.main.command[0], "node");
	assert_string_equal(model.main.command[1], "");
	assert_string_equal(model.main.command[2], "a b");
	assert_null(model.main.command[3]);
	assert_string_equal(read_as(service("\"command\": \" node  ${PORT} \\t x\""), false), "");
	assert_string_equal(model.main.command[0], "node");
	assert_string_equal(model.main.command[1], "4000");
	assert_string_equal(model.main.command[2], "x");
	assert_null(model.main.command[3]);
	assert_string_equal(model.main.name, "main");
}

static void environment_is_an_object_or_an_array(void **state)
{
	static const char *const texts[] = {
		"\"environment\": {\"A\": \"1\", \"//\": \"why\", \"B\": -2, \"C\": \"\", \"D\": \"x=${PORT}\"}",
		"\"environment\": [\"A=1\", \"B=-2\", \"C=\", \"D=x=${PORT}\"]",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		char **variable;

		assert_string_equal(read_as(service(texts[i]), false), "");
		variable = model.main.confinement.environment;
		assert_string_equal(variable[0], "A=1");
		assert_string_equal(variable[1], "B=-2");
		assert_string_equal(variable[2], "C=");
		assert_string_equal(variable[3], "D=x=4000");
		assert_null(variable[4]);
	}
	assert_string_equal(read_as(service("\"environment\": {}"), false), "");
	assert_null(model.main.confinement.environment);
}

static void a_restart_has_its_whole_policy(void **state)
{
	(void)state;
	assert_string_equal(read_as(service("\"restart\": {\"max_backoff\": \"1m\", \"window\": \"1h\"}"), false), "");
	assert_int_equal(model.main.restart.max_backoff_ns, INT64_C(60000000000));
	assert_int_equal(model.main.restart.window_ns, INT64_C(3600000000000));
	assert_int_equal(model.main.restart.attempts, 5);
	assert_int_equal(model.main.restart.kind, RESTART_NEVER);
}

static void services_and_tasks_name_each_other(void **state)
{
	const struct service *web, *migrate, *backup, *clean;

	(void)state;
	assert_string_equal(read_as("{\"tasks\": {\"migrate\": {\"command\": \"m\", \"before\": [\"web\"], "
				    "\"wait_for\": \"tcp://db:1\","
				    "  \"timeout\": \"2m\", \"retries\": 5, \"backoff\": \"2s\"},"
				    " \"backup\": {\"command\": \"b\", \"schedule\": \"0 3 * * *\"},"
				    " \"clean\": {\"command\": \"c\", \"after\": [\"web\", \"cache\"]}},"
				    "\"services\": {\"web\": {\"command\": \"w\", \"depends_on\": {\"cache\": "
				    "{\"condition\": \"ready\"}}},"
				    " \"cache\": {\"command\": \"k\", \"essential\": false}}}",
				    false),
		"");
	assert_int_equal(model_service_count(&model), 5);
	web = model_service(&model, 0);
	migrate = model_service(&model, 2);
	backup = model_service(&model, 3);
	clean = model_service(&model, 4);
	assert_string_equal(web->name, "web");
	assert_int_equal(web->depends_on_count, 2);
	assert_int_equal(web->depends_on[0].on, 1);
	assert_int_equal(web->depends_on[0].condition, DEPENDS_READY);
	assert_int_equal(web->depends_on[1].on, 2);
	assert_int_equal(web->depends_on[1].condition, DEPENDS_COMPLETED);
	assert_true(web->essential);
	assert_false(model_service(&model, 1)->essential);
	assert_int_equal(migrate->kind, SERVICE_ONCE);
	assert_true(migrate->essential);
	assert_string_equal(migrate->wait_for[0], "tcp://db:1");
	assert_null(migrate->wait_for[1]);
	assert_int_equal(migrate->run_ns, INT64_C(120000000000));
	assert_int_equal(migrate->restart.kind, RESTART_ON_FAILURE);
	assert_int_equal(migrate->restart.attempts, 5);
	assert_int_equal(migrate->restart.backoff_ns, INT64_C(2000000000));
	assert_int_equal(backup->kind, SERVICE_SCHEDULED);
	assert_false(backup->essential);
	assert_string_equal(backup->schedule, "0 3 * * *");
	assert_int_equal(clean->kind, SERVICE_AFTER);
	assert_int_equal(clean->depends_on_count, 2);
	assert_int_equal(clean->depends_on[1].on, 1);
	assert_int_equal(clean->depends_on[1].condition, DEPENDS_STOPPED);
}

static void a_page_is_a_string_or_an_object(void **state)
{
	(void)state;
	assert_string_equal(read_as("{\"services\": {\"a\": {}}, \"metrics\": {\"listen\": \":1\", \"merge\": "
				    "[\"name=one http://a/m\","
				    " {\"url\": \"http://b/m\", \"timeout\": \"2s\", \"bearer_file\": \"/run/token\", "
				    "\"headers\": {\"X-A\": \"b\"}}]}}",
				    false),
		"");
	assert_int_equal(model.merge_count, 2);
	assert_string_equal(model.merge[0].name, "one");
	assert_string_equal(model.merge[1].name, "http://b/m");
	assert_string_equal(model.merge[1].bearer_file, "/run/token");
	assert_int_equal(model.merge[1].timing.timeout_ns, INT64_C(2000000000));
	assert_int_equal(model.merge[1].exchange.header_count, 1);
	assert_string_equal(model.merge[1].exchange.header[0], "X-A: b");
}

static void comments_are_passed_over(void **state)
{
	(void)state;
	assert_string_equal(
		read_as("{\"//\": 1, \"// more\": {}, \"//\": 2, \"$schema\": \"x\", \"services\": {\"//\": "
			"[], \"a.b-c_1\": {\"//\": null, \"stop\": {\"//x\": 1}}}}",
			false),
		"");
	assert_string_equal(model.main.name, "a.b-c_1");
}

/* What is written of it is read as the same. */
static void a_secret_has_a_file_services_and_an_action(void **state)
{
	static const char text[] = "{\"services\": {\"a\": {\"command\": \"x\"}, \"b\": {\"command\": \"x\"}}, "
				   "\"tasks\": {\"t\": {\"command\": \"x\"}}, \"secrets\": {"
				   "\"A\": \"/run/secrets/a\", "
				   "\"B\": {\"file\": \"/b\", \"services\": [\"b\", \"t\"], \"as\": \"file\", "
				   "\"on_change\": \"rolling\"}, "
				   "\"C\": {\"directory\": \"/c\", \"services\": \"a\", \"on_change\": \"USR1\"}, "
				   "\"D\": {\"file\": \"/d\", \"on_change\": {\"command\": [\"reload\", \"now\"]}}}}";
	cleanup_free char *once = NULL, *again = NULL;

	(void)state;
	assert_string_equal(read_as(text, false), "");
	assert_int_equal(model.secret_count, 4);
	assert_string_equal(model.secret[0].path, "/run/secrets/a");
	assert_true(secret_is_for(&model.secret[0], 0) && secret_is_for(&model.secret[0], 2));
	assert_int_equal(model.secret[0].action, SECRET_NOTHING);
	assert_false(secret_is_for(&model.secret[1], 0));
	assert_true(secret_is_for(&model.secret[1], 1) && secret_is_for(&model.secret[1], 2));
	assert_int_equal(model.secret[1].form, SECRET_MEMORY);
	assert_int_equal(model.secret[1].action, SECRET_ROLLING);
	assert_true(model.secret[2].is_directory && model.secret[2].signal == 10);
	assert_true(secret_is_for(&model.secret[2], 0) && !secret_is_for(&model.secret[2], 1));
	assert_string_equal(model.secret[3].command[1], "now");
	assert_true(model_wants_monitor(&model));
	once = written(&model, CONFIG_FOR_PEOPLE);
	assert_string_equal(read_as(once, false), "");
	again = written(&model, CONFIG_FOR_PEOPLE);
	assert_string_equal(once, again);
	assert_non_null(strstr(once, "\"reload\""));
}

/* ---- what is refused ---- */

#define SECRET(members) "{\"services\": {\"web\": {\"environment\": {\"PORT\": 1}}},\n \"secrets\": {" members "}}"

static const struct refusal {
	const char *text, *findings;
} refusals[] = {
	/* the text */
	{ "{", "f:1:2: expected a key in quotation marks, not the end of the text" },
	{ "[]", "f:1:1: expected an object, not an array" },
	{ "{}", "f:1:1: \"services\" is missing" },
	{ "{\"services\": {}}", "f:1:14: services: expected a service" },
	{ "{\"services\": {\"a b\": {}}}",
		"f:1:15: services.a b: a name has letters, digits, _ . and -, 63 at the most" },
	{ "{\"services\": {\"a\": []}}", "f:1:20: services.a: expected an object, not an array" },
	{ "{\"services\": {\"a\": {}},\n \"tasks\": {}, \"secrets\": {}, \"metrics\": {\"merge\": []}, \"x\": 1}",
		"f:2:56: x: unknown key" },
	/* secrets */
	{ SECRET("\"1A\": \"/a\""),
		"f:2:14: secrets.1A: the name of a variable has letters, digits and _, and begins with no digit" },
	{ SECRET("\"A\": \"a\""), "f:2:19: secrets.A: 'a': expected an absolute path" },
	{ SECRET("\"A\": {}"), "f:2:19: secrets.A: \"file\" is missing, or \"directory\"" },
	{ SECRET("\"A\": {\"file\": \"/a\", \"directory\": \"/b\"}"),
		"f:2:47: secrets.A.directory: a secret is a file or a directory, not both" },
	{ SECRET("\"A\": {\"file\": \"/a\", \"services\": []}"),
		"f:2:46: secrets.A.services: expected a service; without this key all services get it" },
	{ SECRET("\"A\": {\"file\": \"/a\", \"services\": \"wet\"}"),
		"f:2:34: secrets.A.services: there is no service or task \"wet\"; did you mean \"web\"?" },
	{ SECRET("\"A\": {\"file\": \"/a\", \"as\": \"env\", \"on_change\": \"reload\"}"),
		"f:2:40: secrets.A.as: 'env': expected environment or file\n"
		"f:2:60: secrets.A.on_change: 'reload': expected none, restart, rolling, a signal, such as HUP, or an "
		"object with a \"command\"" },
	{ SECRET("\"A\": {\"file\": \"/a\", \"on_change\": {}}"),
		"f:2:47: secrets.A.on_change: \"command\" is missing" },
	{ SECRET("\"A\": {\"file\": \"/a\", \"on_change\": {\"command\": []}}"),
		"f:2:59: secrets.A.on_change.command: names no command" },
	{ SECRET("\"PORT\": \"/a\""), "f:2:14: secrets.PORT: web has this variable in its \"environment\" already" },
	/* several services */
	{ "{\"services\": {\"a\": {}, \"b\": {\"command\": \"x\"}}}", "f:1:1: \"command\" of a is missing" },
	{ "{\"services\": {\"a\": {\"command\": [\"echo\", \"$A\"]}, \"b\": {\"command\": []}}, \"tasks\": {\"c\": "
	  "{\"command\": 5}}}",
		"f:1:41: services.a.command[1]: '$A': a variable is ${NAME}, a dollar sign is $$\n"
		"f:1:66: services.b.command: names no command\n"
		"f:1:99: tasks.c.command: expected an array of words, or a string that is split at blanks, not 5" },
	{ "{\"services\": {\"a\": {\"command\": \"x\"}}, \"tasks\": {\"a\": {\"command\": \"x\"}}}",
		"f:1:49: tasks.a: a service has this name already" },
	{ "{\"services\": {\"web\": {\"command\": \"x\", \"depends_on\": [\"cahce\", 5]},\n\"cache\": {\"command\": "
	  "\"y\"}}}",
		"f:1:63: services.web.depends_on[1]: expected a string, not 5\n"
		"f:1:54: services.web.depends_on[0]: there is no service or task \"cahce\"; did you mean \"cache\"?" },
	{ "{\"services\": {\"a\": {\"command\": \"x\", \"depends_on\": {\"b\": \"healthy\", \"a\": {\"condition\": "
	  "\"ready\"}}}}}",
		"f:1:57: services.a.depends_on.b: 'healthy': expected started, ready or completed\n"
		"f:1:1: services depend on each other in a circle: a -> a" },
	{ "{\"services\": {\"a\": {\"command\": \"x\", \"depends_on\": [\"b\"]}, \"b\": {\"command\": \"x\", "
	  "\"depends_on\": [\"t\"]}},\n"
	  "\"tasks\": {\"t\": {\"command\": \"x\", \"depends_on\": {\"a\": \"ready\"}}}}",
		"f:1:1: services depend on each other in a circle: a -> b -> t -> a" },
	{ "{\"tasks\": {\"t\": {\"command\": \"x\", \"before\": \"web\", \"health\": {}, \"restart\": \"no\"}}}",
		"f:1:51: tasks.t.health: unknown key\nf:1:65: tasks.t.restart: unknown key\n"
		"f:1:34: tasks.t.before: there is no service or task \"web\"" },
	{ "{\"services\": {\"a\": {}}, \"tasks\": {\"t\": {\"before\": \"a\", \"schedule\": \"@daily\"}}}", NULL },
	/* all at once, in the order of the text */
	{ "{\"services\": {\"a\": {\"usr\": 1, \"user\": [], \"user\": 2,\n  \"stop\": {\"drain\": 8, \"timeut\": "
	  "1}}},\n "
	  "\"log\": {\"level\": \"loud\"}, \"// x\": 1}",
		"f:1:21: services.a.usr: unknown key; did you mean \"user\"?\n"
		"f:1:39: services.a.user: expected a string or an integer, not an array\n"
		"f:1:43: services.a.user: the key is there twice\n"
		"f:2:21: services.a.stop.drain: expected a duration in quotes, such as \"1m30s\", not 8\n"
		"f:2:24: services.a.stop.timeut: unknown key; did you mean \"timeout\"?\n"
		"f:3:19: log.level: 'loud': expected error, warning, notice or info" },
};

/* Of a service; the place is that behind {"services":{"main":{ and the path begins at the service. */
static const struct refusal service_refusals[] = {
	/* names of others */
	{ "\"healthcheck\": {}", "unknown key; did you mean \"health\"?" },
	{ "\"cap_drop\": []", "unknown key; did you mean \"capabilities.drop\"?" },
	{ "\"teleport\": 1", "unknown key" },
	{ "\"before\": []", "unknown key" },
	{ "\"essential\": \"yes\"", "expected true or false, not \"yes\"" },
	{ "\"depends_on\": {\"x\": {}}", "\"condition\" is missing" },
	{ "\"wait_for\": [\"ftp://db\"]", NULL },
	/* kinds */
	{ "\"command\": 5", "expected an array of words, or a string that is split at blanks, not 5" },
	{ "\"command\": []", "names no command" },
	{ "\"command\": \" \"", "names no command" },
	{ "\"command\": [\"\"]", "names no command" },
	{ "\"no_new_privs\": \"yes\"", "expected true or false, not \"yes\"" },
	{ "\"no_new_privs\": 1", "expected true or false, not 1" },
	{ "\"no_new_privs\": null", "expected true or false, not null" },
	{ "\"oom_score_adj\": \"5\"", "expected an integer, not \"5\"" },
	{ "\"oom_score_adj\": 1.5", "expected an integer, not 1.5" },
	{ "\"oom_score_adj\": 1001", "'1001': expected a number from -1000 to 1000" },
	{ "\"umask\": 27", "expected a string, not 27" },
	{ "\"user\": \"\"", "the value is empty" },
	{ "\"user\": \"${EMPTY}\"", "the value is empty" },
	{ "\"user\": \"${UNSET:-}\"", "the value is empty" },
	{ "\"working_dir\": \"app\"", "'app': expected an absolute path" },
	{ "\"limits\": [1]", "expected an object, not an array" },
	{ "\"limits\": {\"nofil\": 1}", "unknown key; did you mean \"nofile\"?" },
	{ "\"limits\": {\"nofile\": \"64MB\"}", "'64MB': expected a number, a size such as 64MiB, or \"unlimited\"" },
	{ "\"limits\": {\"nofile\": {\"soft\": 1}}", "expected both \"soft\" and \"hard\"" },
	{ "\"limits\": {\"nofile\": {\"soft\": 1, \"hard\": 2, \"softer\": 1}}",
		"unknown key; did you mean \"soft\"?" },
	{ "\"limits\": {\"nofile\": {\"soft\": 3, \"hard\": 2}}",
		"'nofile=3:2': the soft limit is above the hard one" },
	{ "\"environment\": {\"A=B\": \"1\"}", "the name of a variable is not empty, and has no =" },
	{ "\"environment\": {\"\": \"1\"}", "the name of a variable is not empty, and has no =" },
	{ "\"environment\": {\"A\": true}", "expected a string or an integer, not a boolean" },
	{ "\"environment\": [\"A\"]", "expected NAME=VALUE; a variable that is set already is inherited" },
	{ "\"environment\": [\"A=1\", \"AB=1\", \"A=2\"]", "A is there twice" },
	{ "\"environment\": \"A=1\"", "expected an object, or an array of NAME=VALUE, not \"A=1\"" },
	{ "\"network\": {\"tcp_bind\": [\"none\"]}", "expected an integer, not \"none\"" },
	{ "\"network\": {\"tcp_bind\": 65536}", "'65536': expected port numbers, such as 443,5432, or none" },
	{ "\"restart\": {\"attempts\": 1001}", "'1001': expected a number from 0 to 1000" },
	{ "\"restart\": {\"window\": \"0\"}", "'0': expected at least 1ms" },
	{ "\"stop\": {\"rewrite\": \"TERM:QUIT\"}", "expected an object, not \"TERM:QUIT\"" },
	{ "\"stop\": {\"rewrite\": {\"KILL\": \"TERM\"}}", "'KILL:TERM': SIGKILL never comes to be passed on" },
	/* checks */
	{ "\"health\": {\"ready\": {}}", "expected an array, not an object" },
	{ "\"health\": {\"ready\": [{}]}", "\"target\" or \"command\" is missing" },
	{ "\"health\": {\"ready\": [5]}", "expected an object, not 5" },
	{ "\"health\": {\"ready\": [{\"target\": \"ftp://a/\"}]}", NULL },
	{ "\"health\": {\"ready\": [{\"target\": \"tcp://a:1\", \"intervall\": \"1s\"}]}",
		"unknown key; did you mean \"interval\"?" },
	{ "\"health\": {\"ready\": [{\"target\": \"tcp://a:1\", \"command\": [\"a\"]}]}",
		"a check has either \"target\" or \"command\"" },
	{ "\"health\": {\"ready\": [{\"name\": \"a\"}]}", "\"target\" or \"command\" is missing" },
	{ "\"health\": {\"ready\": [{\"command\": [\"\"]}]}", "names no command" },
	{ "\"health\": {\"ready\": [\"exec:sh -c 'a'\"]}",
		"'exec:sh -c 'a'': exec: is split at blanks, and quotes mean nothing there: put the command into a "
		"script, or as \"command\": [\"sh\", \"-c\", ...] of a check into a file (--config)" },
	{ "\"health\": {\"ready\": [{\"target\": \"tcp://a:1\", \"interval\": \"9ms\"}]}",
		"'9ms': expected at least 10ms" },
	{ "\"health\": {\"ready\": [{\"target\": \"tcp://a:1\", \"body\": \"x\"}]}",
		"'tcp://a:1': body is for http targets alone" },
	{ "\"health\": {\"ready\": [{\"target\": \"http://a/\", \"expect\": []}]}", "the value is empty" },
	{ "\"health\": {\"ready\": [{\"target\": \"http://a/\", \"headers\": {\"Expect\": \"x\"}}]}",
		"Expect is the prober's own" },
	{ "\"health\": {\"live\": [\"notify\"]}", "'notify' says when the workload is ready: it is for ready alone" },
	/* variables */
	{ "\"user\": \"${UNSET}\"", "the variable UNSET is not set: set it, or write ${UNSET:-TEXT}" },
	{ "\"user\": \"$USER\"", "'$USER': a variable is ${NAME}, a dollar sign is $$" },
	/* the whole */
	{ "\"stop\": {\"timeout\": \"8s\", \"drain\": \"8s\"}",
		"--drain takes all of --stop-timeout: the workload would be killed without a stop signal" },
	{ "\"seccomp\": {\"report\": true}", "there is no filter to report on; give a --seccomp" },
	{ "\"health\": {\"ready\": [\"tcp://a:1\", \"tcp://a:1\"]}",
		"two checks have the name 'tcp://a:1': give one of them another (name=...)" },
};

static void tells_all_that_is_wrong_with_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refusals); i++) {
		const char *findings = read_as(refusals[i].text, false);

		if (refusals[i].findings == NULL ? *findings == '\0' : strcmp(findings, refusals[i].findings) != 0)
			fail_msg("%s: %s", refusals[i].text, findings);
	}
}

static void says_what_was_expected(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(service_refusals); i++) {
		const char *findings = read_as(service(service_refusals[i].text), false), *sentence;
		char begin[64];

		assert_int_equal(config.error_count, 1);
		snprintf(begin, sizeof begin, ": services.main.%.*s", (int)strcspn(service_refusals[i].text + 1, "\""),
			service_refusals[i].text + 1);
		if (strncmp(findings, "f:1:", 4) != 0 || strstr(findings, begin) == NULL)
			fail_msg("%s, expected %s", findings, begin);
		sentence = strstr(strstr(findings, begin) + strlen(begin), ": ") + 2;
		if (service_refusals[i].findings != NULL && strcmp(sentence, service_refusals[i].findings) != 0)
			fail_msg("%s, expected %s", sentence, service_refusals[i].findings);
	}
}

static void tells_a_hundred_and_counts_the_rest(void **state)
{
	char text[4096] = "{\"services\":{\"a\":{}}";
	size_t at = strlen(text);

	(void)state;
	for (unsigned i = 0; i < 120; i++)
		at += (size_t)snprintf(text + at, sizeof text - at, ",\"unknown%u\":1", i);
	snprintf(text + at, sizeof text - at, "}");
	read_as(text, false);
	assert_int_equal(config.finding_count, CONFIG_FINDINGS_MAX);
	assert_int_equal(config.error_count, 120);
}

static void refuses_an_object_of_thousands(void **state)
{
	static char text[MODEL_CHECKS_MAX * 64];
	size_t at = (size_t)snprintf(text, sizeof text, "{\"services\":{\"a\":{\"environment\":{");

	(void)state;
	for (unsigned i = 0; i < 4097; i++)
		at += (size_t)snprintf(text + at, sizeof text - at, "%s\"%u\":1", i > 0 ? "," : "", i);
	snprintf(text + at, sizeof text - at, "}}}}");
	assert_string_equal(read_as(text, false), "f:1:33: services.a.environment: more than 4096 values");
}

static void an_unset_variable_is_a_warning_where_nothing_starts(void **state)
{
	(void)state;
	assert_string_equal(
		read_as(service("\"user\": \"${UNSET}\", \"health\": {\"live\": [{\"target\": \"${UNSET}\"}], "
				"\"retries\": \"${UNSET}\"}"),
			true),
		"warning: f:1:30: services.main.user: the variable UNSET is not set: set it, or write ${UNSET:-TEXT}\n"
		"warning: f:1:73: services.main.health.live[0].target: the variable UNSET is not set: set it, or write "
		"${UNSET:-TEXT}\n"
		"warning: f:1:98: services.main.health.retries: the variable UNSET is not set: set it, or write "
		"${UNSET:-TEXT}");
	assert_int_equal(config.error_count, 0);
	assert_null(model.main.confinement.user);
	assert_int_equal(model.main.check_count, 0);
}

/* ---- variables ---- */

static const struct config_memory memory = { .limit = 512 << 20, .total = UINT64_C(8) << 30 };

static const struct expansion {
	const char *text;
	int error;
	const char *result;
} expansions[] = {
	{ "", 0, "" },
	{ "plain", 0, "plain" },
	{ "${HOME}", 0, "/root" },
	{ "${A}${AB}", 0, "shortlonger" },
	{ "a${PORT}b", 0, "a4000b" },
	{ "${EMPTY}", 0, "" },
	{ "${EMPTY:-x}", 0, "x" },
	{ "${UNSET:-a b:-c}", 0, "a b:-c" },
	{ "${UNSET:-}", 0, "" },
	{ "${PORT:-x}", 0, "4000" },
	{ "${DOLLAR}", 0, "a$b" },
	{ "$$", 0, "$" },
	{ "$${HOME}", 0, "${HOME}" },
	{ "$$$$HOME", 0, "$$HOME" },
	{ "}", 0, "}" },
	{ "${UNSET}", -ENOENT, "the variable UNSET is not set: set it, or write ${UNSET:-TEXT}" },
	{ "${HOM}", -ENOENT, "the variable HOM is not set: set it, or write ${HOM:-TEXT}" },
	{ "a$HOME", -EINVAL, "'$HOME': a variable is ${NAME}, a dollar sign is $$" },
	{ "a$", -EINVAL, "'$': a variable is ${NAME}, a dollar sign is $$" },
	{ "${", -EINVAL, "'${': expected ${NAME} or ${NAME:-TEXT}; a dollar sign is $$" },
	{ "${}", -EINVAL, "'${}': expected ${NAME} or ${NAME:-TEXT}; a dollar sign is $$" },
	{ "${HOME", -EINVAL, "'${HOME': expected ${NAME} or ${NAME:-TEXT}; a dollar sign is $$" },
	{ "${1}", -EINVAL, "'${1}': expected ${NAME} or ${NAME:-TEXT}; a dollar sign is $$" },
	{ "${HOME-x}", -EINVAL, "'${HOME-x}': expected ${NAME} or ${NAME:-TEXT}; a dollar sign is $$" },
	{ "${HOME:x}", -EINVAL, "'${HOME:x}': expected ${NAME} or ${NAME:-TEXT}; a dollar sign is $$" },
	{ "--max-old-space-size=${memory.limit * 75% / 1MiB}M", 0, "--max-old-space-size=384M" },
	{ "${memory.limit:-1GiB}${memory.total}", 0, "5368709128589934592" },
	{ "${UNSET:-memory.limit}", 0, "memory.limit" },
	{ "${memory}", -ENOENT, "the variable memory is not set: set it, or write ${memory:-TEXT}" },
	{ "${memory:-memory.limit}", 0, "memory.limit" },
	{ "${memory.limit * 0}${HOME}", 0, "0/root" },
	{ "${memory.limit * }/x", -EINVAL,
		"'${memory.limit * }' at '}/x': expected a number, a size such as 64MiB, memory.limit, memory.total, "
		"min(, max( or (" },
	{ "${memory.limit", -EINVAL, "'${memory.limit': expected ${NAME} or ${NAME:-TEXT}; a dollar sign is $$" },
	{ "${memory} ${memory.limit", -EINVAL,
		"'${memory.limit': expected ${NAME} or ${NAME:-TEXT}; a dollar sign is $$" },
	{ "${memory} ${UNSET}", -ENOENT, "the variable memory is not set: set it, or write ${memory:-TEXT}" },
	{ "${A:-${B}}", -EINVAL, "'${A:-${B}}': expected ${NAME} or ${NAME:-TEXT}; a dollar sign is $$" },
};

static void variables_are_put_in(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(expansions); i++) {
		cleanup_free char *text = NULL;
		const int error = config_expand(expansions[i].text, (char **)environment, &memory, &text, &why);

		if (error != expansions[i].error)
			fail_msg("%s: %d", expansions[i].text, error);
		assert_string_equal(error == 0 ? text : why.text, expansions[i].result);
	}
}

/* Nobody who checks a file in a container without a limit is to learn of it at a start in one that has a limit. */
static void what_is_wrong_under_any_limit_goes_before_a_limit_that_is_missing(void **state)
{
	static const struct config_memory unlimited = { .total = UINT64_C(8) << 30 };
	static const struct {
		const char *text;
		int error;
		const char *begins; /* of the sentence */
	} rows[] = {
		{ "${memory.limit / 2}", -ENOENT,
			"'${memory.limit / 2}' at 'memory.limit / 2}': this container has no" },
		{ "${memory.limit - 8TiB}", -ENOENT, "'${memory.limit - 8TiB}' at 'memory.limit - 8TiB}': this" },
		{ "${1TiB / (memory.limit / 16GiB)}", -ENOENT,
			"'${1TiB / (memory.limit / 16GiB)}' at 'memory.limit /" },
		{ "${memory.limit * }", -EINVAL, "'${memory.limit * }' at '}': expected a number" },
		{ "${memory.limits * 3}", -EINVAL, "'${memory.limits * 3}' at 's * 3}': expected an operator or }" },
		{ "${memory.limit / 0}", -EDOM, "'${memory.limit / 0}' at '/ 0}': a division by zero" },
		{ "${memory.limit} ${memory.limit / 0}", -EDOM, "'${memory.limit / 0}' at '/ 0}': a division" },
		{ "${UNSET} $HOME", -EINVAL, "'$HOME': a variable is" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *text = NULL;
		const int error = config_expand(rows[i].text, (char **)environment, &unlimited, &text, &why);

		if (error != rows[i].error || strncmp(why.text, rows[i].begins, strlen(rows[i].begins)) != 0)
			fail_msg("%s: %d, %s", rows[i].text, error, why.text);
		assert_null(text);
	}
}

static void what_is_put_in_has_an_end(void **state)
{
	static char text[CONFIG_TEXT_MAX + 2];
	cleanup_free char *same = NULL;

	(void)state;
	memset(text, 'x', CONFIG_TEXT_MAX + 1);
	assert_int_equal(config_expand(text, (char **)environment, &memory, &same, &why), -E2BIG);
	text[CONFIG_TEXT_MAX] = '\0';
	assert_int_equal(config_expand(text, (char **)environment, &memory, &same, &why), 0);
	assert_string_equal(same, text);
}

static void sizes_are_read_as_people_write_them(void **state)
{
	static const struct {
		const char *text;
		int error;
		uint64_t bytes;
	} sizes[] = {
		{ "0", 0, 0 },
		{ "512", 0, 512 },
		{ "1k", 0, 1024 },
		{ "64KiB", 0, 65536 },
		{ "768MiB", 0, UINT64_C(768) << 20 },
		{ "2g", 0, UINT64_C(2) << 30 },
		{ "1tIb", 0, UINT64_C(1) << 40 },
		{ "16777215TiB", 0, UINT64_C(16777215) << 40 },
		{ "16777216TiB", -ERANGE, 0 },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "k", -EINVAL, 0 },
		{ "1 k", -EINVAL, 0 },
		{ "1KB", -EINVAL, 0 },
		{ "1b", -EINVAL, 0 },
		{ "1ki", -EINVAL, 0 },
		{ "1KiBs", -EINVAL, 0 },
		{ "1.5g", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		uint64_t bytes = 0;

		if (size_parse(sizes[i].text, &bytes) != sizes[i].error || bytes != sizes[i].bytes)
			fail_msg("%s: %llu", sizes[i].text, (unsigned long long)bytes);
	}
}

/* ---- what is written ---- */

static const char whole[] =
	"\"command\": \"node x\", \"environment\": {\"A\": \"$${b}\", \"TOKEN\": \"${TOKEN}\"}, \"user\": \"app\", "
	"\"stop\": {\"pre_stop\": \"a b\", \"drain\": \"1h1m1s1ms\"}, \"health\": {\"startup\": [\"exec:a $$b\"], "
	"\"ready\": [{\"target\": \"http://a/\", \"name\": \"x\", \"headers\": [\"Authorization: Bearer y\", \"X-Key: "
	"z\", \"X: 1\", \"X: 2\"]}]}";

static void what_is_written_means_the_same(void **state)
{
	cleanup_free char *first = NULL, *second = NULL, *monitors = NULL;

	(void)state;
	assert_string_equal(read_as(service(whole), false), "");
	monitors = written(&model, CONFIG_FOR_MONITOR);
	assert_string_equal(read_as(monitors, false), "");
	first = written(&model, CONFIG_FOR_MONITOR);
	assert_string_equal(monitors, first);
	assert_int_equal(model.main.check_count, 2);
	assert_string_equal(model.main.check[0].name, "x");
	assert_string_equal(model.main.check[0].exchange.header[0], "Authorization: Bearer y");
	assert_string_equal(model.main.check[0].exchange.header[3], "X: 2");
	assert_string_equal(model.main.check[1].text, "exec:a $b");
	assert_int_equal(model.main.stop.drain_ns, INT64_C(3661001000000));
	for (size_t i = 0; i < COUNT(pairs); i++) {
		parse_words(pairs[i].words);
		free(monitors);
		free(second);
		monitors = written(&model, CONFIG_FOR_MONITOR);
		memset(&model, 0, sizeof model);
		assert_int_equal(options_parse_text("f", monitors, strlen(monitors), &model, &why), 0);
		second = written(&model, CONFIG_FOR_MONITOR);
		assert_string_equal(monitors, second);
	}
}

static void the_monitor_hears_no_secret_of_the_workload(void **state)
{
	cleanup_free char *text = NULL;

	(void)state;
	assert_string_equal(read_as(service(whole), false), "");
	text = written(&model, CONFIG_FOR_MONITOR);
	assert_null(strstr(text, "geheim"));
	assert_null(strstr(text, "node"));
	assert_null(strstr(text, "pre_stop"));
}

static void people_are_shown_no_secret(void **state)
{
	cleanup_free char *text = NULL;

	(void)state;
	assert_string_equal(read_as(service(whole), false), "");
	text = written(&model, CONFIG_FOR_PEOPLE);
	assert_non_null(strstr(text, "\"TOKEN\": \"REDACTED\""));
	assert_non_null(strstr(text, "\"Authorization: REDACTED\""));
	assert_non_null(strstr(text, "\"X-Key: REDACTED\""));
	assert_non_null(strstr(text, "\"X: 2\""));
	assert_non_null(strstr(text, "\"A\": \"$${b}\""));
	assert_null(strstr(text, "geheim"));
}

/* ---- beside options and variables ---- */

#define FILE_OF(name) SOURCE_ROOT "/tests/data/config/" name ".json"

static int parse_beside(const char *const *words, const char *variable, const char *default_file)
{
	char *const env[] = { (char *)variable, NULL };
	enum options_wish wish;

	memset(&model, 0, sizeof model);
	return options_parse((char **)words, (char **)env, default_file, &model, &wish, &why);
}

static void options_win_over_variables_and_both_over_the_file(void **state)
{
	static const char *const plain[] = { "nest-init", NULL };
	static const char *const by_word[] = { "nest-init", "--drain", "1s", "--ready", "tcp://b:1", "--pre-stop",
		"x y", "--restart=always", "echo", "hi", NULL };

	(void)state;
	assert_int_equal(parse_beside(plain, NULL, FILE_OF("whole")), 0);
	assert_string_equal(model.config, FILE_OF("whole"));
	assert_string_equal(model.main.command[0], "sleep");
	assert_int_equal(model.main.stop.drain_ns, INT64_C(3000000000));
	assert_string_equal(model.main.stop.pre_stop[0], "true");
	assert_string_equal(model.main.check[0].name, "tcp://a:1");
	assert_int_equal(model.main.restart.attempts, 7);

	assert_int_equal(parse_beside(plain, "NEST_INIT_DRAIN=2s", FILE_OF("whole")), 0);
	assert_int_equal(model.main.stop.drain_ns, INT64_C(2000000000));

	assert_int_equal(parse_beside(by_word, "NEST_INIT_DRAIN=2s", FILE_OF("whole")), 0);
	assert_int_equal(model.main.stop.drain_ns, INT64_C(1000000000));
	assert_string_equal(model.main.command[0], "echo");
	assert_string_equal(model.main.stop.pre_stop[0], "x");
	assert_int_equal(model.main.check_count, 1);
	assert_string_equal(model.main.check[0].name, "tcp://b:1");
	assert_int_equal(model.main.restart.kind, RESTART_ALWAYS);
	assert_int_equal(model.main.restart.attempts, 5);
	assert_int_equal(model.main.restart.max_backoff_ns, INT64_C(9000000000));
}

static void a_value_that_loses_is_looked_at_all_the_same(void **state)
{
	static const char *const words[] = { "nest-init", "--drain", "1s", "true", NULL };

	(void)state;
	assert_int_equal(parse_beside(words, NULL, FILE_OF("bad")), -EINVAL);
	assert_string_equal(why.text,
		FILE_OF("bad") ":1:46: services.main.stop.drain: '5x': expected a duration such as 500ms, 8s or 1m30s");
}

static void the_first_error_of_several_says_how_to_see_all(void **state)
{
	static const char *const words[] = { "nest-init", "true", NULL };

	(void)state;
	assert_string_equal(read_as("{\"a\":1,\"b\":2}", false),
		"f:1:2: a: unknown key\nf:1:8: b: unknown key\nf:1:1: \"services\" is missing");
	config_complain(&config, "f", &why);
	assert_string_equal(why.text, "f:1:2: a: unknown key (the first of 3: nest-init check f)");
	assert_int_equal(parse_beside(words, "NEST_INIT_CONFIG=" FILE_OF("none"), NULL), -ENOENT);
	assert_string_equal(why.text, FILE_OF("none") ": No such file or directory");
}

static void the_default_file_may_be_missing(void **state)
{
	static const char *const words[] = { "nest-init", "true", NULL };
	static const char *const none[] = { "nest-init", NULL };

	(void)state;
	assert_int_equal(parse_beside(words, NULL, FILE_OF("none")), 0);
	assert_null(model.config);
	assert_int_equal(parse_beside(words, NULL, FILE_OF("least") "/x"), -ENOTDIR);
	assert_int_equal(parse_beside(words, "NEST_INIT_CONFIG=" FILE_OF("least"), FILE_OF("bad")), 0);
	assert_int_equal(model.main.confinement.limits.oom_score_adj, 77);
	assert_int_equal(parse_beside(none, NULL, FILE_OF("least")), -EINVAL);
	assert_string_equal(why.text, "no command given: nest-init [OPTION...] [--] COMMAND [ARG...]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_means_what_its_option_means),
		cmocka_unit_test(every_option_has_a_key),
		cmocka_unit_test(a_command_is_words_or_split_at_blanks),
		cmocka_unit_test(environment_is_an_object_or_an_array),
		cmocka_unit_test(a_restart_has_its_whole_policy),
		cmocka_unit_test(services_and_tasks_name_each_other),
		cmocka_unit_test(a_page_is_a_string_or_an_object),
		cmocka_unit_test(a_secret_has_a_file_services_and_an_action),
		cmocka_unit_test(comments_are_passed_over),
		cmocka_unit_test(tells_all_that_is_wrong_with_its_place),
		cmocka_unit_test(says_what_was_expected),
		cmocka_unit_test(tells_a_hundred_and_counts_the_rest),
		cmocka_unit_test(refuses_an_object_of_thousands),
		cmocka_unit_test(an_unset_variable_is_a_warning_where_nothing_starts),
		cmocka_unit_test(variables_are_put_in),
		cmocka_unit_test(what_is_wrong_under_any_limit_goes_before_a_limit_that_is_missing),
		cmocka_unit_test(what_is_put_in_has_an_end),
		cmocka_unit_test(sizes_are_read_as_people_write_them),
		cmocka_unit_test(what_is_written_means_the_same),
		cmocka_unit_test(the_monitor_hears_no_secret_of_the_workload),
		cmocka_unit_test(people_are_shown_no_secret),
		cmocka_unit_test(options_win_over_variables_and_both_over_the_file),
		cmocka_unit_test(a_value_that_loses_is_looked_at_all_the_same),
		cmocka_unit_test(the_first_error_of_several_says_how_to_see_all),
		cmocka_unit_test(the_default_file_may_be_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
