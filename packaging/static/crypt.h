/* Stands in for libxcrypt's crypt.h: crypt_r(3) for bcrypt alone. */
#pragma once

#define CRYPT_OUTPUT_SIZE 64

struct crypt_data {
	char output[CRYPT_OUTPUT_SIZE];
	_Alignas(16) unsigned char scratch[8192];
};

/* The hash, or NULL and errno. */
char *crypt_r(const char *phrase, const char *setting, struct crypt_data *data);
