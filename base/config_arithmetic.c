#include "base/config_arithmetic.h"

#include "base/size.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 32 /* of what is nested: each level takes from the stack */
#define NUMBER_SIZE 32

struct reader {
	const char *at;
	const struct config_memory *memory;
	struct complaint *why;
	unsigned depth;
};

struct number {
	uint64_t value;
	bool is_percent;
};

static int read_sum(struct reader *reader, uint64_t *ret_value);
static int read_value(struct reader *reader, struct number *ret_number);

static void skip_blanks(struct reader *reader)
{
	reader->at += strspn(reader->at, " \t");
}

/* Takes the text if it stands there, blanks before it. */
static bool take(struct reader *reader, const char *text)
{
	skip_blanks(reader);
	if (strncmp(reader->at, text, strlen(text)) != 0)
		return false;
	reader->at += strlen(text);
	return true;
}

/* The same for one of two signs; returns it, or NUL. */
static char take_one(struct reader *reader, const char *signs)
{
	skip_blanks(reader);
	return *reader->at != '\0' && strchr(signs, *reader->at) != NULL ? *reader->at++ : '\0';
}

static int refuse(struct reader *reader, int err, const char *place, const char *sentence)
{
	return complain(reader->why, err, "'%.40s': %s", place, sentence);
}

/* ---- one value ---- */

/* Digits, or a size. */
static int read_number(struct reader *reader, uint64_t *ret_value)
{
	const char *place = reader->at;
	char text[NUMBER_SIZE];
	size_t length = 0;
	int error;

	while (isalnum((unsigned char)place[length]))
		length++;
	reader->at += length;
	if (*reader->at == '.')
		return refuse(reader, EINVAL, place, "expected a whole number; three quarters are * 75%");
	snprintf(text, sizeof text, "%.*s", (int)length, place);
	error = length < sizeof text ? size_parse(text, ret_value) : -ERANGE;
	if (error == -ERANGE)
		return refuse(reader, ERANGE, place, "more than 64 bits");
	return error < 0 ? refuse(reader, EINVAL, place, "expected a number, or a size such as 64MiB") : 0;
}

static int read_limit(struct reader *reader, uint64_t *ret_value)
{
	const char *place = reader->at - strlen("memory.limit");
	struct number instead;
	int error;

	if (take(reader, ":-")) {
		error = read_value(reader, &instead);
		if (error == 0 && instead.is_percent)
			error = refuse(reader, EINVAL, place, "a percentage of what? expected a size behind :-");
		if (error == 0)
			*ret_value = reader->memory->limit != 0 ? reader->memory->limit : instead.value;
		return error;
	}
	if (reader->memory->limit == 0)
		return refuse(reader, ENOENT, place,
			"this container has no memory limit: give it one, or write memory.limit:-SIZE");
	*ret_value = reader->memory->limit;
	return 0;
}

static int read_total(struct reader *reader, uint64_t *ret_value)
{
	if (reader->memory->total == 0)
		return refuse(reader, ENOENT, reader->at - strlen("memory.total"), "the machine does not say it");
	*ret_value = reader->memory->total;
	return 0;
}

static int close_group(struct reader *reader, const char *expected)
{
	return take(reader, ")") ? 0 : refuse(reader, EINVAL, reader->at, expected);
}

static int read_parenthesis(struct reader *reader, uint64_t *ret_value)
{
	int error = read_sum(reader, ret_value);

	return error < 0 ? error : close_group(reader, "expected an operator or )");
}

static int read_least_or_most(struct reader *reader, bool least, uint64_t *ret_value)
{
	int error = read_sum(reader, ret_value);

	while (error == 0 && take(reader, ",")) {
		uint64_t next = 0;

		error = read_sum(reader, &next);
		if (error == 0 && (least ? next < *ret_value : next > *ret_value))
			*ret_value = next;
	}
	return error < 0 ? error : close_group(reader, "expected an operator, a comma or )");
}

static int read_operand(struct reader *reader, struct number *ret_number)
{
	int error;

	ret_number->is_percent = false;
	if (isdigit((unsigned char)*reader->at)) {
		error = read_number(reader, &ret_number->value);
		ret_number->is_percent = error == 0 && take(reader, "%");
		return error;
	}
	if (take(reader, "("))
		return read_parenthesis(reader, &ret_number->value);
	if (take(reader, "min("))
		return read_least_or_most(reader, true, &ret_number->value);
	if (take(reader, "max("))
		return read_least_or_most(reader, false, &ret_number->value);
	if (take(reader, CONFIG_MEMORY_PREFIX "limit"))
		return read_limit(reader, &ret_number->value);
	if (take(reader, CONFIG_MEMORY_PREFIX "total"))
		return read_total(reader, &ret_number->value);
	return refuse(reader, EINVAL, reader->at,
		"expected a number, a size such as 64MiB, memory.limit, memory.total, min(, max( or (");
}

/* Whatever is nested passes here. */
static int read_value(struct reader *reader, struct number *ret_number)
{
	int error;

	skip_blanks(reader);
	if (reader->depth == DEPTH_MAX)
		return refuse(reader, EINVAL, reader->at, "nested too deep");
	reader->depth++;
	error = read_operand(reader, ret_number);
	reader->depth--;
	return error;
}

/* ---- operators ---- */

static int multiply(struct reader *reader, const char *place, struct number *left, const struct number *right)
{
	if (left->is_percent && right->is_percent)
		return refuse(reader, EINVAL, place, "a percentage of a percentage: expected a size");
	if (__builtin_mul_overflow(left->value, right->value, &left->value))
		return refuse(reader, ERANGE, place, "more than 64 bits");
	if (left->is_percent || right->is_percent)
		left->value /= 100;
	left->is_percent = false;
	return 0;
}

static int divide(struct reader *reader, const char *place, struct number *left, const struct number *right)
{
	if (left->is_percent || right->is_percent)
		return refuse(reader, EINVAL, place, "a percentage stands beside a *");
	if (right->value == 0)
		return refuse(reader, EDOM, place, "a division by zero");
	left->value /= right->value;
	return 0;
}

static int read_product(struct reader *reader, uint64_t *ret_value)
{
	struct number left = { 0 }, right = { 0 };
	const char *place;
	char sign;
	int error;

	skip_blanks(reader);
	place = reader->at;
	error = read_value(reader, &left);
	while (error == 0 && (sign = take_one(reader, "*/")) != '\0') {
		const char *operator= reader->at - 1;

		error = read_value(reader, &right);
		if (error == 0)
			error = sign == '*' ? multiply(reader, operator, & left, &right)
					    : divide(reader, operator, & left, &right);
	}
	if (error == 0 && left.is_percent)
		error = refuse(reader, EINVAL, place, "a percentage of what? expected a * beside it");
	if (error == 0)
		*ret_value = left.value;
	return error;
}

static int read_sum(struct reader *reader, uint64_t *ret_value)
{
	int error = read_product(reader, ret_value);
	char sign;

	while (error == 0 && (sign = take_one(reader, "+-")) != '\0') {
		const char *operator= reader->at - 1;
		uint64_t right = 0;

		error = read_product(reader, &right);
		if (error == 0 && sign == '+' && __builtin_add_overflow(*ret_value, right, ret_value))
			error = refuse(reader, ERANGE, operator, "more than 64 bits");
		else if (error == 0 && sign == '-' && __builtin_sub_overflow(*ret_value, right, ret_value))
			error = refuse(reader, ERANGE, operator, "the difference is below zero");
	}
	return error;
}

bool config_is_arithmetic(const char *text)
{
	const char *found = strstr(text, CONFIG_MEMORY_PREFIX), *end = strchr(text, '}');

	return found != NULL && end != NULL && found < end;
}

int config_arithmetic(
	const char *text, const struct config_memory *memory, uint64_t *ret_value, struct complaint *ret_why)
{
	struct reader reader = { .at = text, .memory = memory, .why = ret_why };
	uint64_t value = 0;
	int error = read_sum(&reader, &value);

	skip_blanks(&reader);
	if (error == 0 && *reader.at != '}')
		error = refuse(&reader, EINVAL, reader.at, "expected an operator or }");
	if (error == 0)
		*ret_value = value;
	return error;
}
