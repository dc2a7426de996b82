"""The files of the SQL library: headers, style, the order in which views can be created, what is refused."""

import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from pipeline.lake.formats import sql_folder
from pipeline.schema import TABLES
from pipeline.warehouse import library as views
from pipeline.warehouse.names import NAME_TABLES
from pipeline.warehouse.twins import PERIOD_COLUMNS

RELATIONS = views.view_names() | {
    *TABLES,
    *views.code_lists(),
    *("settings", "account_rules", "utc_offsets"),
    *(table.name for table in NAME_TABLES),
}


@pytest.fixture(scope="module")
def parser() -> Iterator[duckdb.DuckDBPyConnection]:
    """Give DuckDB with the macros that views use."""
    with duckdb.connect() as parser:
        parser.execute("create macro rules_account(account_id) as null::varchar")
        parser.execute("create macro topics_in(account_id, text) as []::varchar[]")
        yield parser


@pytest.mark.parametrize("view", views.ordered_views(), ids=lambda view: view.name)
def test_header(view: views.View) -> None:
    """Every view says in its header what it is about, its grain, what counts, units and source."""
    assert view.about.endswith(".")
    assert [label for label in view.notes if label != "Twins"] == ["Grain", "Counts", "Units", "Source"]
    assert all(view.notes.values())


@pytest.mark.parametrize("view", views.ordered_views(), ids=lambda view: view.name)
def test_is_one_select(parser: duckdb.DuckDBPyConnection, view: views.View) -> None:
    """Every view is one select, and reads what DuckDB's own parser says that it reads."""
    statements = parser.extract_statements(view.sql)

    assert [statement.type.name for statement in statements] == ["SELECT"]
    assert parser.get_table_names(view.sql) == view.reads


@pytest.mark.parametrize("file", sorted(sql_folder().glob("*/*.sql")), ids=lambda file: file.stem)
def test_sql_style(file: Path) -> None:
    """No query depends on the clock or the session's time zone, names a step like a table, or outgrows its line."""
    sql = file.read_text(encoding="utf-8")
    code = re.sub(r"--.*", "", sql)

    assert not re.search(r"\b(current_\w+|now|today|date_trunc|date_diff|extract|date_part|random)\b", code)
    assert not set(re.findall(r"(?:with|\),)\s+(\w+) as (?:(?:not )?materialized )?\(", code)) & RELATIONS
    assert max(map(len, sql.splitlines())) <= 120
    assert sql.endswith("\n")
    assert not sql.rstrip().endswith(";")


def library(folder: Path, **files: str) -> Path:
    """Write a library of steps."""
    (folder / "steps").mkdir()
    for name, sql in files.items():
        (folder / "steps" / f"{name}.sql").write_text(sql, encoding="utf-8")
    return folder


def test_order_follows_from_the_sql(tmp_path: Path) -> None:
    """A view comes after those it reads, in subqueries and joins too; names of its own steps do not count."""
    folder = library(
        tmp_path,
        a="with c as (select 1 as x from b) select x from c where x in (select x from z)",
        b="select 1 as x from messages",
        c="select x from a",
        z="select 2 as x union all select x from b",
    )

    ordered = views.ordered_views(folder)

    assert [view.name for view in ordered] == ["b", "z", "a", "c"]
    assert ordered[0].reads == {"messages"}


def test_circle(tmp_path: Path) -> None:
    """Views that read each other are refused, and the message shows the circle."""
    folder = library(tmp_path, a="select 1 from b", b="select 1 from c", c="select 1 from a")

    with pytest.raises(ValueError, match=r"found a circle: (a -> b -> c -> a|b -> c -> a -> b|c -> a -> b -> c)$"):
        views.ordered_views(folder)


def test_two_files_of_one_name(tmp_path: Path) -> None:
    """Two views of the same name are refused."""
    folder = library(tmp_path, a="select 1")
    (folder / "queue").mkdir()
    (folder / "queue" / "a.sql").write_text("select 2", encoding="utf-8")

    with pytest.raises(ValueError, match=r"expected one file per view, found two named a"):
        views.view_files(folder)


def test_unknown_code_list(tmp_path: Path) -> None:
    """A code list without a type for its code is refused."""
    (tmp_path / "codes").mkdir()
    (tmp_path / "codes" / "colour.csv").write_text("code,label\n1,red\n", encoding="utf-8")

    with pytest.raises(ValueError, match=r"found colour; add the type of its code"):
        views.code_lists(tmp_path)


def test_twins_are_the_same_select_by_other_days(tmp_path: Path) -> None:
    """A header's twins have their own column in the place of `date`, and read the local steps that there are."""
    folder = library(
        tmp_path,
        entries="select 1 as date",
        local_entries="select 2 as local_date, 3 as local_week, 4 as local_month from entries",
        others="select 1 as date",
    )
    (folder / "queue").mkdir()
    (folder / "queue" / "time_daily.sql").write_text(
        "-- Waits, day by day.\n"
        "-- Grain:   one row per date (UTC, of entering).\n"
        "-- Twins:   local_date, local_week, local_month\n"
        "select\n"
        "    entries.date,  -- UTC day of entering, a date.\n"
        "    count(*) as entry_count  -- Entries.\n"
        "from entries\n"
        "join others using (date)\n",
        encoding="utf-8",
    )

    made = {view.name: view for view in views.ordered_views(folder)}

    twins = {name for name, view in made.items() if view.twin_of == "time_daily"}
    assert twins == {"time_local_daily", "time_weekly", "time_monthly"}
    weekly = made["time_weekly"]
    expected = "select local_entries.local_week, count(*) as entry_count from local_entries join others using (local_week)"
    assert " ".join(weekly.sql.split()) == expected
    assert weekly.reads == {"local_entries", "others"}
    assert weekly.notes == {"Grain": "one row per local_week."}
    assert weekly.about == "As time_daily, by weeks of the account's time zone: waits, day by day."
    assert weekly.meanings == {"entry_count": "Entries.", "local_week": "Monday of the week on the account's clocks."}
    assert list(made).index("local_entries") < list(made).index("time_weekly")
    assert views.view_names(folder) == set(made)


def test_twins_of_weeks_say_how_much_of_the_week_is_there(tmp_path: Path) -> None:
    """A twin by weeks joins the dimension of weeks; one by days does not."""
    folder = library(
        tmp_path,
        weeks="select 'a' as account_id, 2 as local_week, 5 as day_count, false as is_provisional",
        local_entries="select 'a' as account_id, 2 as local_week, 3 as local_date",
        entries="select 'a' as account_id, 1 as date",
        a_daily="-- A.\n-- Grain: b.\n-- Twins: local_date, local_week\nselect account_id, date from entries",
    )

    made = {view.name: view for view in views.ordered_views(folder)}

    assert made["a_weekly"].reads == {"local_entries", "weeks"}
    assert made["a_local_daily"].reads == {"local_entries"}
    with duckdb.connect() as connection:
        for view in made.values():
            connection.execute(f"create view {view.name} as {view.sql}")
        week = connection.sql("from a_weekly")
        assert week.columns == ["account_id", "local_week", *PERIOD_COLUMNS]
        assert week.fetchall() == [("a", 2, 5, 7, False)]


def test_a_twin_reads_the_twin_of_another_view(tmp_path: Path) -> None:
    """A daily view that reads a daily view has twins that read its twins."""
    folder = library(
        tmp_path,
        entries="select 1 as date",
        local_entries="select 2 as local_week from entries",
        a_daily="-- A.\n-- Grain: b.\n-- Twins: local_week\nselect date from entries",
        b_daily="-- B.\n-- Grain: b.\n-- Twins: local_week\nselect date from a_daily",
    )

    made = {view.name: view for view in views.ordered_views(folder)}

    assert made["b_weekly"].reads == {"a_weekly"}
    assert made["a_weekly"].reads == {"local_entries"}


def test_a_twin_of_all_dates_has_no_column_of_days(tmp_path: Path) -> None:
    """It is the same select, with the same steps, without `date` in columns, groups and grain."""
    folder = library(tmp_path, entries="select 1 as date, 2 as skill_id", local_entries="select 1 as local_date from entries")
    (folder / "queue").mkdir()
    (folder / "queue" / "time_by_skill_daily.sql").write_text(
        "-- Waits by skill.\n"
        "-- Grain:   one row per account_id, date (UTC, of entering), skill_id and type.\n"
        "-- Twins:   local_date, all_dates\n"
        "select\n"
        "    entry.date,  -- UTC day.\n"
        "    skill_id,\n"
        "    count(*) as entry_count  -- Entries.\n"
        "from entries as entry\n"
        "group by entry.date, skill_id\n",
        encoding="utf-8",
    )

    made = {view.name: view for view in views.ordered_views(folder)}["time_by_skill"]

    expected = "select skill_id, count(*) as entry_count from entries as entry group by skill_id"
    assert (" ".join(made.sql.split()), made.twin_of) == (expected, "time_by_skill_daily")
    assert made.about == "As time_by_skill_daily, all dates together: waits by skill."
    assert made.notes == {"Grain": "one row per account_id, skill_id and type."}
    assert made.meanings == {"entry_count": "Entries."}


@pytest.mark.parametrize(
    ("name", "twins", "message"),
    [
        ("a_daily", "local_year", "found twins of local_year"),
        ("a_daily", "local_date, local_week", "found another a_weekly"),
    ],
)
def test_twins_that_cannot_be_made(tmp_path: Path, name: str, twins: str, message: str) -> None:
    """Twins of other columns, or with the name of another view are refused."""
    sql = f"-- A.\n-- Grain: b.\n-- Twins: {twins}\nselect 1 as date"
    folder = library(tmp_path, **{name: sql, "a_weekly": "select 1"})

    with pytest.raises(ValueError, match=message):
        views.ordered_views(folder)


def test_twins_of_weeks_and_months_tell_part_of_a_period() -> None:
    """Every view by weeks or months reads the dimension that says how much of the period is there."""
    for view in views.ordered_views():
        if view.name.endswith("_weekly"):
            assert view.reads & {"weeks", "shares_weekly", "queue_by_skill_weekly"}, view.name
        if view.name.endswith("_monthly"):
            assert view.reads & {"months", "shares_monthly"}, view.name


def test_every_twin_reads_local_steps() -> None:
    """No twin has a word of `date` left; each of local days reads a step with these, or another twin."""
    twins = [view for view in views.ordered_views() if view.twin_of]
    local = {view.name for view in twins} | {name for name in views.view_names() if name.startswith("local_")}

    assert [view.name for view in twins if re.search(r"\bdate\b", view.sql)] == []
    assert [view.name for view in twins if not view.reads & local and view.twin_of != f"{view.name}_daily"] == []
