/* How the values that several options share are read: each says what it expected where it finds something else. */
#pragma once

#include "base/complaint.h"
#include "base/model.h"

/* yes, true, on, 1; no, false, off, 0; in any case. */
int value_read_bool(const char *value, bool *ret_bool, struct complaint *ret_why);

int value_read_number(const char *value, int least, int most, int *ret_number, struct complaint *ret_why);

/* -ERANGE if it is shorter than `smallest`. */
int value_read_duration(const char *value, int64_t smallest, int64_t *ret_ns, struct complaint *ret_why);

int value_read_signal(const char *value, int *ret_signal, struct complaint *ret_why);

int value_check_absolute(const char *path, struct complaint *ret_why);

/* An absolute path; borrowed. */
int value_read_path(const char *value, const char **ret_path, struct complaint *ret_why);
int value_add_path(const char *value, struct path_list *list, struct complaint *ret_why);

/* Takes the first number of "143,130" and returns where the next one is, or NULL if there is none or it is above
 * `most`. */
const char *value_next_number(const char *list, unsigned most, unsigned *ret_number);

/* The next of a list that commas part, cut to the size of the buffer; *list goes on behind it. */
const char *value_next_word(const char **list, char *ret_word, size_t size);
