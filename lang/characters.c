#include "lang/characters.h"

#include <string.h>

size_t character_length(const char *text, size_t left) {
    const unsigned char *s = (const unsigned char *)text;
    if (s[0] < 0x80)
        return 1;
    size_t n = s[0] >= 0xC2 && s[0] < 0xE0 ? 2 : (s[0] & 0xF0) == 0xE0 ? 3 : s[0] >= 0xF0 && s[0] < 0xF5 ? 4 : 0;
    if (n == 0 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    bool bad = (s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) || (s[0] == 0xF0 && s[1] < 0x90) ||
               (s[0] == 0xF4 && s[1] > 0x8F);
    return bad ? 0 : n;
}

unsigned character_decode(const char *text, size_t length) {
    const unsigned char *s = (const unsigned char *)text;
    unsigned c = length == 1 ? s[0] : s[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++)
        c = c << 6 | (s[i] & 0x3F);
    return c;
}

/* All but blanks, punctuation, arrows and operators. */
bool character_in_name(unsigned c) {
    if (c < 0x80)
        return true;
    if (c < 0xC0)
        return c == 0xAA || c == 0xB5 || c == 0xBA;
    return c != 0xD7 && c != 0xF7 && !(c >= 0x2000 && c <= 0x206F) && !(c >= 0x2190 && c <= 0x2BFF) &&
           !(c >= 0x3000 && c <= 0x3020) && c != 0xFEFF && !(c >= 0xFF01 && c <= 0xFF0F) && c < 0xE0000;
}

char character_escaped(char letter) {
    static const char from[] = "ntr\"\\", to[] = "\n\t\r\"\\";
    const char *at = letter ? strchr(from, letter) : NULL;
    return at ? to[at - from] : 0;
}

static const struct { unsigned code; const char *write; } LOOKALIKES[] = {
    {0xA0, "a plain blank"}, {0x2212, "-"}, {0x2013, "-"}, {0x2014, "-"}, {0xD7, "*"}, {0xB7, "*"}, {0xF7, "/"},
    {0x201C, "\""}, {0x201D, "\""}, {0x2018, "\""}, {0x2019, "\""}, {0x2264, "<="}, {0x2265, ">="}, {0x2260, "!="},
    {0x2190, "="}, {0x2192, "->"}, {0xB2, "^ 2"}, {0xB3, "^ 3"}, {0x221E, "inf"}, {0x223C, "~"}, {0x2026, ".."},
};

const char *character_lookalike(unsigned c) {
    for (size_t i = 0; i < sizeof LOOKALIKES / sizeof *LOOKALIKES; i++)
        if (LOOKALIKES[i].code == c)
            return LOOKALIKES[i].write;
    return NULL;
}
