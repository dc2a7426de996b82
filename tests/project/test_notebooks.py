"""The notebooks run from top to bottom on a lake, show its contents, and are stored without output."""

import re
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from cookbook_lake import ACCOUNTS as SHOPS
from documents import NAME, conversation, document, gz, message, name_at, put
from lakes import take
from places import ROOT

from notebooks import NOTEBOOKS, Run, cells, run
from pipeline.errors import LakeError
from pipeline.lake.lake import Lake
from pipeline.sandbox import Account, file_bytes, hour_file_names
from pipeline.schema import TABLES
from pipeline.warehouse.database import connect

COOKBOOK = "06_cookbook"
UNTIL = datetime(2026, 11, 5, tzinfo=UTC)
ACCOUNTS = (
    Account("75555851", conversations_per_day=90, load=1.1, tagged=False),
    Account("20348697", conversations_per_day=60, messaging_share=0.55, tagged=True),
)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Return a lake of three days of the demo's two accounts, and two odd files: one broken, one of three odd documents."""
    folder = tmp_path_factory.mktemp("lake")
    source = folder / "source"
    for account in ACCOUNTS:
        for hours in range(24 * 3):
            for name in hour_file_names(account, UNTIL - timedelta(hours=hours + 1)):
                put(source / account.account_id, file_bytes(account, name), name)
    odd = folder / "odd"
    put(
        odd,
        gz(
            document(conversation("odd", messages=[message("money back")], newField={"string": "x"}), account_id=None),
            "garbage",
            "more garbage",
        ),
        NAME,
    )
    put(odd, gz("cut")[:-3], name_at(3))
    made = Lake(str(folder / "lake"))
    for account in ACCOUNTS:  # one after the other, since both have files of the same names
        take(made, source / account.account_id)
    take(made, odd)
    return made


@pytest.fixture(scope="module")
def connection(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield the lake, opened without a notebook."""
    with connect(lake) as opened:
        yield opened


@pytest.fixture(scope="module")
def ran(lake: Lake, request: pytest.FixtureRequest) -> Iterator[Callable[[str], Run]]:
    """Return each notebook on that lake, run at its first use; the cookbook, which asks for weeks, on that of the two shops."""
    with pytest.MonkeyPatch.context() as patch:
        yield cache(
            lambda notebook: run(notebook, (request.getfixturevalue("shops") if notebook == COOKBOOK else lake).uri, patch)
        )


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_a_notebook_is_stored_without_output_and_says_what_it_is_for(notebook: Path) -> None:
    """No output and no execution count shows personal data; a question comes first, the next steps come last."""
    first, *_, last = stored = cells(notebook.stem)
    code = [cell for cell in stored if cell["cell_type"] == "code"]

    assert code
    assert [cell["id"] for cell in code if cell["outputs"] or cell["execution_count"] is not None] == []
    assert len({cell["id"] for cell in stored}) == len(stored)
    assert re.match(r"# [^\n]+\n\n\*\*[^*]+\?\*\* ", "".join(first["source"]))
    assert re.match(r"## What next\n\n- ", "".join(last["source"]))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_pictures_need_no_network_and_no_time_zone_of_the_reader(notebook: Path, ran: Callable[[str], Run]) -> None:
    """Every picture has marks of both accounts and a title, has no links, and shows times in UTC."""
    done = ran(notebook.stem)
    shown = SHOPS.values() if notebook.stem == COOKBOOK else [account.account_id for account in ACCOUNTS]
    assert done.pictures()
    for cell in done.pictures():
        drawing = done.picture(cell)
        assert re.search(r'class="mark-(line|rect|symbol)', drawing), cell
        assert 'class="mark-text role-title-text"' in drawing, cell
        assert all(account in drawing for account in shown), cell
        assert not re.search(r'(src|href)="http', drawing), cell
        for encoding in times(done.shown[cell].to_dict()):
            assert encoding.get("timeUnit", "").startswith("utc") or encoding["scale"]["type"] == "utc", cell
        assert not re.search(r'"\d{4}-\d\d-\d\dT[\d:.]+"', done.shown[cell].to_json()), cell


def times(spec: Any) -> Iterator[dict[str, Any]]:
    """Yield the encodings of times in a picture's specification."""
    if isinstance(spec, dict):
        if spec.get("type") == "temporal":
            yield spec
        spec = list(spec.values())
    if isinstance(spec, list):
        for part in spec:
            yield from times(part)


FINAL_DAYS = {"Shop New York": (date(2026, 10, 18), date(2026, 11, 1)), "Shop London": (date(2026, 10, 19), date(2026, 11, 1))}
"""The first and the last day on the clocks of each shop that are there as a whole, and to which nothing more can come."""


@pytest.mark.parametrize(
    ("notebook", "answer", "cell"),
    [
        ("01_first_look", "queue", "queue-chart"),
        ("02_queue_time", "daily", "daily-chart"),
        ("03_mcs", "bands", "bands-chart"),
        ("04_transcripts", "mentions", "hits-chart"),
    ],
)
def test_a_day_that_can_still_change_looks_so(
    notebook: str, answer: str, cell: str, shops: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures by day mark days that are there in part, and provisional ones, and no other: open points, or pale bars."""
    done = run(notebook, shops.uri, monkeypatch)
    marked = set()
    for account, day, is_final in done.names[answer].select("account", pl.col("day").dt.date(), "is_final").rows():
        first, last = next(days for shop, days in FINAL_DAYS.items() if account.startswith(shop))
        assert is_final == (first <= day <= last), (account, day)
        marked.add(is_final)
    assert marked == {True, False}
    assert re.search(r'fill="white"[^>]* stroke="#|opacity="0.45"', done.picture(cell))


@pytest.mark.parametrize(
    ("notebook", "answer"), [("02_queue_time", "skills"), ("03_mcs", "skills"), ("01_first_look", "skills")]
)
def test_skills_of_one_name_are_two(notebook: str, answer: str, shops: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two skills of one name have a row each, with the id; in pictures it stands in the name."""
    done = run(notebook, shops.uri, monkeypatch)
    rows = done.names.get(answer, done.shown.get(answer))
    assert isinstance(rows, pl.DataFrame)
    keys = [name for name in ("account", "type", "skill_id", "skill") if name in rows.columns]
    assert rows.select(keys).is_unique().all()
    of_shop = rows.filter(pl.col("account").str.starts_with("Shop London"), pl.col("skill").str.starts_with("Billing"))
    assert of_shop.height == 4  # two skills in two channels


def test_first_look_counts_and_reads(ran: Callable[[str], Run], connection: duckdb.DuckDBPyConnection) -> None:
    """The printed counts are those of the tables; the transcript has its lines in order, with both sides."""
    done = ran("01_first_look")
    printed = dict(line.split() for line in done.printed["counts"].splitlines())
    times = re.findall(r"^(\d\d:\d\d:\d\d)  (\w+)", done.printed["transcript"], flags=re.MULTILINE)

    assert list(printed) == list(TABLES)
    for table, count in printed.items():
        assert connection.sql(f"select count(*) from {table}").fetchall() == [(int(count.replace(",", "")),)]
    assert {"VISITOR_LINE", "REP_LINE"} <= {who for _, who in times}
    assert len(times) >= 4
    assert done.shown["skills"]["queue_entries"].sum() == int(printed["queue_entries"].replace(",", ""))


def test_queue_time_adds_up_seconds_not_means(ran: Callable[[str], Run], connection: duckdb.DuckDBPyConnection) -> None:
    """The mean of an hour of the week is weighted by time; shares of waits add up to 1; the days are those of the view."""
    names = ran("02_queue_time").names
    expected = connection.sql("""
        select coalesce(account_id, '(none)') || ' ' || coalesce(type, ''),
            dayname(local_start_time)[:3], hour(local_start_time),
            round(sum(waiting_seconds) / sum(interval_seconds), 9)
        from queue_length where local_start_time is not null group by all
    """).fetchall()

    assert set(expected) == set(names["week"].with_columns(pl.col("people").round(9)).rows())
    assert any(row[3] > 0 for row in expected)
    assert set(names["waits"].group_by("account").agg(pl.col("share").sum().round(9))["share"]) == {1.0}
    assert names["daily"].height == len(connection.sql("from queue_time_local_daily").fetchall())


def test_mcs_counts_every_scored_conversation_once(ran: Callable[[str], Run], connection: duckdb.DuckDBPyConnection) -> None:
    """The steps of waiting have every conversation with a score and a wait for a person, the bands of a day add up to 1."""
    names = ran("03_mcs").names
    entries = connection.sql("from named_entries where outcome = 'answered' and wait_milliseconds is not null and not is_bot")
    waits: dict[str, int] = {}
    for row in entries.pl().iter_rows(named=True):
        waits[row["conversation_id"]] = max(waits.get(row["conversation_id"], 0), row["wait_milliseconds"])
    metrics = connection.sql("from conversation_metrics where mcs is not null").pl().iter_rows(named=True)
    scored = [row for row in metrics if row["conversation_id"] in waits]
    chats = [row for row in scored if (row["account_id"], row["type"]) == ("75555851", "LIVE_CHAT")]
    scores = [row["mcs"] for row in chats if 60_000 <= waits[row["conversation_id"]] < 300_000]

    assert scores
    assert names["waited"]["n"].sum() == len(scored)
    chosen = (pl.col("account") == "75555851 LIVE_CHAT") & (pl.col("wait") == "1 to 5 min")
    row = names["waited"].row(by_predicate=chosen, named=True)
    assert (row["n"], round(row["mcs_avg"], 9)) == (len(scores), round(sum(scores) / len(scores), 9))
    assert names["bands"].group_by("account", "day").agg(pl.col("share").sum().round(9))["share"].unique().to_list() == [1.0]
    moved = connection.sql("select count(*) from mcs_movement where scored_line_count > 1").fetchall()
    assert [(names["movement"]["conversations"].sum(),)] == moved


def test_transcripts_finds_the_words_and_the_gaps(ran: Callable[[str], Run], connection: duckdb.DuckDBPyConnection) -> None:
    """The search has the visitors' lines that Python finds too; the gaps of a transcript add up to its length."""
    done = ran("04_transcripts")
    hits, lines = done.names["hits"], connection.sql("select text from messages where type = '0'").fetchall()
    found = [text for (text,) in lines if text and re.search(done.names["words"], text, re.IGNORECASE)]

    assert found
    assert sorted(hits["text"]) == sorted(found)
    gaps = [float(gap.replace(",", "")) for gap in re.findall(r"^ *([\d,]+) s  ", done.printed["transcript"], re.MULTILINE)]
    shown = done.printed["transcript"].split()[0]
    assert shown in hits["conversation_id"]
    assert hits["conversation_id"][0] == "odd"  # which has one line
    assert done.printed["transcript"].count("  VISITOR_LINE ") >= 3
    assert done.printed["transcript"].count("  REP_LINE ") >= 3
    (first,) = connection.sql(
        "select count(*), epoch(max(timestamp)) - epoch(min(timestamp)) from messages where conversation_id = ?",
        params=[shown],
    ).fetchall()
    assert len(gaps) == first[0] - 1
    assert abs(sum(gaps) - first[1]) <= len(gaps) / 2  # printed in whole seconds
    slowest = done.shown["longest"]["response_seconds"]
    assert slowest.to_list() == sorted(slowest, reverse=True)
    assert slowest[0] == connection.sql("select max(response_milliseconds) / 1000 from responses").fetchall()[0][0]


def test_quality_shows_what_is_odd(ran: Callable[[str], Run], connection: duckdb.DuckDBPyConnection) -> None:
    """The notebook shows the broken file, the rejected documents, the unknown field and every check, with the right counts."""
    done = ran("05_quality_of_data")
    printed = dict(line.split() for line in done.printed["checks"].splitlines())

    assert done.shown["reach"]["rejected_file_count"].sum() == 1
    assert done.shown["rejects"]["documents"].sum() == 2
    assert done.shown["unknown"]["field"].to_list() == ["Conversation.newField"]
    assert {"loaded", "rejected"} <= set(done.names["hours"]["state"])
    assert len(printed) == len(list((ROOT / "sql" / "checks").glob("*.sql")))
    assert printed["message_without_conversation"] == "0"
    (nulls,) = connection.sql("select count(*) - count(consumer_id) from conversations").fetchall()
    shares = done.names["nulls"]
    assert shares.select("account", "date").is_unique().all()  # else a field of the picture hides another
    assert round((shares["consumer_null_share"] * shares["conversation_count"]).sum(), 6) == nulls[0] > 0


def test_a_lake_with_next_to_nothing_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every notebook runs to its end on a lake without a readable document, which has nothing to draw."""
    lake = Lake(str(tmp_path / "lake"))
    take(lake, put(tmp_path, gz("garbage")))
    for notebook in NOTEBOOKS:
        done = run(notebook.stem, lake.uri, monkeypatch)
        assert done.shown
        for cell in done.pictures():
            (width,) = re.findall(r'<svg [^>]*width="([\d.e+]+)"', done.picture(cell))
            assert float(width) < 2000, cell


def test_the_extra_brings_what_notebooks_need() -> None:
    """Pictures as SVG need vl-convert, `df()` needs pandas; nothing more, since Colab's own Jupyter has to stay as it is."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    names = {re.split(r"[^\w-]", requirement)[0] for requirement in extras["notebook"]}
    assert names == {"altair", "vl-convert-python", "pandas", "ipykernel"}


def test_without_a_lake_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a lake, the notebook stops with the commands that make one."""
    with pytest.raises(LakeError, match="there is no lake; load something first, with lakehouse demo"):
        run("01_first_look", str(tmp_path / "nowhere"), monkeypatch)
