/* Scans lines of Engagement documents, as Avro's JSON encoder writes them, straight into columns.
 *
 * It reads a line only if every byte of it is what is expected: any other line, broken or merely unusual, is left alone, its
 * rows taken back, and reported as odd; the caller reads that one with the careful path. So nothing here decides what odd
 * input means. The text must end with a line break, which no token matches: that is what bounds every read.
 *
 * Fields that the schema lacks are expected too, since the vendor adds some: each is learned when it is first met in a file, and
 * kept in `extra` under the careful path's rules, tags off, in the order that it gives them; where that would be another order
 * or another name, the line is odd.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum kind { TEXT, BIGINT, INTEGER, TIME, BOOLEAN, DOUBLE, BIGINTS, FORMS, SCORE, RECORD, RECORDS, ENGAGEMENT, CHECK_TIME, META_TIME, ACCOUNT, VERSION, HEADER, EXTRA };

typedef struct {
    int32_t kind;
    int64_t n;          /* rows that have a value or a null */
    int64_t size;       /* bytes of text, items of lists */
    int64_t room;       /* for them */
    int64_t nulls;
    uint8_t *valid;     /* a bit a row */
    uint8_t *bits;      /* BOOLEAN */
    int64_t *numbers;   /* BIGINT, INTEGER, TIME; items of BIGINTS */
    double *doubles;
    int32_t *offsets;
    uint8_t *bytes;
} column;

typedef struct {
    int64_t rows, room;
    int32_t count;
    column *columns;
} table;

/* Bytes that are looked for all the time, compared eight at a time. */
enum { WORDS = 10 };
typedef struct {
    uint64_t words[WORDS], last_mask;
    int32_t length, whole_words; /* length 0: none */
} literal;

typedef struct {
    char name[48]; /* with its quotes */
    int32_t length, kind;
    literal null;      /* `"name":null` */
    literal before;    /* what stood before its last value, tag and colon included: Avro's encoder writes the same again */
    int32_t is_tagged; /* whether that has a tag, so that a brace closes it */
    int32_t next;      /* the field that followed it last time */
    int32_t table, column;  /* where its value goes */
    int32_t record;         /* RECORD, RECORDS: the type of what is inside */
    int32_t usual;          /* the place of the field of which this is another spelling; its own otherwise */
    int32_t is_met, is_met_here; /* EXTRA: in the lines read of this file; in this line */
} field;

enum { FIELDS = 60, RECORDS_MOST = 16 }; /* a bit for each field has to fit 64 */

typedef struct {
    field fields[FIELDS];
    int32_t count, first;
    int32_t declared; /* so many fields are the schema's; those behind were learned in this file */
    int32_t row_of;   /* the table of which each record is a row; -1: none */
    int32_t in_order; /* later fields build on earlier ones */
    int32_t extra_of; /* the table whose row keeps what the schema lacks; -1: all conversations below */
    char within[32];  /* and the name, with its quotes, under which `extra` keeps it; empty: directly */
    int32_t is_open;  /* whether `extra` has begun that object */
    int64_t before;   /* rows of conversations when the record began */
} record;

enum { CONVERSATIONS, MESSAGES, TRANSFERS, TABLES };
enum { ROW_BYTES = 100, MOST_SPREAD = 6, LEAST_SPREAD = 64 << 10 }; /* as flatten.py has them */
enum { NO_ROW = -1, RESETS_HEADER = -2, ALL_BELOW = -1 };

typedef struct {
    table tables[TABLES];
    record records[RECORDS_MOST];
    int64_t documents, deliveries;
    int64_t marks[TABLES];
    int32_t conversation_id, start_time;      /* columns of conversations */
    /* columns that a row takes from above: account_id, conversation_id (-1 where it is the row's own), date, delivery */
    int32_t inherited[TABLES][4];
    uint64_t is_inherited[TABLES];            /* the same, a bit a column */
    uint64_t is_taken[TABLES];                /* columns that are written already, or by no field: inherited, counted, `extra` */
    int32_t position[TABLES], extra[TABLES];
    int32_t version_column;
    int32_t header[3];                        /* columns of conversations */
    int64_t scope_start;                       /* microseconds; INT64_MIN: unknown */
    int64_t longest;                           /* bytes that a line may have */
    int64_t spread;                            /* bytes that rows take beside their own text, about: what each of them repeats */
    int64_t most_spread;                       /* where that may be when the line is read */
    uint8_t *listed_account;
    int64_t listed_account_length;             /* -1: none */
    /* of the document that is being read */
    int64_t meta_start;
    uint8_t *account, *version;
    int64_t account_length, version_length, account_room, version_room;
    column header_values[3];
    column above;         /* what the schema lacks on the levels above conversations, as members of a JSON object */
    int32_t above_type;   /* the type of the record that brought the last of it */
    int32_t has_extra[TABLES]; /* whether the row has a field of its own in `extra`, not only a container's */
    int32_t is_news;      /* some field was met for the first time */
    int32_t is_engagement, out_of_memory;
} scanner;

/* ---- memory ---- */

static int grow(scanner *s, void **memory, int64_t bytes) {
    void *more = realloc(*memory, (size_t)bytes);
    if (!more) { s->out_of_memory = 1; return 0; }
    *memory = more;
    return 1;
}

static int room_for_row(scanner *s, table *t) {
    if (t->rows + 1 < t->room) return 1;
    int64_t room = t->room ? t->room * 2 : 1024;
    for (int32_t i = 0; i < t->count; i++) {
        column *c = &t->columns[i];
        if (!grow(s, (void **)&c->valid, room / 8 + 8)) return 0;
        switch (c->kind) {
        case TEXT: case FORMS: case BIGINTS:
            if (!grow(s, (void **)&c->offsets, (room + 1) * 4)) return 0;
            c->offsets[0] = 0;
            break;
        case BOOLEAN: if (!grow(s, (void **)&c->bits, room / 8 + 8)) return 0; break;
        case DOUBLE: case SCORE: if (!grow(s, (void **)&c->doubles, room * 8)) return 0; break;
        default: if (!grow(s, (void **)&c->numbers, room * 8)) return 0;
        }
    }
    t->room = room;
    return 1;
}

static int room_for_bytes(scanner *s, column *c, int64_t more) {
    if (c->size + more > INT32_MAX) return 0;
    if (c->size + more <= c->room) return 1;
    int64_t room = c->room ? c->room * 2 : 4096;
    while (room < c->size + more) room *= 2;
    if (!grow(s, (void **)&c->bytes, room)) return 0;
    c->room = room;
    return 1;
}

static inline void set_bit(uint8_t *bits, int64_t i, int on) {
    uint8_t mask = (uint8_t)(1u << (i & 7));
    bits[i >> 3] = on ? bits[i >> 3] | mask : bits[i >> 3] & (uint8_t)~mask;
}

static inline void put_null(column *c, int64_t row) {
    set_bit(c->valid, row, 0);
    switch (c->kind) {
    case TEXT: case FORMS: case BIGINTS: c->offsets[row + 1] = (int32_t)c->size; break;
    case BOOLEAN: set_bit(c->bits, row, 0); break;
    case DOUBLE: case SCORE: c->doubles[row] = 0; break;
    default: c->numbers[row] = 0;
    }
    c->n = row + 1;
}

static inline void put_number(column *c, int64_t row, int64_t value) {
    set_bit(c->valid, row, 1);
    c->numbers[row] = value;
    c->n = row + 1;
}

static int add_bytes(scanner *s, column *c, const void *bytes, int64_t length) {
    if (!room_for_bytes(s, c, length)) return 0;
    if (length) memcpy(c->bytes + c->size, bytes, (size_t)length); /* nothing may have no memory */
    c->size += length;
    return 1;
}

static int put_text(scanner *s, column *c, int64_t row, const uint8_t *text, int64_t length) {
    if (!add_bytes(s, c, text, length)) return 0;
    set_bit(c->valid, row, 1);
    c->offsets[row + 1] = (int32_t)c->size;
    c->n = row + 1;
    return 1;
}

static void cut_back(table *t, int64_t rows) {
    for (int32_t i = 0; i < t->count; i++) {
        column *c = &t->columns[i];
        c->n = rows;
        if (c->kind == TEXT || c->kind == FORMS || c->kind == BIGINTS) c->size = t->room ? c->offsets[rows] : 0;
    }
    t->rows = rows;
}

/* ---- literals ---- */

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

/* ---- tokens; each takes the place and gives the place behind it, or NULL ---- */

static inline const uint8_t *blank(const uint8_t *p) {
    while (*p == ' ' || *p == '\t' || *p == '\r') p++;
    return p;
}

static inline const uint8_t *expect(const uint8_t *p, uint8_t wanted) { return *p == wanted ? blank(p + 1) : NULL; }

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
static inline const uint8_t *copy_run(scanner *s, const uint8_t *p, const uint8_t *end, column *c) {
    const uint8_t *start = p;
    int high = 0;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    enum { STEPS = 8 };
    const uint64_t ones = 0x0101010101010101ULL, tops = 0x8080808080808080ULL;
    uint64_t hit = 0, highs = 0;
    while (!hit && end - p >= STEPS * 8) {
        if (!room_for_bytes(s, c, STEPS * 8)) return NULL;
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
    if ((high && !utf8(start, stop)) || !room_for_bytes(s, c, stop - p)) return NULL;
    if (stop > p) memcpy(c->bytes + c->size, p, (size_t)(stop - p)); /* nothing may have no memory */
    c->size += stop - p;
    return stop;
}

/* A string from behind its opening quote into the bytes of a column. */
static const uint8_t *string(scanner *s, const uint8_t *p, const uint8_t *end, column *c) {
    for (;;) {
        const uint8_t *stop = copy_run(s, p, end, c);
        if (!stop || !room_for_bytes(s, c, 4)) return NULL;
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

static inline int is_null(const uint8_t *p) { return memcmp(p, "null", 4) == 0; }

/* Behind `{`: the tag of a union up to its value, or NULL if the name is no tag. */
static inline const uint8_t *tag(const uint8_t *p, const uint8_t *end) {
    static const struct { const char *name; int length; } primitive[] = {
        ['s' - 'a'] = {"\"string\"", 8}, ['l' - 'a'] = {"\"long\"", 6}, ['i' - 'a'] = {"\"int\"", 5}, ['a' - 'a'] = {"\"array\"", 7},
        ['b' - 'a'] = {"\"boolean\"", 9}, ['d' - 'a'] = {"\"double\"", 8}, ['f' - 'a'] = {"\"float\"", 7}, ['z' - 'a'] = {NULL, 0}};
    if (*p != '"' || p[1] < 'a' || p[1] > 'z') return NULL;
    const int first = p[1] - 'a', size = primitive[first].length;
    if (size && end - p > size && memcmp(p, primitive[first].name, (size_t)size) == 0) {
        p = blank(p + size);
        return *p == ':' ? blank(p + 1) : NULL;
    }
    static const char prefix[] = "\"com.liveperson.dataaccess.";
    const int length = (int)sizeof prefix - 1;
    if (end - p <= length || memcmp(p, prefix, (size_t)length) != 0) return NULL;
    const uint8_t *name = p += length;
    while ((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z')) p++;
    if (*p != '"' || p == name) return NULL;
    p = blank(p + 1);
    return *p == ':' ? blank(p + 1) : NULL;
}

/* ---- values ---- */

static const uint8_t *read_record(scanner *s, const uint8_t *p, const uint8_t *end, int32_t type);
static const int64_t EARLIEST = -62135596800000, LATEST = 253402300799999;

static int is_name(const uint8_t *quote, const uint8_t *stop, const char *name) {
    return (size_t)(stop - quote - 1) == strlen(name) && memcmp(quote + 1, name, strlen(name)) == 0;
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

/* The JSON of a value with the tags off: the text of secure forms, and of what the schema lacks. */
static const uint8_t *untagged(scanner *s, const uint8_t *p, const uint8_t *end, column *c, int depth) {
    const uint8_t *start = p, *inside;
    if (depth > 20 || !room_for_bytes(s, c, 16)) return NULL;
    if (*p == '"') {
        if (!(p = plain_string(p, end))) return NULL;
    } else if (*p == '{' || *p == '[') {
        uint8_t close = *p == '{' ? '}' : ']';
        if (*p == '{' && (inside = tag(blank(p + 1), end))) {
            if (!(inside = untagged(s, inside, end, c, depth + 1))) return NULL;
            return expect(blank(inside), '}'); /* a second field would make it no tag: the careful path knows */
        }
        int is_object = *p == '{', first = 1, count = 0;
        const uint8_t *names[32], *name_ends[32];
        c->bytes[c->size++] = *p;
        p = blank(p + 1);
        while (*p != close) {
            if (!room_for_bytes(s, c, 16)) return NULL;
            if (!first) { if (!(p = expect(p, ','))) return NULL; c->bytes[c->size++] = ','; }
            if (is_object) {
                int high = 0;
                if (*p != '"') return NULL;
                const uint8_t *stop = plain_run(p + 1, end, &high);
                if (*stop != '"' || high || count == 32) return NULL;
                if (first && (is_name(p, stop, "null") || is_name(p, stop, "bytes") || is_name(p, stop, "map") || p[4] == '.')) return NULL;
                for (int i = 0; i < count; i++)
                    if (name_ends[i] - names[i] == stop - p && memcmp(names[i], p, (size_t)(stop - p)) == 0) return NULL;
                names[count] = p;
                name_ends[count++] = stop;
                if (!room_for_bytes(s, c, stop - p + 16)) return NULL;
                memcpy(c->bytes + c->size, p, (size_t)(stop + 1 - p));
                c->size += stop + 1 - p;
                c->bytes[c->size++] = ':';
                if (!(p = expect(blank(stop + 1), ':'))) return NULL;
            }
            if (!(p = untagged(s, p, end, c, depth + 1))) return NULL;
            p = blank(p);
            first = 0;
        }
        if (!room_for_bytes(s, c, 1)) return NULL;
        c->bytes[c->size++] = close;
        return blank(p + 1);
    } else if (end - p > 5 && (is_null(p) || memcmp(p, "true", 4) == 0)) p += 4;
    else if (end - p > 5 && memcmp(p, "false", 5) == 0) p += 5;
    else if (!(p = number(p))) return NULL;
    return add_bytes(s, c, start, p - start) ? blank(p) : NULL;
}

static const uint8_t *read_meta_text(scanner *s, const uint8_t *p, const uint8_t *end, uint8_t **to, int64_t *length, int64_t *room) {
    column c = {0};
    c.bytes = *to; c.room = *room;
    if (*p != '"') return NULL;
    p = string(s, p + 1, end, &c);
    *to = c.bytes; *room = c.room;
    if (!p) return NULL;
    *length = c.size;
    return p;
}

static const uint8_t *read_plain(scanner *s, const uint8_t *p, const uint8_t *end, const field *f, table *t, column *c) {
    int64_t row = t ? t->rows : 0, number;
    int quoted;
    switch (f->kind) {
    case TEXT:
        if (*p != '"') return NULL;
        if (!(p = string(s, p + 1, end, c))) return NULL;
        set_bit(c->valid, row, 1);
        c->offsets[row + 1] = (int32_t)c->size;
        c->n = row + 1;
        return p;
    case BIGINT: case INTEGER: case TIME: case CHECK_TIME: case META_TIME:
        /* the vendor's page has the time of a transfer as text */
        quoted = *p == '"';
        if (!(p = whole(p + quoted, &number)) || (quoted && *p++ != '"')) return NULL;
        if (f->kind == INTEGER && (number > INT32_MAX || number < INT32_MIN)) return NULL;
        if (f->kind >= TIME && f->kind != BIGINT) {
            if (number < EARLIEST || number > LATEST) return NULL;
            number *= 1000;
        }
        if (f->kind == META_TIME) s->meta_start = number;
        else if (f->kind != CHECK_TIME) put_number(c, row, number);
        return p;
    case BOOLEAN: {
        int yes = end - p > 4 && memcmp(p, "true", 4) == 0;
        if (!yes && !(end - p > 5 && memcmp(p, "false", 5) == 0)) return NULL;
        set_bit(c->valid, row, 1);
        set_bit(c->bits, row, yes);
        c->n = row + 1;
        return p + (yes ? 4 : 5);
    }
    case DOUBLE: case SCORE: {
        double value;
        if (!(p = decimal(p, &value))) return NULL;
        set_bit(c->valid, row, 1);
        c->doubles[row] = value;
        c->n = row + 1;
        return p;
    }
    case ACCOUNT: return read_meta_text(s, p, end, &s->account, &s->account_length, &s->account_room);
    case VERSION: return read_meta_text(s, p, end, &s->version, &s->version_length, &s->version_room);
    case HEADER:
        if (*p != '"') return NULL;
        s->header_values[f->column].size = 0;
        s->header_values[f->column].n = 1;
        return string(s, p + 1, end, &s->header_values[f->column]);
    case ENGAGEMENT:
        s->is_engagement = end - p > 12 && memcmp(p, "\"Engagement\"", 12) == 0;
        return s->is_engagement ? p + 12 : NULL;
    }
    return NULL;
}

static const uint8_t *read_score(scanner *s, const uint8_t *p, const uint8_t *end, const field *f, table *t, column *c) {
    /* behind `{`: a record whose only field is the score; of several the careful path knows which */
    int length = memcmp(p, "\"mcs\"", 5) == 0 ? 5 : memcmp(p, "\"score\"", 7) == 0 ? 7 : memcmp(p, "\"chatMCS\"", 9) == 0 ? 9 : 0;
    if (!length || !(p = expect(blank(p + length), ':'))) return NULL;
    if (is_null(p)) p += 4;
    else if (*p == '{') {
        if (!(p = tag(blank(p + 1), end)) || !(p = read_plain(s, p, end, f, t, c)) || !(p = expect(blank(p), '}'))) return NULL;
    } else if (!(p = read_plain(s, p, end, f, t, c))) return NULL;
    return expect(blank(p), '}');
}

static const uint8_t *read_list(scanner *s, const uint8_t *p, const uint8_t *end, const field *f, table *t, column *c) {
    if (*p != '[') return NULL;
    if (f->kind == FORMS) {
        if (*blank(p + 1) == ']') return blank(blank(p + 1) + 1); /* no form: NULL */
        if (!(p = untagged(s, p, end, c, 0))) return NULL;
        set_bit(c->valid, t->rows, 1);
        c->offsets[t->rows + 1] = (int32_t)c->size;
        c->n = t->rows + 1;
        return p;
    }
    p = blank(p + 1);
    for (int first = 1; *p != ']'; first = 0) {
        if (!first && !(p = expect(p, ','))) return NULL;
        if (f->kind == BIGINTS) {
            int64_t number;
            if (!(p = whole(p, &number))) return NULL;
            if (c->size == c->room) {
                int64_t room = c->room ? c->room * 2 : 1024;
                if (!grow(s, (void **)&c->numbers, room * 8)) return NULL;
                c->room = room;
            }
            c->numbers[c->size++] = number;
        } else {
            const uint8_t *inside;
            if (*p != '{') return NULL;
            int is_tagged = (inside = tag(blank(p + 1), end)) != NULL;
            if (is_tagged && *inside != '{') return NULL;
            if (!(p = read_record(s, is_tagged ? inside : p, end, f->record))) return NULL;
            if (is_tagged && !(p = expect(p, '}'))) return NULL;
        }
        p = blank(p);
    }
    if (f->kind == BIGINTS) {
        set_bit(c->valid, t->rows, 1);
        c->offsets[t->rows + 1] = (int32_t)c->size;
        c->n = t->rows + 1;
    }
    return blank(p + 1);
}

/* A value behind its tag, the brace that closes it not included. */
static inline const uint8_t *read_tagged(scanner *s, const uint8_t *p, const uint8_t *end, const field *f) {
    table *t = f->table >= 0 ? &s->tables[f->table] : NULL;
    column *c = t && f->column >= 0 ? &t->columns[f->column] : NULL;
    if (f->kind == BIGINTS || f->kind == FORMS || f->kind == RECORDS) return read_list(s, p, end, f, t, c);
    if (f->kind == RECORD) return *p == '{' ? read_record(s, p, end, f->record) : NULL;
    if (f->kind == SCORE && *p == '{') return read_score(s, blank(p + 1), end, f, t, c);
    return read_plain(s, p, end, f, t, c);
}

/* A field's value, tagged or not; its name and what follows that, up to the value, are kept to know them again. */
static const uint8_t *read_value(scanner *s, const uint8_t *name, const uint8_t *p, const uint8_t *end, field *f) {
    if (is_null(p)) return blank(p + 4); /* a column that gets nothing until its row ends is null */
    const uint8_t *inside = *p == '{' ? tag(blank(p + 1), end) : NULL;
    f->is_tagged = inside != NULL;
    make_literal(&f->before, name, (inside ? inside : p) - name);
    p = read_tagged(s, inside ? inside : p, end, f);
    return !p ? NULL : inside ? expect(blank(p), '}') : blank(p);
}

/* ---- fields that the schema lacks ---- */

static column *extra_of(scanner *s, int32_t which) { return &s->tables[which].columns[s->extra[which]]; }

static int is_taken(const scanner *s, const record *r, const field *wanted) {
    const int is_here = r->row_of == CONVERSATIONS || r->extra_of == ALL_BELOW;
    for (int i = 0; is_here && i < RECORDS_MOST; i++) {
        const record *q = &s->records[i];
        if (q == r || (q->row_of != CONVERSATIONS && q->extra_of != ALL_BELOW)) continue;
        for (int32_t k = 0; k < q->count; k++) {
            const field *f = &q->fields[k];
            if ((f->kind == EXTRA || q->row_of == CONVERSATIONS) && f->length == wanted->length && !memcmp(f->name, wanted->name, (size_t)f->length)) return 1;
        }
    }
    return 0;
}

static void name_field(field *f, const void *name, int32_t length) {
    memcpy(f->name, name, (size_t)length);
    f->name[length] = 0;
    f->length = length;
    char null[sizeof f->name + 8];
    memcpy(null, name, (size_t)length);
    memcpy(null + length, ":null", 5);
    make_literal(&f->null, null, length + 5);
    f->before.length = f->next = 0;
}

static int is_other_case(const field *f, const uint8_t *name, int32_t length) {
    if (f->length != length) return 0;
    for (int32_t i = 0; i < length; i++) {
        uint8_t a = (uint8_t)f->name[i], b = name[i];
        if (a != b && ((a | 32) != (b | 32) || (a | 32) < 'a' || (a | 32) > 'z')) return 0;
    }
    return 1;
}

/* The field whose name stands at p as one more of the record's: another spelling, or one for `extra`. NULL: the careful path knows. */
static field *learn(scanner *s, record *r, const uint8_t *p, const uint8_t *end) {
    static const char *const tags[] = {"null", "string", "long", "int", "double", "float", "boolean", "bytes", "array", "map"};
    int high = 0;
    if (*p != '"' || r->count == FIELDS) return NULL;
    const uint8_t *stop = plain_run(p + 1, end, &high);
    field *f = &r->fields[r->count];
    if (*stop != '"' || high || stop + 2 - p > (int64_t)sizeof f->name) return NULL;
    const int32_t length = (int32_t)(stop + 1 - p);
    if (memchr(p, '.', (size_t)length)) return NULL; /* a tag, perhaps */
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (is_name(p, stop, tags[i])) return NULL;
    int32_t usual = 0;
    while (usual < r->declared && !is_other_case(&r->fields[usual], p, length)) usual++;
    if (usual < r->declared) {
        if (r->fields[usual].kind == RECORD) return NULL; /* of two spellings the usual one comes first in `extra` */
        *f = r->fields[usual];
        name_field(f, p, length);
    } else {
        memset(f, 0, sizeof *f);
        name_field(f, p, length);
        if (is_taken(s, r, f)) return NULL;
        make_literal(&f->null, "\n", 1); /* which no name begins with: a null has to be kept, too */
        f->kind = EXTRA;
        f->table = f->column = f->record = -1;
    }
    f->usual = usual < r->declared ? usual : r->count;
    r->count++;
    return f;
}

/* A member of the JSON object in `extra`: of the row that the record is of, or of each conversation below. */
static const uint8_t *read_extra(scanner *s, const uint8_t *p, const uint8_t *end, record *r, field *f) {
    const int32_t type = (int32_t)(r - s->records), which = r->extra_of;
    column *c = which == ALL_BELOW ? &s->above : extra_of(s, which);
    if (which == ALL_BELOW) {
        if (s->tables[CONVERSATIONS].rows > r->before || type < s->above_type) return NULL;
        s->above_type = type;
        if (c->size && !add_bytes(s, c, ",", 1)) return NULL;
    } else {
        if (*r->within && s->has_extra[which]) return NULL;
        s->has_extra[which] = !*r->within;
        const char *comma = r->is_open || c->size > c->offsets[s->tables[which].rows] ? "," : "{";
        if (!add_bytes(s, c, comma, 1)) return NULL;
        if (*r->within && !r->is_open) {
            if (!add_bytes(s, c, r->within, (int64_t)strlen(r->within)) || !add_bytes(s, c, ":{", 2)) return NULL;
            r->is_open = 1;
        }
    }
    if (!f->is_met) f->is_met_here = s->is_news = 1;
    return add_bytes(s, c, f->name, f->length) && add_bytes(s, c, ":", 1) ? untagged(s, p, end, c, 0) : NULL;
}

/* Count what rows repeat, before it is written: a line that would fill the memory with it is the careful path's to refuse. */
static int may_repeat(scanner *s, int64_t bytes) {
    s->spread += bytes;
    return s->spread <= s->most_spread;
}

static int close_extra(scanner *s, int32_t which) {
    table *t = &s->tables[which];
    column *c = extra_of(s, which);
    const int64_t start = c->offsets[t->rows];
    if (which == CONVERSATIONS && s->above.size) {
        if (!may_repeat(s, s->above.size)) return 0;
        if (!add_bytes(s, c, c->size > start ? "," : "{", 1) || !add_bytes(s, c, s->above.bytes, s->above.size)) return 0;
    }
    return c->size == start || (add_bytes(s, c, "}", 1) && put_text(s, c, t->rows, NULL, 0));
}

/* Whether the fields met in a line count as met in the file. */
static void settle(scanner *s, int is_read) {
    for (int i = 0; s->is_news && i < RECORDS_MOST; i++)
        for (int32_t k = s->records[i].declared; k < s->records[i].count; k++) {
            field *f = &s->records[i].fields[k];
            f->is_met |= f->is_met_here & is_read;
            f->is_met_here = 0;
        }
    s->is_news = 0;
}

/* ---- records ---- */

/* The field whose name stands at p; NULL if the record has none such. */
static field *named(record *r, const uint8_t *p, const uint8_t *end) {
    for (int32_t i = 0; i < r->count; i++) {
        field *f = &r->fields[i];
        if (end - p > f->length && memcmp(p, f->name, (size_t)f->length) == 0) return f;
    }
    return NULL;
}

/* The fields of a record up to its closing brace. Order and tags are expected to be those of the record before. */
static const uint8_t *read_fields(scanner *s, const uint8_t *p, const uint8_t *end, record *r) {
    uint64_t seen = 0;
    const uint64_t declared = (1ULL << r->declared) - 1;
    int32_t *expected = &r->first;
    p = blank(p + 1);
    for (int first = 1; *p != '}'; first = 0) {
        if (!first && !(p = expect(p, ','))) return NULL;
        field *f = &r->fields[*expected];
        const int comparable = end - p > (WORDS + 1) * 8;
        const int is_null_again = comparable && starts_with(p, &f->null);
        int is_same_again = comparable && !is_null_again && f->before.length && starts_with(p, &f->before);
        if (is_same_again && !f->is_tagged && p[f->before.length] == '{') is_same_again = 0; /* perhaps a tag, this time */
        if (!is_null_again && !is_same_again) {
            if (!(f = named(r, p, end)) && !(f = learn(s, r, p, end))) return NULL;
            *expected = (int32_t)(f - r->fields);
        }
        const int32_t place = f->usual;
        expected = &f->next;
        if (seen >> place & 1 || (r->in_order && f->kind != EXTRA && (seen & declared) >> place)) return NULL;
        seen |= 1ULL << place;
        if (f->kind == EXTRA) {
            if (!is_same_again) make_literal(&f->before, p, f->length);
            if (!(p = expect(blank(p + f->length), ':')) || !(p = read_extra(s, p, end, r, f))) return NULL;
        } else if (is_null_again) p = blank(p + f->null.length);
        else if (is_same_again) {
            const int is_tagged = f->is_tagged;
            if (!(p = read_tagged(s, p + f->before.length, end, f))) return NULL;
            p = blank(p);
            if (is_tagged && !(p = expect(p, '}'))) return NULL;
        } else {
            const uint8_t *name = p;
            if (!(p = expect(blank(p + f->length), ':')) || !(p = read_value(s, name, p, end, f))) return NULL;
        }
    }
    return blank(p + 1);
}

static int inherit(scanner *s, int which, int64_t from, int64_t date, int64_t delivery) {
    table *t = &s->tables[which];
    const table *above = &s->tables[CONVERSATIONS];
    const column *id = &above->columns[s->conversation_id];
    const int64_t row = above->rows;
    const uint8_t *account = s->account_length > 0 ? s->account : s->listed_account;
    int64_t account_length = s->account_length > 0 ? s->account_length : s->listed_account_length;
    const int64_t to = t->rows + (which == CONVERSATIONS);
    if (!may_repeat(s, (to - from) * (id->offsets[row + 1] - id->offsets[row] + (s->account_length > 0 ? s->account_length : 0)))) return 0;
    for (int64_t i = from; i < to; i++) {
        column *c = &t->columns[s->inherited[which][0]];
        if (account_length < 0) put_null(c, i);
        else if (!put_text(s, c, i, account, account_length)) return 0;
        if (s->inherited[which][1] >= 0 && !put_text(s, &t->columns[s->inherited[which][1]], i, id->bytes + id->offsets[row], id->offsets[row + 1] - id->offsets[row])) return 0;
        put_number(&t->columns[s->inherited[which][2]], i, date);
        put_number(&t->columns[s->inherited[which][3]], i, delivery);
    }
    return 1;
}

static inline void fill_nulls(table *t, uint64_t except) {
    for (int32_t i = 0; i < t->count; i++)
        if (t->columns[i].n == t->rows && !(except >> i & 1)) put_null(&t->columns[i], t->rows);
}

static const uint8_t *read_record(scanner *s, const uint8_t *p, const uint8_t *end, int32_t type) {
    record *r = &s->records[type];
    if (*p != '{') return NULL;
    r->before = s->tables[CONVERSATIONS].rows;
    r->is_open = 0;
    if (r->row_of == RESETS_HEADER) {
        for (int k = 0; k < 3; k++) s->header_values[k].n = 0;
        const int64_t above = s->above.size;
        const int32_t above_type = s->above_type;
        p = read_fields(s, p, end, r);
        if (s->above.size > above && s->tables[CONVERSATIONS].rows == r->before) return NULL; /* nowhere to keep it */
        s->above.size = above;
        s->above_type = above_type;
        return p;
    }
    if (r->row_of < 0) {
        p = read_fields(s, p, end, r);
        return p && r->is_open && !add_bytes(s, extra_of(s, r->extra_of), "}", 1) ? NULL : p;
    }
    table *t = &s->tables[r->row_of];
    if (!may_repeat(s, ROW_BYTES) || !room_for_row(s, t)) return NULL;
    s->has_extra[r->row_of] = 0;
    int64_t messages = s->tables[MESSAGES].rows, transfers = s->tables[TRANSFERS].rows;
    if (r->row_of != CONVERSATIONS) {
        put_number(&t->columns[s->position[r->row_of]], t->rows, t->rows - s->marks[r->row_of]);
        if (!(p = read_fields(s, p, end, r)) || !close_extra(s, r->row_of)) return NULL;
        fill_nulls(t, s->is_inherited[r->row_of]);
        t->rows++;
        return p;
    }
    s->marks[MESSAGES] = messages;
    s->marks[TRANSFERS] = transfers;
    if (!(p = read_fields(s, p, end, r))) return NULL;
    const column *id = &t->columns[s->conversation_id];
    if (id->n == t->rows || id->offsets[t->rows + 1] == id->offsets[t->rows]) return NULL;
    const column *start = &t->columns[s->start_time];
    int64_t moment = start->n > t->rows ? start->numbers[t->rows] : s->meta_start != INT64_MIN ? s->meta_start : s->scope_start;
    const int64_t day = 86400000000;
    int64_t date = moment == INT64_MIN ? 0 : moment >= 0 ? moment / day : -((-moment + day - 1) / day);
    int64_t delivery = ++s->deliveries;
    if (!inherit(s, MESSAGES, messages, date, delivery) || !inherit(s, TRANSFERS, transfers, date, delivery)) return NULL;
    if (!inherit(s, CONVERSATIONS, t->rows, date, delivery)) return NULL;
    if (s->version_length >= 0 && (!may_repeat(s, s->version_length) || !put_text(s, &t->columns[s->version_column], t->rows, s->version, s->version_length))) return NULL;
    for (int k = 0; k < 3; k++) {
        const column *h = &s->header_values[k];
        if (h->n && (!may_repeat(s, h->size) || !put_text(s, &t->columns[s->header[k]], t->rows, h->bytes, h->size))) return NULL;
    }
    if (!close_extra(s, CONVERSATIONS)) return NULL;
    fill_nulls(t, 0);
    t->rows++;
    return p;
}

/* ---- what is called from outside ---- */

/* Read whole lines of text[from, until), which ends with a line break and 32 bytes more; gives the start of the first line
 * that is odd, `until` if none is, -1 without memory. */
int64_t scanner_scan(scanner *s, const uint8_t *text, int64_t from, int64_t until) {
    while (from < until) {
        const uint8_t *line = text + from, *end = memchr(line, '\n', (size_t)(until - from));
        if (!end) return from;
        const uint8_t *p = blank(line);
        if (p != end) {
            if (end - line > s->longest) return from;
            int64_t rows[TABLES], deliveries = s->deliveries, spread = s->spread;
            for (int i = 0; i < TABLES; i++) rows[i] = s->tables[i].rows;
            s->most_spread = spread + LEAST_SPREAD + MOST_SPREAD * (end - line);
            s->meta_start = INT64_MIN;
            s->account_length = s->version_length = -1;
            s->is_engagement = 0;
            for (int k = 0; k < 3; k++) s->header_values[k].n = 0;
            s->above.size = s->above_type = 0;
            p = *p == '{' ? read_record(s, p, end, 0) : NULL;
            if (s->out_of_memory) return -1;
            const int is_read = p == end && s->is_engagement && s->tables[CONVERSATIONS].rows > rows[CONVERSATIONS];
            settle(s, is_read);
            if (!is_read) {
                for (int i = 0; i < TABLES; i++) cut_back(&s->tables[i], rows[i]);
                s->deliveries = deliveries;
                s->spread = spread;
                return from;
            }
            s->documents++;
        }
        from = end + 1 - text;
    }
    return until;
}

scanner *scanner_new(void) { return calloc(1, sizeof(scanner)); }

void scanner_column(scanner *s, int32_t which, int32_t kind) {
    table *t = &s->tables[which];
    column *more = realloc(t->columns, sizeof(column) * (size_t)(t->count + 1));
    if (!more) { s->out_of_memory = 1; return; }
    t->columns = more;
    memset(&t->columns[t->count], 0, sizeof(column));
    t->columns[t->count++].kind = kind;
}

void scanner_record(scanner *s, int32_t type, int32_t row_of, int32_t in_order, int32_t extra, const char *within) {
    record *r = &s->records[type];
    r->row_of = row_of;
    r->in_order = in_order;
    r->extra_of = extra;
    memcpy(r->within, within, strlen(within) + 1);
}

/* Whether the field was added: not if its column is inherited, or another field's, since a value of one line would be added to
 * that of another then. */
int32_t scanner_field(scanner *s, int32_t type, const char *name, int32_t kind, int32_t which, int32_t column_index, int32_t inside) {
    record *r = &s->records[type];
    if (which >= 0) {
        if (s->is_taken[which] >> column_index & 1) return 0;
        s->is_taken[which] |= 1ULL << column_index;
    }
    field *f = &r->fields[r->count];
    name_field(f, name, (int32_t)strlen(name));
    f->kind = kind; f->table = which; f->column = column_index; f->record = inside;
    f->usual = r->count++;
    r->declared = r->count;
    return 1;
}

static void take(scanner *s, int32_t which, int32_t column_index) {
    if (column_index >= 0) s->is_taken[which] |= 1ULL << column_index;
}

void scanner_inherits(scanner *s, int32_t which, int32_t account, int32_t id, int32_t date, int32_t delivery, int32_t position, int32_t extra) {
    s->inherited[which][0] = account; s->inherited[which][1] = id;
    s->inherited[which][2] = date; s->inherited[which][3] = delivery;
    for (int k = 0; k < 4; k++)
        if (s->inherited[which][k] >= 0) s->is_inherited[which] |= 1ULL << s->inherited[which][k];
    s->position[which] = position;
    s->extra[which] = extra;
    s->is_taken[which] = s->is_inherited[which];
    take(s, which, position);
    take(s, which, extra);
}

void scanner_conversation(scanner *s, int32_t id, int32_t start, int32_t version, int32_t visit, int32_t visitor, int32_t context) {
    s->conversation_id = id; s->start_time = start; s->version_column = version;
    s->header[0] = visit; s->header[1] = visitor; s->header[2] = context;
    take(s, CONVERSATIONS, version);
    for (int k = 0; k < 3; k++) take(s, CONVERSATIONS, s->header[k]);
}

/* A new source file: its deliveries and documents are counted from 0, and what was learned in another one is forgotten. */
void scanner_file(scanner *s, const uint8_t *account, int64_t account_length, int64_t scope_start, int64_t longest) {
    s->longest = longest;
    s->listed_account_length = account_length;
    if (account_length > 0 && grow(s, (void **)&s->listed_account, account_length)) memcpy(s->listed_account, account, (size_t)account_length);
    s->scope_start = scope_start;
    s->documents = s->deliveries = 0;
    for (int i = 0; i < RECORDS_MOST; i++) {
        record *r = &s->records[i];
        r->count = r->declared;
        if (r->first >= r->declared) r->first = 0;
        for (int32_t k = 0; k < r->declared; k++)
            if (r->fields[k].next >= r->declared) r->fields[k].next = 0;
    }
}

/* The name, quotes included, of the n-th field that the schema lacks and that lines of this file had; NULL: there are no more. */
const char *scanner_unknown(scanner *s, int32_t type, int32_t n) {
    const record *r = &s->records[type];
    for (int32_t k = r->declared; k < r->count; k++)
        if (r->fields[k].is_met && n-- == 0) return r->fields[k].name;
    return NULL;
}

int64_t scanner_documents(scanner *s) { return s->documents; }
int64_t scanner_deliveries(scanner *s) { return s->deliveries; }
void scanner_count_on(scanner *s, int64_t documents, int64_t deliveries) { s->documents += documents; s->deliveries += deliveries; }
int64_t scanner_spread(scanner *s) { return s->spread; }
int64_t scanner_rows(scanner *s, int32_t which) { return s->tables[which].rows; }
void scanner_cut_back(scanner *s, int32_t which, int64_t rows) { cut_back(&s->tables[which], rows); }

/* 0: validity, 1: values, 2: offsets, 3: text or items */
const void *scanner_memory(scanner *s, int32_t which, int32_t index, int32_t part) {
    column *c = &s->tables[which].columns[index];
    switch (part) {
    case 0: return c->valid;
    case 1: return c->kind == BOOLEAN ? (void *)c->bits : c->kind == DOUBLE || c->kind == SCORE ? (void *)c->doubles : (void *)c->numbers;
    case 2: return c->offsets;
    default: return c->kind == BIGINTS ? (void *)c->numbers : (void *)c->bytes;
    }
}

int64_t scanner_size(scanner *s, int32_t which, int32_t index) { return s->tables[which].columns[index].size; }

void scanner_free(scanner *s) {
    for (int i = 0; i < TABLES; i++) {
        for (int32_t k = 0; k < s->tables[i].count; k++) {
            column *c = &s->tables[i].columns[k];
            free(c->valid); free(c->bits); free(c->numbers); free(c->doubles); free(c->offsets); free(c->bytes);
        }
        free(s->tables[i].columns);
    }
    for (int k = 0; k < 3; k++) free(s->header_values[k].bytes);
    free(s->above.bytes); free(s->listed_account); free(s->account); free(s->version); free(s);
}
