#include "base/which_service.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* "web worker! ...": an exclamation mark is behind a task. */
static struct model *model_of(const char *names)
{
	static struct service more[300];
	static char text[4096];
	static struct model model;
	char *rest;
	size_t count = 0;

	memset(&model, 0, sizeof model);
	memset(more, 0, sizeof more);
	model.more = more;
	snprintf(text, sizeof text, "%s", names);
	for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest), count++) {
		struct service *service = count == 0 ? &model.main : &more[count - 1];
		const bool is_task = word[strlen(word) - 1] == '!';

		if (is_task)
			word[strlen(word) - 1] = '\0';
		service->name = word;
		service->kind = is_task ? SERVICE_LASTING + 1 : SERVICE_LASTING;
	}
	model.more_count = count > 0 ? count - 1 : 0;
	return &model;
}

static const struct {
	const char *names, *name;
	size_t index;
} found[] = {
	{ "", NULL, 0 },
	{ "", "main", 0 },
	{ "web", NULL, 0 },
	{ "migrate!", NULL, 0 },
	{ "web migrate! backup!", NULL, 0 },
	{ "migrate! web backup!", NULL, 1 },
	{ "web worker", "web", 0 },
	{ "web worker", "worker", 1 },
	{ "web worker migrate!", "migrate", 2 },
};

static void finds_the_one_that_is_meant(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(found); i++) {
		struct complaint why;
		size_t index = 99;

		assert_int_equal(which_service(model_of(found[i].names), found[i].name, &index, &why), 0);
		assert_int_equal(index, found[i].index);
	}
}

static const struct {
	const char *names, *name;
	int error;
	const char *sentence;
} refused[] = {
	{ "web worker", NULL, -EINVAL,
		"there are several services, so say whose confinement it is to be: --service NAME (web, worker)" },
	{ "one! two!", NULL, -EINVAL,
		"there are several services, so say whose confinement it is to be: --service NAME (one, two)" },
	{ "web worker", "wob", -ENOENT, "no service is called 'wob': did you mean 'web'?" },
	{ "a b", "bb", -ENOENT, "no service is called 'bb': did you mean 'b'?" },
	{ "a b", "x", -ENOENT, "no service is called 'x' (there is a, b)" },
	{ "web worker", "database", -ENOENT, "no service is called 'database' (there is web, worker)" },
	{ "", "web", -ENOENT, "no service is called 'web' (there is main)" },
};

static void says_what_there_is(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct complaint why;
		size_t index;

		assert_int_equal(
			which_service(model_of(refused[i].names), refused[i].name, &index, &why), refused[i].error);
		assert_string_equal(why.text, refused[i].sentence);
	}
}

static void many_names_are_cut(void **state)
{
	struct complaint why;
	char names[2048] = "";
	size_t index;

	(void)state;
	for (int i = 0; i < 100; i++)
		sprintf(names + strlen(names), "service-%d ", i);
	assert_int_equal(which_service(model_of(names), NULL, &index, &why), -EINVAL);
	assert_non_null(strstr(why.text, "(service-0, service-1, "));
	assert_string_equal(why.text + strlen(why.text) - strlen(", ...)"), ", ...)");
	assert_true(strlen(why.text) < 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_one_that_is_meant),
		cmocka_unit_test(says_what_there_is),
		cmocka_unit_test(many_names_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
