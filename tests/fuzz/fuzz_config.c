/* libFuzzer: looks for a text that breaks the reading of a configuration file, the sentences about it, or what is
 * written of it for the monitor. Built and run by tests/fuzz/run. */
#include "base/cleanup.h"
#include "base/config_write.h"
#include "base/options.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* What a model holds lives as long as the process (config.h). */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static char *written(const struct model *model, enum config_audience whom)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	require(out != NULL, "out of memory");
	config_write(model, whom, out);
	fclose(out);
	return text;
}

static void read_again(const char *text, struct model *ret_model)
{
	struct complaint why = { "" };

	memset(ret_model, 0, sizeof *ret_model);
	if (options_parse_text("written", text, strlen(text), ret_model, &why) == 0)
		return;
	fprintf(stderr, "%s\n%s\n", why.text, text);
	require(false, "what is written is read");
}

/* The monitor has the same model as PID 1, and what people are shown is a file as well. */
static void write_and_read(struct model *model)
{
	static struct model again;
	cleanup_free char *first = written(model, CONFIG_FOR_MONITOR), *shown = written(model, CONFIG_FOR_PEOPLE);
	cleanup_free char *second = NULL;

	read_again(shown, &again);
	free(again.main.check);
	read_again(first, &again);
	second = written(&again, CONFIG_FOR_MONITOR);
	require(strcmp(first, second) == 0, "and means the same");
	require(again.main.check_count == model->main.check_count, "with as many checks");
	free(again.main.check);
}

static void look_at(const struct config *config)
{
	for (size_t i = 0; i < config->finding_count; i++)
		require(strncmp(config->finding[i].why.text, "x:", 2) == 0 ||
				strncmp(config->finding[i].why.text, "--", 2) == 0,
			"a sentence with its place");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static char *env[] = { (char *)"A=b", (char *)"EMPTY=", (char *)"N=5", NULL }, *nothing[] = { NULL };
	static struct model model;
	cleanup_config struct config config = { .json = NULL };
	const struct config_input input = { "x", (const char *)bytes, length, env,
		{ length % 3 == 0 ? 0 : 512 << 20, UINT64_C(8) << 30 }, false, length % 2 == 0 };
	struct complaint why = { "" };
	int error;

	memset(&model, 0, sizeof model);
	error = options_check_text(&input, nothing, &model, &config, &why);
	require(error == 0 || error == -ENOMEM, "what is wrong is found, not refused");
	look_at(&config);
	if (error == 0 && config.error_count == 0)
		write_and_read(&model);
	else if (config.error_count > 0 && config.warning_count == 0)
		require(config_complain(&config, "x", &why) == -EINVAL && why.text[0] != '\0', "a sentence");
	free(model.main.check);
	return 0;
}
