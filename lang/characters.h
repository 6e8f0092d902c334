/* UTF-8, and which characters beyond ASCII may stand in names. */
#ifndef LANG_CHARACTERS_H
#define LANG_CHARACTERS_H

#include <stdbool.h>
#include <stddef.h>

/* The length of the character at s, or 0: not UTF-8 (RFC 3629). */
size_t character_length(const char *s, size_t left);
/* A character of valid UTF-8. */
unsigned character_decode(const char *s, size_t length);
bool character_in_name(unsigned c);
/* What a letter means behind a backslash; 0: nothing. */
char character_escaped(char letter);
/* What was probably meant by a character that is no part of the language, or NULL. */
const char *character_lookalike(unsigned c);

#endif
