/* Tokens of JSON, as Avro's encoder writes it. Each function takes the place where the token begins and gives the place behind
 * it, or NULL if something else stands there. `end` is the line break that ends the line: no token matches it, and 32 bytes
 * follow it, which is why a few bytes may be looked at without asking for the end.
 */
#ifndef TOKENS_H
#define TOKENS_H

#include "columns.h"

/* ---- literals: byte strings that are compared eight bytes at a time ---- */

enum { WORDS = 10 };
typedef struct {
    uint64_t words[WORDS], last_mask;
    int32_t length, whole_words; /* length 0: none */
} literal;

static void make_literal(literal *l, const void *bytes, int64_t length) {
    l->length = 0;
    if (length > WORDS * 8) return;
    memset(l->words, 0, sizeof l->words);
    memcpy(l->words, bytes, (size_t)length);
    memset(&l->last_mask, 0, sizeof l->last_mask);
    memset(&l->last_mask, 0xFF, (size_t)(length % 8));
    l->whole_words = (int32_t)(length / 8);
    l->length = (int32_t)length;
}

/* Reads up to eight bytes more than it compares. */
static inline int starts_with(const uint8_t *p, const literal *l) {
    uint64_t word;
    int32_t i = 0;
    for (; i < l->whole_words; i++) {
        memcpy(&word, p + 8 * i, 8);
        if (word != l->words[i]) return 0;
    }
    if (!l->last_mask) return 1;
    memcpy(&word, p + 8 * i, 8);
    return !((word ^ l->words[i]) & l->last_mask);
}

/* ---- marks ---- */

static inline const uint8_t *blank(const uint8_t *p) {
    while (*p == ' ' || *p == '\t' || *p == '\r') p++;
    return p;
}

static inline const uint8_t *expect(const uint8_t *p, uint8_t wanted) { return *p == wanted ? blank(p + 1) : NULL; }

/* ---- strings ---- */

static const uint8_t *utf8(const uint8_t *p, const uint8_t *end) {
    while (p < end) {
        uint8_t b = *p;
        if (b < 0x80) { p++; continue; }
        int more; uint32_t code, least;
        if (b >= 0xC2 && b <= 0xDF) { more = 1; code = b & 0x1F; least = 0x80; }
        else if (b >= 0xE0 && b <= 0xEF) { more = 2; code = b & 0x0F; least = 0x800; }
        else if (b >= 0xF0 && b <= 0xF4) { more = 3; code = b & 0x07; least = 0x10000; }
        else return NULL;
        if (end - p <= more) return NULL;
        for (int i = 1; i <= more; i++) {
            if ((p[i] & 0xC0) != 0x80) return NULL;
            code = code << 6 | (p[i] & 0x3F);
        }
        if (code < least || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return NULL;
        p += more + 1;
    }
    return p;
}

/* Behind the opening quote: the first byte that ends or bends a plain run. `high` gathers whether a byte is not ASCII. */
static inline const uint8_t *plain_run(const uint8_t *p, const uint8_t *end, int *high) {
    while (end - p >= 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        const uint64_t ones = 0x0101010101010101ULL, tops = 0x8080808080808080ULL;
        uint64_t quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');
        uint64_t hit = ((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((w - ones * 0x20) & ~w);
        if (hit & tops) break;
        *high |= (w & tops) != 0;
        p += 8;
    }
    while (*p != '"' && *p != '\\' && *p >= 0x20) { *high |= *p >= 0x80; p++; }
    return p;
}

static int hex4(const uint8_t *p, uint32_t *code) {
    *code = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t b = p[i];
        uint32_t digit = b >= '0' && b <= '9' ? b - '0' : (b | 32) >= 'a' && (b | 32) <= 'f' ? (b | 32) - 'a' + 10 : 99;
        if (digit == 99) return 0;
        *code = *code << 4 | digit;
    }
    return 1;
}

static int encode(uint32_t code, uint8_t *out) {
    if (code < 0x80) { out[0] = (uint8_t)code; return 1; }
    if (code < 0x800) { out[0] = 0xC0 | code >> 6; out[1] = 0x80 | (code & 0x3F); return 2; }
    if (code < 0x10000) { out[0] = 0xE0 | code >> 12; out[1] = 0x80 | (code >> 6 & 0x3F); out[2] = 0x80 | (code & 0x3F); return 3; }
    out[0] = 0xF0 | code >> 18; out[1] = 0x80 | (code >> 12 & 0x3F); out[2] = 0x80 | (code >> 6 & 0x3F); out[3] = 0x80 | (code & 0x3F);
    return 4;
}

/* Copy a plain run, eight bytes at a time with up to seven too many behind it; NULL if it is no UTF-8 or memory is out. */
static inline const uint8_t *copy_run(memory *m, const uint8_t *p, const uint8_t *end, column *c) {
    const uint8_t *start = p;
    int high = 0;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    enum { STEPS = 8 };
    const uint64_t ones = 0x0101010101010101ULL, tops = 0x8080808080808080ULL;
    uint64_t hit = 0, highs = 0;
    while (!hit && end - p >= STEPS * 8) {
        if (!room_for_bytes(m, c, STEPS * 8)) return NULL;
        uint8_t *out = c->bytes + c->size;
        int step = 0;
        for (; step < STEPS; step++) {
            uint64_t w;
            memcpy(&w, p + step * 8, 8);
            memcpy(out + step * 8, &w, 8);
            uint64_t quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');
            hit = (((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((w - ones * 0x20) & ~w)) & tops;
            highs |= w & tops;
            if (hit) break;
        }
        int64_t copied = step * 8 + (hit ? __builtin_ctzll(hit) / 8 : 0); /* the lowest hit is exact */
        p += copied;
        c->size += copied;
    }
    high = highs != 0; /* of a byte behind the run, perhaps: then the check is for nothing */
    if (hit) return high && !utf8(start, p) ? NULL : p;
#endif
    const uint8_t *stop = plain_run(p, end, &high);
    if ((high && !utf8(start, stop)) || !room_for_bytes(m, c, stop - p)) return NULL;
    if (stop > p) memcpy(c->bytes + c->size, p, (size_t)(stop - p)); /* nothing may have no memory */
    c->size += stop - p;
    return stop;
}

/* A string from behind its opening quote into the bytes of a column. */
static const uint8_t *string(memory *m, const uint8_t *p, const uint8_t *end, column *c) {
    for (;;) {
        const uint8_t *stop = copy_run(m, p, end, c);
        if (!stop || !room_for_bytes(m, c, 4)) return NULL;
        if (*stop == '"') return stop + 1;
        if (*stop != '\\') return NULL;
        static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
        if (stop[1] == 'u') {
            uint32_t code, low;
            if (end - stop < 12 || !hex4(stop + 2, &code)) return NULL;
            p = stop + 6;
            if (code >= 0xD800 && code <= 0xDFFF) {
                if (code > 0xDBFF || p[0] != '\\' || p[1] != 'u' || !hex4(p + 2, &low) || low < 0xDC00 || low > 0xDFFF) return NULL;
                code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
                p += 6;
            }
            c->size += encode(code, c->bytes + c->size);
        } else {
            const char *found = stop[1] ? strchr(from, stop[1]) : NULL;
            if (!found) return NULL;
            c->bytes[c->size++] = (uint8_t)to[found - from];
            p = stop + 2;
        }
    }
}

/* A string whose plainest spelling is the one it has, from its opening quote to behind the closing one. */
static const uint8_t *plain_string(const uint8_t *p, const uint8_t *end) {
    const uint8_t *start = p++;
    int high = 0;
    for (;; p += 2) {
        p = plain_run(p, end, &high);
        if (*p != '\\') break;
        if (!p[1] || !strchr("\"\\bfnrt", p[1])) return NULL; /* such as \u: the careful path writes the character itself */
    }
    return *p != '"' || (high && !utf8(start + 1, p)) ? NULL : p + 1;
}

/* ---- numbers ---- */

/* Up to 18 digits, so that nothing overflows; spelled as JSON spells whole numbers. */
static const uint8_t *whole(const uint8_t *p, int64_t *value) {
    int negative = *p == '-';
    p += negative;
    const uint8_t *start = p;
    int64_t v = 0;
    while (*p >= '0' && *p <= '9') {
        if (p - start == 18) return NULL;
        v = v * 10 + (*p++ - '0');
    }
    if (p == start || (*start == '0' && p - start > 1) || *p == '.' || *p == 'e' || *p == 'E') return NULL;
    *value = negative ? -v : v;
    return p;
}

/* Up to 15 digits: mantissa and power of ten are exact, so is their quotient to the nearest double. */
static const uint8_t *decimal(const uint8_t *p, double *value) {
    static const double tens[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    int negative = *p == '-', digits = 0, behind = 0;
    p += negative;
    const uint8_t *start = p;
    int64_t v = 0;
    for (; *p >= '0' && *p <= '9'; p++, digits++) v = digits < 15 ? v * 10 + (*p - '0') : v;
    if (!digits || (*start == '0' && digits > 1)) return NULL;
    if (*p == '.') {
        const uint8_t *point = p++;
        for (; *p >= '0' && *p <= '9'; p++, digits++, behind++) v = digits < 15 ? v * 10 + (*p - '0') : v;
        if (p - point == 1) return NULL;
    }
    if (digits > 15 || *p == 'e' || *p == 'E' || (negative && !v)) return NULL;
    *value = (double)v / tens[behind];
    if (negative) *value = -*value;
    return p;
}

/* A number of any size, spelled as JSON spells them. */
static const uint8_t *number(const uint8_t *p) {
    p += *p == '-';
    const uint8_t *start = p;
    while (*p >= '0' && *p <= '9') p++;
    if (p == start || (*start == '0' && p - start > 1)) return NULL;
    if (*p == '.') {
        const uint8_t *point = p++;
        while (*p >= '0' && *p <= '9') p++;
        if (p - point == 1) return NULL;
    }
    if (*p == 'e' || *p == 'E') {
        p += p[1] == '+' || p[1] == '-' ? 2 : 1;
        const uint8_t *exponent = p;
        while (*p >= '0' && *p <= '9') p++;
        if (p == exponent) return NULL;
    }
    return p;
}

/* ---- null, and the tags of unions ---- */

static inline int is_null(const uint8_t *p) { return memcmp(p, "null", 4) == 0; }

/* Avro's primitive tags that are read, by their first letter; those that are not read; the beginning of a record's tag. */
static const struct { const char *name; int length; } READ_TAGS[26] = {
    ['s' - 'a'] = {"\"string\"", 8}, ['l' - 'a'] = {"\"long\"", 6}, ['i' - 'a'] = {"\"int\"", 5}, ['a' - 'a'] = {"\"array\"", 7},
    ['b' - 'a'] = {"\"boolean\"", 9}, ['d' - 'a'] = {"\"double\"", 8}, ['f' - 'a'] = {"\"float\"", 7}};
static const char *const OTHER_TAGS[] = {"\"null\"", "\"bytes\"", "\"map\""};
static const char RECORD_TAG[] = "\"com.liveperson.dataaccess.";

/* Behind `{`: the tag of a union up to its value, or NULL if the name is no tag. */
static inline const uint8_t *tag(const uint8_t *p, const uint8_t *end) {
    if (*p != '"' || p[1] < 'a' || p[1] > 'z') return NULL;
    const int first = p[1] - 'a', size = READ_TAGS[first].length;
    if (size && end - p > size && memcmp(p, READ_TAGS[first].name, (size_t)size) == 0) {
        p = blank(p + size);
        return *p == ':' ? blank(p + 1) : NULL;
    }
    const int length = (int)sizeof RECORD_TAG - 1;
    if (end - p <= length || memcmp(p, RECORD_TAG, (size_t)length) != 0) return NULL;
    const uint8_t *name = p += length;
    while ((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z')) p++;
    if (*p != '"' || p == name) return NULL;
    p = blank(p + 1);
    return *p == ':' ? blank(p + 1) : NULL;
}

/* Whether a name, from its opening quote up to its closing one, is a primitive tag that is not read. */
static int is_other_tag(const uint8_t *quote, const uint8_t *stop) {
    for (size_t i = 0; i < sizeof OTHER_TAGS / sizeof *OTHER_TAGS; i++) {
        const size_t length = strlen(OTHER_TAGS[i]);
        if ((size_t)(stop + 1 - quote) == length && memcmp(quote, OTHER_TAGS[i], length) == 0) return 1;
    }
    return 0;
}

static int is_primitive_tag(const uint8_t *quote, const uint8_t *stop) {
    if (is_other_tag(quote, stop)) return 1;
    if (quote[1] < 'a' || quote[1] > 'z') return 0;
    const int first = quote[1] - 'a', length = READ_TAGS[first].length;
    return length == stop + 1 - quote && memcmp(quote, READ_TAGS[first].name, (size_t)length) == 0;
}

#endif
