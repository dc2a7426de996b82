"""Small files: merged as loads go and by command, and deleted when no reader needs them."""

import os
from collections import Counter
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from computed_facts import require_computed_facts
from documents import conversation, document, gz, message, name_at, put
from lakes import ask, everything, first, killed_before, take
from selections import often

from pipeline import schema
from pipeline.errors import ConflictError
from pipeline.lake.lake import Lake
from pipeline.lake.rewrite import ORDERS
from pipeline.lake.snapshot import LEDGER, Change
from pipeline.lake.vacuum import sweep
from pipeline.load.engines import Processes
from pipeline.load.find import find_files, incoming_from
from pipeline.load.load import load
from pipeline.load.session import writing
from pipeline.maintenance.compact import compact

TRANSFER = {"timestamp": {"string": "1469469300000"}, "skillId": {"long": 1}, "targetSkillId": {"long": 2}}
DAY_MS = 86_400_000
START = 1_469_469_600_000  # 2016-07-25T18:00Z
HOURS = [*range(20), *range(20, 80, 8)]
FEWER = [*range(11), *range(20, 80, 8)]


def take_hour(lake: Lake, folder: Path, hour: int) -> None:
    """Load a file of one conversation of that hour."""
    start = START + hour * 3_600_000
    contents = gz(document(conversation(f"c{hour}", start=start, messages=[message(f"text {hour}", timestamp=start)])))
    take(lake, put(folder, contents, name_at(hour)))


def on_disk(lake: Lake, table: str) -> set[str]:
    """The Parquet files below a table's folder, but for the checkpoints of its log."""
    root = Path(lake.root, table)
    paths = (path.relative_to(root) for path in root.rglob("*.parquet"))
    return {path.as_posix() for path in paths if path.parts[0] != "_delta_log"}


def named(lake: Lake, table: str) -> set[str]:
    """The Parquet files that the newest finished load names."""
    return {file.path for file in lake.snapshot().files[table]}


@pytest.mark.parametrize("hours", often(FEWER, of=(FEWER, HOURS)), ids=len)
def test_hourly_loads_stay_few_files_without_a_command(lake: Lake, tmp_path: Path, hours: list[int]) -> None:
    """However many loads, a partition keeps few files, an old one fewer, and no row is lost or doubled."""
    for hour in hours:
        take_hour(lake, tmp_path, hour)
    files = lake.snapshot().files
    for table in ("conversations", "messages"):
        per_day = Counter(file.date for file in files[table])
        assert max(per_day.values()) < 16
        assert per_day["2016-07-25"] < 5
    assert len(files[LEDGER]) <= 24
    assert len(files[schema.INDEX.name]) < 16
    assert ask(lake, "select count(*), count(distinct conversation_id) from conversations") == [(len(hours), len(hours))]
    assert ask(lake, "select count(*), count(distinct text) from messages") == [(len(hours), len(hours))]


def test_compact_leaves_a_file_a_partition_and_every_row(lake: Lake, tmp_path: Path) -> None:
    """The command merges all that is small; the tables say the same as before."""
    for hour in range(7):
        take_hour(lake, tmp_path, hour)
    before = everything(lake)
    with writing(lake):
        done = compact(lake)
    assert everything(lake) == before
    assert done.merged > done.made
    for table in ("conversations", "messages"):
        assert set(Counter(file.date for file in lake.snapshot().files[table]).values()) == {1}
    assert len(lake.snapshot().files[LEDGER]) == 1
    before_again = {table: on_disk(lake, table) for table in schema.STORED}
    with writing(lake):
        assert compact(lake).merged == 0
    assert {table: on_disk(lake, table) for table in schema.STORED} == before_again


def test_readers_of_an_older_copy_go_on_until_its_files_are_past_retention(lake: Lake, tmp_path: Path) -> None:
    """Files that `compact` merged stay for a while, and are deleted after it, with the leftovers of dead runs."""
    for hour in range(3):
        take_hour(lake, tmp_path, hour)
    litter = Path(lake.root, "messages", "date=2016-07-25", "part-dead.parquet")
    litter.write_bytes(b"half a file")
    half_a_commit = Path(lake.root, "messages", "_delta_log", f"{99:020}.json#1")
    half_a_commit.write_bytes(b"{")
    os.utime(litter, (1, 1))
    with duckdb.connect(str(Path(lake.root, "lakehouse.duckdb")), read_only=True) as reader:
        with writing(lake):
            compact(lake)
        assert reader.execute("select count(*) from messages").fetchall() == [(3,)]
        assert not litter.exists()
        assert not half_a_commit.exists()
        assert on_disk(lake, "messages") > named(lake, "messages")
    with writing(lake):
        deleted = sweep(lake, lake.snapshot(), retention_hours=0)
    assert len(deleted) >= 3
    for table in schema.STORED:
        assert on_disk(lake, table) == named(lake, table)
    assert ask(lake, "select count(*) from messages") == [(3,)]


def test_rows_are_laid_out_for_the_queries_people_run(lake: Lake, tmp_path: Path) -> None:
    """Merged conversations stand by account, skill and time, lines by conversation and place, with statistics that prune."""
    for hour, (skill, ident) in enumerate([(7, "b"), (3, "d"), (7, "a"), (3, "c")]):
        made = conversation(ident, start=START + hour, skillId={"long": skill}, messages=[message("1"), message("2")])
        take(lake, put(tmp_path, gz(document(made)), name_at(hour)))
    with writing(lake):
        compact(lake)
    (conversations,), (messages,) = (lake.snapshot().files[table] for table in ("conversations", "messages"))
    assert pq.read_table(lake.path("conversations", conversations.path))["conversation_id"].to_pylist() == ["d", "c", "b", "a"]
    lines = pq.read_table(lake.path("messages", messages.path), partitioning=None)
    assert lines["conversation_id"].to_pylist() == [ident for ident in "abcd" for _ in range(2)]
    assert lines["position"].to_pylist() == [0, 1] * 4
    group = pq.read_metadata(lake.path("conversations", conversations.path)).row_group(0)
    limits = {group.column(place).path_in_schema: group.column(place).statistics for place in range(group.num_columns)}
    assert (limits["skill_id"].min, limits["skill_id"].max) == (3, 7)
    assert (limits["conversation_id"].min, limits["conversation_id"].max) == ("a", "d")


def test_facts_are_laid_out_for_queries_too(lake: Lake, tmp_path: Path) -> None:
    """Each merged file has the order of its table, and is of all files that there were."""
    for hour, skill in enumerate((7, 3, 7)):
        lines = [message("ask", timestamp=START + hour), message("answer", timestamp=START + 9, type={"string": "1"})]
        one, other = (
            conversation(
                f"{name}{hour}", start=START - hour, skillId={"long": skill}, messages=lines, transfers={"array": [TRANSFER]}
            )
            for name in "ab"
        )
        take(lake, put(tmp_path, gz(document(one, other)), name_at(hour)))
    with writing(lake):
        compact(lake)
    require_computed_facts(lake)
    for fact in schema.FACTS:
        (file,) = lake.snapshot().files[fact]
        merged = pq.read_table(lake.path(fact, file.path), partitioning=None)
        expected = duckdb.from_arrow(merged).order(ORDERS[fact]).to_arrow_table()
        assert (merged.num_rows >= 6, merged.to_pylist()) == (True, expected.to_pylist())


def test_a_change_worked_out_from_an_older_state_is_refused(lake: Lake, tmp_path: Path) -> None:
    """Where no lock keeps writers apart, the second commit fails, and what the first one made visible stays."""
    take_hour(lake, tmp_path, 0)
    older = lake.snapshot()
    take_hour(lake, tmp_path, 1)
    before = everything(lake)
    with pytest.raises(ConflictError):
        lake.commit({"rejects": Change(), LEDGER: Change()}, older)
    assert everything(lake) == before


def test_a_load_that_another_one_overtakes_works_its_change_out_anew(lake: Lake, tmp_path: Path) -> None:
    """Both loads are in the lake, the conversation that both deliver once."""
    former, later = (
        put(
            tmp_path, gz(document(conversation("both", messages=[message(str(hour))]), conversation(f"c{hour}"))), name_at(hour)
        )
        for hour in (0, 1)
    )

    def overtake() -> None:
        load(lake, incoming_from(find_files([str(former)])), engine=Processes(1))

    with first(lake, "commit", overtake):
        report = load(lake, incoming_from(find_files([str(later)])), engine=Processes(1))
    assert (report.loaded, report.conversations) == (1, 2)
    assert ask(lake, "select conversation_id, source_file from conversations order by all") == [
        ("both", name_at(1)),
        ("c0", name_at(0)),
        ("c1", name_at(1)),
    ]
    assert ask(lake, "select text from messages where conversation_id = 'both'") == [("1",)]
    assert ask(lake, "select name, status from files order by all") == [(name_at(0), "loaded"), (name_at(1), "loaded")]


@pytest.mark.parametrize("is_loaded_again", [False, True])
def test_what_a_dead_load_committed_goes_too(lake: Lake, tmp_path: Path, *, is_loaded_again: bool) -> None:
    """Rows that no finished load names leave the tables and the disk, also those of tables that nobody changes again."""
    take_hour(lake, tmp_path, 0)
    before = everything(lake)
    dead = put(tmp_path, gz(document(conversation("dead", transfers=[TRANSFER])), "garbage"), name_at(1))
    with killed_before(lake, "commit files"):
        take(lake, dead)
    assert lake.open_table("transfers").version() > lake.snapshot().versions["transfers"]
    if is_loaded_again:
        take_hour(lake, tmp_path, 2)
        assert lake.open_table("transfers").version() == lake.snapshot().versions["transfers"]
    with writing(lake):
        compact(lake, retention_hours=0)
    for table in schema.STORED:
        assert lake.open_table(table).version() == lake.snapshot().versions[table]
        assert on_disk(lake, table) == named(lake, table)
    assert is_loaded_again or everything(lake) == before


def test_what_the_duckdb_file_names_is_never_deleted(lake: Lake, tmp_path: Path) -> None:
    """At the moment of deletion, even at once, the lake's DuckDB file already shows the merged files."""
    for hour in range(3):
        take_hour(lake, tmp_path, hour)
    before = everything(lake)

    with killed_before(lake, "sweep"), writing(lake):
        compact(lake, retention_hours=0)
    sweep(lake, lake.snapshot(), retention_hours=0)
    assert everything(lake) == before
