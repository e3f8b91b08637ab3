/* Names and values in one text, "key=value,key=value", as OTEL_RESOURCE_ATTRIBUTES and OTEL_EXPORTER_OTLP_HEADERS have
 * them: W3C Baggage without properties, values percent-encoded (OpenTelemetry specification, "Specifying resource
 * information via an environment variable"). Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define ATTRIBUTE_SIZE 2048 /* of a key, and of a value as it is once decoded, NUL included */

struct attribute {
	char key[ATTRIBUTE_SIZE];
	char value[ATTRIBUTE_SIZE];
};

/* Takes the next pair, decoded, and moves *at behind it. Returns 1; 0 at the end; -EINVAL for what is no such text,
 * which is then to be taken for nothing as a whole; -ENAMETOOLONG. */
int attributes_next(const char **at, struct attribute *ret_attribute);

/* Looks for the key; the last one counts. Returns 0, -ENODATA, or as attributes_next(). */
int attributes_find(const char *text, const char *key, struct attribute *ret_attribute);

/* Puts the pair behind what is there, encoded. Where there is no room for the whole of it the text stays as it is, and
 * the return value is -ENOSPC. */
int attributes_add(char *text, size_t size, const char *key, const char *value);
