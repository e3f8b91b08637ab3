#include "base/tls.h"

#include "base/cleanup.h"
#include "base/given_file.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

struct tls {
	size_t users;
	gnutls_certificate_credentials_t credentials;
};

static int refuse(const char *option, const char *path, const char *what, struct complaint *ret_why)
{
	return complain(ret_why, EINVAL, "%s %s: %s", option, path, what);
}

/* That the certificate alone can be read: what is wrong with the two is then the key's. */
static int check_certificate(const char *path, const gnutls_datum_t *text, struct complaint *ret_why)
{
	gnutls_x509_crt_t *list = NULL;
	unsigned count = 0;
	const int error = gnutls_x509_crt_list_import2(&list, &count, text, GNUTLS_X509_FMT_PEM, 0);

	for (unsigned i = 0; i < count; i++)
		gnutls_x509_crt_deinit(list[i]);
	gnutls_free(list);
	if (error < 0)
		return refuse("--metrics-tls-cert", path, "no certificate in PEM form (-----BEGIN CERTIFICATE-----)",
			ret_why);
	return 0;
}

static int check_key(const char *path, int error, struct complaint *ret_why)
{
	switch (error) {
	case GNUTLS_E_CERTIFICATE_KEY_MISMATCH:
		return refuse("--metrics-tls-key", path, "it is not the key of that certificate", ret_why);
	case GNUTLS_E_DECRYPTION_FAILED:
		return refuse(
			"--metrics-tls-key", path, "it is encrypted, and nobody is there to say its password", ret_why);
	case GNUTLS_E_MEMORY_ERROR:
		return complain(ret_why, ENOMEM, "--metrics-tls-key: %s", strerror(ENOMEM));
	default:
		return refuse(
			"--metrics-tls-key", path, "no private key in PEM form (-----BEGIN PRIVATE KEY-----)", ret_why);
	}
}

static int make(const gnutls_datum_t *certificate, const gnutls_datum_t *key, const char *key_path,
	struct tls **ret_tls, struct complaint *ret_why)
{
	struct tls *tls = calloc(1, sizeof *tls);
	int error;

	if (tls == NULL || gnutls_certificate_allocate_credentials(&tls->credentials) < 0) {
		free(tls);
		return complain(ret_why, ENOMEM, "--metrics-tls-cert: %s", strerror(ENOMEM));
	}
	tls->users = 1;
	error = gnutls_certificate_set_x509_key_mem2(tls->credentials, certificate, key, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (error < 0) {
		tls_drop(tls);
		return check_key(key_path, error, ret_why);
	}
	*ret_tls = tls;
	return 0;
}

static int read_text(const char *option, const char *path, gnutls_datum_t *ret_text, struct complaint *ret_why)
{
	size_t length;
	char *text;
	const int error = given_file_read(option, path, TLS_FILE_MAX, &text, &length, ret_why);

	if (error == 0)
		*ret_text = (gnutls_datum_t){ (unsigned char *)text, (unsigned)length };
	return error;
}

int tls_load(const char *certificate_path, const char *key_path, struct tls **ret_tls, struct complaint *ret_why)
{
	gnutls_datum_t certificate = { NULL, 0 }, key = { NULL, 0 };
	int error = read_text("--metrics-tls-cert", certificate_path, &certificate, ret_why);

	if (error == 0)
		error = check_certificate(certificate_path, &certificate, ret_why);
	if (error == 0)
		error = read_text("--metrics-tls-key", key_path, &key, ret_why);
	if (error == 0)
		error = make(&certificate, &key, key_path, ret_tls, ret_why);
	if (key.data != NULL)
		explicit_bzero(key.data, key.size);
	free(key.data);
	free(certificate.data);
	return error;
}

struct tls *tls_take(struct tls *tls)
{
	tls->users++;
	return tls;
}

void tls_drop(struct tls *tls)
{
	if (tls == NULL || --tls->users > 0)
		return;
	gnutls_certificate_free_credentials(tls->credentials);
	free(tls);
}

void tls_use(const struct tls *tls, void *session)
{
	gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, tls->credentials);
}

static int retrieve_nothing(void)
{
	return -1;
}

tls_retrieve tls_no_certificate(void)
{
	return retrieve_nothing;
}
