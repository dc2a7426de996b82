"""The demo's tables: right numbers in 80 columns, on any terminal, for any data."""

from io import BytesIO, TextIOWrapper
from pathlib import Path

import duckdb
import pytest
from made_lake import make_lake
from rich.console import Console

from pipeline.cli.demo_tables import print_tables


def printed(database: Path, *, encoding: str = "utf-8", width: int = 80) -> str:
    """The tables in a file of that encoding."""
    out = TextIOWrapper(BytesIO(), encoding=encoding)
    with duckdb.connect(str(database), read_only=True) as connection:
        print_tables(connection, Console(file=out, width=width))
    out.seek(0)
    return out.read()


def test_days_are_those_of_the_view(tmp_path: Path) -> None:
    """The last 7 days with entries are shown, each account and kind of conversation with the view's numbers of people."""
    database = make_lake(tmp_path, accounts=("1",), days=20, per_day=12)
    with duckdb.connect(str(database), read_only=True) as connection:
        expected = connection.execute(
            """
            select date::text, account_id, 'chat', people_entry_count::text, format('{:.1f}', people_queue_p50_seconds),
                format('{:.1f}', people_queue_p90_seconds), format('{:.1f}', 100 * people_abandoned_share)
            from queue_time_daily order by date desc limit 7
            """,
        ).fetchall()

    lines = [line.replace("%", "").split() for line in printed(database).splitlines()]
    assert [line for line in lines if line and line[0].startswith("2026")] == [list(row) for row in reversed(expected)]


def test_skills_have_names_and_bots_stand_apart(tmp_path: Path) -> None:
    """A skill shows its name, else its id; one of a bot says so, and stands behind those of people."""
    database = make_lake(tmp_path, accounts=("1",))
    with duckdb.connect(str(database)) as connection:
        connection.execute("insert into skill_names values ('1', 12, 'Nova', true, null), ('1', 31, 'Sales', false, null)")
        expected = connection.execute(
            "select coalesce(skill_name, 'skill ' || skill_id), entry_count from queue_time_by_skill order by is_bot, 2 desc"
        ).fetchall()

    text = printed(database).partition("Waits in queues by skill, bots apart")[2].partition("MCS of")[0]
    shown = [line.replace(" (bot)", "").removeprefix("1 ").split() for line in text.splitlines() if " chat " in line]
    assert [(" ".join(line[: line.index("chat")]), int(line[line.index("chat") + 1])) for line in shown] == expected
    assert text.count("Nova (bot)") == text.count("(bot)") == 1


def test_histogram_counts_every_bucket(tmp_path: Path) -> None:
    """Ten buckets are shown, also empty ones, with the counts of `mcs_distribution`; the longest bar is the fullest."""
    database = make_lake(tmp_path)
    with duckdb.connect(str(database), read_only=True) as connection:
        counts = dict(
            connection.execute("select bucket, sum(conversation_count)::int from mcs_distribution group by all").fetchall(),
        )

    bars = [line.split() for line in printed(database).splitlines() if " to " in line]
    assert [int(bar[0]) for bar in bars] == list(range(0, 100, 10))
    assert [int(bar[-3]) for bar in bars] == [counts.get(bucket, 0) for bucket in range(0, 100, 10)]
    fullest = max(bars, key=lambda bar: int(bar[-3]))
    assert max(len(bar[3]) for bar in bars) == len(fullest[3])


@pytest.mark.parametrize(("encoding", "width"), [("utf-8", 80), ("ascii", 80), ("utf-8", 40)])
def test_summary_fits_any_terminal(tmp_path: Path, encoding: str, width: int) -> None:
    """No line is wider than the terminal, and one without Unicode gets bars that it can show."""
    text = printed(make_lake(tmp_path, accounts=("a" * 60, "2")), encoding=encoding, width=width)

    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert ("#" in text) == (encoding == "ascii")


def test_names_cannot_steer_the_terminal(tmp_path: Path) -> None:
    """Control characters and markup in an account's name are shown, never obeyed."""
    text = printed(make_lake(tmp_path, accounts=("\x1b[2Jx", "[red]y", None), days=1))

    assert "\x1b" not in text
    assert "[2Jx" in text
    assert "[red]y" in text
    assert "(none)" in text


def test_empty_lake_names_the_next_command(tmp_path: Path) -> None:
    """A lake without conversations, even without views, gets one sentence that says what to do."""
    no_views = tmp_path / "nothing.duckdb"
    duckdb.connect(str(no_views)).close()

    for database in (make_lake(tmp_path, days=0), no_views):
        assert "lakehouse sync" in printed(database)
