#include "metrics/front_page.h"

#include "base/capname.h"
#include "base/securebits.h"
#include "metrics/chart.h"
#include "metrics/html.h"

#include <string.h>

#define RUNS 32
#define CAPABILITIES_SHOWN 8

/* The hash in front_page_policy is that of this very text. */
#define STYLE                                                                                                          \
	":root{color-scheme:light dark;--back:#f5f6f8;--card:#fff;--ink:#1c2330;--soft:#616b7c;--line:#e3e6ec;"        \
	"--good:#17803d;--bad:#c62828;--wait:#a15c00;--hue:#2f6fdb}"                                                   \
	"@media(prefers-color-scheme:dark){:root{--back:#12151b;--card:#1b2029;--ink:#e7eaf0;--soft:#97a1b3;"          \
	"--line:#2b323f;--good:#4cc472;--bad:#ff7670;--wait:#efb04c;--hue:#7aa9ff}}"                                   \
	"*{box-sizing:border-box}body{margin:0;background:var(--back);color:var(--ink);font:15px/1.5 system-ui,"       \
	"sans-serif}main{max-width:60rem;margin:auto;padding:1.25rem 1rem 2rem}h1{font-size:1.6rem;line-height:1.25;"  \
	"margin:0}h2{font-size:.8rem;letter-spacing:.06em;text-transform:uppercase;color:var(--soft);margin:0 0 "      \
	".5rem}"                                                                                                       \
	"p{margin:0}a{color:var(--hue)}.soft{color:var(--soft)}.good{color:var(--good)}.bad{color:var(--bad)}"         \
	".wait{color:var(--wait)}section{background:var(--card);border:1px solid var(--line);border-radius:.75rem;"    \
	"padding:.9rem 1rem;margin-top:.9rem;overflow-wrap:anywhere}header{border-left:.35rem solid;padding:.1rem 0 "  \
	".1rem .9rem;overflow-wrap:anywhere}header .soft{margin-top:.2rem}.two{display:grid;gap:0 .9rem;"              \
	"grid-template-columns:repeat(auto-fit,minmax(16rem,1fr))}.big{font-size:1.5rem;font-weight:600}"              \
	"svg{display:block;width:100%}.chart{height:3.5rem;margin-top:.4rem;color:var(--hue)}.area{fill:currentColor;" \
	"opacity:.15}.curve{fill:none;stroke:currentColor;stroke-width:2;stroke-linejoin:round}ul{list-style:none;"    \
	"margin:0;padding:0}li{padding:.5rem 0;border-top:1px solid "                                                  \
	"var(--line)}li:first-child{border:0;padding-top:0}"                                                           \
	"li:last-child{padding-bottom:0}.row{display:flex;flex-wrap:wrap;gap:0 .75rem;align-items:flex-start}"         \
	".row>:first-child{flex:1 1 12rem}.runs{height:1.1rem;width:14rem;max-width:100%;margin-top:.25rem}"           \
	".runs .good{fill:var(--good)}.runs .bad{fill:var(--bad)}.runs .none{fill:var(--line)}footer{margin-top:1rem;" \
	"color:var(--soft);font-size:.85rem}"

const char front_page_policy[] = "default-src 'none'; style-src 'sha256-gkI4HrYqlEvqdkXNHbVH8WDPeurwEuK8/GIti+4aiKU='; "
				 "base-uri 'none'; form-action 'none'; "
				 "frame-ancestors 'none'";

/* ---- the verdict ---- */

struct verdict_words {
	const char *colour, *text;
};

/* In the words of `nest-init status`. */
static struct verdict_words judge(const struct front_facts *facts)
{
	const struct wire_snapshot *snapshot = facts->known->snapshot;

	if (snapshot == NULL)
		return (struct verdict_words){ "wait", "not known yet" };
	if (!facts->healthy[CHECK_LIVE])
		return (struct verdict_words){ "bad", "not alive" };
	if (facts->known->ready)
		return (struct verdict_words){ "good", "ready" };
	if (snapshot->state == WIRE_STATE_RUNNING)
		return (struct verdict_words){ "bad", "not ready" };
	return (struct verdict_words){ "wait", wire_state_name(snapshot->state) };
}

static void add_processes(struct buffer *page, const struct readings *readings)
{
	static const struct {
		enum reading which;
		const char *of_one, *of_many;
	} figures[] = { { READING_PROCESSES, " process", " processes" }, { READING_THREADS, " thread", " threads" },
		{ READING_OPEN_FDS, " open file", " open files" } };
	uint64_t value;

	for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
		if (!readings_get(readings, figures[i].which, &value))
			continue;
		html(page, ", ");
		html_count(page, value, figures[i].of_one, figures[i].of_many);
	}
}

static void add_service(struct buffer *page, const struct front_facts *facts, size_t index)
{
	const struct wire_service *service = &facts->known->services[index];

	if (service->main_pid > 0) {
		html(page, "pid ");
		buffer_add_u64(page, (uint64_t)service->main_pid);
		html(page, ", up ");
		html_span(page, facts->wall_ns - service->start_time_ns);
	} else {
		html(page, "no process");
	}
	add_processes(page, &facts->known->service_readings[index]);
	if (service->main_pid > 0 && service->time_to_ready_ns >= 0) {
		html(page, ", ready after ");
		html_span(page, service->time_to_ready_ns);
	}
	if (service->starts > 1) {
		html(page, ", started ");
		html_count(page, service->starts, " time", " times");
	}
	if (service->stop_deadline_ns > facts->wall_ns) {
		html(page, ", SIGKILL in ");
		html_span(page, service->stop_deadline_ns - facts->wall_ns);
	}
}

/* Where there are several: what each of them does. */
static void add_services(struct buffer *page, const struct front_facts *facts)
{
	html(page, "<section><h2>Services</h2><ul>\n");
	for (size_t i = 0; i < facts->known->service_count; i++) {
		const struct wire_service *service = &facts->known->services[i];

		if (wire_is_gone(service))
			continue;
		html(page, "<li class=\"row\"><span><b>");
		html_escaped(page, service->name);
		html(page, "</b> <span class=\"soft\">");
		if (service->waits_for[0] != '\0') {
			html(page, "for ");
			html_escaped(page, service->waits_for);
		} else {
			add_service(page, facts, i);
		}
		html(page, "</span></span>");
		html_coloured(
			page, service->state == WIRE_STATE_RUNNING ? "good" : "wait", wire_state_name(service->state));
		html(page, "</li>\n");
	}
	html(page, "</ul></section>\n");
}

/* ---- figures ---- */

static void add_memory(struct buffer *page, const struct front_facts *facts)
{
	const struct readings *readings = facts->known->readings;
	uint64_t bytes, limit;

	html(page, "<section><h2>Memory</h2><p><span class=\"big\">");
	if (readings_get(readings, READING_CGROUP_MEMORY_BYTES, &bytes) ||
		readings_get(readings, READING_RESIDENT_BYTES, &bytes))
		html_bytes(page, bytes);
	else
		html(page, "not known");
	html(page, "</span>");
	if (readings_get(readings, READING_CGROUP_MEMORY_LIMIT_BYTES, &limit)) {
		html(page, " <span class=\"soft\">of ");
		html_bytes(page, limit);
		html(page, "</span>");
	}
	html(page, "</p>");
	chart_add(page, facts->history, &chart_memory);
	html(page, "</section>\n");
}

static void add_cpu(struct buffer *page, const struct front_facts *facts)
{
	const size_t count = history_count(facts->history);
	const int64_t now = count > 0 ? chart_cpu.figure(facts->history, count - 1) : -1;

	html(page, "<section><h2>Processor</h2><p><span class=\"big\">");
	if (now >= 0) {
		chart_cpu.write(page, now);
		html(page, "</span> <span class=\"soft\">of one");
	} else {
		html(page, "not known");
	}
	html(page, "</span></p>");
	chart_add(page, facts->history, &chart_cpu);
	html(page, "</section>\n");
}

/* ---- checks ---- */

/* A bar for each of the last runs, the last one at the right. */
static void add_runs(struct buffer *page, uint32_t runs, uint64_t count)
{
	html(page,
		"<svg class=\"runs\" viewBox=\"0 0 224 18\" preserveAspectRatio=\"none\" role=\"img\" "
		"aria-label=\"the last runs\">");
	for (unsigned i = 0; i < RUNS; i++) {
		const unsigned age = RUNS - 1 - i;

		html(page, "<rect x=\"");
		buffer_add_u64(page, 7 * i);
		html(page, "\" width=\"5\" height=\"18\" rx=\"1\" class=\"");
		html(page, age >= count ? "none" : (runs >> age & 1) != 0 ? "good" : "bad");
		html(page, "\"/>");
	}
	html(page, "</svg>");
}

static void add_outcome(struct buffer *page, const struct wire_check *check, int64_t wall_ns)
{
	html_escaped(page, check->reason[0] != '\0' ? check->reason : "no result yet");
	if (check->healthy == 0 && check->settled == 1 && check->consecutive_failures > 1) {
		html(page, ", ");
		buffer_add_u64(page, check->consecutive_failures);
		html(page, " failures in a row");
	}
	if (check->last_success_ns > 0) {
		html(page, ", last success ");
		html_span(page, wall_ns - check->last_success_ns);
		html(page, " ago");
	}
}

static void add_check(struct buffer *page, const struct front_facts *facts, size_t index)
{
	const struct wire_check *check = &facts->known->checks[index];

	const bool failing = check->healthy == 1 && check->consecutive_failures > 0;

	html(page, "<li class=\"row\"><div>");
	html_coloured(page,
		failing                  ? "wait"
			: check->healthy ? "good"
			: check->settled ? "bad"
					 : "wait",
		failing                  ? "failing"
			: check->healthy ? "ok"
			: check->settled ? "failed"
					 : "waiting");
	html(page, " <b>");
	html_escaped(page, check->name);
	html(page, "</b> <span class=\"soft\">");
	html(page, check_kind_name((enum check_kind)check->kind));
	html(page, "<br>");
	add_outcome(page, check, facts->wall_ns);
	html(page, "</span></div><div class=\"soft\">");
	add_runs(page, facts->runs[index], check->successes + check->failures);
	buffer_add_u64(page, check->successes);
	html(page, " ok, ");
	buffer_add_u64(page, check->failures);
	html(page, " failed</div></li>\n");
}

static void add_checks(struct buffer *page, const struct front_facts *facts)
{
	if (facts->known->check_count == 0)
		return;
	html(page, "<section><h2>Checks</h2><ul>\n");
	for (size_t i = 0; i < facts->known->check_count; i++)
		add_check(page, facts, i);
	html(page, "</ul></section>\n");
}

/* ---- confinement ---- */

static void add_names(struct buffer *page, uint64_t set, unsigned count, const char *(*name)(unsigned bit))
{
	unsigned shown = 0, more = 0;

	for (unsigned i = 0; i < count; i++) {
		if ((set >> i & 1) == 0)
			continue;
		if (shown == CAPABILITIES_SHOWN) {
			more++;
			continue;
		}
		html(page, shown++ > 0 ? ", " : "");
		html(page, name(i));
	}
	if (more > 0) {
		html(page, " and ");
		buffer_add_u64(page, more);
		html(page, " more");
	}
}

static void add_detail(struct buffer *page, const struct wire_service *service, enum layer layer)
{
	const char *how = service->read_only_how;

	if (layer == LAYER_CAPABILITIES && service->capability_bounding == 0) {
		html(page, "none is left");
	} else if (layer == LAYER_CAPABILITIES) {
		html(page, "left: ");
		add_names(page, service->capability_bounding, CAPNAME_COUNT, capname);
	} else if (layer == LAYER_SECUREBITS) {
		add_names(page, service->securebits, SECUREBITS_COUNT, securebits_name);
	} else if (layer == LAYER_SECCOMP) {
		html_escaped(page, service->seccomp_profile);
	} else if (layer == LAYER_READ_ONLY && *how != '\0') {
		html(page,
			strcmp(how, "landlock") == 0          ? "by Landlock"
				: strcmp(how, "remount") == 0 ? "by a remount in place"
							      : "as the runtime mounted it");
	}
}

static void add_layer_name(struct buffer *page, enum layer layer)
{
	for (const char *name = layer_name(layer); *name != '\0'; name++)
		buffer_add(page, *name == '_' ? " " : name, 1);
}

/* Details are one service's alone. */
static void add_layer(struct buffer *page, const struct page_facts *known, enum layer layer)
{
	const bool in_force = (page_layers_enforced(known) >> layer & 1) != 0;

	html(page, "<li class=\"row\"><span>");
	add_layer_name(page, layer);
	if (in_force && known->service_count == 1) {
		html(page, " <span class=\"soft\">");
		add_detail(page, known->services, layer);
		html(page, "</span>");
	}
	html(page, "</span>");
	html_coloured(page, in_force ? "good" : "bad", in_force ? "in force" : "NOT in force");
	html(page, "</li>\n");
}

static void add_layers(struct buffer *page, uint32_t layers)
{
	const char *before = "";

	for (unsigned layer = 0; layer < LAYER_COUNT; layer++) {
		if ((layers >> layer & 1) == 0)
			continue;
		html(page, before);
		add_layer_name(page, (enum layer)layer);
		before = ", ";
	}
}

static void add_confinement(struct buffer *page, const struct page_facts *known)
{
	const uint32_t shown = page_layers_requested(known);
	const uint32_t others = ~shown & ((1U << LAYER_COUNT) - 1);

	html(page, "<section><h2>Confinement</h2><ul>\n");
	for (unsigned layer = 0; layer < LAYER_COUNT; layer++)
		if ((shown >> layer & 1) != 0)
			add_layer(page, known, (enum layer)layer);
	if (others != 0) {
		html(page, "<li class=\"soft\">not asked for: ");
		add_layers(page, others);
		html(page, "</li>\n");
	}
	html(page, "</ul></section>\n");
}

/* What was asked for and could not be had, under --best-effort: it belongs to what is read first. */
static void add_gaps(struct buffer *page, const struct page_facts *known)
{
	const uint32_t gaps = page_layers_requested(known) & ~page_layers_enforced(known);

	if (gaps == 0)
		return;
	html(page, "<p class=\"bad\">NOT in force: ");
	add_layers(page, gaps);
	html(page, "</p>");
}

static void add_denials(struct buffer *page, const struct page_facts *known)
{
	if (known->denial_count == 0)
		return;
	html(page, "<section><h2>System calls denied</h2><ul>\n");
	for (size_t i = 0; i < known->denial_count; i++) {
		html(page, "<li class=\"row\"><span><b>");
		html_escaped(page, known->denials[i].syscall);
		html(page, "</b> <span class=\"soft\">");
		html_escaped(page, known->denials[i].action);
		html(page, "</span></span><span>");
		html_count(page, known->denials[i].count, " time", " times");
		html(page, "</span></li>\n");
	}
	html(page, "</ul></section>\n");
}

/* ---- the page ---- */

static uint64_t count_there(const struct page_facts *known)
{
	uint64_t count = 0;

	for (size_t i = 0; i < known->service_count; i++)
		count += !wire_is_gone(&known->services[i]);
	return count;
}

static void add_header(struct buffer *page, const struct front_facts *facts)
{
	const struct verdict_words verdict = judge(facts);

	html(page, "<header class=\"");
	html(page, verdict.colour);
	html(page, "\"><h1>");
	html_escaped(page, facts->known->service_count == 1 ? facts->known->services->name : "the container");
	html(page, " is ");
	html(page, verdict.text);
	html(page, "</h1><p class=\"soft\">");
	if (facts->known->service_count == 1)
		add_service(page, facts, 0);
	else if (facts->known->service_count > 1)
		html_count(page, count_there(facts->known), " service", " services");
	html(page, "</p>");
	add_gaps(page, facts->known);
	html(page, "</header>\n");
}

static void add_last_ends(struct buffer *page, const struct page_facts *known)
{
	for (size_t i = 0; i < known->service_count; i++) {
		if (known->services[i].last_death[0] == '\0' || wire_is_gone(&known->services[i]))
			continue;
		html(page, "<section><h2>The last end</h2><p>");
		html_escaped(page, known->services[i].last_death);
		html(page, "</p></section>\n");
	}
}

static void add_footer(struct buffer *page, const struct front_facts *facts)
{
	const struct page_build *build = facts->known->build;
	const struct wire_snapshot *snapshot = facts->known->snapshot;

	html(page, "<footer>nest-init ");
	html_escaped(page, build->version);
	if (snapshot != NULL) {
		html(page, ", up ");
		html_span(page, facts->wall_ns - snapshot->start_time_ns);
		html(page, ", ");
		html_count(page, snapshot->reaped_orphans, " orphan reaped", " orphans reaped");
		if (snapshot->monitor_restarts > 0) {
			html(page, ", monitor replaced ");
			html_count(page, snapshot->monitor_restarts, " time", " times");
		}
	}
	html(page,
		" · <a href=\"/metrics\">metrics</a> · <a href=\"/readyz?verbose\">readyz</a> · "
		"<a href=\"/livez?verbose\">livez</a></footer>\n");
}

int front_page(const struct front_facts *facts, char **ret_text, size_t *ret_length)
{
	const struct wire_snapshot *snapshot = facts->known->snapshot;
	struct buffer page;

	buffer_open(&page, FRONT_PAGE_MAX);
	html(&page, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>");
	html(&page, judge(facts).text);
	html(&page,
		" · nest-init</title>\n<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
		"<meta http-equiv=\"refresh\" content=\"10\">\n<style>" STYLE "</style></head>\n<body><main>\n");
	add_header(&page, facts);
	if (facts->known->service_count > 1)
		add_services(&page, facts);
	add_last_ends(&page, facts->known);
	html(&page, "<div class=\"two\">\n");
	add_memory(&page, facts);
	add_cpu(&page, facts);
	html(&page, "</div>\n");
	add_checks(&page, facts);
	if (snapshot != NULL)
		add_confinement(&page, facts->known);
	add_denials(&page, facts->known);
	add_footer(&page, facts);
	html(&page, "</main></body></html>\n");
	return buffer_take(&page, ret_text, ret_length);
}
