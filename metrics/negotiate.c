#include "metrics/negotiate.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

static const struct representation {
	const char *type;
	const char *subtype;
	const char *version; /* NULL: it has none */
	const char *content_type;
} representations[] = {
	[MEDIA_PLAIN] = { "text", "plain", NULL, "text/plain; charset=utf-8" },
	[MEDIA_TEXT] = { "text", "plain", "0.0.4", "text/plain; version=0.0.4; charset=utf-8" },
	[MEDIA_OPENMETRICS] = { "application", "openmetrics-text", "1.0.0",
		"application/openmetrics-text; version=1.0.0; charset=utf-8" },
	[MEDIA_HEALTH_JSON] = { "application", "health+json", NULL, "application/health+json" },
};
static_assert(sizeof representations / sizeof representations[0] == MEDIA_COUNT, "a representation for every media");

const char *media_content_type(enum media media)
{
	return representations[media].content_type;
}

struct word {
	const char *text;
	size_t length;
};

/* One member of Accept: "text/plain;version=0.0.4;q=0.5". */
struct range {
	struct word type, subtype;
	struct word version; /* length 0: any */
	unsigned quality;    /* thousandths */
};

static bool word_is(struct word word, const char *text)
{
	return word.length == strlen(text) && strncasecmp(word.text, text, word.length) == 0;
}

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " \t");
}

/* A token (RFC 9110, section 5.6.2); length 0 if there is none. */
static struct word take_token(const char **at)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789"
				    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	struct word word = { *at, strspn(*at, token) };

	*at += word.length;
	return word;
}

/* A quoted string with its quotes off; escapes stay in, for no version needs one. */
static bool take_quoted(const char **at, struct word *ret_word)
{
	const char *end = *at + 1;

	while (*end != '"') {
		if (*end == '\\' && end[1] != '\0')
			end++;
		if (*end == '\0')
			return false;
		end++;
	}
	*ret_word = (struct word){ *at + 1, (size_t)(end - *at - 1) };
	*at = end + 1;
	return true;
}

/* qvalue (RFC 9110, section 12.4.2): 0 to 1 with at most three decimals. */
static bool parse_quality(struct word word, unsigned *ret_quality)
{
	unsigned quality, unit = 100;

	if (word.length == 0 || word.length > 5 || (word.text[0] != '0' && word.text[0] != '1'))
		return false;
	if (word.length > 1 && word.text[1] != '.')
		return false;
	quality = word.text[0] == '1' ? 1000 : 0;
	for (size_t i = 2; i < word.length; i++, unit /= 10) {
		if (word.text[i] < '0' || word.text[i] > '9')
			return false;
		quality += (unsigned)(word.text[i] - '0') * unit;
	}
	if (quality > 1000)
		return false;
	*ret_quality = quality;
	return true;
}

static bool take_parameter(const char **at, struct range *range)
{
	struct word name = take_token(at), value;

	if (name.length == 0 || **at != '=')
		return false;
	++*at;
	if (**at == '"') {
		if (!take_quoted(at, &value))
			return false;
	} else {
		value = take_token(at);
		if (value.length == 0)
			return false;
	}
	if (word_is(name, "q"))
		return parse_quality(value, &range->quality);
	if (word_is(name, "version"))
		range->version = value;
	return true; /* charset, escaping and what else comes do not change what we would send */
}

/* Takes one member up to its comma or the end. */
static bool take_range(const char **at, struct range *ret_range)
{
	struct range range = { .quality = 1000 };

	*at = skip_blanks(*at);
	range.type = take_token(at);
	if (range.type.length == 0 || **at != '/')
		return false;
	++*at;
	range.subtype = take_token(at);
	if (range.subtype.length == 0)
		return false;
	for (;;) {
		*at = skip_blanks(*at);
		if (**at != ';')
			break;
		*at = skip_blanks(*at + 1);
		if (**at != ';' && **at != ',' && **at != '\0' && !take_parameter(at, &range))
			return false;
	}
	*ret_range = range;
	return **at == ',' || **at == '\0';
}

/* How closely a range names a representation: 0 not at all, then for all types, the type, the subtype, the version. */
static unsigned match(const struct range *range, const struct representation *offer)
{
	if (word_is(range->type, "*") && word_is(range->subtype, "*"))
		return 1;
	if (!word_is(range->type, offer->type))
		return 0;
	if (word_is(range->subtype, "*"))
		return 2;
	if (!word_is(range->subtype, offer->subtype))
		return 0;
	if (range->version.length == 0)
		return 3;
	return offer->version != NULL && word_is(range->version, offer->version) ? 4 : 0;
}

/* The quality of one representation: what the range that names it most closely says. */
static unsigned quality_of(const char *accept, const struct representation *offer)
{
	unsigned closest = 0, quality = 0;

	while (*accept != '\0') {
		struct range range;

		if (take_range(&accept, &range)) {
			unsigned close = match(&range, offer);

			if (close > closest || (close > 0 && close == closest && range.quality > quality)) {
				closest = close;
				quality = range.quality;
			}
		}
		accept += strcspn(accept, ",");
		if (*accept == ',')
			accept++;
	}
	return quality;
}

int negotiate(const char *accept, const enum media *offered, size_t count, enum media *ret_media)
{
	unsigned best = 0;
	size_t chosen = 0;

	if (accept == NULL || *skip_blanks(accept) == '\0')
		accept = "*/*";
	for (size_t i = 0; i < count; i++) {
		unsigned quality = quality_of(accept, &representations[offered[i]]);

		if (quality > best) {
			best = quality;
			chosen = i;
		}
	}
	if (best == 0)
		return -ENOENT;
	*ret_media = offered[chosen];
	return 0;
}

/* The quality that a coding is given: by its own name, else by "*", else `otherwise`. */
static unsigned coding_quality(const char *list, const char *name, unsigned otherwise)
{
	bool named = false;

	while (*list != '\0') {
		const char *at = skip_blanks(list);
		struct range member = { .type = take_token(&at), .quality = 1000 };
		bool valid = member.type.length > 0;

		at = skip_blanks(at);
		if (*at == ';') {
			at = skip_blanks(at + 1);
			valid = valid && take_parameter(&at, &member);
		}
		if (valid && word_is(member.type, name)) {
			otherwise = member.quality;
			named = true;
		} else if (valid && !named && word_is(member.type, "*")) {
			otherwise = member.quality;
		}
		list += strcspn(list, ",");
		if (*list == ',')
			list++;
	}
	return otherwise;
}

bool negotiate_gzip(const char *accept_encoding)
{
	unsigned quality;

	if (accept_encoding == NULL)
		return false;
	quality = coding_quality(accept_encoding, "gzip", 0);
	return quality > 0 && quality >= coding_quality(accept_encoding, "identity", 1);
}
