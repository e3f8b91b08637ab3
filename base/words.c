#include "base/words.h"

#include <errno.h>
#include <string.h>

int words_split(char *text, size_t size, char *ret_words[])
{
	size_t count = 0;
	char *rest;

	for (char *word = strtok_r(text, " \t\n", &rest); word != NULL; word = strtok_r(NULL, " \t\n", &rest)) {
		if (count == size - 1)
			return -E2BIG;
		ret_words[count++] = word;
	}
	ret_words[count] = NULL;
	return (int)count;
}
