/* Stands in for libmicrohttpd's reason_phrase.c: the words behind the status codes that it and metrics/serve.c send,
 * without those for the other 90 and without pointers to relocate. Any other is "Unknown". */
#include "platform.h"

#include "microhttpd.h"

#include <string.h>

static const struct {
	unsigned short code;
	char words[32];
} phrases[] = {
	{ 200, "OK" },
	{ 204, "No Content" },
	{ 304, "Not Modified" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 503, "Service Unavailable" },
	{ 505, "HTTP Version Not Supported" },
};

const char *MHD_get_reason_phrase_for(unsigned int code)
{
	for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++)
		if (phrases[i].code == code)
			return phrases[i].words;
	return "Unknown";
}

size_t MHD_get_reason_phrase_len_for(unsigned int code)
{
	return strlen(MHD_get_reason_phrase_for(code));
}
