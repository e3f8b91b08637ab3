/* The Authorization field of a request (RFC 9110, section 11.6.2): Basic (RFC 7617) and Bearer (RFC 6750). Pure. */
#pragma once

#define AUTHORIZATION_SIZE 1025

enum scheme { SCHEME_BASIC, SCHEME_BEARER };

struct authorization {
	enum scheme scheme;
	char name[AUTHORIZATION_SIZE];   /* Basic: the user */
	char secret[AUTHORIZATION_SIZE]; /* the password, or the token */
};

/* Returns 0 or -EINVAL: another scheme, not of its form, longer than AUTHORIZATION_SIZE - 1, or with a NUL in it. */
int authorization_parse(const char *field, struct authorization *ret_authorization);
