/* What a check looks at: TARGET of --ready, --live, --startup and `nest-init probe`. */
#pragma once

#include "base/complaint.h"

#include <stdint.h>

enum target_kind {
	TARGET_HTTP,      /* http://HOST[:PORT][/PATH] */
	TARGET_HTTP_UNIX, /* http+unix:SOCKET:/PATH */
	TARGET_TCP,       /* tcp://HOST:PORT */
	TARGET_UNIX,      /* unix:SOCKET */
	TARGET_FILE,      /* file:PATH[?max_age=T] */
	TARGET_EXEC,      /* exec:COMMAND ARG...; the words are the caller's to split */
	TARGET_NOTIFY,    /* notify: the workload's own READY=1, or its WATCHDOG=1 */
	TARGET_KIND_COUNT,
};

#define TARGET_HOST_SIZE 256
#define TARGET_PATH_SIZE 1024
#define TARGET_SOCKET_SIZE 108 /* sun_path of unix(7) */

struct target {
	enum target_kind kind;
	char host[TARGET_HOST_SIZE];     /* name or address, an IPv6 address without its brackets; http, tcp */
	uint16_t port;                   /* 1 to 65535; http, tcp */
	char socket[TARGET_SOCKET_SIZE]; /* Unix socket; http+unix, unix */
	char path[TARGET_PATH_SIZE];     /* request target beginning with '/' (http, http+unix) or the file (file) */
	int64_t max_age_ns;              /* file: oldest modification that still counts; 0 when any age does */
};

/* Parses TARGET, whole or not at all. Returns 0, or -EINVAL with a sentence that quotes what was wrong. */
int target_parse(const char *text, struct target *ret_target, struct complaint *ret_why);
