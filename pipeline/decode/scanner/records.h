/* The record types of a document as the caller describes them, and the scanner's memory of each.
 *
 * pipeline/schema.py declares the record types; pipeline/decode/scanner/__init__.py passes them to the functions at the end.
 */
#ifndef RECORDS_H
#define RECORDS_H

#include "tokens.h"

typedef struct {
    char name[48]; /* with its quotes */
    int32_t length, kind;
    literal null;      /* `"name":null` */
    literal before;    /* the bytes before its last value, name, colon and tag: Avro's encoder writes them again */
    int32_t is_tagged; /* whether that has a tag, so that a brace closes it */
    int32_t next;      /* the field that followed it last time */
    int32_t table, column;  /* where its value goes */
    int32_t record;         /* RECORD, RECORDS: the type of the records inside */
    int32_t usual;          /* the place of the field of which this is another spelling; its own otherwise */
    int32_t is_met, is_met_here; /* EXTRA: in the lines read of this file; in this line */
} field;

enum { FIELDS = 60, COLUMNS = 64, RECORDS_MOST = 16, HEADERS_MOST = 8 }; /* fields and columns are bits of 64 */

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
enum { NO_ROW = -1, RESETS_HEADER = -2, ALL_BELOW = -1 };

/* Limits that both paths share. */
typedef struct {
    int64_t row_bytes, most_spread, least_spread; /* as pipeline/decode/flatten.py declares them */
    int64_t earliest, latest;                     /* of times, in milliseconds */
} limits;

typedef struct {
    memory memory;
    limits limits;
    table tables[TABLES];
    record records[RECORDS_MOST];
    struct ArrowArray handed; /* what was handed over last, until it is taken */
    int64_t documents, deliveries;
    int64_t marks[TABLES];
    int32_t conversation_id, start_time, version_column;    /* columns of conversations */
    int32_t header[HEADERS_MOST], header_count;             /* likewise */
    /* columns that a row takes from above: account_id, conversation_id (-1 where it is the row's own), date, delivery */
    int32_t inherited[TABLES][4];
    uint64_t is_inherited[TABLES];            /* the same, a bit a column */
    uint64_t is_taken[TABLES];                /* columns that are written already, or by no field: inherited, counted, `extra` */
    int32_t position[TABLES], extra[TABLES];
    /* of the file that is being read */
    column listed_account;                    /* `n`: whether there is one */
    int64_t scope_start;                      /* microseconds; INT64_MIN: unknown */
    int64_t longest;                          /* bytes that a line may have */
    int64_t spread;                           /* approximate bytes that rows repeat, beside their own text */
    /* of the document that is being read */
    int64_t most_spread;                      /* where `spread` may be when the line is read */
    int64_t meta_start;
    column account, version, header_values[HEADERS_MOST]; /* texts for rows to come; `n`: whether there is one */
    column above;              /* unknown fields of the levels above conversations, as members of a JSON object */
    int32_t above_type;        /* the type of the record that brought the last of it */
    int32_t has_extra[TABLES]; /* whether the row has a field of its own in `extra`, not only a container's */
    int32_t is_news;           /* some field was met for the first time */
    int32_t is_engagement;
} scanner;

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

/* The field whose name stands at p; NULL if the record has none such. */
static field *named(record *r, const uint8_t *p, const uint8_t *end) {
    for (int32_t i = 0; i < r->count; i++) {
        field *f = &r->fields[i];
        if (end - p > f->length && memcmp(p, f->name, (size_t)f->length) == 0) return f;
    }
    return NULL;
}

static column *extra_of(scanner *s, int32_t which) { return &s->tables[which].columns[s->extra[which]]; }

/* Count repeated bytes before they are written. A line whose rows would fill the memory is left to the careful path. */
static inline int may_repeat(scanner *s, int64_t bytes) {
    s->spread += bytes;
    return s->spread <= s->most_spread;
}

/* ---- describing ---- */

static void take_column(scanner *s, int32_t which, int32_t column_index) {
    if (column_index >= 0) s->is_taken[which] |= 1ULL << column_index;
}

scanner *scanner_new(int64_t row_bytes, int64_t most_spread, int64_t least_spread, int64_t earliest, int64_t latest) {
    scanner *s = calloc(1, sizeof(scanner));
    if (s) s->limits = (limits){row_bytes, most_spread, least_spread, earliest, latest};
    return s;
}

/* The number of a kind of column or field; -1: there is none of that name. */
int32_t scanner_kind(const char *name) {
    static const char *const names[] = {KINDS(AS_TEXT)};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) return (int32_t)i;
    return -1;
}

/* Whether the column was added: not if there is no room for it. */
int32_t scanner_column(scanner *s, int32_t which, int32_t kind) {
    table *t = &s->tables[which];
    if (t->count == COLUMNS) return 0;
    column *more = grown(&s->memory, t->columns, (int64_t)sizeof(column) * (t->count + 1));
    if (!more) return 0;
    t->columns = more;
    memset(&t->columns[t->count], 0, sizeof(column));
    t->columns[t->count++].kind = kind;
    return 1;
}

/* Whether the record type was added: not if there is no room for it. */
int32_t scanner_record(scanner *s, int32_t type, int32_t row_of, int32_t in_order, int32_t extra, const char *within) {
    if (type >= RECORDS_MOST || strlen(within) >= sizeof s->records->within) return 0;
    record *r = &s->records[type];
    r->row_of = row_of;
    r->in_order = in_order;
    r->extra_of = extra;
    memcpy(r->within, within, strlen(within) + 1);
    return 1;
}

/* Whether the field was added: not if its column is inherited, or another field's, since a value of one line would be added to
 * that of another then; nor if there is no room for it. */
int32_t scanner_field(scanner *s, int32_t type, const char *name, int32_t kind, int32_t which, int32_t column_index, int32_t inside) {
    record *r = &s->records[type];
    field *f = &r->fields[r->count];
    if (r->count == FIELDS || strlen(name) >= sizeof f->name) return 0;
    if (which >= 0) {
        if (s->is_taken[which] >> column_index & 1) return 0;
        take_column(s, which, column_index);
    }
    name_field(f, name, (int32_t)strlen(name));
    f->kind = kind; f->table = which; f->column = column_index; f->record = inside;
    if (kind == HEADER) { /* its value waits aside for the conversations below */
        if (s->header_count == HEADERS_MOST) return 0;
        f->table = -1;
        f->column = s->header_count;
        s->header[s->header_count++] = column_index;
    }
    f->usual = r->count++;
    r->declared = r->count;
    return 1;
}

void scanner_inherits(scanner *s, int32_t which, int32_t account, int32_t id, int32_t date, int32_t delivery, int32_t position, int32_t extra) {
    s->inherited[which][0] = account; s->inherited[which][1] = id;
    s->inherited[which][2] = date; s->inherited[which][3] = delivery;
    for (int k = 0; k < 4; k++)
        if (s->inherited[which][k] >= 0) s->is_inherited[which] |= 1ULL << s->inherited[which][k];
    s->position[which] = position;
    s->extra[which] = extra;
    s->is_taken[which] = s->is_inherited[which];
    take_column(s, which, position);
    take_column(s, which, extra);
}

void scanner_conversation(scanner *s, int32_t id, int32_t start, int32_t version) {
    s->conversation_id = id; s->start_time = start; s->version_column = version;
    take_column(s, CONVERSATIONS, version);
}

#endif
