#include "cli/wrap.h"

#include <string.h>
#include <unistd.h>

#include "cli/screen.h"

enum { DEEPEST = 30 };

static bool is_source(const char *s, size_t n) {
    size_t k = 0;
    while (k < n && (s[k] == ' ' || (s[k] >= '0' && s[k] <= '9'))) k++;
    return k > 0 && k + 1 < n && s[k] == '|' && s[k - 1] == ' ';
}

static int characters(const char *s, size_t n) {
    int count = 0;
    for (size_t k = 0; k < n; k++) {
        if (s[k] == '\x1b') { /* a colour */
            while (k < n && s[k] != 'm') k++;
            continue;
        }
        count += ((unsigned char)s[k] & 0xC0) != 0x80;
    }
    return count;
}

/* Where the text of a line begins: behind its blanks, and behind the last two blanks of a first column. Gives the places
 * with two blanks in between. */
static int text_begin(const char *s, size_t n, size_t *begin) {
    size_t k = 0;
    int gaps = 0;
    while (k < n && s[k] == ' ') k++;
    *begin = k;
    for (; k + 2 < n; k++) {
        if (s[k] != ' ' || s[k + 1] != ' ') continue;
        gaps++;
        while (k < n && s[k] == ' ') k++;
        if (k <= DEEPEST) *begin = k;
    }
    return gaps;
}

/* The last blank from `from` on before which the line fits; 0: none. */
static size_t find_break(const char *s, size_t n, size_t from, int width) {
    size_t found = 0;
    for (size_t k = from; k < n && characters(s, k) <= width; k++)
        if (s[k] == ' ') found = k;
    return found;
}

static void wrap_line(const char *s, size_t n, int width, Buf *out) {
    size_t from;
    int gaps = text_begin(s, n, &from), indent = (int)from + (gaps ? 0 : 2), used = 0;
    bool example = gaps == 0 && from >= 4;
    bool leave = example || is_source(s, n) || gaps > 2 || indent > width / 2;
    while (!leave && used + characters(s, n) > width) {
        size_t cut = find_break(s, n, from + 1, width - used);
        if (cut == 0) break;
        buf_add_bytes(out, s, cut);
        buf_printf(out, "\n%*s", indent, "");
        s += cut + 1, n -= cut + 1, used = indent, from = 0;
    }
    buf_add_bytes(out, s, n);
}

void wrap_text(const char *text, int width, Buf *out) {
    while (*text) {
        size_t n = strcspn(text, "\n");
        wrap_line(text, n, width, out);
        text += n;
        if (*text) buf_add_char(out, *text++);
    }
}

void wrap_puts(const char *text, FILE *to) {
    int file = fileno(to);
    if (!isatty(file)) {
        fputs(text, to);
        return;
    }
    Buf b = {0};
    wrap_text(text, screen_width(file), &b);
    if (b.length) fputs(b.text, to);
    buf_free(&b);
}
