/* Stands in for libxcrypt's crypt.h: crypt_rn(3) for bcrypt alone. */
#pragma once

#define CRYPT_OUTPUT_SIZE 64

struct crypt_data {
	char output[CRYPT_OUTPUT_SIZE];
	_Alignas(16) unsigned char scratch[8192];
};

/* The hash, or NULL and errno. memory: a struct crypt_data. */
char *crypt_rn(const char *phrase, const char *setting, void *memory, int size);
