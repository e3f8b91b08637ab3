/* The certificate that the pages are served with: that of --metrics-tls-cert and --metrics-tls-key, read again when
 * their files change. */
#pragma once

#include "base/tls.h"

#include <stdint.h>

struct served_tls;

/* Paths are borrowed. What cannot be read, or does not belong together, changes nothing, and is told; where nothing was
 * read yet nobody is served until it can be. Returns 0 or -ENOMEM. */
int served_tls_open(const char *certificate_path, const char *key_path, void (*tell)(const char *sentence),
	struct served_tls **ret_tls);

/* For a connection that begins now: the caller drops it (base/tls.h). NULL: there is none. */
struct tls *served_tls_take(struct served_tls *tls, int64_t now);
