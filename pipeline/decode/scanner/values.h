/* A field's value, bare or tagged, into its column. */
#ifndef VALUES_H
#define VALUES_H

#include "unknown_fields.h"

/* In scanner.c: a value may be a record. */
static const uint8_t *read_record(scanner *s, const uint8_t *p, const uint8_t *end, int32_t type);

/* A text of a level above, kept for the rows below. */
static const uint8_t *read_aside(scanner *s, const uint8_t *p, const uint8_t *end, column *c) {
    if (*p != '"') return NULL;
    c->size = 0;
    c->n = 1;
    return string(&s->memory, p + 1, end, c);
}

static inline const uint8_t *read_text(scanner *s, const uint8_t *p, const uint8_t *end, column *c, int64_t row) {
    if (*p != '"' || !(p = string(&s->memory, p + 1, end, c))) return NULL;
    put_end(c, row);
    return p;
}

/* A whole number, or a time; the vendor's page has the time of a transfer as text. */
static inline const uint8_t *read_whole(scanner *s, const uint8_t *p, const field *f, column *c, int64_t row) {
    int64_t number;
    const int quoted = *p == '"';
    if (!(p = whole(p + quoted, &number)) || (quoted && *p++ != '"')) return NULL;
    switch (f->kind) {
    case BIGINT: put_long(c, row, number); return p;
    case INTEGER:
        if (number > INT32_MAX || number < INT32_MIN) return NULL;
        put_int(c, row, number);
        return p;
    default:
        if (number < s->limits.earliest || number > s->limits.latest) return NULL;
        if (f->kind == TIME) put_long(c, row, number * 1000);
        else if (f->kind == META_TIME) s->meta_start = number * 1000;
        return p;
    }
}

static inline const uint8_t *read_plain(scanner *s, const uint8_t *p, const uint8_t *end, const field *f, table *t, column *c) {
    const int64_t row = t ? t->rows : 0;
    double value;
    switch (f->kind) {
    case TEXT: return read_text(s, p, end, c, row);
    case BIGINT: case INTEGER: case TIME: case CHECK_TIME: case META_TIME: return read_whole(s, p, f, c, row);
    case BOOLEAN: {
        const int yes = end - p > 4 && memcmp(p, "true", 4) == 0;
        if (!yes && !(end - p > 5 && memcmp(p, "false", 5) == 0)) return NULL;
        put_boolean(c, row, yes);
        return p + (yes ? 4 : 5);
    }
    case DOUBLE: case SCORE:
        if (!(p = decimal(p, &value))) return NULL;
        put_double(c, row, value);
        return p;
    case ACCOUNT: return read_aside(s, p, end, &s->account);
    case VERSION: return read_aside(s, p, end, &s->version);
    case HEADER: return read_aside(s, p, end, &s->header_values[f->column]);
    case ENGAGEMENT:
        s->is_engagement = end - p > 12 && memcmp(p, "\"Engagement\"", 12) == 0;
        return s->is_engagement ? p + 12 : NULL;
    }
    return NULL;
}

static const uint8_t *read_score(scanner *s, const uint8_t *p, const uint8_t *end, const field *f, table *t, column *c) {
    /* behind `{`: a record with the score as its only field; the careful path chooses among several fields */
    int length = memcmp(p, "\"mcs\"", 5) == 0 ? 5 : memcmp(p, "\"score\"", 7) == 0 ? 7 : memcmp(p, "\"chatMCS\"", 9) == 0 ? 9 : 0;
    if (!length || !(p = expect(blank(p + length), ':'))) return NULL;
    if (is_null(p)) p += 4;
    else if (*p == '{') {
        if (!(p = tag(blank(p + 1), end)) || !(p = read_plain(s, p, end, f, t, c)) || !(p = expect(blank(p), '}'))) return NULL;
    } else if (!(p = read_plain(s, p, end, f, t, c))) return NULL;
    return expect(blank(p), '}');
}

/* The list of secure forms, kept as JSON. */
static const uint8_t *read_forms(scanner *s, const uint8_t *p, const uint8_t *end, column *c, int64_t row) {
    if (*p != '[') return NULL;
    if (*blank(p + 1) == ']') return blank(blank(p + 1) + 1); /* no form: NULL */
    if (!(p = untagged(&s->memory, p, end, c, 0))) return NULL;
    put_end(c, row);
    return p;
}

static const uint8_t *read_element(scanner *s, const uint8_t *p, const uint8_t *end, const field *f) {
    if (*p != '{') return NULL;
    const uint8_t *inside = tag(blank(p + 1), end);
    if (!inside) return read_record(s, p, end, f->record);
    if (*inside != '{' || !(p = read_record(s, inside, end, f->record))) return NULL;
    return expect(p, '}');
}

/* A list of whole numbers, or of records. */
static const uint8_t *read_list(scanner *s, const uint8_t *p, const uint8_t *end, const field *f, table *t, column *c) {
    if (*p != '[') return NULL;
    p = blank(p + 1);
    for (int first = 1; *p != ']'; first = 0) {
        if (!first && !(p = expect(p, ','))) return NULL;
        if (f->kind == BIGINTS) {
            int64_t number;
            if (!(p = whole(p, &number)) || !add_item(&s->memory, c, number)) return NULL;
        } else if (!(p = read_element(s, p, end, f))) return NULL;
        p = blank(p);
    }
    if (f->kind == BIGINTS) put_end(c, t->rows);
    return blank(p + 1);
}

/* A value behind its tag, the brace that closes it not included. */
static inline const uint8_t *read_tagged(scanner *s, const uint8_t *p, const uint8_t *end, const field *f) {
    table *t = f->table >= 0 ? &s->tables[f->table] : NULL;
    column *c = t && f->column >= 0 ? &t->columns[f->column] : NULL;
    if (f->kind == BIGINTS || f->kind == RECORDS) return read_list(s, p, end, f, t, c);
    if (f->kind == FORMS) return read_forms(s, p, end, c, t->rows);
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

#endif
