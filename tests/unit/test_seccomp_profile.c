/* seccomp-profiles/profile: three dialects in one model, and what is refused with its place. */
#include "base/sha256.h"
#include "seccomp-profiles/profile.h"
#include "seccomp-profiles/program.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BIT(n) (UINT64_C(1) << (n))

static struct json *json;
static struct profile *profile;

static int drop(void **state)
{
	(void)state;
	profile_free(profile);
	json_free(json);
	profile = NULL;
	json = NULL;
	return 0;
}

static int read_text(const char *text, struct complaint *why)
{
	drop(NULL);
	if (json_parse("p", text, strlen(text), &json, why) != 0)
		fail_msg("no JSON: %s", why->text);
	return profile_read(json, &profile, why);
}

static const struct profile *accepted(const char *text)
{
	struct complaint why = { "" };

	if (read_text(text, &why) != 0)
		fail_msg("refused: %s", why.text);
	return profile;
}

static void an_oci_profile_is_read(void **state)
{
	const struct profile *p = accepted(
		"{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrnoRet\": 38,\n"
		"\"architectures\": [\"SCMP_ARCH_X86_64\", \"SCMP_ARCH_X32\"],\n"
		"\"flags\": [\"SECCOMP_FILTER_FLAG_LOG\", \"SECCOMP_FILTER_FLAG_SPEC_ALLOW\"],\n"
		"\"listenerPath\": \"/s\", \"listenerMetadata\": \"m\",\n"
		"\"syscalls\": [{\"names\": [\"read\", \"write\"], \"action\": \"SCMP_ACT_ALLOW\"},\n"
		" {\"names\": [\"socket\"], \"action\": \"SCMP_ACT_ERRNO\", \"errnoRet\": 22,\n"
		"  \"args\": [{\"index\": 5, \"value\": 18446744073709551615, \"op\": \"SCMP_CMP_NE\"},\n"
		"   {\"index\": 0, \"value\": 9007199254740993, \"valueTwo\": 1, \"op\": "
		"\"SCMP_CMP_MASKED_EQ\"}]}]}");

	(void)state;
	assert_int_equal(p->default_action, PROFILE_ERRNO);
	assert_int_equal(p->default_errno, 38);
	assert_int_equal(p->flags, PROFILE_FLAG_LOG | PROFILE_FLAG_SPEC_ALLOW);
	assert_int_equal(p->arches[PROFILE_AARCH64], BIT(PROFILE_X86_64) | BIT(PROFILE_X32));
	assert_string_equal(p->listener_path, "/s");
	assert_string_equal(p->listener_metadata, "m");
	assert_int_equal(p->rule_count, 2);
	assert_int_equal(p->rules[0].name_count, 2);
	assert_string_equal(p->rules[0].names[1].text, "write");
	assert_int_equal(p->rules[0].names[1].line, 5);
	assert_int_equal(p->rules[0].names[1].column, 33);
	assert_int_equal(p->rules[0].action, PROFILE_ALLOW);
	assert_int_equal(p->rules[1].line, 6);
	assert_int_equal(p->rules[1].errno_ret, 22);
	assert_int_equal(p->rules[1].arg_count, 2);
	assert_int_equal(p->rules[1].args[0].index, 5);
	assert_true(p->rules[1].args[0].value == UINT64_MAX);
	assert_int_equal(p->rules[1].args[0].op, PROFILE_NE);
	assert_true(p->rules[1].args[1].value == UINT64_C(9007199254740993)); /* 2^53 + 1 */
	assert_true(p->rules[1].args[1].value_two == 1);
	assert_int_equal(p->rules[1].args[1].op, PROFILE_MASKED_EQ);
}

static void a_docker_profile_is_read(void **state)
{
	const struct profile *p = accepted(
		"{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"archMap\": [\n"
		"{\"architecture\": \"SCMP_ARCH_X86_64\", \"subArchitectures\": [\"SCMP_ARCH_X86\"]},\n"
		"{\"architecture\": \"SCMP_ARCH_RISCV64\", \"subArchitectures\": null}],\n"
		"\"syscalls\": [{\"name\": \"bpf\", \"action\": \"SCMP_ACT_ALLOW\", \"comment\": \"c\",\n"
		"\"includes\": {\"caps\": [\"CAP_BPF\"], \"arches\": [\"amd64\", \"arm64\"], \"minKernel\": \"4.8\"},\n"
		"\"excludes\": {\"caps\": [\"CAP_CHOWN\"]}}]}");

	(void)state;
	assert_int_equal(p->default_errno, 1); /* EPERM unless it is said */
	assert_int_equal(p->flags, PROFILE_FLAG_SPEC_ALLOW);
	assert_int_equal(p->arches[PROFILE_X86_64], BIT(PROFILE_X86));
	assert_int_equal(p->arches[PROFILE_RISCV64], 0);
	assert_string_equal(p->rules[0].names[0].text, "bpf");
	assert_string_equal(p->rules[0].comment, "c");
	assert_true(p->rules[0].includes.caps == BIT(39));
	assert_int_equal(p->rules[0].includes.arches, BIT(PROFILE_X86_64) | BIT(PROFILE_AARCH64));
	assert_true(p->rules[0].includes.has_min_kernel);
	assert_int_equal(p->rules[0].includes.kernel_major, 4);
	assert_int_equal(p->rules[0].includes.kernel_minor, 8);
	assert_true(p->rules[0].excludes.caps == BIT(0));
}

static void a_containers_profile_is_read(void **state)
{
	const struct profile *p = accepted(
		"{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrnoRet\": 38, \"defaultErrno\": \"ENOSYS\",\n"
		"\"architectures\": null, \"syscalls\": [{\"names\": [\"bdflush\"], \"name\": \"\", \"args\": null,\n"
		"\"comment\": \"\", \"includes\": {}, \"excludes\": {}, \"action\": \"SCMP_ACT_ERRNO\", \"errno\": "
		"\"EPERM\"},\n"
		"{\"names\": [\"x\"], \"action\": \"SCMP_ACT_TRACE\", \"errno\": \"12\"}]}");

	(void)state;
	assert_int_equal(p->default_errno, 38);
	assert_int_equal(p->rules[0].errno_ret, 1);
	assert_int_equal(p->rules[0].arg_count, 0);
	assert_int_equal(p->rules[1].errno_ret, 12);
}

static void every_action_has_its_name(void **state)
{
	static const struct {
		const char *name;
		enum profile_action action;
	} cases[] = { { "KILL", PROFILE_KILL_THREAD }, { "KILL_THREAD", PROFILE_KILL_THREAD },
		{ "KILL_PROCESS", PROFILE_KILL_PROCESS }, { "TRAP", PROFILE_TRAP }, { "ERRNO", PROFILE_ERRNO },
		{ "TRACE", PROFILE_TRACE }, { "ALLOW", PROFILE_ALLOW }, { "LOG", PROFILE_LOG },
		{ "NOTIFY", PROFILE_NOTIFY } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[64];

		snprintf(text, sizeof text, "{\"defaultAction\": \"SCMP_ACT_%s\"}", cases[i].name);
		assert_int_equal(accepted(text)->default_action, cases[i].action);
	}
}

#define RULE(rest)                                                                                                     \
	"{\"defaultAction\": \"SCMP_ACT_ALLOW\",\n\"syscalls\": [{\"names\": [\"read\"], \"action\": " rest "}]}"
#define LOGGED(rest) RULE("\"SCMP_ACT_LOG\", " rest)
#define TOP(rest) "{\"defaultAction\": \"SCMP_ACT_ALLOW\",\n" rest "}"

static void what_is_wrong_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *text, *sentence;
	} cases[] = {
		{ "[]", "p:1:1: expected an object, not an array" },
		{ "{}", "p:1:1: \"defaultAction\" is missing" },
		{ "{\"defaultAction\": null}", "p:1:19: defaultAction: expected a string, not null" },
		{ "{\"defaultAction\": \"SCMP_ACT_ALOW\"}",
			"p:1:19: defaultAction: unknown action \"SCMP_ACT_ALOW\"; did you mean \"SCMP_ACT_ALLOW\"?" },
		{ TOP("\"syscals\": []"), "p:2:1: syscals: unknown key; did you mean \"syscalls\"?" },
		{ TOP("\"defaultErrnoRet\": 1"), "p:2:1: defaultErrnoRet: SCMP_ACT_ALLOW returns no errno" },
		{ "{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrnoRet\": 4096}",
			"p:1:56: defaultErrnoRet: expected an integer from 0 to 4095, not 4096" },
		{ "{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrno\": \"EFOO\"}",
			"p:1:53: defaultErrno: unknown errno \"EFOO\"" },
		{ "{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrno\": \"EPERM\", \"defaultErrnoRet\": 2}",
			"p:1:53: defaultErrno: EPERM is errno 1, but defaultErrnoRet is 2" },
		{ TOP("\"architectures\": [\"SCMP_ARCH_X86_46\"]"),
			"p:2:19: architectures[0]: unknown architecture \"SCMP_ARCH_X86_46\"; did you mean "
			"\"SCMP_ARCH_X86_64\"?" },
		{ TOP("\"architectures\": [\"SCMP_ARCH_X86\"], \"archMap\": [{\"architecture\": \"SCMP_ARCH_X86\"}]"),
			"p:2:37: archMap: a profile has either \"architectures\" or \"archMap\"" },
		{ TOP("\"archMap\": [{\"subArchitectures\": []}]"), "p:2:13: archMap[0]: \"architecture\" is missing" },
		{ TOP("\"archMap\": [{\"architecture\": \"SCMP_ARCH_ARM\"}, {\"architecture\": \"SCMP_ARCH_ARM\"}]"),
			"p:2:65: archMap[1].architecture: SCMP_ARCH_ARM is there twice" },
		{ TOP("\"archMap\": {}"), "p:2:12: archMap: expected an array, not an object" },
		{ TOP("\"flags\": [\"TSYNC\"]"), "p:2:11: flags[0]: unknown flag \"TSYNC\"" },
		{ TOP("\"listenerMetadata\": \"x\""),
			"p:2:1: listenerMetadata: \"listenerMetadata\" needs \"listenerPath\"" },
		{ TOP("\"syscalls\": {}"), "p:2:13: syscalls: expected an array, not an object" },
		{ TOP("\"syscalls\": [1]"), "p:2:14: syscalls[0]: expected an object, not 1" },
		{ TOP("\"syscalls\": [{\"names\": [\"a\"]}]"), "p:2:14: syscalls[0]: \"action\" is missing" },
		{ TOP("\"syscalls\": [{\"action\": \"SCMP_ACT_LOG\"}]"),
			"p:2:14: syscalls[0]: a rule needs at least one syscall in \"names\"" },
		{ TOP("\"syscalls\": [{\"action\": \"SCMP_ACT_LOG\", \"names\": []}]"),
			"p:2:14: syscalls[0]: a rule needs at least one syscall in \"names\"" },
		{ TOP("\"syscalls\": [{\"action\": \"SCMP_ACT_LOG\", \"names\": [\"a\", \"\"]}]"),
			"p:2:56: syscalls[0].names[1]: expected the name of a syscall" },
		{ TOP("\"syscalls\": [{\"action\": \"SCMP_ACT_LOG\", \"names\": [7]}]"),
			"p:2:51: syscalls[0].names[0]: expected a string, not 7" },
		{ LOGGED("\"name\": \"write\""), "p:2:60: syscalls[0].name: a rule has either \"name\" or \"names\"" },
		{ LOGGED("\"arg\": []"), "p:2:60: syscalls[0].arg: unknown key; did you mean \"args\"?" },
		{ LOGGED("\"errnoRet\": 1"), "p:2:60: syscalls[0].errnoRet: SCMP_ACT_LOG returns no errno" },
		{ RULE("\"SCMP_ACT_ERRNO\", \"errnoRet\": -1"),
			"p:2:74: syscalls[0].errnoRet: expected an integer from 0 to 4095, not -1" },
		{ RULE("\"SCMP_ACT_ERRNO\", \"errnoRet\": 1.5"),
			"p:2:74: syscalls[0].errnoRet: expected an integer from 0 to 4095, not 1.5" },
		{ RULE("\"SCMP_ACT_ERRNO\", \"errno\": \"\\u00e4\""),
			"p:2:71: syscalls[0].errno: unknown errno \"\xc3\xa4\"" },
		{ RULE("\"SCMP_ACT_ERRNO\", \"errno\": \"99999\""),
			"p:2:71: syscalls[0].errno: unknown errno \"99999\"" },
		{ LOGGED("\"comment\": 1"), "p:2:71: syscalls[0].comment: expected a string, not 1" },
		{ LOGGED("\"args\": [{\"index\": 6, \"value\": 0, \"op\": \"SCMP_CMP_EQ\"}]"),
			"p:2:79: syscalls[0].args[0].index: expected an integer from 0 to 5, not 6" },
		{ LOGGED("\"args\": [{\"index\": 0, \"value\": 18446744073709551616, \"op\": \"SCMP_CMP_EQ\"}]"),
			"p:2:91: syscalls[0].args[0].value: expected an integer from 0 to 18446744073709551615, not "
			"18446744073709551616" },
		{ LOGGED("\"args\": [{\"index\": 0, \"value\": 0, \"valueTwo\": \"1\", \"op\": \"SCMP_CMP_EQ\"}]"),
			"p:2:106: syscalls[0].args[0].valueTwo: expected an integer from 0 to 18446744073709551615, "
			"not "
			"\"1\"" },
		{ LOGGED("\"args\": [{\"index\": 0, \"value\": 0, \"op\": \"SCMP_CMP_IS\"}]"),
			"p:2:100: syscalls[0].args[0].op: unknown comparison \"SCMP_CMP_IS\"; did you mean "
			"\"SCMP_CMP_NE\"?" },
		{ LOGGED("\"args\": [{\"index\": 0, \"op\": \"SCMP_CMP_EQ\"}]"),
			"p:2:69: syscalls[0].args[0]: \"value\" is missing" },
		{ LOGGED("\"includes\": {\"arch\": []}"),
			"p:2:73: syscalls[0].includes.arch: unknown key; did you mean \"arches\"?" },
		{ LOGGED("\"includes\": {\"arches\": [\"x86_64\"]}"),
			"p:2:84: syscalls[0].includes.arches[0]: unknown architecture \"x86_64\"" },
		{ LOGGED("\"excludes\": {\"caps\": [\"sys_admin\"]}"),
			"p:2:82: syscalls[0].excludes.caps[0]: unknown capability \"sys_admin\"" },
		{ LOGGED("\"includes\": {\"minKernel\": \"4\"}"),
			"p:2:86: syscalls[0].includes.minKernel: expected a kernel version, MAJOR.MINOR" },
		{ LOGGED("\"includes\": {\"minKernel\": 4.8}"),
			"p:2:86: syscalls[0].includes.minKernel: expected a string, not 4.8" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct complaint why = { "" };

		assert_int_equal(read_text(cases[i].text, &why), -EINVAL);
		assert_string_equal(why.text, cases[i].sentence);
		assert_null(profile);
	}
}

static void includes_and_excludes_decide(void **state)
{
	static const struct {
		const char *filters;
		bool nobody, admin, both; /* capabilities: none, SYS_ADMIN, SYS_ADMIN and BPF; on amd64, Linux 5.10 */
	} cases[] = {
		{ "\"includes\": {}", true, true, true },
		{ "\"includes\": {\"caps\": [\"CAP_SYS_ADMIN\"]}", false, true, true },
		{ "\"includes\": {\"caps\": [\"CAP_SYS_ADMIN\", \"CAP_BPF\"]}", false, false, true },
		{ "\"excludes\": {\"caps\": [\"CAP_SYS_ADMIN\", \"CAP_BPF\"]}", true, false, false },
		{ "\"includes\": {\"arches\": [\"arm64\"]}", false, false, false },
		{ "\"includes\": {\"arches\": [\"arm64\", \"amd64\"]}", true, true, true },
		{ "\"excludes\": {\"arches\": [\"amd64\"]}", false, false, false },
		{ "\"excludes\": {\"arches\": [\"s390\"], \"caps\": [\"CAP_BPF\"]}", true, true, false },
		{ "\"includes\": {\"minKernel\": \"5.10\"}", true, true, true },
		{ "\"includes\": {\"minKernel\": \"5.11\"}", false, false, false },
		{ "\"includes\": {\"minKernel\": \"6.0\"}", false, false, false },
		{ "\"includes\": {\"minKernel\": \"4.20\"}", true, true, true },
		{ "\"excludes\": {\"minKernel\": \"5.10\"}", false, false, false },
		{ "\"excludes\": {\"minKernel\": \"5.11\"}", true, true, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct profile_context context = { .arch = PROFILE_X86_64, .kernel_major = 5, .kernel_minor = 10 };
		const struct profile *p;
		char text[256];

		snprintf(text, sizeof text, LOGGED("%s"), cases[i].filters);
		p = accepted(text);
		assert_int_equal(profile_rule_applies(&p->rules[0], &context), cases[i].nobody);
		context.caps = BIT(21);
		assert_int_equal(profile_rule_applies(&p->rules[0], &context), cases[i].admin);
		context.caps |= BIT(39);
		assert_int_equal(profile_rule_applies(&p->rules[0], &context), cases[i].both);
	}
}

static void names_are_found(void **state)
{
	enum profile_arch arch;
	unsigned number;

	(void)state;
	assert_int_equal(profile_arch_find("arm64", &arch), 0);
	assert_int_equal(arch, PROFILE_AARCH64);
	assert_int_equal(profile_arch_find("aarch64", &arch), -ENOENT);
	assert_int_equal(profile_errno_find("ENOSYS", &number), 0);
	assert_int_equal(number, ENOSYS);
	assert_string_equal(profile_errno_name(EPERM), "EPERM");
	assert_string_equal(profile_errno_name(EAGAIN), "EAGAIN");
	assert_null(profile_errno_name(4000));
}

static void warnings_are_one_line(void **state)
{
	static struct seccomp_warnings warnings;
	char text[128], small[24];

	(void)state;
	seccomp_warnings_text("p", &warnings, text, sizeof text);
	assert_string_equal(text, "");
	warnings = (struct seccomp_warnings){ .count = 1, .unknown = { { 3, 5, "mseal" } } };
	seccomp_warnings_text("p", &warnings, text, sizeof text);
	assert_string_equal(text, "p:3:5: a syscall that libseccomp does not know: mseal");
	warnings.count = 2;
	warnings.unknown[1] = (struct seccomp_unknown){ 4, 5, "statmount" };
	seccomp_warnings_text("p", &warnings, text, sizeof text);
	assert_string_equal(text, "p:3:5: syscalls that libseccomp does not know: mseal, statmount");
	seccomp_warnings_text("p", &warnings, small, sizeof small);
	assert_string_equal(small, "p:3:5: syscalls that li");
}

static void sha256_is_that_of_fips_180(void **state)
{
	char hex[65];

	(void)state;
	sha256_hex("", 0, hex);
	assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	sha256_hex("abc", 3, hex);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, hex);
	assert_string_equal(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(an_oci_profile_is_read, drop),
		cmocka_unit_test_teardown(a_docker_profile_is_read, drop),
		cmocka_unit_test_teardown(a_containers_profile_is_read, drop),
		cmocka_unit_test_teardown(every_action_has_its_name, drop),
		cmocka_unit_test_teardown(what_is_wrong_is_refused_with_its_place, drop),
		cmocka_unit_test_teardown(includes_and_excludes_decide, drop),
		cmocka_unit_test(names_are_found),
		cmocka_unit_test(warnings_are_one_line),
		cmocka_unit_test(sha256_is_that_of_fips_180),
	};

	return cmocka_run_group_tests_name("seccomp_profile", tests, NULL, NULL);
}
