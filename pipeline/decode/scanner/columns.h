/* Columns that grow row by row, in the layout of Arrow, and their handing over.
 *
 * `rows` counts the whole rows of a table; the row that is being written stands behind them. A column without a value at the end
 * of a row is null there.
 */
#ifndef COLUMNS_H
#define COLUMNS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arrow.h"

/* The first eight are kinds of columns and fields; the others are of fields alone. */
#define KINDS(X) X(TEXT) X(BIGINT) X(INTEGER) X(DATE) X(TIME) X(BOOLEAN) X(DOUBLE) X(BIGINTS) \
    X(FORMS) X(SCORE) X(RECORD) X(RECORDS) X(ENGAGEMENT) X(CHECK_TIME) X(META_TIME) X(ACCOUNT) X(VERSION) X(HEADER)
#define AS_CONSTANT(name) name,
#define AS_TEXT(name) #name,
enum kind { KINDS(AS_CONSTANT) EXTRA }; /* EXTRA: the schema lacks it */

typedef struct {
    int32_t kind;
    int64_t n;      /* rows that have a value or a null */
    int64_t size;   /* bytes of text, items of lists */
    int64_t room;   /* for them */
    uint8_t *valid; /* a bit a row */
    union {
        void *values;
        uint8_t *bits;    /* BOOLEAN */
        int32_t *ints;    /* INTEGER, DATE */
        int64_t *longs;   /* BIGINT, TIME */
        double *doubles;
        int32_t *offsets; /* TEXT, BIGINTS */
    };
    union {
        void *content;
        uint8_t *bytes; /* TEXT */
        int64_t *items; /* BIGINTS */
    };
} column;

typedef struct {
    int64_t rows, room;
    int32_t count;
    column *columns;
} table;

typedef struct {
    int32_t is_out;
} memory;

/* ---- room ---- */

/* NULL where there is no memory, which is noted; the block is unchanged then. */
static void *grown(memory *m, void *block, int64_t bytes) {
    void *more = realloc(block, (size_t)bytes);
    if (!more) m->is_out = 1;
    return more;
}

static inline int has_offsets(const column *c) { return c->kind == TEXT || c->kind == BIGINTS; }

static int64_t value_bytes(const column *c, int64_t rows) {
    switch (c->kind) {
    case TEXT: case BIGINTS: return (rows + 1) * 4;
    case INTEGER: case DATE: return rows * 4;
    case BOOLEAN: return rows / 8 + 8;
    default: return rows * 8;
    }
}

static inline int room_for_row(memory *m, table *t) {
    if (t->rows + 1 < t->room) return 1;
    const int64_t room = t->room ? t->room * 2 : 1024;
    for (int32_t i = 0; i < t->count; i++) {
        column *c = &t->columns[i];
        uint8_t *valid = grown(m, c->valid, room / 8 + 8);
        if (!valid) return 0;
        c->valid = valid;
        void *values = grown(m, c->values, value_bytes(c, room));
        if (!values) return 0;
        c->values = values;
        if (has_offsets(c)) c->offsets[0] = 0;
    }
    t->room = room;
    return 1;
}

/* Offsets have 32 bits: a text that would not fit them is refused. */
static inline int room_for_bytes(memory *m, column *c, int64_t more) {
    if (c->size + more > INT32_MAX) return 0;
    if (c->size + more <= c->room) return 1;
    int64_t room = c->room ? c->room * 2 : 4096;
    while (room < c->size + more) room *= 2;
    uint8_t *bytes = grown(m, c->bytes, room);
    if (!bytes) return 0;
    c->bytes = bytes;
    c->room = room;
    return 1;
}

/* ---- values of the row that is being written ---- */

static inline void set_bit(uint8_t *bits, int64_t i, int on) {
    uint8_t mask = (uint8_t)(1u << (i & 7));
    bits[i >> 3] = on ? bits[i >> 3] | mask : bits[i >> 3] & (uint8_t)~mask;
}

static inline void put_valid(column *c, int64_t row) {
    set_bit(c->valid, row, 1);
    c->n = row + 1;
}

static inline void put_null(column *c, int64_t row) {
    set_bit(c->valid, row, 0);
    switch (c->kind) {
    case TEXT: case BIGINTS: c->offsets[row + 1] = (int32_t)c->size; break;
    case INTEGER: case DATE: c->ints[row] = 0; break;
    case BOOLEAN: set_bit(c->bits, row, 0); break;
    default: c->longs[row] = 0; /* as wide as a double, whose 0 is the same */
    }
    c->n = row + 1;
}

static inline void put_long(column *c, int64_t row, int64_t value) {
    c->longs[row] = value;
    put_valid(c, row);
}

static inline void put_int(column *c, int64_t row, int64_t value) {
    c->ints[row] = (int32_t)value;
    put_valid(c, row);
}

static inline void put_double(column *c, int64_t row, double value) {
    c->doubles[row] = value;
    put_valid(c, row);
}

static inline void put_boolean(column *c, int64_t row, int value) {
    set_bit(c->bits, row, value);
    put_valid(c, row);
}

/* The text or the list ends where the content does now. */
static inline void put_end(column *c, int64_t row) {
    c->offsets[row + 1] = (int32_t)c->size;
    put_valid(c, row);
}

static int add_item(memory *m, column *c, int64_t number) {
    if (c->size == INT32_MAX) return 0;
    if (c->size == c->room) {
        const int64_t room = c->room ? c->room * 2 : 1024;
        int64_t *items = grown(m, c->items, room * 8);
        if (!items) return 0;
        c->items = items;
        c->room = room;
    }
    c->items[c->size++] = number;
    return 1;
}

static inline int add_bytes(memory *m, column *c, const void *bytes, int64_t length) {
    if (!room_for_bytes(m, c, length)) return 0;
    if (length) memcpy(c->bytes + c->size, bytes, (size_t)length); /* nothing may have no memory */
    c->size += length;
    return 1;
}

static inline int put_text(memory *m, column *c, int64_t row, const uint8_t *text, int64_t length) {
    if (!add_bytes(m, c, text, length)) return 0;
    put_end(c, row);
    return 1;
}

static inline void fill_nulls(table *t, uint64_t except) {
    for (int32_t i = 0; i < t->count; i++)
        if (t->columns[i].n == t->rows && !(except >> i & 1)) put_null(&t->columns[i], t->rows);
}

static void cut_back(table *t, int64_t rows) {
    for (int32_t i = 0; i < t->count; i++) {
        column *c = &t->columns[i];
        c->n = rows;
        if (has_offsets(c)) c->size = t->room ? c->offsets[rows] : 0;
    }
    t->rows = rows;
}

static void free_column(column *c) {
    free(c->valid);
    free(c->values);
    free(c->content);
}

/* ---- handing over ---- */

/* An array's `private_data`: the memory behind its pointers. */
typedef struct {
    const void *buffers[3];
    struct ArrowArray **children; /* behind `inside` */
    struct ArrowArray inside[];
} parts;

/* For an array whose buffers belong to the column, and for a table's array, which has no buffers. */
static void release_parts(struct ArrowArray *a) {
    for (int64_t i = 0; i < a->n_children; i++)
        if (a->children[i]->release) a->children[i]->release(a->children[i]);
    free(a->private_data);
    a->release = NULL;
}

static void release_all(struct ArrowArray *a) {
    for (int64_t i = 0; i < a->n_buffers; i++) free((void *)a->buffers[i]);
    release_parts(a);
}

static int make_array(memory *m, struct ArrowArray *a, int64_t length, int64_t n_buffers, int64_t n_children) {
    const size_t children = (size_t)n_children;
    parts *p = calloc(1, sizeof *p + children * (sizeof(struct ArrowArray) + sizeof(struct ArrowArray *)));
    if (!p) { m->is_out = 1; return 0; }
    p->children = (struct ArrowArray **)(p->inside + children);
    for (size_t i = 0; i < children; i++) p->children[i] = &p->inside[i];
    memset(a, 0, sizeof *a);
    a->length = length;
    a->null_count = -1; /* not counted */
    a->n_buffers = n_buffers;
    a->n_children = n_children;
    a->buffers = p->buffers;
    a->children = p->children;
    a->private_data = p;
    a->release = release_parts;
    return 1;
}

/* The rows [start, until) of a column. The memory stays the column's, which must not change while the array is in use. */
static int view_column(memory *m, const column *c, int64_t start, int64_t until, struct ArrowArray *a) {
    if (!make_array(m, a, until - start, c->kind == TEXT ? 3 : 2, c->kind == BIGINTS)) return 0;
    a->offset = start;
    a->buffers[0] = c->valid;
    a->buffers[1] = c->values;
    if (c->kind == TEXT) a->buffers[2] = c->content;
    if (c->kind != BIGINTS) return 1;
    if (!make_array(m, a->children[0], c->size, 2, 0)) { a->release(a); return 0; }
    a->children[0]->null_count = 0;
    a->children[0]->buffers[1] = c->content;
    return 1;
}

/* Hand over all rows of a table with their memory, and leave the table empty. Without memory nothing is handed over or lost. */
static int drain_table(memory *m, table *t, struct ArrowArray *a) {
    if (!make_array(m, a, t->rows, 1, t->count)) return 0;
    a->null_count = 0;
    for (int32_t i = 0; i < t->count; i++)
        if (!view_column(m, &t->columns[i], 0, t->rows, a->children[i])) { a->release(a); return 0; }
    for (int32_t i = 0; i < t->count; i++) {
        struct ArrowArray *of_column = a->children[i];
        of_column->release = release_all;
        if (of_column->n_children) of_column->children[0]->release = release_all;
        const int32_t kind = t->columns[i].kind;
        memset(&t->columns[i], 0, sizeof(column));
        t->columns[i].kind = kind;
    }
    t->rows = t->room = 0;
    return 1;
}

#endif
