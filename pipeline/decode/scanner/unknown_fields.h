/* Unknown fields: the schema lacks them, `extra` keeps them. Tags are removed, the order is that of the careful path.
 *
 * The vendor adds fields, so they are expected: each is learned at its first occurrence in a file. A line is odd if the careful path
 * would give its `extra` another order or another name.
 */
#ifndef UNKNOWN_FIELDS_H
#define UNKNOWN_FIELDS_H

#include "records.h"

/* The names of a JSON object so far, to tell one that comes twice. */
enum { NAMES_MOST = 32 };
typedef struct {
    const uint8_t *starts[NAMES_MOST], *ends[NAMES_MOST];
    int count;
} names;

/* Copy a member's name and its colon; NULL where the careful path may name it otherwise, or read it as a tag. */
static const uint8_t *copy_name(memory *m, const uint8_t *p, const uint8_t *end, column *c, names *met) {
    int high = 0;
    if (*p != '"') return NULL;
    const uint8_t *stop = plain_run(p + 1, end, &high);
    if (*stop != '"' || high || met->count == NAMES_MOST) return NULL;
    if (!met->count && (is_other_tag(p, stop) || p[4] == '.')) return NULL;
    for (int i = 0; i < met->count; i++)
        if (met->ends[i] - met->starts[i] == stop - p && memcmp(met->starts[i], p, (size_t)(stop - p)) == 0) return NULL;
    met->starts[met->count] = p;
    met->ends[met->count++] = stop;
    if (!add_bytes(m, c, p, stop + 1 - p) || !add_bytes(m, c, ":", 1)) return NULL;
    return expect(blank(stop + 1), ':');
}

/* The JSON of a value with its tags removed: of secure forms, and of unknown fields. */
static const uint8_t *untagged(memory *m, const uint8_t *p, const uint8_t *end, column *c, int depth) {
    const uint8_t *start = p, *inside;
    if (depth > 20) return NULL;
    if (*p == '"') {
        if (!(p = plain_string(p, end))) return NULL;
    } else if (*p == '{' || *p == '[') {
        const int is_object = *p == '{';
        const uint8_t close = is_object ? '}' : ']';
        if (is_object && (inside = tag(blank(p + 1), end))) {
            if (!(inside = untagged(m, inside, end, c, depth + 1))) return NULL;
            return expect(blank(inside), '}'); /* a second field would make it no tag: the careful path knows */
        }
        names met;
        met.count = 0;
        if (!add_bytes(m, c, p, 1)) return NULL;
        p = blank(p + 1);
        for (int first = 1; *p != close; first = 0) {
            if (!first && (!(p = expect(p, ',')) || !add_bytes(m, c, ",", 1))) return NULL;
            if (is_object && !(p = copy_name(m, p, end, c, &met))) return NULL;
            if (!(p = untagged(m, p, end, c, depth + 1))) return NULL;
            p = blank(p);
        }
        return add_bytes(m, c, &close, 1) ? blank(p + 1) : NULL;
    } else if (end - p > 5 && (is_null(p) || memcmp(p, "true", 4) == 0)) p += 4;
    else if (end - p > 5 && memcmp(p, "false", 5) == 0) p += 5;
    else if (!(p = number(p))) return NULL;
    return add_bytes(m, c, start, p - start) ? blank(p) : NULL;
}

/* Whether another record of the conversation's way down has a field of that name: `extra` has one place for both. */
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
    int high = 0;
    if (*p != '"' || r->count == FIELDS) return NULL;
    const uint8_t *stop = plain_run(p + 1, end, &high);
    field *f = &r->fields[r->count];
    if (*stop != '"' || high || stop + 2 - p > (int64_t)sizeof f->name) return NULL;
    const int32_t length = (int32_t)(stop + 1 - p);
    if (memchr(p, '.', (size_t)length) || is_primitive_tag(p, stop)) return NULL; /* a tag, perhaps */
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
        if (c->size && !add_bytes(&s->memory, c, ",", 1)) return NULL;
    } else {
        if (*r->within && s->has_extra[which]) return NULL;
        s->has_extra[which] = !*r->within;
        const char *comma = r->is_open || c->size > c->offsets[s->tables[which].rows] ? "," : "{";
        if (!add_bytes(&s->memory, c, comma, 1)) return NULL;
        if (*r->within && !r->is_open) {
            if (!add_bytes(&s->memory, c, r->within, (int64_t)strlen(r->within)) || !add_bytes(&s->memory, c, ":{", 2)) return NULL;
            r->is_open = 1;
        }
    }
    if (!f->is_met) f->is_met_here = s->is_news = 1;
    return add_bytes(&s->memory, c, f->name, f->length) && add_bytes(&s->memory, c, ":", 1) ? untagged(&s->memory, p, end, c, 0) : NULL;
}

static int close_extra(scanner *s, int32_t which) {
    table *t = &s->tables[which];
    column *c = extra_of(s, which);
    const int64_t start = c->offsets[t->rows];
    if (which == CONVERSATIONS && s->above.size) {
        if (!may_repeat(s, s->above.size)) return 0;
        if (!add_bytes(&s->memory, c, c->size > start ? "," : "{", 1) || !add_bytes(&s->memory, c, s->above.bytes, s->above.size)) return 0;
    }
    return c->size == start || (add_bytes(&s->memory, c, "}", 1) && put_text(&s->memory, c, t->rows, NULL, 0));
}

/* Whether the fields met in a line count as met in the file. */
static void settle_news(scanner *s, int is_read) {
    for (int i = 0; s->is_news && i < RECORDS_MOST; i++)
        for (int32_t k = s->records[i].declared; k < s->records[i].count; k++) {
            field *f = &s->records[i].fields[k];
            f->is_met |= f->is_met_here & is_read;
            f->is_met_here = 0;
        }
    s->is_news = 0;
}

#endif
