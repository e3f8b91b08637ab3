#include "metrics/bcrypt.h"

#include <crypt.h>
#include <stddef.h>
#include <string.h>

bool bcrypt_matches(const char *password, const char *hash)
{
	static struct crypt_data data;
	const char *made = crypt_rn(password, hash, &data, sizeof data);

	return made != NULL && strcmp(made, hash) == 0;
}
