/* What HTTPS is served with: a certificate, the chain behind it, and its private key. Of the files here one is
 * compiled: tls.c, the only one that knows GnuTLS, or tls_none.c, where libmicrohttpd has no TLS. */
#pragma once

#include "base/complaint.h"

#define TLS_FILE_MAX 65536

/* TLS 1.2 and 1.3, and no exchange of keys that lets who steals the private key read what was said before
 * (gnutls_priority_init(3)). */
#define TLS_PRIORITIES "PFS:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

struct tls;

/* Reads both files, and finds out whether they belong together. Sentences begin with the option of the file that is
 * wrong, and never show what a key holds. Returns 0 or -errno; -ENOTSUP: this build has no TLS. */
int tls_load(const char *certificate_path, const char *key_path, struct tls **ret_tls, struct complaint *ret_why);

/* It lives until everybody who took it has dropped it; tls_load() takes it once. NULL may be dropped. */
struct tls *tls_take(struct tls *tls);
void tls_drop(struct tls *tls);

/* Serves a session (gnutls_session_t) with it, which must outlive that. */
void tls_use(const struct tls *tls, void *session);

/* A gnutls_certificate_retrieve_function2 that has no certificate: for sessions that tls_use() is not called for. */
typedef int (*tls_retrieve)(void);
tls_retrieve tls_no_certificate(void);
