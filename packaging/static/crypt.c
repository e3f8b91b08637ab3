/* Stands in for libxcrypt's crypt.c, which knows a dozen ways to hash: of settings it takes $2a$, $2b$ and $2y$. */
#include "crypt-port.h"

#include <errno.h>

/* crypt-bcrypt.c's: a header that its build would generate declares it. It leaves the output alone where it fails. */
void crypt_bcrypt_rn(const char *phrase, size_t phrase_size, const char *setting, size_t setting_size, uint8_t *output,
	size_t output_size, void *scratch, size_t scratch_size);

char *crypt_rn(const char *phrase, const char *setting, void *memory, int size)
{
	struct crypt_data *data = memory;

	errno = EINVAL;
	if (size < (int)sizeof *data || setting[0] != '$' || setting[1] != '2' || strchr("aby", setting[2]) == NULL)
		return NULL;
	data->output[0] = '\0';
	crypt_bcrypt_rn(phrase, strlen(phrase), setting, strlen(setting), (uint8_t *)data->output, sizeof data->output,
		data->scratch, sizeof data->scratch);
	return data->output[0] != '\0' ? data->output : NULL;
}
