"""The generator of docs/tables.md, docs/metrics.md and docs/metrics.json (`make docs`)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import duckdb

from pipeline.schema import FACTS, RUNS, TABLES, Column, Table
from pipeline.warehouse import library
from pipeline.warehouse.catalogue import text_of_catalogue, unit_of
from pipeline.warehouse.library import View, checks, code_lists, column_meanings, create_views, ordered_views, themes
from pipeline.warehouse.names import NAME_TABLES
from pipeline.warehouse.rules import RULES
from pipeline.warehouse.twins import LABEL as TWINS_LABEL
from pipeline.warehouse.twins import PERIOD_COLUMNS, TWINS, twin_names

_METRICS: Final = """# Metrics

Every measure with its definition, made from the files in `sql/`. A definition holds for the numbers of the view beside it,
and nothing else counts them otherwise. `.describe queue_time_daily` in the shell says what the columns mean, too, and
[metrics.json](metrics.json) says it to programs.

Rules that hold everywhere: a rate stands beside its numerator and denominator, and is NULL where the denominator is 0; a
mean stands beside its n, where it is not that of all rows; who wants the mean of a longer time adds up sums and counts,
never means. Percentiles and distinct counts don't add up at all: take them from the facts again, or from the view of weeks
or months. No number mixes chat and messaging: `type` is a key of every view that adds up. A day called `date` is that of UTC:
of a conversation the day of its start, by which the tables are partitioned, so that a condition on it reads that day's files
only; of a queue entry the day of entering. `local_date` is a day of the account's time zone, `local_week` the Monday of its
week, `local_month` the first day of its month; the views of these are twins of those by `date`, with the same columns. Those by
week and month also say how much of it is there: compare rows with `day_count = expected_day_count and not is_provisional`.
Means
and percentiles of time leave out what has no time. An account without an id is a group of its own. Bots are told from
people by the files of names; where no bot is named, all are people.

## Views
"""
_SETTINGS: Final = """
## Settings

What changes the meaning of measures is in `settings.csv` in the lake, written with the defaults by the first load. Edit it:
a row with an `account_id` holds for that account, one without for all others; what is left out keeps its default, and
`about` is for you. A change holds from the next command on that reads or loads the lake, such as `lakehouse status`; after it
other clients of `lakehouse.duckdb` see it, too (in a bucket, after the next load). In SQL they are the
table `settings`, and typed, by account, `account_rules`, which has a row for all other accounts, too:

```sql
join account_rules as rules on rules.account_id is not distinct from rules_account(conversations.account_id)
```
"""
_TABLES: Final = """# Tables

Every column with its type in SQL, its meaning, what NULL means in it, and the API's field that it is taken from; one without a
field is ours. `.describe conversations` in the shell says the same. Views on these tables: [metrics.md](metrics.md).

What holds everywhere: times are timestamps in UTC. Ids are text, but those of skills and campaigns are BIGINT. What the API
sends as null or leaves out is NULL (here: not sent), an empty text stays an empty text. A value that does not fit its column is
NULL there and kept in `extra`, as are fields without a column; `files.unknown_fields` lists their paths. How values are read:
[readings.md](readings.md).

`conversation_metrics`, `queue_entries`, `segments` and `responses` are facts: a load computes them from the rows of a
conversation in `conversations`, `messages` and `transfers`, and commits, replaces, merges and erases them with it. The files
in `sql/facts/` are their definitions.
"""
_PARTITIONED: Final = "Partitioned by `date`: a condition on it reads that day's files only."
_CODES: Final = """
## Codes

The vendor's codes with their labels, as tables to join; the views `conversation_labels` and `message_labels` have done so.
"""


def pages() -> dict[str, str]:
    """Return the text of the pages that `make docs` writes, by file."""
    with duckdb.connect() as connection:
        for table in (*TABLES.values(), RUNS):
            connection.register("no_rows", table.arrow_schema.empty_table())
            connection.execute(f"create table {table.name} as from no_rows")
        create_views(connection)
        return {
            "docs/metrics.json": text_of_catalogue(connection),
            "docs/metrics.md": "\n".join(_metrics(connection)) + "\n",
            "docs/tables.md": "\n".join(_tables(connection)) + "\n",
        }


def _by_theme() -> Iterator[tuple[str, list[View]]]:
    """Give each theme with its views, by name."""
    views = sorted(ordered_views(), key=lambda view: view.name)
    for theme in themes():
        yield theme, [view for view in views if view.theme == theme]


def _listed() -> Iterator[str]:
    """List every view with its first sentence, by theme; twins stand beside theirs."""
    for theme, views in _by_theme():
        yield f"\n**{theme}**\n"
        for view in views:
            if not view.twin_of:
                names = [view.name, *twin_names(view.name, view.notes).values()]
                yield f"- {', '.join(f'[`{name}`](#{name})' for name in names)}: {view.about}"


def _tables(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    yield _TABLES
    definitions = {view.name: view for view in ordered_views(only=(library.FACTS,)) if view.name in FACTS}
    for table in (*TABLES.values(), RUNS):
        grain = f"{table.grain[0].upper()}{table.grain[1:]}."
        yield f"## {table.name}\n\n{grain} {_PARTITIONED}" if table.partitioned else f"## {table.name}\n\n{grain}"
        if table.name in definitions:
            notes = definitions[table.name].notes
            yield "\n".join(["", *(f"- **{label}**: {notes[label]}" for label in ("Counts", "Units", "Source"))])
        yield from _columns(table, connection)
    yield _CODES
    for name, (columns, rows) in code_lists().items():
        yield f"### {name}\n\n| {' | '.join(columns)} |\n|{' --- |' * len(columns)}"
        yield from (f"| {' | '.join(row)} |" for row in rows)
        yield ""
    yield "## Settings\n\n`settings`, `account_rules` and `utc_offsets`, of `settings.csv`: [metrics.md](metrics.md#settings)."
    yield from _names()


def _names() -> Iterator[str]:
    yield "\n## Names\n\nThe lines of the files of names in the lake, as tables to join: [names.md](names.md).\n"
    for table in NAME_TABLES:
        yield f"### {table.name}\n\n{table.about}\n\n| column | type | meaning |\n| --- | --- | --- |"
        yield from (f"| {name} | {sql_type} | {about} |" for name, (sql_type, about) in table.columns.items())
        yield ""


def _columns(table: Table, connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    relation = connection.table(table.name)
    types = dict(zip(relation.columns, relation.types, strict=True))
    yield "\n| column | type | meaning | NULL | field |\n| --- | --- | --- | --- | --- |"
    for column in table.shown:
        yield f"| {column.name} | {types[column.name]} | {column.about} | {column.null} | {_field(column)} |"
    yield ""


def _field(column: Column) -> str:
    return ".".join(filter(None, (column.container, column.field)))


def _metrics(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    yield _METRICS.rstrip()
    yield from _listed()
    yield _SETTINGS
    yield from ("| setting | default | values | about |", "| --- | --- | --- | --- |")
    for setting in RULES:
        yield f"| `{setting.name}` | {setting.default} | {setting.kind.expected} | {setting.about} |"
    relations = {view.name: connection.table(view.name) for view in ordered_views()}
    meanings = column_meanings({name: relation.columns for name, relation in relations.items()})
    for theme, views in _by_theme():
        yield f"\n## {theme}"
        for view in views:
            yield from _described(view, relations[view.name], meanings[view.name])
    yield "\n## Checks\n\n`lakehouse check` runs each, and says so if it finds rows. They are queries in `sql/checks`.\n"
    yield from (f"- **{check.name}**: {check.meaning}" for check in checks())


def _described(view: View, relation: duckdb.DuckDBPyRelation, meanings: dict[str, str]) -> Iterator[str]:
    yield f"\n### {view.name}\n\n{view.about}\n"
    if view.twin_of:
        column = next((column for column in relation.columns if column in TWINS), None)
        yield f"- **Grain**: {view.notes['Grain']}"
        if column is None:
            yield f"- **Columns**: those of `{view.twin_of}` without `date`: all dates are together."
            return
        more = f" Further {', '.join(PERIOD_COLUMNS)}, as in `{TWINS[column].dimension}`." if TWINS[column].dimension else ""
        yield f"- **Columns**: those of `{view.twin_of}`, with `{column}` in the place of `date`: {meanings[column]}{more}"
        return
    yield from (f"- **{label}**: {text}" for label, text in view.notes.items() if label != TWINS_LABEL)
    if twins := twin_names(view.name, view.notes):
        yield f"- **{TWINS_LABEL}**: {', '.join(f'`{name}`' for name in twins.values())}"
    yield "\n| column | type | unit | meaning |\n| --- | --- | --- | --- |"
    for column, column_type in zip(relation.columns, relation.types, strict=True):
        yield f"| {column} | {column_type} | {unit_of(column, meanings[column])} | {meanings[column]} |"


if __name__ == "__main__":
    for name, text in pages().items():
        Path(name).write_text(text, encoding="utf-8")
