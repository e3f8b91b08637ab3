#include "base/clock.h"
#include "base/options.h"
#include "base/signame.h"
#include "init/help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define WORDS_MAX 8

/* What a variable's value is cut into lives as long as the process (options.h); where it was read into numbers nothing
 * points at it any more. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:set_from_variable\nleak:add_check\nleak:take_file\nleak:add_pages\nleak:option_add_variable\nleak:"
	       "expand_variables\nleak:set_logging\nleak:add_tmpfs\n";
}

/* ---- a model, said in words: everything that differs from the defaults ---- */

struct words {
	char text[2048];
	size_t at;
};

static void say(struct words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct words *words, const char *format, ...)
{
	va_list args;

	if (words->at > 0)
		words->text[words->at++] = ' ';
	va_start(args, format);
	words->at += (size_t)vsnprintf(words->text + words->at, sizeof words->text - words->at, format, args);
	va_end(args);
	assert_true(words->at < sizeof words->text - 1);
}

static void say_ms(struct words *words, const char *name, int64_t ns, int64_t usual_ns)
{
	if (ns != usual_ns)
		say(words, "%s=%" PRId64 "ms", name, ns / NS_PER_MS);
	assert_int_equal(ns == TIME_NEVER ? 0 : ns % NS_PER_MS, 0);
}

static void say_logging(struct words *words, const struct logging *logging)
{
	if (logging->format != LOGGING_NONE)
		say(words, "logs=%s", logging_format_name(logging->format));
	if (logging->file != NULL)
		say(words, ":%s:%d:%u", logging->file, (int)logging->max_size, logging->max_file);
	if (logging->non_blocking)
		say(words, "non-blocking=%d", (int)logging->max_buffer_size);
}

static void say_ports(struct words *words, const char *name, const struct port_list *list)
{
	if (list->given)
		say(words, "%s=", name);
	for (size_t i = 0; i < list->count; i++)
		say(words, "%u", list->port[i]);
}

static void say_confinement(struct words *words, const struct confinement *confinement)
{
	static const char modes[][10] = { "off", "auto", "remount", "landlock", "verify" };

	if (confinement->user != NULL)
		say(words, "user=%s", confinement->user);
	for (char **variable = confinement->environment; variable != NULL && *variable != NULL; variable++)
		say(words, "env=%s", *variable);
	if (confinement->file_env != NULL)
		say(words, "file-env=%s", confinement->file_env);
	for (size_t i = 0; i < confinement->groups.count; i++)
		say(words, "group=%s", confinement->groups.group[i]);
	if (confinement->workdir != NULL)
		say(words, "workdir=%s", confinement->workdir);
	if (confinement->umask_given)
		say(words, "umask=%o", confinement->umask);
	for (unsigned i = 0; i < ULIMIT_COUNT; i++)
		if ((confinement->limits.given >> i & 1) != 0)
			say(words, "%s=%" PRIi64 ":%" PRIi64, ulimit_name(i),
				(int64_t)confinement->limits.limit[i].soft, (int64_t)confinement->limits.limit[i].hard);
	if (confinement->limits.oom_score_adj_given)
		say(words, "oom=%d", confinement->limits.oom_score_adj);
	if (confinement->cap_given)
		say(words, "caps=-%" PRIx64 "+%" PRIx64, confinement->cap_drop, confinement->cap_add);
	if (confinement->securebits != 0)
		say(words, "securebits=%x", (unsigned)confinement->securebits);
	if (!confinement->no_new_privs)
		say(words, "new-privs");
	if (confinement->seccomp != NULL)
		say(words, "seccomp=%s", confinement->seccomp);
	if (confinement->foreign_level != NULL)
		say(words, "level?=%s", confinement->foreign_level);
	if (confinement->seccomp_report)
		say(words, "report");
	if (confinement->read_only != READ_ONLY_OFF)
		say(words, "read-only=%s", modes[confinement->read_only]);
	for (size_t i = 0; i < confinement->writable.count; i++)
		say(words, "writable=%s", confinement->writable.path[i]);
	for (size_t i = 0; i < confinement->tmpfs.count; i++)
		say(words, "tmpfs=%s(%s)", confinement->tmpfs.mount[i].path, confinement->tmpfs.mount[i].options);
	say_ports(words, "bind", &confinement->tcp_bind);
	say_ports(words, "connect", &confinement->tcp_connect);
	for (size_t i = 0; i < confinement->exec_allow.count; i++)
		say(words, "exec=%s", confinement->exec_allow.path[i]);
	if (confinement->hardened)
		say(words, "hardened");
	if (confinement->best_effort)
		say(words, "best-effort");
}

static void say_timing(struct words *words, const struct check_timing *timing)
{
	say_ms(words, "interval", timing->interval_ns, 30 * NS_PER_S);
	say_ms(words, "timeout", timing->timeout_ns, 30 * NS_PER_S);
	say_ms(words, "start-period", timing->start_period_ns, 0);
	say_ms(words, "start-interval", timing->start_interval_ns, NS_PER_S);
	if (timing->retries != 3)
		say(words, "retries=%u", timing->retries);
}

static const char *said(const struct model *model)
{
	static struct words words;
	char name[SIGNAL_NAME_SIZE];

	words.at = 0;
	words.text[0] = '\0';
	say_confinement(&words, &model->main.confinement);
	if (model->main.stop.signal != 0)
		say(&words, "stop=%s", signal_name(model->main.stop.signal, name));
	say_ms(&words, "drain", model->main.stop.drain_ns, 0);
	say_ms(&words, "budget", model->main.stop.timeout_ns, TIME_NEVER);
	for (int i = 1; i < MODEL_SIGNALS; i++)
		if ((model->main.stop.on >> (i - 1) & 1) != 0)
			say(&words, "on=%d", i);
	for (char **word = model->main.stop.pre_stop; word != NULL && *word != NULL; word++)
		say(&words, "pre-stop=%s", *word);
	say_ms(&words, "pre-stop-timeout", model->main.stop.pre_stop_timeout_ns, 0);
	say_logging(&words, &model->main.logging);
	if (model->log_format != LOG_FORMAT_TEXT)
		say(&words, "%s", log_format_name(model->log_format));
	if (model->log_level != LOG_LEVEL_NOTICE)
		say(&words, "log=%s", log_level_name(model->log_level));
	for (int i = 0; i < MODEL_SIGNALS; i++)
		if (model->main.stop.rewrite[i] != 0)
			say(&words, "rewrite=%d:%d", i, model->main.stop.rewrite[i]);
	for (int i = 0; i < 256; i++)
		if ((model->main.stop.clean_exit[i / 64] >> i % 64 & 1) != 0)
			say(&words, "clean=%d", i);
	if (model->main.restart.kind != RESTART_NEVER)
		say(&words, "restart=%s", model->main.restart.kind == RESTART_ALWAYS ? "always" : "on-failure");
	if (model->main.restart.attempts != 5)
		say(&words, "attempts=%u", model->main.restart.attempts);
	say_ms(&words, "backoff", model->main.restart.backoff_ns, NS_PER_S);
	if (model->main.on_unhealthy != UNHEALTHY_NONE)
		say(&words, "unhealthy=%d,%d", (int)model->main.on_unhealthy, model->main.unhealthy_signal);
	for (size_t i = 0; i < model->main.watch.count; i++)
		say(&words, "watch=%s", model->main.watch.path[i]);
	say_ms(&words, "watchdog", model->main.watchdog_ns, 0);
	for (size_t i = 0; i < model->main.check_count; i++) {
		const struct check *check = &model->main.check[i];

		say(&words, "%s=%s#%d", check_kind_name(check->kind), check->text, (int)check->target.kind);
		if (strcmp(check->name, check->text) != 0)
			say(&words, "name=%s", check->name);
		if (check->target.kind == TARGET_NOTIFY)
			assert_true(check->timing.retries == 1 && check->timing.success_threshold == 1);
		else if (check->given == 0)
			assert_memory_equal(&check->timing, &model->main.timing, sizeof model->main.timing);
		if (check->given == 0)
			assert_memory_equal(
				&check->exchange.expected, &model->main.expected, sizeof model->main.expected);
	}
	for (size_t i = 0; i < model->main.expected.count; i++)
		say(&words, "expect=%u-%u", model->main.expected.range[i].first, model->main.expected.range[i].last);
	say_timing(&words, &model->main.timing);
	for (size_t i = 0; i < model->listen_count; i++)
		say(&words, "listen=%s", model->listen[i]);
	if (model->users != NULL)
		say(&words, "users=%s", model->users);
	if (model->tokens != NULL)
		say(&words, "tokens=%s", model->tokens);
	if (model->tls_certificate != NULL)
		say(&words, "tls_cert=%s", model->tls_certificate);
	if (model->tls_key != NULL)
		say(&words, "tls_key=%s", model->tls_key);
	if (model->trace_endpoint != NULL)
		say(&words, "trace=%s", model->trace_endpoint);
	if (model->otel_resource)
		say(&words, "otel-resource");
	for (size_t i = 0; i < model->merge_count; i++)
		say(&words, "merge=%s", model->merge[i].name);
	if (model->main.command != NULL) {
		say(&words, "|");
		for (char **word = model->main.command; *word != NULL; word++)
			say(&words, "%s", *word);
	}
	return words.text;
}

/* ---- what is parsed ---- */

static struct model model;
static struct complaint why;
static enum options_wish wish;

/* Parses "nest-init" and the words behind it; the words end at the first NULL. */
static int parse(const char *const *words, const char *const *variables)
{
	static const char *argv[WORDS_MAX + 2], *env[WORDS_MAX + 1]; /* the model borrows them */

	memset(argv, 0, sizeof argv);
	memset(env, 0, sizeof env);
	argv[0] = "nest-init";
	for (size_t i = 0; i < WORDS_MAX && words[i] != NULL; i++)
		argv[i + 1] = words[i];
	for (size_t i = 0; i < WORDS_MAX && variables[i] != NULL; i++)
		env[i] = variables[i];
	memset(&model, 0, sizeof model);
	why.text[0] = '\0';
	wish = OPTIONS_VERSION;
	return options_parse((char **)argv, (char **)env, NULL, &model, &wish, &why);
}

#define HARDENED "caps=-ffffffffffffffff+0 seccomp=default read-only=auto hardened"

static const struct story {
	const char *argv[WORDS_MAX], *env[WORDS_MAX];
	const char *model;
} stories[] = {
	/* where options end */
	{ { "true" }, { NULL }, "| true" },
	{ { "sh", "-c", "echo", "--user" }, { NULL }, "| sh -c echo --user" },
	{ { "--", "true" }, { NULL }, "| true" },
	{ { "--", "--user", "0" }, { NULL }, "| --user 0" },
	{ { "--", "--" }, { NULL }, "| --" },
	{ { "--", "-h" }, { NULL }, "| -h" },
	{ { "true", "--" }, { NULL }, "| true --" },
	{ { "-", "x" }, { NULL }, "| - x" },
	{ { "" }, { NULL }, "| " },
	{ { "--user", "node", "true", "--user", "root" }, { NULL }, "user=node | true --user root" },
	/* values: behind the name or behind = */
	{ { "--user=node:1000", "true" }, { NULL }, "user=node:1000 | true" },
	{ { "--user", "--", "true" }, { NULL }, "user=-- | true" },
	{ { "--user", "-h", "true" }, { NULL }, "user=-h | true" },
	{ { "--user=a=b", "true" }, { NULL }, "user=a=b | true" },
	{ { "--user", "a", "--user", "b", "true" }, { NULL }, "user=b | true" },
	/* identity and limits */
	{ { "--group-add", "video", "--group-add=44", "true" }, { NULL }, "group=video group=44 | true" },
	{ { "--workdir", "/app", "--workdir=/srv", "true" }, { NULL }, "workdir=/srv | true" },
	{ { "--umask", "027", "true" }, { NULL }, "umask=27 | true" },
	{ { "--umask=0", "true" }, { NULL }, "umask=0 | true" },
	{ { "--umask=0777", "true" }, { NULL }, "umask=777 | true" },
	{ { "--env", "A=b c", "--env=B=", "true" }, { NULL }, "env=A=b c env=B= | true" },
	{ { "--env", "A=b", "--env=AB=c", "--env=A=d", "true" }, { NULL }, "env=A=d env=AB=c | true" },
	{ { "--file-env", "A,b_2", "true" }, { "NEST_INIT_FILE_ENV=all" }, "file-env=A,b_2 | true" },
	{ { "--env=A=$${B}${B}${C:-d}", "true" }, { "B=x" }, "env=A=${B}xd | true" },
	{ { "--env=A=${1 * memory.total * 0}", "true" }, { NULL }, "env=A=0 | true" },
	{ { "true" }, { "NEST_INIT_ENV=A=b B=${X}", "X=y z" }, "env=A=b env=B=y z | true" },
	{ { "--ulimit", "nofile=1024", "true" }, { NULL }, "nofile=1024:1024 | true" },
	{ { "--ulimit", "nofile=1024:65536", "--ulimit=core=0", "true" }, { NULL },
		"core=0:0 nofile=1024:65536 | true" },
	{ { "--ulimit", "nofile=1", "--ulimit", "nofile=2:3", "true" }, { NULL }, "nofile=2:3 | true" },
	{ { "--ulimit=core=-1", "--ulimit=memlock=unlimited", "--ulimit=stack=1:-1", "true" }, { NULL },
		"stack=1:-1 core=-1:-1 memlock=-1:-1 | true" },
	{ { "--ulimit=cpu=18446744073709551615", "true" }, { NULL }, "cpu=-1:-1 | true" },
	{ { "--oom-score-adj", "-1000", "true" }, { NULL }, "oom=-1000 | true" },
	{ { "--oom-score-adj=1000", "true" }, { NULL }, "oom=1000 | true" },
	{ { "true" }, { "NEST_INIT_ULIMIT=nofile=1:2 nproc=3", "NEST_INIT_OOM_SCORE_ADJ=0" },
		"nproc=3:3 nofile=1:2 oom=0 | true" },
	/* capabilities */
	{ { "--cap-drop", "all", "true" }, { NULL }, "caps=-ffffffffffffffff+0 | true" },
	{ { "--securebits", "noroot,no_cap_ambient_raise_locked", "--securebits=keep_caps_locked", "true" }, { NULL },
		"securebits=a1 | true" },
	{ { "--cap-drop=ALL", "--cap-add=CAP_CHOWN,net_bind_service", "true" }, { NULL },
		"caps=-ffffffffffffffff+401 | true" },
	{ { "--cap-drop", "chown", "--cap-drop", "kill,checkpoint_restore,", "true" }, { NULL },
		"caps=-10000000021+0 | true" },
	{ { "--exec-allow", "/bin/a", "--exec-allow=/usr/bin", "true" }, { NULL }, "exec=/bin/a exec=/usr/bin | true" },
	{ { "--tcp-bind", "0,80", "--tcp-bind=65535", "--tcp-connect=none", "true" }, { NULL },
		"bind= 0 80 65535 connect= | true" },
	{ { "true" }, { "NEST_INIT_TCP_CONNECT=443 5432,6379" }, "connect= 443 5432 6379 | true" },
	/* the preset, and what is said beside it */
	{ { "--security-level=standard", "true" }, { NULL }, "| true" },
	{ { "--security-level", "hardened", "true" }, { NULL }, HARDENED " | true" },
	{ { "--security-level=hardened", "--cap-drop=chown", "--seccomp=unconfined", "--read-only=no", "true" },
		{ "NEST_INIT_NO_NEW_PRIVS=no", "NEST_INIT_EXEC_ALLOW=/bin/a" },
		"caps=-1+0 new-privs seccomp=unconfined exec=/bin/a hardened | true" },
	{ { "--cap-add=chown", "true" }, { "NEST_INIT_SECCOMP=", "NEST_INIT_SECURITY_LEVEL=hardened" },
		"caps=-ffffffffffffffff+1 seccomp=default read-only=auto hardened | true" },
	{ { "--read-only=landlock", "true" }, { "NEST_INIT_SECCOMP=node", "NEST_INIT_SECURITY_LEVEL=hardened" },
		"caps=-ffffffffffffffff+0 seccomp=node read-only=landlock hardened | true" },
	{ { "true" }, { "SECURITY_LEVEL=hardened" }, HARDENED " | true" },
	{ { "true" }, { "SECURITY_LEVEL=hardened", "NEST_INIT_SECURITY_LEVEL=" }, HARDENED " | true" },
	{ { "true" }, { "SECURITY_LEVEL=hardened", "NEST_INIT_SECURITY_LEVEL=standard" }, "| true" },
	{ { "--security-level=standard", "true" }, { "SECURITY_LEVEL=hardened" }, "| true" },
	{ { "true" }, { "NEST_INIT_SECURITY_LEVEL=hardened", "SECURITY_LEVEL=standard" }, HARDENED " | true" },
	{ { "true" }, { "SECURITY_LEVEL=high" }, "level?=high | true" },
	{ { "true" }, { "SECURITY_LEVEL=Hardened" }, "level?=Hardened | true" },
	{ { "true" }, { "SECURITY_LEVEL=hardened " }, "level?=hardened  | true" },
	{ { "true" }, { "SECURITY_LEVEL=" }, "| true" },
	{ { "true" }, { "SECURITY_LEVEL=standard" }, "| true" },
	{ { "true" }, { "SECURITY_LEVEL=high", "NEST_INIT_SECURITY_LEVEL=standard" }, "| true" },
	{ { "--security-level=standard", "true" }, { "SECURITY_LEVEL=high" }, "| true" },
	/* yes or no */
	{ { "--no-new-privs", "true" }, { NULL }, "| true" },
	{ { "--no-new-privs=no", "true" }, { NULL }, "new-privs | true" },
	{ { "--no-new-privs=OFF", "true" }, { NULL }, "new-privs | true" },
	{ { "--no-new-privs=false", "--no-new-privs=1", "true" }, { NULL }, "| true" },
	{ { "--best-effort", "true" }, { NULL }, "best-effort | true" },
	{ { "--best-effort=on", "true" }, { NULL }, "best-effort | true" },
	{ { "--best-effort", "--best-effort=0", "true" }, { NULL }, "| true" },
	{ { "--best-effort", "no" }, { NULL }, "best-effort | no" },
	{ { "--seccomp-report", "--seccomp", "node", "true" }, { NULL }, "seccomp=node report | true" },
	{ { "--seccomp=node", "true" }, { "NEST_INIT_SECCOMP_REPORT=yes" }, "seccomp=node report | true" },
	{ { "--seccomp-report=no", "true" }, { "NEST_INIT_SECCOMP_REPORT=yes" }, "| true" },
	/* the root */
	{ { "--read-only", "true" }, { NULL }, "read-only=auto | true" },
	{ { "--read-only=auto", "true" }, { NULL }, "read-only=auto | true" },
	{ { "--read-only=remount", "true" }, { NULL }, "read-only=remount | true" },
	{ { "--read-only=landlock", "true" }, { NULL }, "read-only=landlock | true" },
	{ { "--read-only=verify", "true" }, { NULL }, "read-only=verify | true" },
	{ { "--read-only=true", "true" }, { NULL }, "read-only=auto | true" },
	{ { "--read-only", "--read-only=no", "true" }, { NULL }, "| true" },
	{ { "--read-only", "--read-only=off", "true" }, { NULL }, "| true" },
	{ { "--writable", "/a", "--writable=/b", "true" }, { NULL }, "writable=/a writable=/b | true" },
	{ { "--tmpfs", "/tmp", "--tmpfs=/run:size=64m,mode=1777", "--tmpfs", "/x:", "true" }, { NULL },
		"tmpfs=/tmp() tmpfs=/run(size=64m,mode=1777) tmpfs=/x() | true" },
	{ { "--seccomp", "node", "true" }, { NULL }, "seccomp=node | true" },
	/* stopping */
	{ { "--stop-signal", "sigquit", "--drain", "2s", "--stop-timeout=1m30s", "true" }, { NULL },
		"stop=QUIT drain=2000ms budget=90000ms | true" },
	{ { "--rewrite", "TERM:QUIT", "--rewrite=SIGHUP:0", "--clean-exit", "143,0", "--clean-exit=255", "true" },
		{ NULL }, "rewrite=1:255 rewrite=15:3 clean=0 clean=143 clean=255 | true" },
	{ { "--stop-on", "term,SIGUSR1", "--stop-on=RTMIN+3", "true" }, { NULL }, "on=10 on=15 on=37 | true" },
	{ { "true" }, { "NEST_INIT_STOP_ON=HUP,INT 12" }, "on=1 on=2 on=12 | true" },
	{ { "--pre-stop", " nginx  -s\tquit ", "--pre-stop-timeout=3s", "true" }, { NULL },
		"pre-stop=nginx pre-stop=-s pre-stop=quit pre-stop-timeout=3000ms | true" },
	{ { "--pre-stop=a", "--drain=1s", "--stop-timeout=8s", "--pre-stop-timeout=6999ms", "true" }, { NULL },
		"drain=1000ms budget=8000ms pre-stop=a pre-stop-timeout=6999ms | true" },
	{ { "--service-log", "tagged", "true" }, { NULL }, "logs=tagged | true" },
	{ { "--service-log=json,file=/a,max-size=1m,max-file=2", "true" }, { NULL }, "logs=json :/a:1048576:2 | true" },
	{ { "--service-log=json", "true" }, { "NEST_INIT_SERVICE_LOG=tagged,mode=non-blocking,max-buffer-size=1m" },
		"logs=json | true" },
	{ { "true" }, { "NEST_INIT_SERVICE_LOG=tagged,mode=non-blocking,max-buffer-size=1m" },
		"logs=tagged non-blocking=1048576 | true" },
	{ { "--service-log=none", "true" }, { NULL }, "| true" },
	{ { "--log-format=json", "--log-level", "error", "true" }, { NULL }, "json log=error | true" },
	{ { "--log-format", "ecs", "true" }, { NULL }, "ecs | true" },
	{ { "--log-format", "text", "--log-level=warning", "true" }, { NULL }, "log=warning | true" },
	{ { "--stop-signal=RTMIN+3", "--drain=0", "--stop-timeout=1ms", "true" }, { NULL },
		"stop=RTMIN+3 budget=1ms | true" },
	{ { "--restart", "on-failure", "true" }, { NULL }, "restart=on-failure | true" },
	{ { "--restart=always:0", "--restart-backoff", "0", "true" }, { NULL },
		"restart=always attempts=0 backoff=0ms | true" },
	{ { "--restart=no", "true" }, { "NEST_INIT_RESTART=always" }, "| true" },
	{ { "--restart=unless-stopped:1000", "true" }, { NULL }, "restart=always attempts=1000 | true" },
	{ { "--on-unhealthy", "restart", "--live=tcp://a:1", "true" }, { NULL },
		"unhealthy=2,0 live=tcp://a:1#2 | true" },
	{ { "--on-unhealthy=stop", "--startup=tcp://a:1", "true" }, { NULL },
		"unhealthy=1,0 startup=tcp://a:1#2 | true" },
	{ { "--on-unhealthy=USR1", "--live=tcp://a:1", "true" }, { NULL }, "unhealthy=3,10 live=tcp://a:1#2 | true" },
	{ { "--on-unhealthy=none", "true" }, { NULL }, "| true" },
	/* health: every check gets the times, also those that come behind it */
	{ { "--ready", "tcp://db:5432", "--health-interval", "10ms", "--live=unix:/run/s", "true" }, { NULL },
		"ready=tcp://db:5432#2 live=unix:/run/s#3 interval=10ms | true" },
	{ { "--startup", "file:/ready", "--ready", "http://127.0.0.1:80/", "--health-retries", "1000", "true" },
		{ NULL }, "startup=file:/ready#4 ready=http://127.0.0.1:80/#0 retries=1000 | true" },
	{ { "--health-start-period", "0", "true" }, { NULL }, "| true" },
	{ { "--ready", "notify", "--health-retries", "7", "true" }, { NULL }, "ready=notify#6 retries=7 | true" },
	{ { "--watchdog", "1m", "--watchdog=10ms", "true" }, { "NEST_INIT_WATCHDOG=7s", NULL },
		"watchdog=10ms live=watchdog#6 | true" },
	{ { "--watchdog=24h", "--on-unhealthy", "stop", "true" }, { NULL },
		"unhealthy=1,0 watchdog=86400000ms live=watchdog#6 | true" },
	{ { "--health-timeout=1ms", "--health-start-period=40s", "--health-start-interval=500ms", "--health-retries=1",
		  "true" },
		{ NULL }, "timeout=1ms start-period=40000ms start-interval=500ms retries=1 | true" },
	{ { "--metrics", "127.0.0.1:9911", "--metrics=[::1]:1", "--metrics", ":65535", "true" }, { NULL },
		"listen=127.0.0.1:9911 listen=[::1]:1 listen=:65535 | true" },
	{ { "--metrics", "unix:/run/a?b.sock?mode=0666", "--metrics=fd:metrics", "true" }, { NULL },
		"listen=unix:/run/a?b.sock?mode=0666 listen=fd:metrics | true" },
	{ { "--metrics=:1", "--metrics-merge", "name=a http://a/ timeout=1s http://b/", "--metrics-merge=http://c/",
		  "true" },
		{ NULL }, "listen=:1 merge=a merge=http://b/ merge=http://c/ | true" },

	/* variables */
	{ { "true" }, { "NEST_INIT_USER=node", "HOME=/root", "PATH=/bin" }, "user=node | true" },
	{ { "--user", "root", "true" }, { "NEST_INIT_USER=node" }, "user=root | true" },
	{ { "--user", "root", "true" }, { "NEST_INIT_SECCOMP=node" }, "user=root seccomp=node | true" },
	{ { "true" }, { "NEST_INIT_USER=" }, "| true" },
	{ { "true" }, { "NEST_INIT_READ_ONLY=yes", "NEST_INIT_NO_NEW_PRIVS=no", "NEST_INIT_BEST_EFFORT=1" },
		"new-privs read-only=auto best-effort | true" },
	{ { "true" }, { "NEST_INIT_USER=a b" }, "user=a b | true" },
	/* a variable may hold several, parted by blanks, where the option may be repeated */
	{ { "true" }, { "NEST_INIT_CAP_DROP=net_raw,chown  kill", "NEST_INIT_CAP_ADD=all" },
		"caps=-2021+ffffffffffffffff | true" },
	{ { "true" }, { "NEST_INIT_WRITABLE= /a\t/b\n/c ", "NEST_INIT_TMPFS=/tmp:size=1m /run" },
		"writable=/a writable=/b writable=/c tmpfs=/tmp(size=1m) tmpfs=/run() | true" },
	{ { "true" }, { "NEST_INIT_READY=tcp://a:1 tcp://b:2", "NEST_INIT_METRICS=:1 :2", "NEST_INIT_DRAIN=1s" },
		"drain=1000ms ready=tcp://a:1#2 ready=tcp://b:2#2 listen=:1 listen=:2 | true" },
	{ { "true" }, { "NEST_INIT_WRITABLE=  " }, "| true" },
	/* an option takes the place of its whole variable, good or bad */
	{ { "--writable", "/x", "true" }, { "NEST_INIT_WRITABLE=/a /b" }, "writable=/x | true" },
	{ { "--cap-drop", "chown", "true" }, { "NEST_INIT_CAP_DROP=all" }, "caps=-1+0 | true" },
	{ { "--drain", "1s", "true" }, { "NEST_INIT_DRAIN=nonsense" }, "drain=1000ms | true" },
	/* what others set: Kubernetes for a Service named nest-init, and PID 1 for its clients */
	{ { "true" },
		{ "NEST_INIT_SERVICE_HOST=10.0.0.1", "NEST_INIT_SERVICE_PORT=80", "NEST_INIT_SERVICE_PORT_HTTP=80",
			"NEST_INIT_PORT=tcp://10.0.0.1:80", "NEST_INIT_PORT_80_TCP=tcp://10.0.0.1:80",
			"NEST_INIT_PORT_80_TCP_PROTO=tcp", "NEST_INIT_CONTROL=x" },
		"| true" },
	{ { "true" },
		{ "NEST_INIT_METRICS_SERVICE_HOST=10.0.0.1", "NEST_INIT_METRICS_PORT=tcp://10.0.0.1:80",
			"NEST_INIT_METRICS_PORT_80_TCP_ADDR=10.0.0.1", "NEST_INIT_METRICS_SERVICE_PORT_HTTP=80" },
		"| true" },
	{ { "true" }, { "NEST_INIT", "NEST_INIT_", "NEST_INIT_USER", "NEST_INITIAL=1", "nest_init_user=x", "" },
		"| true" },
};

static void parses_options_and_variables(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(stories); i++) {
		if (parse(stories[i].argv, stories[i].env) != 0)
			fail_msg("%zu (%s): %s", i, stories[i].argv[0], why.text);
		assert_int_equal(wish, OPTIONS_RUN);
		assert_string_equal(why.text, "");
		if (strcmp(said(&model), stories[i].model) != 0)
			fail_msg("%zu (%s): %s, expected %s", i, stories[i].argv[0], said(&model), stories[i].model);
	}
}

static const struct refusal {
	const char *argv[WORDS_MAX], *env[WORDS_MAX];
	int error;
	const char *sentence;
} refusals[] = {
	/* no command */
	{ { NULL }, { NULL }, EINVAL, "no command given: nest-init [OPTION...] [--] COMMAND [ARG...]" },
	{ { "--" }, { NULL }, EINVAL, "no command given: nest-init [OPTION...] [--] COMMAND [ARG...]" },
	{ { "--drain", "8s", "--stop-timeout", "8s", "true" }, { NULL }, EINVAL,
		"--drain takes all of --stop-timeout: the workload would be killed without a stop signal" },
	{ { "NEST_INIT_PORTS", NULL }, { "NEST_INIT_PORTS=1" }, EINVAL,
		"unknown variable NEST_INIT_PORTS (an option of nest-init --help all, in capitals)" },
	{ { "--user", "node" }, { NULL }, EINVAL, "no command given: nest-init [OPTION...] [--] COMMAND [ARG...]" },
	/* names */
	{ { "--usr", "x", "true" }, { NULL }, EINVAL, "unknown option '--usr': did you mean --user?" },
	{ { "--cap-drops=all", "true" }, { NULL }, EINVAL,
		"unknown option '--cap-drops=all': did you mean --cap-drop?" },
	{ { "--readonly", "true" }, { NULL }, EINVAL, "unknown option '--readonly': did you mean --read-only?" },
	{ { "--USER", "x", "true" }, { NULL }, EINVAL, "unknown option '--USER' (nest-init --help all lists them)" },
	{ { "--User", "x", "true" }, { NULL }, EINVAL, "unknown option '--User': did you mean --user?" },
	{ { "--use", "x", "true" }, { NULL }, EINVAL, "unknown option '--use': did you mean --user?" },
	{ { "--health-start-interval-", "x", "true" }, { NULL }, EINVAL,
		"unknown option '--health-start-interval-': did you mean --health-start-interval?" },
	/* three letters more, less or other; four are too many */
	{ { "--xxxdrain", "1s", "true" }, { NULL }, EINVAL, "unknown option '--xxxdrain': did you mean --drain?" },
	{ { "--draxxxin", "1s", "true" }, { NULL }, EINVAL, "unknown option '--draxxxin': did you mean --drain?" },
	{ { "--drainxxx", "1s", "true" }, { NULL }, EINVAL, "unknown option '--drainxxx': did you mean --drain?" },
	{ { "--xxxin", "1s", "true" }, { NULL }, EINVAL, "unknown option '--xxxin': did you mean --drain?" },
	{ { "--lth-retries", "1", "true" }, { NULL }, EINVAL,
		"unknown option '--lth-retries': did you mean --health-retries?" },
	{ { "--health-ries", "1", "true" }, { NULL }, EINVAL,
		"unknown option '--health-ries': did you mean --health-retries?" },
	{ { "--health-retr", "1", "true" }, { NULL }, EINVAL,
		"unknown option '--health-retr': did you mean --health-retries?" },
	{ { "--xxxxdrain", "1s", "true" }, { NULL }, EINVAL,
		"unknown option '--xxxxdrain' (nest-init --help all lists them)" },
	{ { "--drxxxxain", "1s", "true" }, { NULL }, EINVAL,
		"unknown option '--drxxxxain' (nest-init --help all lists them)" },
	{ { "--drainxxxx", "1s", "true" }, { NULL }, EINVAL,
		"unknown option '--drainxxxx' (nest-init --help all lists them)" },
	{ { "--health-re", "1", "true" }, { NULL }, EINVAL,
		"unknown option '--health-re' (nest-init --help all lists them)" },
	/* the nearest of several */
	{ { "--cap-ad", "chown", "true" }, { NULL }, EINVAL, "unknown option '--cap-ad': did you mean --cap-add?" },
	{ { "--startupp", "x", "true" }, { NULL }, EINVAL, "unknown option '--startupp': did you mean --startup?" },
	{ { "--privileged", "true" }, { NULL }, EINVAL,
		"unknown option '--privileged' (nest-init --help all lists them)" },
	{ { "--=x", "true" }, { NULL }, EINVAL, "unknown option '--=x' (nest-init --help all lists them)" },
	{ { "---", "true" }, { NULL }, EINVAL, "unknown option '---' (nest-init --help all lists them)" },
	{ { "---user", "x", "true" }, { NULL }, EINVAL, "unknown option '---user': did you mean --user?" },
	{ { "-x", "true" }, { NULL }, EINVAL, "unknown option '-x' (nest-init --help all lists them)" },
	{ { "-hv", "true" }, { NULL }, EINVAL, "unknown option '-hv' (nest-init --help all lists them)" },
	{ { "-user", "true" }, { NULL }, EINVAL, "unknown option '-user' (nest-init --help all lists them)" },
	/* values */
	{ { "--user" }, { NULL }, EINVAL, "--user: a value is missing" },
	{ { "--user=", "true" }, { NULL }, EINVAL, "--user: the value is empty" },
	{ { "--user", "", "true" }, { NULL }, EINVAL, "--user: the value is empty" },
	{ { "--read-only=", "true" }, { NULL }, EINVAL, "--read-only: the value is empty" },
	{ { "--help=yes", "true" }, { NULL }, EINVAL, "--help takes no value" },
	{ { "--version=", "true" }, { NULL }, EINVAL, "--version takes no value" },
	{ { "--cap-drop", "net_rwa", "true" }, { NULL }, EINVAL,
		"--cap-drop: unknown capability 'net_rwa' (see capabilities(7); 'all' for every one)" },
	{ { "--cap-add", "chown,,kill", "true" }, { NULL }, EINVAL,
		"--cap-add: unknown capability '' (see capabilities(7); 'all' for every one)" },
	{ { "--cap-add", "chown, kill", "true" }, { NULL }, EINVAL,
		"--cap-add: unknown capability ' kill' (see capabilities(7); 'all' for every one)" },
	{ { "--cap-drop", "cap_checkpoint_restore_cap_checkpoint_restore", "true" }, { NULL }, EINVAL,
		"--cap-drop: unknown capability 'cap_checkpoint_restore_cap_checkpoint_restore' (see capabilities(7); "
		"'all' for every one)" },
	{ { "--securebits", "noroot,root", "true" }, { NULL }, EINVAL,
		"--securebits: 'root': expected noroot, no_setuid_fixup, no_cap_ambient_raise, or one of these or "
		"keep_caps with _locked" },
	{ { "--securebits", "keep_caps", "true" }, { NULL }, EINVAL,
		"--securebits: 'keep_caps': expected noroot, no_setuid_fixup, no_cap_ambient_raise, or one of these or "
		"keep_caps with _locked" },
	{ { "--security-level", "paranoid", "true" }, { NULL }, EINVAL,
		"--security-level: 'paranoid': expected standard or hardened" },
	{ { "--workdir", "app", "true" }, { NULL }, EINVAL, "--workdir: 'app': expected an absolute path" },
	{ { "--env", "A", "true" }, { NULL }, EINVAL,
		"--env: 'A': expected NAME=VALUE; a variable that is set already is inherited" },
	{ { "--env", "=A", "true" }, { NULL }, EINVAL,
		"--env: '=A': expected NAME=VALUE; a variable that is set already is inherited" },
	{ { "--env", "A=$B", "true" }, { NULL }, EINVAL, "--env: A: '$B': a variable is ${NAME}, a dollar sign is $$" },
	{ { "--env", "A=${B}", "true" }, { NULL }, ENOENT,
		"--env: A: the variable B is not set: set it, or write ${B:-TEXT}" },
	{ { "true" }, { "NEST_INIT_ENV=A=${memory.total/0}" }, EDOM,
		"--env: A: '${memory.total/0}' at '/0}': a division by zero" },
	{ { "--umask", "8", "true" }, { NULL }, EINVAL,
		"--umask: '8': expected an octal mode from 0 to 777, such as 027" },
	{ { "--umask", "1000", "true" }, { NULL }, EINVAL,
		"--umask: '1000': expected an octal mode from 0 to 777, such as 027" },
	{ { "--umask", "-1", "true" }, { NULL }, EINVAL,
		"--umask: '-1': expected an octal mode from 0 to 777, such as 027" },
	{ { "--ulimit", "nofile", "true" }, { NULL }, EINVAL,
		"--ulimit: 'nofile': expected NAME=SOFT[:HARD], such as nofile=65536" },
	{ { "--ulimit", "nofile=", "true" }, { NULL }, EINVAL,
		"--ulimit: 'nofile=': expected NAME=SOFT[:HARD], such as nofile=65536" },
	{ { "--ulimit", "nofile=1:", "true" }, { NULL }, EINVAL,
		"--ulimit: 'nofile=1:': expected NAME=SOFT[:HARD], such as nofile=65536" },
	{ { "--ulimit", "nofile=1:2:3", "true" }, { NULL }, EINVAL,
		"--ulimit: 'nofile=1:2:3': expected NAME=SOFT[:HARD], such as nofile=65536" },
	{ { "--ulimit", "nofile=-2", "true" }, { NULL }, EINVAL,
		"--ulimit: 'nofile=-2': expected NAME=SOFT[:HARD], such as nofile=65536" },
	{ { "--ulimit", "nofile=1k", "true" }, { NULL }, EINVAL,
		"--ulimit: 'nofile=1k': expected NAME=SOFT[:HARD], such as nofile=65536" },
	{ { "--ulimit", "nofile=18446744073709551616", "true" }, { NULL }, EINVAL,
		"--ulimit: 'nofile=18446744073709551616': expected NAME=SOFT[:HARD], such as nofile=65536" },
	{ { "--ulimit", "files=1", "true" }, { NULL }, EINVAL,
		"--ulimit: 'files=1': no such limit (nofile, nproc, core ...: getrlimit(2))" },
	{ { "--ulimit", "nofile=2:1", "true" }, { NULL }, EINVAL,
		"--ulimit: 'nofile=2:1': the soft limit is above the hard one" },
	{ { "--ulimit", "nofile=unlimited:1", "true" }, { NULL }, EINVAL,
		"--ulimit: 'nofile=unlimited:1': the soft limit is above the hard one" },
	{ { "--oom-score-adj", "1001", "true" }, { NULL }, EINVAL,
		"--oom-score-adj: '1001': expected a number from -1000 to 1000" },
	{ { "--oom-score-adj", "--5", "true" }, { NULL }, EINVAL,
		"--oom-score-adj: '--5': expected a number from -1000 to 1000" },
	{ { "--tcp-bind", "65536", "true" }, { NULL }, EINVAL,
		"--tcp-bind: '65536': expected port numbers, such as 443,5432, or none" },
	{ { "--tcp-bind", "80,,81", "true" }, { NULL }, EINVAL,
		"--tcp-bind: '80,,81': expected port numbers, such as 443,5432, or none" },
	{ { "--tcp-bind", "80,", "true" }, { NULL }, EINVAL,
		"--tcp-bind: '80,': expected port numbers, such as 443,5432, or none" },
	{ { "--tcp-connect", "http", "true" }, { NULL }, EINVAL,
		"--tcp-connect: 'http': expected port numbers, such as 443,5432, or none" },
	{ { "--no-new-privs=maybe", "true" }, { NULL }, EINVAL, "--no-new-privs: 'maybe': expected yes or no" },
	{ { "--best-effort=2", "true" }, { NULL }, EINVAL, "--best-effort: '2': expected yes or no" },
	{ { "--seccomp-report", "true" }, { NULL }, EINVAL,
		"--seccomp-report: there is no filter to report on; give a --seccomp" },
	{ { "--seccomp-report", "--seccomp=unconfined", "true" }, { NULL }, EINVAL,
		"--seccomp-report: there is no filter to report on; give a --seccomp" },
	{ { "--read-only=Auto", "true" }, { NULL }, EINVAL,
		"--read-only: 'Auto': expected auto, remount, landlock or verify" },
	{ { "--writable", "tmp", "true" }, { NULL }, EINVAL, "--writable: 'tmp': expected an absolute path" },
	{ { "--tmpfs", "tmp:size=1m", "true" }, { NULL }, EINVAL, "--tmpfs: 'tmp:size=1m': expected an absolute path" },
	{ { "--tmpfs", ":size=1m", "true" }, { NULL }, EINVAL, "--tmpfs: ':size=1m': expected an absolute path" },
	{ { "--stop-signal", "TREM", "true" }, { NULL }, EINVAL,
		"--stop-signal: unknown signal 'TREM' (TERM, SIGTERM, 15, RTMIN+3 ...)" },
	{ { "--stop-signal", "0", "true" }, { NULL }, EINVAL,
		"--stop-signal: unknown signal '0' (TERM, SIGTERM, 15, RTMIN+3 ...)" },
	{ { "--drain", "-1s", "true" }, { NULL }, EINVAL,
		"--drain: '-1s': expected a duration such as 500ms, 8s or 1m30s" },
	{ { "--drain", "8", "true" }, { NULL }, EINVAL,
		"--drain: '8': expected a duration such as 500ms, 8s or 1m30s" },
	{ { "--stop-timeout", "99999999999h", "true" }, { NULL }, ERANGE,
		"--stop-timeout: '99999999999h': expected at most a year (8760h)" },
	{ { "--stop-on", "TREM", "true" }, { NULL }, EINVAL,
		"--stop-on: unknown signal 'TREM' (TERM, SIGTERM, 15, RTMIN+3 ...)" },
	{ { "--stop-on", "TERM,KILL", "true" }, { NULL }, EINVAL, "--stop-on: 'KILL': nobody can catch it" },
	{ { "--stop-on", "CHLD", "true" }, { NULL }, EINVAL, "--stop-on: 'CHLD': it tells of children that ended" },
	{ { "--pre-stop", " \t ", "true" }, { NULL }, EINVAL, "--pre-stop: names no command" },
	{ { "--pre-stop=a", "--pre-stop-timeout", "7s", "--drain=1s", "--stop-timeout=8s", "true" }, { NULL }, EINVAL,
		"--drain and --pre-stop-timeout take all of --stop-timeout: the workload would be killed without a "
		"stop signal" },
	{ { "--service-log", "xml", "true" }, { NULL }, EINVAL, "--service-log: 'xml': expected tagged, json or none" },
	{ { "--service-log", "json,max-file=2", "true" }, { NULL }, EINVAL,
		"--service-log: max-size and max-file are of a file: say which (file=PATH)" },
	{ { "--log-format", "xml", "true" }, { NULL }, EINVAL, "--log-format: 'xml': expected text, json or ecs" },
	{ { "--log-level", "loud", "true" }, { NULL }, EINVAL,
		"--log-level: 'loud': expected error, warning, notice or info" },
	{ { "--rewrite", "TERM", "true" }, { NULL }, EINVAL, "--rewrite: 'TERM': expected FROM:TO, such as TERM:QUIT" },
	{ { "--rewrite", "TREM:QUIT", "true" }, { NULL }, EINVAL,
		"--rewrite: unknown signal 'TREM' (TERM, SIGTERM, 15, RTMIN+3 ...)" },
	{ { "--rewrite", "TERM:QIUT", "true" }, { NULL }, EINVAL,
		"--rewrite: unknown signal 'QIUT' (TERM, SIGTERM, 15, RTMIN+3 ...)" },
	{ { "--rewrite", "KILL:TERM", "true" }, { NULL }, EINVAL,
		"--rewrite: 'KILL:TERM': SIGKILL never comes to be passed on" },
	{ { "--clean-exit", "256", "true" }, { NULL }, EINVAL,
		"--clean-exit: '256': expected exit statuses from 0 to 255, such as 143,130" },
	{ { "--clean-exit", "143,", "true" }, { NULL }, EINVAL,
		"--clean-exit: '143,': expected exit statuses from 0 to 255, such as 143,130" },
	{ { "--clean-exit", "143x", "true" }, { NULL }, EINVAL,
		"--clean-exit: '143x': expected exit statuses from 0 to 255, such as 143,130" },
	{ { "--restart", "sometimes", "true" }, { NULL }, EINVAL,
		"--restart: 'sometimes': expected no, on-failure, always or unless-stopped, and :ATTEMPTS if you "
		"like" },
	{ { "--restart", "always:many", "true" }, { NULL }, EINVAL,
		"--restart: 'many': expected a number from 0 to 1000" },
	{ { "--on-unhealthy", "panic", "--live=tcp://a:1", "true" }, { NULL }, EINVAL,
		"--on-unhealthy: 'panic': expected none, stop, restart or a signal, such as USR1" },
	{ { "--on-unhealthy", "stop", "--ready=tcp://a:1", "true" }, { NULL }, EINVAL,
		"--on-unhealthy: nothing says that the service is unhealthy; give a --live or a --startup" },
	{ { "--stop-timeout", "0", "true" }, { NULL }, ERANGE, "--stop-timeout: '0': expected at least 1ms" },
	{ { "--health-interval", "9ms", "true" }, { NULL }, ERANGE,
		"--health-interval: '9ms': expected at least 10ms" },
	{ { "--health-start-interval=0s", "true" }, { NULL }, ERANGE,
		"--health-start-interval: '0s': expected at least 10ms" },
	{ { "--health-timeout", "0ms", "true" }, { NULL }, ERANGE, "--health-timeout: '0ms': expected at least 1ms" },
	{ { "--health-start-period", "1", "true" }, { NULL }, EINVAL,
		"--health-start-period: '1': expected a duration such as 500ms, 8s or 1m30s" },
	{ { "--file-env", "A,2b", "true" }, { NULL }, EINVAL,
		"--file-env: 'A,2b': expected names of variables, such as PGPASSWORD,API_KEY, or all" },
	{ { "--watchdog", "9ms", "true" }, { NULL }, ERANGE, "--watchdog: '9ms': expected at least 10ms" },
	{ { "--watchdog", "24h1ms", "true" }, { NULL }, ERANGE, "--watchdog: '24h1ms': expected a day at the most" },
	{ { "--watchdog", "x", "true" }, { NULL }, EINVAL,
		"--watchdog: 'x': expected a duration such as 500ms, 8s or 1m30s" },
	{ { "--health-retries", "0", "true" }, { NULL }, EINVAL,
		"--health-retries: '0': expected a number from 1 to 1000" },
	{ { "--health-retries", "1001", "true" }, { NULL }, EINVAL,
		"--health-retries: '1001': expected a number from 1 to 1000" },
	{ { "--health-retries", "-1", "true" }, { NULL }, EINVAL,
		"--health-retries: '-1': expected a number from 1 to 1000" },
	{ { "--health-retries", "3x", "true" }, { NULL }, EINVAL,
		"--health-retries: '3x': expected a number from 1 to 1000" },
	{ { "--health-retries", " 3", "true" }, { NULL }, EINVAL,
		"--health-retries: ' 3': expected a number from 1 to 1000" },
	{ { "--health-retries", "18446744073709551617", "true" }, { NULL }, EINVAL,
		"--health-retries: '18446744073709551617': expected a number from 1 to 1000" },
	{ { "--metrics", "9911", "true" }, { NULL }, EINVAL,
		"--metrics: '9911': expected ADDRESS:PORT, such as 127.0.0.1:9911" },
	{ { "--metrics-merge", "http://a/", "true" }, { NULL }, EINVAL,
		"--metrics-merge: there is no page to merge into; give a --metrics" },
	{ { "--metrics=:1", "--metrics-merge", "http://a/", "--metrics-merge", "http://a/", "true" }, { NULL }, EINVAL,
		"--metrics-merge: 'http://a/' is there twice: give one of them another name=" },
	{ { "--metrics-merge", " ", "true" }, { NULL }, EINVAL, "--metrics-merge: the value is empty" },
	{ { "--metrics-merge", "tcp://a:1", "true" }, { NULL }, EINVAL,
		"--metrics-merge: 'tcp://a:1': expected http://HOST[:PORT][/PATH] or http+unix:SOCKET:/PATH" },
	{ { "--metrics-merge",
		  "http://a/ http://b/ http://c/ http://d/ http://e/ http://f/ http://g/ http://h/ http://i/", "true" },
		{ NULL }, E2BIG, "--metrics-merge: 'http://i/': at most 8 pages" },
	{ { "--metrics", "localhost:0", "true" }, { NULL }, EINVAL,
		"--metrics: 'localhost:0': expected ADDRESS:PORT, such as 127.0.0.1:9911" },
	{ { "--metrics", "localhost:65536", "true" }, { NULL }, EINVAL,
		"--metrics: 'localhost:65536': expected ADDRESS:PORT, such as 127.0.0.1:9911" },
	{ { "--metrics", "example.org:80", "true" }, { NULL }, EINVAL,
		"--metrics: 'example.org:80': expected an address in numbers, such as 127.0.0.1:9911 or [::1]:9911" },
	{ { "--trace-endpoint", "https://a", "true" }, { NULL }, EINVAL,
		"--trace-endpoint: there is no TLS: give the http:// address of a collector beside this container, "
		"which has it" },
	{ { "--metrics-users", "/u", "true" }, { NULL }, EINVAL,
		"--metrics-users: nothing is served; give a --metrics" },
	{ { "--metrics-tokens", "/t", "true" }, { NULL }, EINVAL,
		"--metrics-tokens: nothing is served; give a --metrics" },
	{ { "--metrics-tls-cert", "/c", "--metrics-tls-key", "/k", "true" }, { NULL }, EINVAL,
		"--metrics-tls-cert: nothing is served; give a --metrics" },
	{ { "--metrics", ":1", "--metrics-tls-cert", "/c", "true" }, { NULL }, EINVAL,
		"--metrics-tls-cert: a certificate serves nothing without its key; give a --metrics-tls-key" },
	{ { "--metrics", ":1", "--metrics-tls-key", "/k", "true" }, { NULL }, EINVAL,
		"--metrics-tls-key: a key serves nothing without its certificate; give a --metrics-tls-cert" },
	{ { "--metrics", "unix:run/x", "true" }, { NULL }, EINVAL,
		"--metrics: 'unix:run/x': expected an absolute path, such as unix:/run/nest-init.sock" },
	{ { "--metrics", "unix:/x?mode=888", "true" }, { NULL }, EINVAL,
		"--metrics: 'unix:/x?mode=888': expected a mode in octal, such as ?mode=666" },
	{ { "--metrics", "unix:/x?mode=1777", "true" }, { NULL }, EINVAL,
		"--metrics: 'unix:/x?mode=1777': expected a mode in octal, such as ?mode=666" },
	{ { "--metrics", "fd:", "true" }, { NULL }, EINVAL,
		"--metrics: 'fd:': expected the name of a socket that systemd passes: fd:metrics" },
	{ { "--metrics", "::1:9911", "true" }, { NULL }, EINVAL,
		"--metrics: '::1:9911': expected an address in numbers, such as 127.0.0.1:9911 or [::1]:9911" },

	/* the same for variables, by their own name */
	{ { "true" }, { "NEST_INIT_DRAIN=-1s" }, EINVAL,
		"NEST_INIT_DRAIN: '-1s': expected a duration such as 500ms, 8s or 1m30s" },
	{ { "true" }, { "NEST_INIT_CAP_DROP=chown net_rwa" }, EINVAL,
		"NEST_INIT_CAP_DROP: unknown capability 'net_rwa' (see capabilities(7); 'all' for every one)" },
	{ { "true" }, { "NEST_INIT_HEALTH_START_INTERVAL=0" }, ERANGE,
		"NEST_INIT_HEALTH_START_INTERVAL: '0': expected at least 10ms" },
	{ { "true" }, { "NEST_INIT_WRITABLE=/a b /c" }, EINVAL, "NEST_INIT_WRITABLE: 'b': expected an absolute path" },
	{ { "true" }, { "NEST_INIT_USR=x" }, EINVAL, "unknown variable NEST_INIT_USR: did you mean NEST_INIT_USER?" },
	{ { "true" }, { "NEST_INIT_USER=a", "NEST_INIT_CAPDROP=all" }, EINVAL,
		"unknown variable NEST_INIT_CAPDROP: did you mean NEST_INIT_CAP_DROP?" },
	{ { "true" }, { "NEST_INIT_XXXDRAIN=1s" }, EINVAL,
		"unknown variable NEST_INIT_XXXDRAIN: did you mean NEST_INIT_DRAIN?" },
	{ { "true" }, { "NEST_INIT_XXXXDRAIN=1s" }, EINVAL,
		"unknown variable NEST_INIT_XXXXDRAIN (an option of nest-init --help all, in capitals)" },
	{ { "true" }, { "NEST_INIT_HEALTH_START_INTERVALLLL=1s" }, EINVAL,
		"unknown variable NEST_INIT_HEALTH_START_INTERVALLLL: did you mean NEST_INIT_HEALTH_START_INTERVAL?" },
	{ { "true" }, { "NEST_INIT_READONLY=" }, EINVAL,
		"unknown variable NEST_INIT_READONLY: did you mean NEST_INIT_READ_ONLY?" },
	{ { "true" }, { "NEST_INIT_user=x" }, EINVAL, "unknown variable NEST_INIT_user: did you mean NEST_INIT_USER?" },
	{ { "true" }, { "NEST_INIT_CAP-DROP=x" }, EINVAL,
		"unknown variable NEST_INIT_CAP-DROP: did you mean NEST_INIT_CAP_DROP?" },
	{ { "true" }, { "NEST_INIT_PRIVILEGED=1" }, EINVAL,
		"unknown variable NEST_INIT_PRIVILEGED (an option of nest-init --help all, in capitals)" },
	{ { "true" }, { "NEST_INIT_HELP=1" }, EINVAL,
		"unknown variable NEST_INIT_HELP (an option of nest-init --help all, in capitals)" },
	{ { "true" }, { "NEST_INIT_VERSION=1" }, EINVAL,
		"unknown variable NEST_INIT_VERSION (an option of nest-init --help all, in capitals)" },
	{ { "true" }, { "NEST_INIT_CONTROLS=1" }, EINVAL,
		"unknown variable NEST_INIT_CONTROLS (an option of nest-init --help all, in capitals)" },
	/* variables are looked at before a missing command is */
	{ { NULL }, { "NEST_INIT_USR=x" }, EINVAL, "unknown variable NEST_INIT_USR: did you mean NEST_INIT_USER?" },
	/* and options before variables */
	{ { "--drain", "x", "true" }, { "NEST_INIT_USR=x" }, EINVAL,
		"--drain: 'x': expected a duration such as 500ms, 8s or 1m30s" },
};

static void says_what_it_refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refusals); i++) {
		const int error = parse(refusals[i].argv, refusals[i].env);

		if (error != -refusals[i].error || strcmp(why.text, refusals[i].sentence) != 0)
			fail_msg("%zu: %d, %s, expected %d, %s", i, error, why.text, -refusals[i].error,
				refusals[i].sentence);
	}
}

static void names_a_bad_target_and_its_option(void **state)
{
	static const char *const argv[] = { "--ready", "ftp://host/", "true", NULL }, *const none[] = { NULL };
	static const char *const env[] = { "NEST_INIT_LIVE=unix:/ok ftp://host/", NULL };
	static const char begin[] = "--ready: 'ftp://host/': ", from_variable[] = "NEST_INIT_LIVE: 'ftp://host/': ";

	(void)state;
	/* What is wrong with it is test_target.c's. */
	assert_int_equal(parse(argv, none), -EINVAL);
	assert_memory_equal(why.text, begin, sizeof begin - 1);
	assert_int_equal(parse((const char *const[]){ "true", NULL }, env), -EINVAL);
	assert_memory_equal(why.text, from_variable, sizeof from_variable - 1);
}

static void help_and_version_come_before_all_that_follows(void **state)
{
	static const struct {
		const char *argv[WORDS_MAX];
		enum options_wish wish;
	} wishes[] = {
		{ { "-h" }, OPTIONS_HELP },
		{ { "--help" }, OPTIONS_HELP },
		{ { "--version" }, OPTIONS_VERSION },
		{ { "--user", "x", "-h" }, OPTIONS_HELP },
		{ { "--help", "--no-such-option" }, OPTIONS_HELP },
		{ { "--version", "--help" }, OPTIONS_VERSION },
		{ { "-h", "--drain", "x" }, OPTIONS_HELP },
	};
	static const char *const env[] = { "NEST_INIT_USR=x", NULL };

	(void)state;
	for (size_t i = 0; i < COUNT(wishes); i++) {
		assert_int_equal(parse(wishes[i].argv, env), 0);
		assert_int_equal(wish, wishes[i].wish);
	}
	assert_int_equal(
		parse((const char *const[]){ "--drain", "x", "--help", NULL }, (const char *const[]){ NULL }), -EINVAL);
}

/* ---- limits ---- */

static int parse_many(const char *option, const char *value, size_t count)
{
	const char *argv[2 * 70 + 3] = { "nest-init" }, *env[] = { NULL };

	for (size_t i = 0; i < count; i++) {
		argv[1 + 2 * i] = option;
		argv[2 + 2 * i] = value;
	}
	argv[1 + 2 * count] = "true";
	memset(&model, 0, sizeof model);
	return options_parse((char **)argv, (char **)env, NULL, &model, &wish, &why);
}

static void refuses_more_than_there_is_room_for(void **state)
{
	static const struct {
		const char *option, *value;
		size_t most;
		const char *sentence;
	} limits[] = {
		{ "--writable", "/a", MODEL_PATHS_MAX, "--writable: '/a': at most 32 paths" },
		{ "--group-add", "a", MODEL_GROUPS_MAX, "--group-add: 'a': at most 16 groups" },
		{ "--tcp-bind", "80", MODEL_PORTS_MAX, "--tcp-bind: '80': at most 32 ports" },
		{ "--tmpfs", "/a", MODEL_TMPFS_MAX, "--tmpfs: '/a': at most 8" },
		{ "--metrics", ":1", MODEL_LISTEN_MAX, "--metrics: ':1': at most 4 addresses" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(limits); i++) {
		assert_int_equal(parse_many(limits[i].option, limits[i].value, limits[i].most), 0);
		assert_int_equal(parse_many(limits[i].option, limits[i].value, limits[i].most + 1), -E2BIG);
		assert_string_equal(why.text, limits[i].sentence);
	}
}

/* "tcp://a:1 tcp://a:2 ...". */
static int parse_checks(size_t count)
{
	static char value[MODEL_CHECKS_MAX * 16];
	size_t length = 0;

	for (size_t i = 1; i <= count; i++)
		length += (size_t)snprintf(value + length, sizeof value - length, "tcp://a:%zu ", i);
	return parse_many("--ready", value, 1);
}

static void takes_a_thousand_checks(void **state)
{
	(void)state;
	assert_int_equal(parse_checks(MODEL_CHECKS_MAX), 0);
	assert_int_equal(model.main.check_count, MODEL_CHECKS_MAX);
	for (size_t i = 0; i < MODEL_CHECKS_MAX; i++) {
		assert_int_equal(model.main.check[i].target.port, i + 1);
		assert_int_equal(model.main.check[i].timing.retries, 3);
	}
	assert_int_equal(parse_checks(MODEL_CHECKS_MAX + 1), -E2BIG);
	assert_string_equal(why.text, "--ready: 'tcp://a:1001': at most 1000 checks");
}

static void what_a_check_says_itself_wins(void **state)
{
	static const char *const argv[] = { "--health-interval=1m", "--expect=401", "--ready",
		"name=a interval=5s http://a/ name=b expect=429 http://b/", "--live=http://c/", "--health-retries=7",
		"true", NULL };
	static const char *const none[] = { NULL };

	(void)state;
	assert_int_equal(parse(argv, none), 0);
	assert_string_equal(said(&model),
		"ready=http://a/#0 name=a ready=http://b/#0 name=b live=http://c/#0 expect=401-401 interval=60000ms "
		"retries=7 | true");
	assert_int_equal(model.main.check[0].timing.interval_ns, 5 * NS_PER_S);
	assert_int_equal(model.main.check[1].timing.interval_ns, 60 * NS_PER_S);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(model.main.check[i].timing.retries, 7);
		assert_int_equal(expected_has(&model.main.check[i].exchange.expected, 401), i != 1);
		assert_int_equal(expected_has(&model.main.check[i].exchange.expected, 429), i == 1);
	}
}

static void a_variable_holds_checks_with_their_settings(void **state)
{
	static const char *const env[] = { "NEST_INIT_READY=name=api body='all is well' http://a/ name=db tcp://b:1",
		NULL };
	static const char *const argv[] = { "true", NULL };

	(void)state;
	assert_int_equal(parse(argv, env), 0);
	assert_string_equal(said(&model), "ready=http://a/#0 name=api ready=tcp://b:1#2 name=db | true");
	assert_string_equal(model.main.check[0].exchange.body, "all is well");
}

static void a_name_is_given_once(void **state)
{
	static const struct {
		const char *argv[WORDS_MAX];
		const char *sentence; /* NULL: fine */
	} rows[] = {
		{ { "--ready", "name=x tcp://a:1 name=y tcp://a:1", "true" }, NULL },
		{ { "--ready", "tcp://a:1", "--live", "tcp://a:1", "true" }, NULL },
		{ { "--ready", "tcp://a:1 tcp://a:2", "--ready", "tcp://a:1", "true" },
			"--ready: two checks have the name 'tcp://a:1': give one of them another (name=...)" },
		{ { "--startup", "name=x tcp://a:1 name=x tcp://a:2", "true" },
			"--startup: two checks have the name 'x': give one of them another (name=...)" },
		{ { "--live", "name=x exec:true", "true" }, NULL },
		{ { "--ready", "notify", "true" }, NULL },
		{ { "--ready", "notify", "--ready", "notify", "true" },
			"--ready: two checks have the name 'notify': give one of them another (name=...)" },
		{ { "--watchdog", "3s", "--live", "name=watchdog tcp://a:1", "true" },
			"--live: two checks have the name 'watchdog': give one of them another (name=...)" },
		{ { "--live", "notify", "true" },
			"--live: 'notify' says when the workload is ready: it is for ready alone" },
		{ { "--live", " ", "true" }, "--live: the value is empty" },
		{ { "--live", "colour=red tcp://a:1 ", "true" },
			"--live: unknown setting 'colour': name, interval, timeout, start_period, "
			"start_interval, retries, success_threshold, jitter, expect, method, header, body "
			"(before tcp://a:1)" },
		{ { "--expect", "20x", "true" },
			"--expect: '20x': character 1 does not begin a status from 200 to 599 or a range of them "
			"(200-299,401)" },
	};
	static const char *const none[] = { NULL };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const int error = parse(rows[i].argv, none);

		assert_int_equal(error, rows[i].sentence == NULL ? 0 : -EINVAL);
		if (rows[i].sentence != NULL)
			assert_string_equal(why.text, rows[i].sentence);
	}
}

static void refuses_what_is_too_long(void **state)
{
	char value[4096];

	(void)state;
	for (size_t length = 1020; length < 1030; length++) {
		memset(value, 'p', sizeof value);
		value[0] = '/';
		memcpy(value + length, ":ro", 4);
		assert_int_equal(parse_many("--tmpfs", value, 1), length < TARGET_PATH_SIZE ? 0 : -EINVAL);
		if (length < TARGET_PATH_SIZE)
			assert_int_equal(strlen(model.main.confinement.tmpfs.mount[0].path), length);
		else
			assert_string_equal(
				why.text, "--tmpfs: '/ppppppppppppppppppppppppppppppppppppppp...': too long");
	}
	for (size_t length = 236; length < 244; length++) {
		memset(value, 'o', sizeof value);
		memcpy(value, "/t:", 3);
		value[3 + length] = '\0';
		/* 240 with the colon */
		assert_int_equal(parse_many("--tmpfs", value, 1), length < 240 ? 0 : -EINVAL);
	}
	/* A sentence has an end, and begins with the name. */
	memset(value, 'x', sizeof value);
	value[sizeof value - 1] = '\0';
	assert_int_equal(parse_many("--drain", value, 1), -EINVAL);
	assert_memory_equal(why.text, "--drain: 'xxx", 13);
	assert_true(strlen(why.text) < sizeof why.text);
	memcpy(value, "NEST_INIT_", 10);
	memcpy(value + sizeof value - 3, "=1", 3);
	assert_int_equal(parse((const char *const[]){ "true", NULL }, (const char *const[]){ value, NULL }), -EINVAL);
	assert_memory_equal(why.text, "unknown variable NEST_INIT_xxx", 30);
	value[0] = value[1] = '-';
	assert_int_equal(parse_many(value, "x", 1), -EINVAL);
	assert_int_equal(strlen(why.text), strlen("unknown option '' (nest-init --help all lists them)") + 200);
}

/* ---- the table of options ---- */

/* A value for each, other than the default, and whether the option may be repeated. */
static const struct sample {
	const char *name, *value;
	bool repeatable;
} samples[] = {
	{ "config", SOURCE_ROOT "/tests/data/config/least.json", false },
	{ "user", "1000:1000", false },
	{ "group-add", "video", true },
	{ "workdir", "/app", false },
	{ "umask", "027", false },
	{ "env", "A=b", true },
	{ "file-env", "all", false },
	{ "ulimit", "nofile=1024:2048", true },
	{ "oom-score-adj", "500", false },
	{ "cap-drop", "all", true },
	{ "cap-add", "chown", true },
	{ "securebits", "noroot,noroot_locked", true },
	{ "no-new-privs", "no", false },
	{ "seccomp", "node", false },
	{ "read-only", "landlock", false },
	{ "writable", "/data", true },
	{ "tmpfs", "/tmp:size=1m", true },
	{ "exec-allow", "/bin/sh", true },
	{ "tcp-bind", "80,443", true },
	{ "tcp-connect", "none", true },
	{ "security-level", "hardened", false },
	{ "best-effort", "yes", false },
	{ "seccomp-report", "yes", false },
	{ "stop-signal", "QUIT", false },
	{ "stop-on", "TERM,USR1", true },
	{ "drain", "2s", false },
	{ "pre-stop", "drain --all", false },
	{ "pre-stop-timeout", "3s", false },
	{ "stop-timeout", "8s", false },
	{ "rewrite", "TERM:QUIT", true },
	{ "clean-exit", "143", true },
	{ "restart", "always:3", false },
	{ "restart-backoff", "2s", false },
	{ "on-unhealthy", "restart", false },
	{ "watch", "/app/src", true },
	{ "ready", "tcp://a:1", true },
	{ "live", "tcp://a:2", true },
	{ "startup", "tcp://a:3", true },
	{ "watchdog", "10s", false },
	{ "health-interval", "1m", false },
	{ "health-timeout", "7s", false },
	{ "health-start-period", "3s", false },
	{ "health-start-interval", "2s", false },
	{ "health-retries", "5", false },
	{ "expect", "200,429", false },
	{ "metrics", "127.0.0.1:9911", true },
	{ "metrics-merge", "timeout=2s http://a/m", true },
	{ "metrics-users", "/run/users", false },
	{ "metrics-tokens", "/run/tokens", false },
	{ "metrics-tls-cert", "/run/cert.pem", false },
	{ "metrics-tls-key", "/run/key.pem", false },
	{ "trace-endpoint", "http://a/v1/traces", false },
	{ "otel-resource", "yes", false },
	{ "service-log", "json", false },
	{ "log-format", "json", false },
	{ "log-level", "info", false },
};

static const struct sample *sample_of(const char *name)
{
	for (size_t i = 0; i < COUNT(samples); i++)
		if (strcmp(samples[i].name, name) == 0)
			return &samples[i];
	fail_msg("no sample for --%s", name);
	return NULL;
}

static bool is_wish(const char *name)
{
	return strcmp(name, "help") == 0 || strcmp(name, "version") == 0;
}

/* "cap-drop" and "all" to "NEST_INIT_CAP_DROP=all". */
static void write_variable(const char *name, const char *value, char *ret_text, size_t size)
{
	char *at = ret_text + snprintf(ret_text, size, "NEST_INIT_%s", name);

	for (char *letter = ret_text; letter < at; letter++)
		*letter = *letter == '-' ? '_' : (char)toupper((unsigned char)*letter);
	snprintf(at, size - (size_t)(at - ret_text), "=%s", value);
}

/* What options and variables made, or their error. */
static const char *outcome_of(const char *const *words, const char *const *variables)
{
	static char text[1024];
	const int error = parse(words, variables);

	if (error < 0)
		snprintf(text, sizeof text, "error %d", error);
	else
		snprintf(text, sizeof text, "%s", said(&model));
	return text;
}

static void every_option_has_a_variable_that_means_the_same(void **state)
{
	const char *name;
	size_t count = 0;

	(void)state;
	for (size_t i = 0; (name = options_name(i)) != NULL; i++) {
		/* What it cannot do without. */
		const char *beside = strcmp(name, "seccomp-report") == 0 ? "NEST_INIT_SECCOMP=node"
			: strcmp(name, "on-unhealthy") == 0              ? "NEST_INIT_LIVE=tcp://a:1"
			: strncmp(name, "metrics-", 8) == 0              ? "NEST_INIT_METRICS=:1"
									 : NULL;
		const char *more = strcmp(name, "metrics-tls-cert") == 0 ? "NEST_INIT_METRICS_TLS_KEY=/k"
			: strcmp(name, "metrics-tls-key") == 0           ? "NEST_INIT_METRICS_TLS_CERT=/c"
									 : NULL;
		char option[64], variable[128], by_option[1024];

		if (is_wish(name))
			continue;
		count++;
		snprintf(option, sizeof option, "--%s=%s", name, sample_of(name)->value);
		write_variable(name, sample_of(name)->value, variable, sizeof variable);
		snprintf(by_option, sizeof by_option, "%s",
			outcome_of((const char *const[]){ option, "true", NULL },
				(const char *const[]){ beside, more, NULL }));
		assert_string_not_equal(by_option, "| true");
		assert_memory_not_equal(by_option, "error", 5);
		assert_string_equal(outcome_of((const char *const[]){ "true", NULL },
					    (const char *const[]){ variable, beside, more, NULL }),
			by_option);
	}
	assert_int_equal(count, COUNT(samples));
	assert_null(options_name(1000));
}

static void variable_is_a_list_where_the_option_may_be_repeated(void **state)
{
	const char *const none[] = { NULL };
	const char *name;

	(void)state;
	for (size_t i = 0; (name = options_name(i)) != NULL; i++) {
		char twice[64], option[64], both[96], variable[128], by_option[1024];

		if (is_wish(name))
			continue;
		snprintf(twice, sizeof twice, "%s %s", sample_of(name)->value, sample_of(name)->value);
		snprintf(option, sizeof option, "--%s=%s", name, sample_of(name)->value);
		snprintf(both, sizeof both, "--%s=%s", name, twice);
		write_variable(name, twice, variable, sizeof variable);
		snprintf(by_option, sizeof by_option, "%s",
			sample_of(name)->repeatable
				? outcome_of((const char *const[]){ option, option, "true", NULL }, none)
				: outcome_of((const char *const[]){ both, "true", NULL }, none));
		if (strcmp(outcome_of((const char *const[]){ "true", NULL }, (const char *const[]){ variable, NULL }),
			    by_option) != 0)
			fail_msg("%s: expected %s", variable, by_option);
	}
}

/* ---- the help ---- */

/* What --help TOPIC prints; the next call writes over it. */
static const char *help(const char *topic)
{
	static char text[16384];
	FILE *stream = fmemopen(text, sizeof text, "w");

	assert_non_null(stream);
	memset(text, 0, sizeof text);
	assert_int_equal(help_write(topic, stream), 0);
	assert_int_equal(fclose(stream), 0);
	assert_true(strlen(text) < sizeof text - 1);
	return text;
}

static bool help_names(const char *topic, const char *name)
{
	char word[64];
	const size_t length = (size_t)snprintf(word, sizeof word, "--%s", name);

	for (const char *at = help(topic); (at = strstr(at, word)) != NULL; at += length)
		if (at[length] != '-' && !isalnum((unsigned char)at[length]))
			return true;
	return false;
}

static const char *const sections[] = { "confinement", "stopping", "health", "metrics", "log" };

static void help_names_every_option_in_one_section(void **state)
{
	const char *name;

	(void)state;
	for (size_t i = 0; (name = options_name(i)) != NULL; i++) {
		size_t found = 0;

		if (is_wish(name))
			continue;
		if (!help_names("all", name))
			fail_msg("--%s is not in the help", name);
		for (size_t j = 0; j < COUNT(sections); j++)
			found += help_names(sections[j], name);
		if (found != 1)
			fail_msg("--%s is in %zu sections", name, found);
	}
}

static void help_begins_with_what_most_need(void **state)
{
	static const char *const most[] = { "user", "cap-drop", "seccomp", "read-only", "security-level",
		"stop-timeout", "ready", "metrics", "version" };

	(void)state;
	for (size_t i = 0; i < COUNT(most); i++)
		assert_true(help_names(NULL, most[i]));
	assert_false(help_names(NULL, "oom-score-adj"));
	for (size_t i = 0; i < COUNT(sections); i++) {
		char word[32];

		snprintf(word, sizeof word, "--help %s", sections[i]);
		assert_non_null(strstr(help(NULL), word));
	}
}

static void help_refuses_another_topic(void **state)
{
	(void)state;
	assert_int_equal(help_write("teleport", stdout), -EINVAL);
	assert_int_equal(help_write("", stdout), -EINVAL);
}

static bool is_option(const char *name, size_t length)
{
	const char *option;

	for (size_t i = 0; (option = options_name(i)) != NULL; i++)
		if (strlen(option) == length && strncmp(option, name, length) == 0)
			return true;
	return false;
}

static void expect_options_alone(const char *text)
{
	/* of subcommands */
	static const char *const others[] = { "live", "ready", "startup", "json", "watch", "fail-on", "print" };

	for (const char *at = text; (at = strstr(at, "--")) != NULL;) {
		const char *name = at + 2;
		const size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz-");
		bool known = length == 0 || is_option(name, length);

		for (size_t i = 0; i < COUNT(others); i++)
			known = known || (strlen(others[i]) == length && strncmp(others[i], name, length) == 0);
		if (!known)
			fail_msg("--%.*s", (int)length, name);
		at = name + length;
	}
}

static void help_names_no_option_that_is_none(void **state)
{
	(void)state;
	expect_options_alone(help(NULL));
	expect_options_alone(help("all"));
}

/* Lines of 80 columns at most, and how many of them. */
static size_t count_lines(const char *text)
{
	size_t lines = 0;

	for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
		const size_t width = strcspn(line, "\n");

		assert_int_equal(line[width], '\n');
		for (size_t i = 0; i < width; i++)
			assert_true(isprint((unsigned char)line[i]));
		if (width > 80 || (width > 0 && line[width - 1] == ' '))
			fail_msg("%.*s", (int)width, line);
		lines++;
	}
	return lines;
}

static void help_fits_a_screen(void **state)
{
	(void)state;
	assert_in_range(count_lines(help(NULL)), 30, 50);
	assert_in_range(count_lines(help("all")), 50, 100);
	for (size_t i = 0; i < COUNT(sections); i++)
		assert_in_range(count_lines(help(sections[i])), 2, 50);
}

/* Under another program's name: the variables alone, and no_new_privs only where they confine. */
static void variables_alone_confine_other_names(void **state)
{
	static const struct {
		const char *variable;
		bool no_new_privs;
	} cases[] = { { "PATH=/bin", false }, { "NEST_INIT_METRICS=:9911", false },
		{ "NEST_INIT_BEST_EFFORT=yes", false }, { "NEST_INIT_NO_NEW_PRIVS=yes", true },
		{ "NEST_INIT_NO_NEW_PRIVS=no", false }, { "NEST_INIT_USER=1001", true },
		{ "NEST_INIT_CAP_DROP=all", true }, { "NEST_INIT_SECUREBITS=noroot", true },
		{ "NEST_INIT_SECCOMP=node", true }, { "SECURITY_LEVEL=hardened", true },
		{ "SECURITY_LEVEL=standard", false }, { "NEST_INIT_READ_ONLY=auto", true },
		{ "NEST_INIT_EXEC_ALLOW=/bin/sh", true }, { "NEST_INIT_TCP_BIND=none", true },
		{ "NEST_INIT_TCP_CONNECT=1", true }, { "NEST_INIT_TMPFS=/tmp", true } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *env[] = { (char *)cases[i].variable, NULL };

		memset(&model, 0, sizeof model);
		assert_int_equal(options_parse_environment(env, &model, &why), 0);
		assert_int_equal(model.main.confinement.no_new_privs, cases[i].no_new_privs);
		assert_null(model.main.command);
	}
}

static void switching_no_new_privs_off_by_variable_holds_under_other_names(void **state)
{
	char *env[] = { (char *)"NEST_INIT_SECCOMP=node", (char *)"NEST_INIT_NO_NEW_PRIVS=no", NULL };

	(void)state;
	memset(&model, 0, sizeof model);
	assert_int_equal(options_parse_environment(env, &model, &why), 0);
	assert_false(model.main.confinement.no_new_privs);
}

/* nest-init exec: what supervises is refused as a word, and passed over as a variable, whatever it holds. */
static void exec_takes_what_confines_alone(void **state)
{
	static const char *const confining[] = { "config", "user", "group-add", "workdir", "umask", "env", "file-env",
		"ulimit", "oom-score-adj", "cap-drop", "cap-add", "securebits", "no-new-privs", "seccomp", "read-only",
		"writable", "tmpfs", "exec-allow", "tcp-bind", "tcp-connect", "security-level", "best-effort" };
	const char *name;
	size_t taken = 0, service;

	(void)state;
	for (size_t i = 0; (name = options_name(i)) != NULL; i++) {
		char word[64], variable[128], sentence[128], *no_variables[] = { NULL };
		char *by_word[] = { (char *)"exec", word, (char *)"true", NULL },
		     *plain[] = { (char *)"exec", (char *)"true", NULL };
		char *variables[] = { variable, NULL };
		bool confines = false;
		int error;

		if (is_wish(name))
			continue;
		for (size_t c = 0; c < COUNT(confining); c++)
			confines = confines || strcmp(confining[c], name) == 0;
		taken += confines;
		snprintf(word, sizeof word, "--%s=%s", name, sample_of(name)->value);
		memset(&model, 0, sizeof model);
		error = options_parse_exec(by_word, no_variables, NULL, &model, &service, &wish, &why);
		assert_int_equal(error, confines ? 0 : -EINVAL);
		snprintf(sentence, sizeof sentence, "--%s: nest-init exec supervises nothing", name);
		if (!confines)
			assert_string_equal(why.text, sentence);
		write_variable(name, confines ? sample_of(name)->value : "nonsense", variable, sizeof variable);
		memset(&model, 0, sizeof model);
		assert_int_equal(options_parse_exec(plain, variables, NULL, &model, &service, &wish, &why), 0);
		assert_int_equal(strcmp(said(&model), "| true") != 0, confines);
	}
	assert_int_equal(taken, COUNT(confining));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_options_and_variables),
		cmocka_unit_test(says_what_it_refuses),
		cmocka_unit_test(names_a_bad_target_and_its_option),
		cmocka_unit_test(help_and_version_come_before_all_that_follows),
		cmocka_unit_test(refuses_more_than_there_is_room_for),
		cmocka_unit_test(takes_a_thousand_checks),
		cmocka_unit_test(what_a_check_says_itself_wins),
		cmocka_unit_test(a_variable_holds_checks_with_their_settings),
		cmocka_unit_test(a_name_is_given_once),
		cmocka_unit_test(refuses_what_is_too_long),
		cmocka_unit_test(every_option_has_a_variable_that_means_the_same),
		cmocka_unit_test(variable_is_a_list_where_the_option_may_be_repeated),
		cmocka_unit_test(variables_alone_confine_other_names),
		cmocka_unit_test(switching_no_new_privs_off_by_variable_holds_under_other_names),
		cmocka_unit_test(exec_takes_what_confines_alone),
		cmocka_unit_test(help_names_every_option_in_one_section),
		cmocka_unit_test(help_begins_with_what_most_need),
		cmocka_unit_test(help_refuses_another_topic),
		cmocka_unit_test(help_names_no_option_that_is_none),
		cmocka_unit_test(help_fits_a_screen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
