#include "metrics/served_tls.h"

#include "metrics/followed.h"

#include <errno.h>
#include <stdlib.h>

struct served_tls {
	struct followed files; /* certificate, key */
	void (*tell)(const char *sentence);
	struct tls *current;
};

int served_tls_open(const char *certificate_path, const char *key_path, void (*tell)(const char *sentence),
	struct served_tls **ret_tls)
{
	struct served_tls *tls = calloc(1, sizeof *tls);

	if (tls == NULL)
		return -ENOMEM;
	tls->files.path[0] = certificate_path;
	tls->files.path[1] = key_path;
	tls->tell = tell;
	*ret_tls = tls;
	return 0;
}

/* Of two files that are replaced one after the other the first may not fit the second yet: that is told, too. */
static void read_files(struct served_tls *tls)
{
	struct complaint why;
	struct tls *fresh;
	const int error = tls_load(tls->files.path[0], tls->files.path[1], &fresh, &why);

	if (error == -EAGAIN)
		followed_again(&tls->files);
	if (error < 0) {
		tls->tell(why.text);
		return;
	}
	tls_drop(tls->current);
	tls->current = fresh;
}

struct tls *served_tls_take(struct served_tls *tls, int64_t now)
{
	if (followed_changed(&tls->files, now))
		read_files(tls);
	return tls->current != NULL ? tls_take(tls->current) : NULL;
}
