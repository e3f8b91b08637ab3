/* Chooses the representation of a page from the request's Accept field (RFC 9110, section 12.5.1). Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum media { MEDIA_PLAIN, MEDIA_TEXT, MEDIA_OPENMETRICS, MEDIA_HEALTH_JSON, MEDIA_COUNT };

/* The Content-Type: "text/plain; charset=utf-8" (plain), "text/plain; version=0.0.4; charset=utf-8" (text),
 * "application/openmetrics-text; version=1.0.0; charset=utf-8", "application/health+json". */
const char *media_content_type(enum media media);

/* The best of the `count` offered, which are in the server's order of preference: highest q first, then that order. An
 * absent field (NULL) or an empty one accepts anything; of the parameters only `version` is compared. A member that
 * is malformed is skipped. Returns 0, or -ENOENT if nothing that is offered is acceptable (406, or the first one). */
int negotiate(const char *accept, const enum media *offered, size_t count, enum media *ret_media);

/* True if the request's Accept-Encoding field (section 12.5.3) would have gzip, and no representation as it is rather
 * than that. NULL, a request without one: false, for small clients do not unpack. */
bool negotiate_gzip(const char *accept_encoding);
