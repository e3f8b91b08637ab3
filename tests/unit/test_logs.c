#include "logs/pump.h"
#include "logs/rotation.h"

#include "base/clock.h"
#include "base/logging.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define WALL (INT64_C(1795961354) * NS_PER_S + 123456789) /* 2026-11-29T14:09:14 */
#define TIME "2026-11-29T14:09:14.123456Z"

static struct complaint why;

/* ---- lines ---- */

static void a_line_ends_at_its_newline(void **state)
{
	struct line_piece piece;

	(void)state;
	assert_true(line_first("one\ntwo", 7, false, &piece));
	assert_int_equal(piece.length, 3);
	assert_int_equal(piece.taken, 4);
	assert_false(piece.goes_on);
	assert_false(line_first("two", 3, false, &piece));
	assert_false(line_first("", 0, true, &piece));
	assert_true(line_first("\n", 1, false, &piece));
	assert_int_equal(piece.length, 0);
	assert_int_equal(piece.taken, 1);
}

static void what_is_left_at_the_end_is_a_line(void **state)
{
	struct line_piece piece;

	(void)state;
	assert_true(line_first("two", 3, true, &piece));
	assert_int_equal(piece.length, 3);
	assert_int_equal(piece.taken, 3);
	assert_false(piece.goes_on);
}

static void a_longer_line_comes_in_pieces(void **state)
{
	static char text[LINE_BYTES_MAX + 8];
	struct line_piece piece;

	(void)state;
	memset(text, 'x', sizeof text);
	text[LINE_BYTES_MAX] = '\n';
	assert_true(line_first(text, LINE_BYTES_MAX + 1, false, &piece));
	assert_int_equal(piece.length, LINE_BYTES_MAX);
	assert_int_equal(piece.taken, LINE_BYTES_MAX + 1);
	assert_false(piece.goes_on);
	assert_false(line_first(text, LINE_BYTES_MAX, false, &piece));
	text[LINE_BYTES_MAX] = 'x';
	assert_true(line_first(text, LINE_BYTES_MAX + 1, false, &piece));
	assert_int_equal(piece.length, LINE_BYTES_MAX);
	assert_int_equal(piece.taken, LINE_BYTES_MAX);
	assert_true(piece.goes_on);
}

static void no_piece_ends_within_a_character(void **state)
{
	static char text[LINE_BYTES_MAX + 8];
	struct line_piece piece;

	(void)state;
	memset(text, 'x', sizeof text);
	memcpy(text + LINE_BYTES_MAX - 2, "\xf0\x9d\x84\x9e", 4);
	assert_true(line_first(text, LINE_BYTES_MAX + 1, false, &piece));
	assert_int_equal(piece.length, LINE_BYTES_MAX - 2);
	memset(text, '\x80', sizeof text);
	assert_true(line_first(text, LINE_BYTES_MAX + 1, false, &piece));
	assert_int_equal(piece.length, LINE_BYTES_MAX);
}

/* ---- envelopes ---- */

static const char *wrapped(enum logging_format format, const char *text, size_t length, bool goes_on)
{
	static char line[512];
	const struct line_piece piece = { .text = text, .length = length, .taken = length, .goes_on = goes_on };
	struct envelope envelope;
	size_t written;

	envelope_begin(&envelope, format, "main", "stderr", WALL);
	written = envelope_write(&envelope, &piece, line);
	assert_true(written <= envelope_bound(&envelope, length));
	line[written] = '\0';
	return line;
}

static void a_tag_leaves_the_line_as_it_is(void **state)
{
	(void)state;
	assert_string_equal(wrapped(LOGGING_TAGGED, "a\"\xff\t", 4, false), TIME " main stderr | a\"\xff\t\n");
	assert_string_equal(wrapped(LOGGING_TAGGED, "a", 1, true), TIME " main stderr + a\n");
	assert_string_equal(wrapped(LOGGING_TAGGED, "", 0, false), TIME " main stderr | \n");
}

#define JSON(rest) "{\"time\":\"" TIME "\",\"service\":\"main\",\"stream\":\"stderr\"" rest "}\n"

static void an_object_is_valid_whatever_the_line_is(void **state)
{
	static const struct {
		const char *text;
		size_t length;
		const char *expected;
	} rows[] = {
		{ "plain", 5, JSON(",\"message\":\"plain\"") }, { "", 0, JSON(",\"message\":\"\"") },
		{ "{\"a\":1}", 7, JSON(",\"message\":\"{\\\"a\\\":1}\"") },
		{ "\\ \t\r\x1b\x7f", 6, JSON(",\"message\":\"\\\\ \\t\\u000d\\u001b\x7f\"") },
		{ "\0", 1, JSON(",\"message\":\"\\u0000\"") }, { "é€𝄞", 9, JSON(",\"message\":\"é€𝄞\"") },
		{ "\xff\xc3", 2, JSON(",\"message\":\"\xef\xbf\xbd\xef\xbf\xbd\"") },
		{ "\xc3\xa9", 1, JSON(",\"message\":\"\xef\xbf\xbd\"") }, /* what is behind the line is none of it */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_string_equal(wrapped(LOGGING_JSON, rows[i].text, rows[i].length, false), rows[i].expected);
	assert_string_equal(wrapped(LOGGING_JSON, "a", 1, true), JSON(",\"message\":\"a\",\"partial\":true"));
}

static void the_longest_line_has_room(void **state)
{
	static char text[LINE_BYTES_MAX + 4], line[8 * LINE_BYTES_MAX];
	const struct line_piece piece = { .text = text, .length = LINE_BYTES_MAX, .goes_on = true };
	const char *name = "a-name-of-sixty-three-characters-is-the-longest-one-there-may-be";
	struct envelope envelope;

	(void)state;
	memset(text, '\x01', sizeof text);
	envelope_begin(&envelope, LOGGING_JSON, name, "stdout", INT64_MAX);
	assert_true(envelope.length < ENVELOPE_OPENING_MAX);
	assert_true(envelope_write(&envelope, &piece, line) <= envelope_bound(&envelope, LINE_BYTES_MAX));
	assert_true(envelope_write_dropped(&envelope, UINT64_MAX, line) <= envelope_bound(&envelope, 0));
	assert_true(envelope_bound(&envelope, LINE_BYTES_MAX) + envelope_bound(&envelope, 0) < 128 * 1024);
}

/* ---- from chunks to lines ---- */

struct run {
	struct log_stream_mark mark;
	size_t length;
	char lines[1 << 20];
};

static char input_text[1 << 18];

/* Text with lines of all lengths, some empty, some too long, no newline at its end. */
static size_t make_text(unsigned seed)
{
	size_t length = 0;

	srand(seed);
	while (length < sizeof input_text - 3 * LINE_BYTES_MAX) {
		size_t line = (size_t)(rand() % 5 == 0 ? rand() % (2 * LINE_BYTES_MAX) : rand() % 200);

		for (size_t i = 0; i < line; i++)
			input_text[length++] = (char)(rand() % 64 == 0 ? 1 + rand() % 255 : 'a' + rand() % 26);
		input_text[length++] = '\n';
	}
	input_text[length++] = 'z';
	return length;
}

/* As the log process does it: what is not consumed is given again, with more behind it. */
static void run_chunks(struct run *run, size_t length, size_t chunk_most, size_t room_most, bool drop)
{
	struct envelope envelope;
	size_t given = 0;

	memset(&run->mark, 0, sizeof run->mark);
	run->length = 0;
	envelope_begin(&envelope, LOGGING_JSON, "main", "stdout", WALL);
	while (run->mark.consumed < length || given < length) {
		size_t window, room = room_most;

		given += chunk_most > 1 ? (size_t)rand() % chunk_most : 1;
		if (given > length)
			given = length;
		window = given - run->mark.consumed < LOG_RING_SIZE ? given - run->mark.consumed : LOG_RING_SIZE - 1;
		if (room > sizeof run->lines - run->length)
			room = sizeof run->lines - run->length;
		run->length += pump_lines(&run->mark,
			&(struct pump_input){
				input_text + run->mark.consumed, window, run->mark.consumed + window == length },
			&envelope, drop, room, run->lines + run->length);
		given = run->mark.consumed + window;
		assert_int_equal(run->mark.head, run->length);
	}
}

static void any_chunks_give_the_same_lines(void **state)
{
	static const size_t chunks[] = { 1, 7, 100, 4096, 60000, 200000 };
	static struct run whole, parts;

	(void)state;
	for (unsigned seed = 1; seed <= 5; seed++) {
		const size_t length = make_text(seed);

		run_chunks(&whole, length, length, sizeof whole.lines, false);
		for (size_t i = 0; i < COUNT(chunks); i++) {
			run_chunks(&parts, length, chunks[i], i % 2 == 0 ? sizeof parts.lines : 110000, false);
			assert_int_equal(parts.length, whole.length);
			assert_memory_equal(parts.lines, whole.lines, whole.length);
		}
	}
}

static void no_byte_is_lost(void **state)
{
	static char seen[sizeof input_text];
	static struct run run;
	size_t length, at = 0;
	struct envelope tag;

	(void)state;
	length = make_text(9);
	memset(&run, 0, sizeof run);
	envelope_begin(&tag, LOGGING_TAGGED, "main", "stdout", WALL);
	run.length = pump_lines(
		&run.mark, &(struct pump_input){ input_text, length, true }, &tag, false, sizeof run.lines, run.lines);
	for (char *line = run.lines, *end; line < run.lines + run.length; line = end + 1) {
		end = memchr(line, '\n', (size_t)(run.lines + run.length - line));
		assert_memory_equal(line, TIME " main stdout ", strlen(TIME " main stdout "));
		line += strlen(TIME " main stdout ");
		memcpy(seen + at, line + 2, (size_t)(end - line) - 2);
		at += (size_t)(end - line) - 2;
		if (*line == '|')
			seen[at++] = '\n';
	}
	assert_int_equal(at, length + 1); /* the last line had no newline */
	assert_memory_equal(seen, input_text, length);
}

static void without_room_a_line_waits(void **state)
{
	struct log_stream_mark mark = { 0 };
	struct envelope tag;
	char line[256];

	(void)state;
	envelope_begin(&tag, LOGGING_TAGGED, "main", "stdout", WALL);
	assert_int_equal(pump_lines(&mark, &(struct pump_input){ "one\ntwo\n", 8, true }, &tag, false, 10, line), 0);
	assert_int_equal(mark.consumed, 0);
	assert_int_equal(pump_lines(&mark, &(struct pump_input){ "one\ntwo\n", 8, true }, &tag, false,
				 envelope_bound(&tag, 3), line),
		strlen(TIME " main stdout | one\n"));
	assert_int_equal(mark.consumed, 4);
	assert_int_equal(mark.dropped, 0);
}

static void dropped_lines_are_counted_and_told(void **state)
{
	struct log_stream_mark mark = { 0 };
	struct envelope tag;
	char lines[512];
	size_t length;

	(void)state;
	envelope_begin(&tag, LOGGING_TAGGED, "main", "stdout", WALL);
	assert_int_equal(pump_lines(&mark, &(struct pump_input){ "one\ntwo\n", 8, false }, &tag, true, 10, lines), 0);
	assert_int_equal(mark.consumed, 8);
	assert_int_equal(mark.dropped, 2);
	length = pump_lines(&mark, &(struct pump_input){ "three\n", 6, false }, &tag, true, sizeof lines, lines);
	lines[length] = '\0';
	assert_string_equal(lines, TIME " main stdout ! 2 lines dropped\n" TIME " main stdout | three\n");
	assert_int_equal(mark.untold, 0);
	assert_int_equal(mark.dropped, 2);
}

static void what_was_dropped_last_is_told_at_the_end(void **state)
{
	struct log_stream_mark mark = { .untold = 1, .dropped = 1 };
	struct envelope json;
	char lines[512];
	size_t length;

	(void)state;
	envelope_begin(&json, LOGGING_JSON, "main", "stderr", WALL);
	length = pump_lines(&mark, &(struct pump_input){ "", 0, true }, &json, true, sizeof lines, lines);
	lines[length] = '\0';
	assert_string_equal(lines, JSON(",\"dropped\":1"));
}

static void a_line_that_lost_its_beginning_is_dropped_whole(void **state)
{
	static char text[LINE_BYTES_MAX + 8], lines[4 * LINE_BYTES_MAX];
	struct log_stream_mark mark = { 0 };
	struct envelope tag;

	(void)state;
	memset(text, 'x', sizeof text);
	memcpy(text + LINE_BYTES_MAX + 1, "y\nz\n", 4);
	envelope_begin(&tag, LOGGING_TAGGED, "main", "stdout", WALL);
	assert_int_equal(
		pump_lines(&mark, &(struct pump_input){ text, LINE_BYTES_MAX + 1, false }, &tag, true, 10, lines), 0);
	assert_int_equal(mark.dropped, 0);
	assert_int_equal(mark.dropping, 1);
	lines[pump_lines(&mark, &(struct pump_input){ text + LINE_BYTES_MAX, 5, false }, &tag, true, sizeof lines,
		lines)] = '\0';
	assert_string_equal(lines, TIME " main stdout ! 1 lines dropped\n" TIME " main stdout | z\n");
	assert_int_equal(mark.dropping, 0);
}

/* ---- rotation ---- */

static void a_file_takes_whole_lines_up_to_its_size(void **state)
{
	static const struct {
		const char *text;
		uint64_t size, max;
		size_t portion;
	} rows[] = {
		{ "aa\nbb\n", 0, 100, 6 },
		{ "aa\nbb\n", 94, 100, 6 },
		{ "aa\nbb\n", 95, 100, 3 },
		{ "aa\nbb\n", 97, 100, 3 },
		{ "aa\nbb\n", 98, 100, 0 },
		{ "aa\nbb\n", 100, 100, 0 },
		{ "aa\nbb\n", 500, 100, 0 },
		{ "aa\nbb\n", 0, 2, 3 }, /* one that fits into no file has one of its own */
		{ "aa\nbb\n", 1, 2, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(rotation_portion(rows[i].text, strlen(rows[i].text), rows[i].size, rows[i].max),
			rows[i].portion);
}

static void older_files_are_numbered(void **state)
{
	char name[16];

	(void)state;
	assert_int_equal(rotation_name("/var/a.log", 12, sizeof name, name), 0);
	assert_string_equal(name, "/var/a.log.12");
	assert_int_equal(rotation_name("/var/a-longer.log", 1, sizeof name, name), -ENAMETOOLONG);
}

/* ---- what is asked for ---- */

static void settings_are_dockers(void **state)
{
	char text[] = "json,file=/var/log/a,max-size=10m,max-file=3,mode=non-blocking,max-buffer-size=4m";
	struct logging logging;

	(void)state;
	assert_int_equal(logging_parse(text, &logging, &why), 0);
	assert_int_equal(logging.format, LOGGING_JSON);
	assert_string_equal(logging.file, "/var/log/a");
	assert_int_equal(logging.max_size, 10 << 20);
	assert_int_equal(logging.max_file, 3);
	assert_true(logging.non_blocking);
	assert_int_equal(logging.max_buffer_size, 4 << 20);
}

static void settings_that_are_none_are_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "xml", "'xml': expected tagged, json or none" },
		{ "", "'': expected tagged, json or none" },
		{ "json,path=/a", "no setting 'path': expected file, max-size, max-file, mode or max-buffer-size" },
		{ "json,file", "file: a value is missing (file=...)" },
		{ "json,file=", "file: a value is missing (file=...)" },
		{ "json,file=a", "file 'a': expected the absolute path of a file" },
		{ "json,file=/a/", "file '/a/': expected the absolute path of a file" },
		{ "json,file=/a,max-size=big", "max-size 'big': expected a size such as 10m" },
		{ "json,file=/a,max-size=64k", "max-size '64k': expected 128k to 1048576m" },
		{ "json,file=/a,max-file=0", "max-file '0': expected a number from 1 to 1000" },
		{ "json,file=/a,max-file=2x", "max-file '2x': expected a number from 1 to 1000" },
		{ "json,mode=fast", "mode 'fast': expected blocking or non-blocking" },
		{ "json,mode=non-blocking,max-buffer-size=1k", "max-buffer-size '1k': expected 256k to 64m" },
		{ "json,max-size=1m", "max-size and max-file are of a file: say which (file=PATH)" },
		{ "json,max-file=2", "max-size and max-file are of a file: say which (file=PATH)" },
		{ "json,max-buffer-size=1m", "max-buffer-size is of mode=non-blocking" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct logging logging = { .max_file = 77 };
		char text[128];

		snprintf(text, sizeof text, "%s", rows[i].text);
		assert_true(logging_parse(text, &logging, &why) < 0);
		assert_string_equal(why.text, rows[i].why);
		assert_int_equal(logging.max_file, 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_ends_at_its_newline),
		cmocka_unit_test(what_is_left_at_the_end_is_a_line),
		cmocka_unit_test(a_longer_line_comes_in_pieces),
		cmocka_unit_test(no_piece_ends_within_a_character),
		cmocka_unit_test(a_tag_leaves_the_line_as_it_is),
		cmocka_unit_test(an_object_is_valid_whatever_the_line_is),
		cmocka_unit_test(the_longest_line_has_room),
		cmocka_unit_test(any_chunks_give_the_same_lines),
		cmocka_unit_test(no_byte_is_lost),
		cmocka_unit_test(without_room_a_line_waits),
		cmocka_unit_test(dropped_lines_are_counted_and_told),
		cmocka_unit_test(what_was_dropped_last_is_told_at_the_end),
		cmocka_unit_test(a_line_that_lost_its_beginning_is_dropped_whole),
		cmocka_unit_test(a_file_takes_whole_lines_up_to_its_size),
		cmocka_unit_test(older_files_are_numbered),
		cmocka_unit_test(settings_are_dockers),
		cmocka_unit_test(settings_that_are_none_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
