#include "metrics/app_pages_main.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fdio.h"
#include "base/given_file.h"
#include "base/log.h"
#include "health/probe.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#define TOKEN_MAX 3072
#define ACCEPT "Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
/* The page is still to be written and sent: so much earlier than the scraper gives up, or half of its time. */
#define MARGIN_NS (NS_PER_S / 2)
/* A scraper's time ends a little behind a page's own: what is counted there is not counted twice. */
#define LATE_NS (NS_PER_S / 50)
/* Between two lines of the log about one page: whoever scrapes can make it fail and come back. */
#define QUIET_NS (10 * NS_PER_S)

/* One application's page. */
struct source {
	const struct check *check;
	struct exchange exchange;
	char authorization[sizeof "Authorization: Bearer " + TOKEN_MAX];
	struct probe probe;
	bool running;
	int64_t begun_ns;
	struct http_sink sink;
	struct buffer body;
	char *text; /* once it is whole */
	struct app_page page;
	struct merge_left left;       /* of the last merge */
	char said[PROBE_REASON_SIZE]; /* what the log was told last; "": all is well */
	int64_t silent_until_ns;
};

static struct {
	struct source source[MODEL_MERGE_MAX];
	struct app_scrape scrape[MODEL_MERGE_MAX];
	size_t count;
	bool under_way, ended;
	struct kept *kept; /* borrowed: what is counted outlives us */
	struct siphash_key key;
	struct app_page merged[MODEL_MERGE_MAX]; /* what the last merge was made of */
} pages;

/* ---- one page ---- */

/* Of what there is for all: nobody takes it from another. */
static size_t share(size_t whole)
{
	return whole / pages.count;
}

static void drop_text(struct source *source)
{
	free(take_pointer(&source->text));
	free(take_pointer(&source->body.text));
	buffer_open(&source->body, share(APP_PAGES_MAX) < APP_PAGE_MAX ? share(APP_PAGES_MAX) : APP_PAGE_MAX);
}

/* The log is told when it changes, not with every scrape. */
static void tell(struct source *source, const char *sentence)
{
	const int64_t now = clock_now_ns();

	if (strcmp(source->said, sentence) == 0 || now < source->silent_until_ns)
		return;
	source->silent_until_ns = now + QUIET_NS;
	snprintf(source->said, sizeof source->said, "%s", sentence);
	if (*sentence != '\0')
		log_line(LOG_LEVEL_WARNING, "--metrics-merge: %s: %s; it is left out", source->check->name, sentence);
	else
		log_line(LOG_LEVEL_NOTICE, "--metrics-merge: %s: it is back", source->check->name);
}

static struct app_scrape *scrape_of(const struct source *source)
{
	return &pages.scrape[source - pages.source];
}

/* Kept before anybody is told. */
static void count_error(const struct source *source, enum app_error error, uint64_t count)
{
	static_assert(KEPT_ERRORS == APP_ERROR_COUNT, "every reason is kept");
	const size_t page = (size_t)(source - pages.source);
	struct error_counts counts;

	if (count == 0)
		return;
	pages.scrape[page].errors[error] += count;
	memcpy(counts.count, pages.scrape[page].errors, sizeof counts.count);
	kept_put_errors(pages.kept, page, &counts);
}

static void fail(struct source *source, enum app_error error, const char *sentence)
{
	count_error(source, error, 1);
	tell(source, sentence);
	drop_text(source);
}

/* Pieces of the body, until it is more than there is room for. */
static int keep(void *context, const char *bytes, size_t length)
{
	struct source *source = context;

	buffer_add(&source->body, bytes, length);
	return source->body.error;
}

/* The token as it is now: a file that was replaced is another one. */
static int read_token(const struct source *source, char **ret_token)
{
	cleanup_close int fd = given_file_open(source->check->bearer_file);
	cleanup_free char *token = NULL;
	size_t length;
	int r;

	if (fd < 0)
		return fd;
	r = fd_read_file(fd, TOKEN_MAX, &token, &length);
	if (r < 0)
		return r;
	while (length > 0 && strchr(" \t\r\n", token[length - 1]) != NULL)
		token[--length] = '\0';
	if (length == 0)
		return -ENODATA;
	for (size_t i = 0; i < length; i++) /* b64token and the like (RFC 6750 section 2.1): no blank, no line's end */
		if (token[i] <= ' ' || token[i] > '~')
			return -EILSEQ;
	*ret_token = take_pointer(&token);
	return 0;
}

static const char *token_error(int error)
{
	switch (error) {
	case EINVAL:
		return "not a file";
	case EFBIG:
		return "too large for a token";
	case ENODATA:
		return "empty";
	case EILSEQ:
		return "not one word of visible ASCII";
	case EAGAIN:
		return "PID 1 did not open it in time";
	default:
		return strerror(error);
	}
}

/* Puts the token behind the other headers; a request has room for so much of them. */
static int add_token(struct source *source)
{
	struct exchange *exchange = &source->exchange;
	cleanup_free char *token = NULL;
	size_t length = 0;
	int r = read_token(source, &token);

	if (r < 0)
		return r;
	snprintf(source->authorization, sizeof source->authorization, "Authorization: Bearer %s", token);
	exchange->header[exchange->header_count++] = source->authorization;
	for (size_t i = 0; i < exchange->header_count; i++)
		length += strlen(exchange->header[i]);
	return length > EXCHANGE_HEADERS_SIZE ? -EFBIG : 0;
}

/* The headers of the check, and ours. */
static int make_exchange(struct source *source)
{
	struct exchange *exchange = &source->exchange;
	bool accepts = false;
	char sentence[PROBE_REASON_SIZE];
	int r;

	*exchange = source->check->exchange;
	exchange->expected = (struct expected){ 1, { { 200, 200 } } };
	for (size_t i = 0; i < exchange->header_count; i++)
		accepts |= strncasecmp(exchange->header[i], ACCEPT, strlen("Accept:")) == 0;
	if (!accepts)
		exchange->header[exchange->header_count++] = ACCEPT;
	if (source->check->bearer_file == NULL)
		return 0;
	r = add_token(source);
	if (r < 0) {
		snprintf(sentence, sizeof sentence, "bearer_file %.300s: %s (read as user %u, or as the service's)",
			source->check->bearer_file, token_error(-r), (unsigned)geteuid());
		fail(source, APP_ERROR_TOKEN, sentence);
	}
	return r;
}

static void take_page(struct source *source)
{
	const enum app_format format = source->probe.head.openmetrics ? APP_OPENMETRICS : APP_TEXT;
	size_t length;

	if (buffer_take(&source->body, &source->text, &length) < 0) {
		fail(source, APP_ERROR_TOO_LARGE, strerror(ENOMEM));
	} else if (app_page_read(source->text, length, format, &source->page) < 0) {
		fail(source, APP_ERROR_MALFORMED, "it is no page of metrics");
	} else if (source->page.series > share(MERGE_SERIES_MAX)) {
		fail(source, APP_ERROR_TOO_LARGE, "too many series");
	} else {
		scrape_of(source)->success = true;
		tell(source, "");
	}
}

/* By what was seen of the answer. */
static enum app_error error_of(const struct source *source, int64_t now)
{
	const struct probe *probe = &source->probe;

	if (source->body.error != 0 || probe->body.result == HTTP_BODY_TOO_LARGE)
		return APP_ERROR_TOO_LARGE;
	if (probe->head.result == HTTP_HEAD_COMPLETE && probe->head.status != 200)
		return APP_ERROR_STATUS;
	return now >= probe->deadline ? APP_ERROR_TIMEOUT : APP_ERROR_CONNECTION;
}

static void advance(struct source *source, int64_t now)
{
	const char *reason;

	if (!source->running || probe_advance(&source->probe, now) == PROBE_RUNNING)
		return;
	source->running = false;
	scrape_of(source)->duration_ns = clock_now_ns() - source->begun_ns;
	if (probe_result(&source->probe, &reason))
		take_page(source);
	else
		fail(source, error_of(source, now), reason);
}

static int64_t own_time(const struct source *source)
{
	const int64_t own = source->check->timing.timeout_ns;

	return own > 0 && own < APP_TIMEOUT_MAX_NS ? own : APP_TIMEOUT_MAX_NS;
}

static void begin(struct source *source, int64_t now)
{
	struct app_scrape *scrape = scrape_of(source);

	drop_text(source);
	scrape->known = true;
	scrape->success = false;
	scrape->duration_ns = 0;
	source->begun_ns = now;
	if (make_exchange(source) < 0)
		return;
	source->running = true;
	probe_fetch(
		&source->probe, &source->check->target, &source->exchange, &source->sink, now, now + own_time(source));
	advance(source, now);
}

/* ---- a round ---- */

void app_pages_init(const struct model *model, struct kept *kept)
{
#ifdef __GLIBC__
	/* Else the threshold grows with what is freed, and the memory of large pages would stay (mallopt(3)). */
	mallopt(M_MMAP_THRESHOLD, 128 * 1024);
#endif
	pages.kept = kept;
	pages.count = model->merge_count;
	for (size_t i = 0; i < pages.count; i++) {
		struct source *source = &pages.source[i];
		struct error_counts counts;

		source->check = &model->merge[i];
		source->sink = (struct http_sink){ keep, source };
		pages.scrape[i].target = source->check->name;
		counts = kept_errors(kept, i);
		memcpy(pages.scrape[i].errors, counts.count, sizeof counts.count);
	}
	/* Nobody outside is to know which texts collide; without randomness (getrandom(2): never on Linux 3.17 or
	 * later, after boot) there is at least the clock. */
	if (getrandom(&pages.key, sizeof pages.key, GRND_NONBLOCK) != sizeof pages.key)
		pages.key.half[0] = (uint64_t)clock_now_ns();
}

static void begin_round(int64_t now)
{
	pages.under_way = true;
	for (size_t i = 0; i < pages.count; i++)
		begin(&pages.source[i], now);
}

static bool end_round(void)
{
	for (size_t i = 0; i < pages.count; i++)
		if (pages.source[i].running)
			return false;
	pages.under_way = false;
	pages.ended = true;
	return true;
}

size_t app_pages_pollfds(struct pollfd ret_slots[static MODEL_MERGE_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < pages.count; i++)
		if (pages.source[i].running)
			probe_poll(&pages.source[i].probe, &ret_slots[count++]);
	return count;
}

int64_t app_pages_deadline_ns(void)
{
	int64_t deadline = TIME_NEVER;

	for (size_t i = 0; i < pages.count; i++)
		if (pages.source[i].running && probe_wake(&pages.source[i].probe) < deadline)
			deadline = probe_wake(&pages.source[i].probe);
	return deadline;
}

bool app_pages_run(int64_t now)
{
	if (!pages.under_way)
		return false;
	for (size_t i = 0; i < pages.count; i++)
		advance(&pages.source[i], now);
	return end_round();
}

/* Seconds with decimals, as Prometheus writes them; 0 for anything else. */
static int64_t parse_timeout(const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end != '\0' || !(seconds > 0 && seconds < 3600))
		return 0;
	return (int64_t)(seconds * (double)NS_PER_S);
}

/* What the settings say, where the scraper says nothing. */
static int64_t time_of_settings(void)
{
	int64_t time = 0;

	for (size_t i = 0; i < pages.count; i++) {
		const bool said = pages.source[i].check->timing.timeout_ns > 0;
		const int64_t own = said ? own_time(&pages.source[i]) : APP_TIMEOUT_NS;

		time = own > time ? own : time;
	}
	return time;
}

static int64_t time_for(const char *timeout)
{
	int64_t given = timeout != NULL ? parse_timeout(timeout) : 0;

	if (given == 0)
		return time_of_settings();
	given -= given / 2 < MARGIN_NS ? given / 2 : MARGIN_NS;
	return given < APP_TIMEOUT_MAX_NS ? given : APP_TIMEOUT_MAX_NS;
}

/* A scraper that can wait no longer: what is not there yet is left out of its page. The others go on waiting. */
static void count_late(int64_t now)
{
	for (size_t i = 0; i < pages.count; i++) {
		struct source *source = &pages.source[i];

		if (pages.under_way && !source->running)
			continue;
		pages.scrape[i].success = false;
		if (source->running)
			pages.scrape[i].duration_ns = now - source->begun_ns;
		count_error(source, APP_ERROR_TIMEOUT, 1);
		tell(source, "no whole answer within the scraper's time");
	}
}

bool app_pages_ready(int64_t since_ns, const char *timeout, int64_t now, int64_t *ret_until_ns)
{
	const int64_t until = since_ns + time_for(timeout);

	if (pages.count == 0 || pages.ended)
		return true;
	if (now >= until + LATE_NS) {
		count_late(now);
		return true;
	}
	if (!pages.under_way)
		begin_round(now);
	*ret_until_ns = until + LATE_NS;
	return end_round();
}

static size_t collect(struct source *ret_sources[MODEL_MERGE_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < pages.count; i++) {
		if (pages.source[i].text == NULL)
			continue;
		pages.merged[count] = pages.source[i].page;
		ret_sources[count++] = &pages.source[i];
	}
	return count;
}

/* Once, not with every scrape. */
static void tell_left(struct source *source, const struct merge_left *left)
{
	if ((left->families > 0 || left->series > 0) && source->left.families == 0 && source->left.series == 0)
		log_line(LOG_LEVEL_WARNING,
			"--metrics-merge: %s: %" PRIu64 " families and %" PRIu64
			" series are left out: others have their names already",
			source->check->name, left->families, left->series);
	source->left = *left;
}

struct merge *app_pages_merge(void)
{
	struct source *sources[MODEL_MERGE_MAX];
	struct merge_left left[MODEL_MERGE_MAX];
	const size_t count = collect(sources);
	struct merge *merge = NULL;

	if (count == 0 || merge_build(pages.merged, count, &pages.key, left, &merge) < 0)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		count_error(sources[i], APP_ERROR_CONFLICT, left[i].families);
		count_error(sources[i], APP_ERROR_DUPLICATE, left[i].series);
		tell_left(sources[i], &left[i]);
	}
	return merge;
}

void app_pages_refused(void)
{
	for (size_t i = 0; i < pages.count; i++) {
		count_error(&pages.source[i], APP_ERROR_TOO_LARGE, pages.scrape[i].success);
		pages.scrape[i].success = false;
	}
}

const struct app_scrape *app_pages_scrapes(size_t *ret_count)
{
	*ret_count = pages.count;
	return pages.scrape;
}

void app_pages_release(void)
{
	if (!pages.under_way && !pages.ended)
		return;
	pages.under_way = pages.ended = false;
	for (size_t i = 0; i < pages.count; i++) {
		probe_cancel(&pages.source[i].probe);
		pages.source[i].running = false;
		drop_text(&pages.source[i]);
	}
}
