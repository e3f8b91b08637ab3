/* Colours on standard output, for people who look at it. */
#pragma once

enum colour { PLAIN, RED, GREEN, YELLOW };

/* From here on what is painted is, if somebody looks who has not said that it is unwelcome (no-color.org). */
void paint_begin(void);

/* What is written from here on. */
void paint(enum colour colour);

/* One text. */
void paint_text(enum colour colour, const char *text);
