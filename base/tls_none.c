#include "base/tls.h"

#include <errno.h>
#include <stddef.h>

/* Without a certificate nothing else here is ever called. */

int tls_load(const char *certificate_path, const char *key_path, struct tls **ret_tls, struct complaint *ret_why)
{
	(void)certificate_path;
	(void)key_path;
	(void)ret_tls;
	return complain(ret_why, ENOTSUP,
		"--metrics-tls-cert: this build has no TLS: take the one for glibc, or leave this out and put a "
		"reverse proxy in front of --metrics");
}

struct tls *tls_take(struct tls *tls)
{
	return tls;
}

void tls_drop(struct tls *tls)
{
	(void)tls;
}

void tls_use(const struct tls *tls, void *session)
{
	(void)tls;
	(void)session;
}

tls_retrieve tls_no_certificate(void)
{
	return NULL;
}
