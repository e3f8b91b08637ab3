/* libFuzzer: looks for chunks of a stream that come out as other lines than the stream in one piece, for a byte that is
 * lost, and for an envelope that is no line of UTF-8. The first bytes say how it is cut and what it is put into. Built
 * and run by tests/fuzz/run. */
#include "base/utf8.h"
#include "logs/pump.h"
#include "logs/rotation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPEAT 40 /* what is found is small, and lines are long: the stream is the input again and again */
#define TEXT_MAX (REPEAT * 4096)
#define LINES_MAX (TEXT_MAX * 12 + (1 << 20))

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

struct run {
	struct log_stream_mark mark;
	size_t length;
	char *lines;
};

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void run_chunks(struct run *run, const char *text, size_t length, const struct envelope *envelope, size_t chunk,
	size_t room, bool drop)
{
	size_t given = 0, quiet = 0;

	run->mark = (struct log_stream_mark){ 0 };
	run->length = 0;
	do {
		const uint64_t before = run->mark.consumed;
		struct pump_input input = { .text = text + before };
		size_t written;

		given = least(given + chunk, length);
		input.length = least(given - before, LOG_RING_SIZE - 1);
		input.ended = before + input.length == length;
		written = pump_lines(&run->mark, &input, envelope, drop, room, run->lines + run->length);
		require(written <= room, "no more is written than there is room");
		require(run->mark.consumed <= before + input.length, "no more is consumed than there is");
		run->length += written;
		quiet = run->mark.consumed > before || given < length ? 0 : quiet + 1;
		require(quiet < 3, "it goes on");
	} while (run->mark.consumed < length || given < length);
}

/* What stands in the lines, byte by byte. */
static void is_the_text(const struct run *run, const struct envelope *tag, const char *text, size_t length)
{
	const char *line = run->lines, *const end = line + run->length;
	size_t at = 0;

	while (line < end) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		size_t size;

		require(newline != NULL && memcmp(line, tag->opening, tag->length) == 0, "every line has its tag");
		line += tag->length;
		size = (size_t)(newline - line) - 2;
		require(at + size <= length && memcmp(line + 2, text + at, size) == 0, "no byte is another");
		at += size;
		if (*line == '|' && at < length)
			require(text[at++] == '\n', "a line ends where it ended");
		line = newline + 1;
	}
	require(at == length, "no byte is lost");
}

static void are_objects(const struct run *run)
{
	const char *const end = run->lines + run->length;

	for (const char *line = run->lines; line < end;) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));

		require(newline != NULL && line[0] == '{' && newline[-1] == '}', "every line is an object");
		while (line < newline) {
			const size_t step = utf8_step(line);

			require(step > 0 && (unsigned char)*line >= ' ', "it is text");
			line += step;
		}
		line++;
	}
}

static void rotates(const struct run *run, uint64_t max_size)
{
	uint64_t size = 0;

	for (size_t at = 0, portion, empty = 0; at < run->length; at += portion) {
		portion = rotation_portion(run->lines + at, run->length - at, size, max_size);
		empty = portion == 0 ? empty + 1 : 0;
		require(empty < 2, "an empty file takes something");
		require(portion == 0 || run->lines[at + portion - 1] == '\n', "no line is in two files");
		size = portion == 0 ? 0 : size + portion;
		require(size <= max_size || memchr(run->lines + at, '\n', portion - 1) == NULL || size == portion,
			"a file is no larger than asked for");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static struct run whole, parts;
	static char text[TEXT_MAX + 4];
	struct envelope envelope;
	size_t size = 0, chunk, room;

	if (length < 5 || length > 4096)
		return 0;
	if (whole.lines == NULL) {
		whole.lines = malloc(LINES_MAX * 8UL);
		parts.lines = malloc(LINES_MAX * 8UL);
	}
	for (int i = 0; i < 1 + bytes[0] % REPEAT; i++, size += length - 4)
		memcpy(text + size, bytes + 4, length - 4);
	memset(text + size, bytes[3], 4);
	chunk = 1 + bytes[1] * (bytes[2] & 0x70);
	room = 2 * 128 * 1024;
	envelope_begin(
		&envelope, bytes[2] & 1 ? LOGGING_JSON : LOGGING_TAGGED, "main", "stdout", INT64_C(1) << bytes[3] % 63);
	run_chunks(&whole, text, size, &envelope, size, LINES_MAX * 7UL, false);
	run_chunks(&parts, text, size, &envelope, chunk, room, false);
	require(whole.length == parts.length && memcmp(whole.lines, parts.lines, whole.length) == 0,
		"the lines are the same");
	if (bytes[2] & 1)
		are_objects(&whole);
	else
		is_the_text(&whole, &envelope, text, size);
	rotates(&whole, bytes[3] * 64UL);
	run_chunks(&parts, text, size, &envelope, chunk, bytes[3] * 16UL, true);
	require(parts.mark.untold == 0 || parts.mark.dropped > 0, "what is to be told was dropped");
	return 0;
}
