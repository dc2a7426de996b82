/* Scans lines of Engagement documents, as Avro's JSON encoder writes them, straight into columns.
 *
 * It reads a line only if every byte of it is as expected: any other line, broken or merely unusual, is left alone, its rows are
 * taken back, and it is reported as odd; the caller reads it with the careful path. So nothing here decides what odd input means.
 * The text must end with a line break, which no token matches: that bounds every read.
 *
 * The parts, each of which uses those above it:
 *   arrow.h           a column as another library takes it over
 *   columns.h         columns that grow row by row
 *   tokens.h          strings, numbers and tags of JSON
 *   records.h         the record types of a document, described by the caller
 *   unknown_fields.h  fields that the schema lacks
 *   values.h          a field's value into its column
 *   scanner.c         records, rows and lines; the functions for Python
 */
#include "values.h"

/* ---- records ---- */

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

/* ---- rows ---- */

/* Fill the columns that the rows [from, to) of a table inherit from the current conversation and the levels above. */
static int inherit(scanner *s, int which, int64_t from, int64_t date, int64_t delivery) {
    table *t = &s->tables[which];
    const int32_t *into = s->inherited[which];
    const table *above = &s->tables[CONVERSATIONS];
    const column *id = &above->columns[s->conversation_id];
    const int64_t row = above->rows, id_length = id->offsets[row + 1] - id->offsets[row];
    const int is_own = s->account.n && s->account.size;
    const column *account = is_own ? &s->account : &s->listed_account;
    const int64_t to = t->rows + (which == CONVERSATIONS);
    if (!may_repeat(s, (to - from) * (id_length + (is_own ? account->size : 0)))) return 0;
    for (int64_t i = from; i < to; i++) {
        column *c = &t->columns[into[0]];
        if (!account->n) put_null(c, i);
        else if (!put_text(&s->memory, c, i, account->bytes, account->size)) return 0;
        if (into[1] >= 0 && !put_text(&s->memory, &t->columns[into[1]], i, id->bytes + id->offsets[row], id_length)) return 0;
        put_int(&t->columns[into[2]], i, date);
        put_int(&t->columns[into[3]], i, delivery);
    }
    return 1;
}

/* The day of the current conversation, since 1970. */
static int64_t date_of(const scanner *s) {
    const table *t = &s->tables[CONVERSATIONS];
    const column *start = &t->columns[s->start_time];
    const int64_t moment = start->n > t->rows ? start->longs[t->rows] : s->meta_start != INT64_MIN ? s->meta_start : s->scope_start;
    const int64_t day = 86400000000;
    return moment == INT64_MIN ? 0 : moment >= 0 ? moment / day : -((-moment + day - 1) / day);
}

/* Put a text of a level above into the row of the current conversation. */
static int put_aside(scanner *s, int32_t into, const column *text) {
    table *t = &s->tables[CONVERSATIONS];
    return !text->n || (may_repeat(s, text->size) && put_text(&s->memory, &t->columns[into], t->rows, text->bytes, text->size));
}

static const uint8_t *read_conversation(scanner *s, const uint8_t *p, const uint8_t *end, record *r) {
    table *t = &s->tables[CONVERSATIONS];
    const int64_t messages = s->marks[MESSAGES] = s->tables[MESSAGES].rows;
    const int64_t transfers = s->marks[TRANSFERS] = s->tables[TRANSFERS].rows;
    if (!(p = read_fields(s, p, end, r))) return NULL;
    const column *id = &t->columns[s->conversation_id];
    if (id->n == t->rows || id->offsets[t->rows + 1] == id->offsets[t->rows] || s->deliveries == INT32_MAX) return NULL;
    const int64_t date = date_of(s), delivery = ++s->deliveries;
    if (!inherit(s, MESSAGES, messages, date, delivery) || !inherit(s, TRANSFERS, transfers, date, delivery)) return NULL;
    if (!inherit(s, CONVERSATIONS, t->rows, date, delivery) || !put_aside(s, s->version_column, &s->version)) return NULL;
    for (int32_t k = 0; k < s->header_count; k++)
        if (!put_aside(s, s->header[k], &s->header_values[k])) return NULL;
    if (!close_extra(s, CONVERSATIONS)) return NULL;
    fill_nulls(t, 0);
    t->rows++;
    return p;
}

static const uint8_t *read_row(scanner *s, const uint8_t *p, const uint8_t *end, record *r) {
    const int32_t which = r->row_of;
    table *t = &s->tables[which];
    if (!may_repeat(s, s->limits.row_bytes) || !room_for_row(&s->memory, t)) return NULL;
    s->has_extra[which] = 0;
    if (which == CONVERSATIONS) return read_conversation(s, p, end, r);
    put_int(&t->columns[s->position[which]], t->rows, t->rows - s->marks[which]);
    if (!(p = read_fields(s, p, end, r)) || !close_extra(s, which)) return NULL;
    fill_nulls(t, s->is_inherited[which]); /* the conversation fills those when it ends */
    t->rows++;
    return p;
}

/* A record with a header of its own: nothing of it is left for the next one. */
static const uint8_t *read_under_header(scanner *s, const uint8_t *p, const uint8_t *end, record *r) {
    const int64_t above = s->above.size;
    const int32_t above_type = s->above_type;
    for (int32_t k = 0; k < s->header_count; k++) s->header_values[k].n = 0;
    p = read_fields(s, p, end, r);
    if (s->above.size > above && s->tables[CONVERSATIONS].rows == r->before) return NULL; /* nowhere to keep it */
    s->above.size = above;
    s->above_type = above_type;
    return p;
}

static const uint8_t *read_record(scanner *s, const uint8_t *p, const uint8_t *end, int32_t type) {
    record *r = &s->records[type];
    if (*p != '{') return NULL;
    r->before = s->tables[CONVERSATIONS].rows;
    r->is_open = 0;
    if (r->row_of == RESETS_HEADER) return read_under_header(s, p, end, r);
    if (r->row_of >= 0) return read_row(s, p, end, r);
    p = read_fields(s, p, end, r);
    return p && r->is_open && !add_bytes(&s->memory, extra_of(s, r->extra_of), "}", 1) ? NULL : p;
}

/* ---- lines ---- */

static int read_document(scanner *s, const uint8_t *p, const uint8_t *end) {
    const int64_t before = s->tables[CONVERSATIONS].rows;
    s->most_spread = s->spread + s->limits.least_spread + s->limits.most_spread * (end - p);
    s->meta_start = INT64_MIN;
    s->account.n = s->version.n = 0;
    s->is_engagement = 0;
    for (int32_t k = 0; k < s->header_count; k++) s->header_values[k].n = 0;
    s->above.size = s->above_type = 0;
    const int is_whole = *p == '{' && read_record(s, p, end, 0) == end;
    return is_whole && s->is_engagement && s->tables[CONVERSATIONS].rows > before;
}

/* Whether the line was read; if it was not, nothing of it stays. */
static int read_line(scanner *s, const uint8_t *p, const uint8_t *end) {
    int64_t rows[TABLES], deliveries = s->deliveries, spread = s->spread;
    for (int i = 0; i < TABLES; i++) rows[i] = s->tables[i].rows;
    const int is_read = read_document(s, p, end) && !s->memory.is_out;
    settle_news(s, is_read);
    s->documents += is_read;
    if (is_read) return 1;
    for (int i = 0; i < TABLES; i++) cut_back(&s->tables[i], rows[i]);
    s->deliveries = deliveries;
    s->spread = spread;
    return 0;
}

/* ---- called from outside ---- */

/* Read whole lines of text[from, until), which ends with a line break and 32 bytes more; gives the start of the first line
 * that is odd, `until` if none is, -1 without memory. */
int64_t scanner_scan(scanner *s, const uint8_t *text, int64_t from, int64_t until) {
    while (from < until) {
        const uint8_t *line = text + from, *end = memchr(line, '\n', (size_t)(until - from));
        if (!end) return from;
        const uint8_t *p = blank(line);
        if (p != end && (end - line > s->longest || !read_line(s, p, end))) return s->memory.is_out ? -1 : from;
        from = end + 1 - text;
    }
    return until;
}

/* A new source file: its deliveries and documents are counted from 0, and what was learned in another one is forgotten.
 * An account length of -1: it was listed for none. */
void scanner_file(scanner *s, const uint8_t *account, int64_t account_length, int64_t scope_start, int64_t longest) {
    s->longest = longest;
    s->listed_account.size = 0;
    s->listed_account.n = account_length >= 0 && add_bytes(&s->memory, &s->listed_account, account, account_length);
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

/* Hand over all rows of a table: an array that the caller imports before its next call. NULL without memory. */
struct ArrowArray *scanner_drain(scanner *s, int32_t which) {
    if (s->handed.release) s->handed.release(&s->handed);
    return drain_table(&s->memory, &s->tables[which], &s->handed) ? &s->handed : NULL;
}

/* A column's rows from `start` on, valid until the next call; likewise. */
struct ArrowArray *scanner_view(scanner *s, int32_t which, int32_t column_index, int64_t start) {
    if (s->handed.release) s->handed.release(&s->handed);
    const table *t = &s->tables[which];
    return view_column(&s->memory, &t->columns[column_index], start, t->rows, &s->handed) ? &s->handed : NULL;
}

void scanner_free(scanner *s) {
    if (!s) return;
    if (s->handed.release) s->handed.release(&s->handed);
    for (int i = 0; i < TABLES; i++) {
        for (int32_t k = 0; k < s->tables[i].count; k++) free_column(&s->tables[i].columns[k]);
        free(s->tables[i].columns);
    }
    column *aside[] = {&s->account, &s->version, &s->above, &s->listed_account};
    for (size_t i = 0; i < sizeof aside / sizeof *aside; i++) free_column(aside[i]);
    for (int k = 0; k < HEADERS_MOST; k++) free_column(&s->header_values[k]);
    free(s);
}
