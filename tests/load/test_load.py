import gzip
import io
import json
import random
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest
from commands import lakehouse
from documents import conversation, document, gz, message, name_at, put
from hypothesis import given, settings
from hypothesis import strategies as st
from lakes import ask, everything, killed_before, seen, take
from scripted_api import Reply, ScriptedApi

from pipeline.errors import DamagedError, LakeError, SettingsError
from pipeline.lake import merge
from pipeline.lake.lake import Lake
from pipeline.lake.landing import stage
from pipeline.lake.rewrite import connected, rows_of_a_group
from pipeline.load.engines import Processes
from pipeline.load.find import find_files, incoming_from
from pipeline.load.load import load
from pipeline.load.session import writing
from pipeline.load.worker import ingest
from pipeline.maintenance.compact import compact
from pipeline.maintenance.verify import verify
from pipeline.schema import TABLES
from pipeline.warehouse.database import connect

TRANSFER = {"timestamp": {"string": "1469469300000"}, "skillId": {"long": 1}, "targetSkillId": {"long": 2}}


def test_every_column_of_every_table_is_there(lake: Lake, tmp_path: Path) -> None:
    """The DuckDB file shows the declared columns, as they are declared, in an empty lake and in a filled one."""
    columns = "select table_name, column_name, data_type, comment from duckdb_columns() order by all"
    lake.create()
    take(lake)
    empty, views = ask(lake, columns), ask(lake, "select view_name, comment from duckdb_views() order by all")
    take(lake, put(tmp_path, gz(document(conversation(transfers=[TRANSFER])), "garbage")))
    assert ask(lake, columns) == empty
    assert ask(lake, "select view_name, comment from duckdb_views() order by all") == views
    shown = {(table, column): comment for table, column, _, comment in empty if table in TABLES}
    assert shown == {(table.name, column.name): column.about for table in TABLES.values() for column in table.shown}
    assert ask(lake, "select table_name, column_name from duckdb_columns() where not internal and comment is null") == []


def test_counts_add_up(lake: Lake, tmp_path: Path) -> None:
    """A file's row in the ledger counts everything in it: loaded documents and rejected ones."""
    report = take(
        lake,
        put(tmp_path, gz(document(conversation(transfers=[TRANSFER])), "garbage", document(), document(conversation("c2")))),
    )
    assert ask(lake, "select documents, conversations, messages, transfers, rejects, status, account_id from files") == [
        (4, 2, 2, 1, 1, "loaded", "75555851")
    ]
    assert ask(lake, "select source_file, document, raw from rejects") == [(name_at(0), 2, "garbage")]
    assert (report.loaded, report.rejects, report.is_complete) == (1, 1, False)


def test_the_same_file_again_changes_nothing(lake: Lake, tmp_path: Path) -> None:
    """A second load of a file is no change, and needs no commit."""
    path = put(tmp_path, gz(document(conversation()), "garbage"))
    take(lake, path)
    before, version = everything(lake), lake.snapshot().versions
    report = take(lake, path)
    assert (report.unchanged, report.loaded, report.is_complete) == (1, 0, True)
    assert (everything(lake), lake.snapshot().versions) == (before, version)


def test_a_broken_file_is_rejected_and_its_cure_replaces_it(lake: Lake, tmp_path: Path) -> None:
    """A file cut short leaves a row in the ledger and nothing else; the whole one takes its place."""
    whole = gz(*(document(conversation(f"c{number}")) for number in range(50)))
    report = take(lake, put(tmp_path, whole[:-9]))
    assert "cut short" in report.rejected[name_at(0)]
    assert ask(lake, "select status, documents, (select count(*) from conversations) from files") == [("rejected", 0, 0)]
    assert not list(Path(lake.root).glob("landing/*/*/*.gz"))
    take(lake, put(tmp_path, whole))
    assert ask(lake, "select status, documents, (select count(*) from conversations) from files") == [("loaded", 50, 50)]


def test_a_broken_file_never_replaces_a_good_one(lake: Lake, tmp_path: Path) -> None:
    """The good file's rows and its row in the ledger stay; the run reports the broken one."""
    take(lake, put(tmp_path, gz(document(conversation()))))
    before = everything(lake)
    report = take(lake, put(tmp_path, b""))
    assert (list(report.rejected), everything(lake)) == ([name_at(0)], before)


def test_other_contents_under_the_same_name_replace(lake: Lake, tmp_path: Path) -> None:
    """Rows and rejects of the former contents go; other files keep theirs."""
    other = put(tmp_path / "other", gz(document(conversation("c9")), "more garbage"), name_at(1))
    take(lake, put(tmp_path, gz(document(conversation("c1")), document(conversation("c2")), "garbage")), other)
    take(lake, put(tmp_path, gz(document(conversation("c2", messages=[message("new")])))))
    assert ask(lake, "select conversation_id from conversations order by all") == [("c2",), ("c9",)]
    assert ask(lake, "select text from messages order by all") == [("hello",), ("new",)]
    assert ask(lake, "select raw from rejects") == [("more garbage",)]


def test_two_accounts_may_have_files_of_one_name(lake: Lake, tmp_path: Path) -> None:
    """Names carry no account; a file of another account does not replace."""
    one = put(tmp_path / "one", gz(document(conversation("c1"), account_id="1")))
    two = put(tmp_path / "two", gz(document(conversation("c1"), account_id="2")))
    take(lake, one, two)
    assert ask(lake, "select account_id, conversation_id from conversations order by all") == [("1", "c1"), ("2", "c1")]
    assert ask(lake, "select account_id, status from files order by all") == [("1", "loaded"), ("2", "loaded")]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_delivery_with_the_latest_scope_wins(lake: Lake, tmp_path: Path, order: tuple[int, int]) -> None:
    """A conversation delivered again replaces its earlier delivery in all tables, though its date moved, in either order."""
    day = 86_400_000
    paths = [
        put(
            tmp_path, gz(document(conversation(messages=[message("old"), message("older")], transfers=[TRANSFER]))), name_at(0)
        ),
        put(tmp_path, gz(document(conversation(start=1_469_469_281_856 + day, messages=[message("new")]))), name_at(3)),
    ]
    for index in order:
        take(lake, paths[index])
    assert ask(lake, "select date::varchar, source_file from conversations") == [("2016-07-26", name_at(3))]
    assert ask(lake, "select date::varchar, text from messages") == [("2016-07-26", "new")]
    assert ask(lake, "select count(*) from transfers") == [(0,)]


def test_within_a_file_the_later_delivery_wins(lake: Lake, tmp_path: Path) -> None:
    """Of two deliveries in one file, the later document's rows stay, all of them and no others."""
    first = document(conversation(messages=[message("a"), message("b"), message("c")]))
    take(lake, put(tmp_path, gz(first, document(conversation(messages=[message("d")])))))
    assert ask(lake, "select text, position from messages") == [("d", 0)]
    assert ask(lake, "select conversations from files") == [(2,)]


def test_an_older_delivery_comes_back(lake: Lake, tmp_path: Path) -> None:
    """Where a replaced file withdraws the newest delivery of a conversation, the one before it counts again."""
    take(lake, put(tmp_path, gz(document(conversation(messages=[message("old")])), document(conversation("c2"))), name_at(0)))
    take(lake, put(tmp_path, gz(document(conversation(messages=[message("new")]))), name_at(3)))
    take(lake, put(tmp_path, gz(document(conversation("c3"))), name_at(3)))
    assert ask(lake, "select conversation_id, source_file from conversations order by all") == [
        ("c1", name_at(0)),
        ("c2", name_at(0)),
        ("c3", name_at(3)),
    ]
    assert ask(lake, "select text from messages where conversation_id = 'c1'") == [("old",)]


@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_any_order_and_any_split_into_loads_give_the_same_rows(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The tables depend on the files, not on how they came in."""
    check_that_order_is_nothing(data, tmp_path_factory)


@pytest.mark.long
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_many_orders_and_splits_give_the_same_rows(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The same with more examples."""
    check_that_order_is_nothing(data, tmp_path_factory)


def check_that_order_is_nothing(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Load drawn files at once, and again in another order, split and repeated."""
    folder = tmp_path_factory.mktemp("files")
    paths = []
    for hour in range(data.draw(st.integers(1, 4))):
        ids = data.draw(st.lists(st.sampled_from("abcd"), max_size=3))
        start = 1_469_469_281_856 + data.draw(st.integers(0, 2)) * 86_400_000
        documents = [
            document(conversation(one, start=start, messages=[message(f"{hour}{one}{n}")])) for n, one in enumerate(ids)
        ]
        paths.append(put(folder, gz(*documents), name_at(hour)))
    expected, got = (Lake(str(tmp_path_factory.mktemp("lake"))) for _ in range(2))
    take(expected, *paths)
    order = data.draw(st.permutations(paths)) + data.draw(st.lists(st.sampled_from(paths), max_size=2))
    while order:
        size = data.draw(st.integers(1, len(order)))
        take(got, *order[:size])
        order = order[size:]
    assert everything(got) == everything(expected)


def test_workers_and_small_buffers_give_the_same_rows(lake: Lake, tmp_path: Path) -> None:
    """Rows are the same from other processes, and where a file's rows are written in parts."""
    rng = random.Random(7)
    for hour in range(4):
        texts = [rng.randbytes(30_000).hex() for _ in range(60)]
        contents = [
            document(conversation(f"c{hour}-{n % 40}", messages=[message(text)], new=n % 9)) for n, text in enumerate(texts)
        ]
        put(tmp_path / "in", gz(*contents, *contents), name_at(hour))
    put(tmp_path / "in", gz(*contents, *contents)[:-4], name_at(9))
    incoming = incoming_from(find_files([str(tmp_path / "in")]))
    in_parts = Lake(str(tmp_path / "parts"))
    with writing(lake), writing(in_parts):
        load(lake, incoming, engine=Processes(2))
        in_parts.create()
        ingested = ingest(in_parts.uri, incoming, buffer_bytes=1_000_000)
    assert ask(lake, "select count(*), count(distinct text) from messages") == [(160, 160)]
    assert ask(lake, "select sum(documents), sum(messages) from files") == [(480, 480)]
    assert sum(outcome.counts.conversations for outcome in ingested.outcomes) == 480
    assert sum(file.rows for file in ingested.written["messages"]) == 480
    assert len(ingested.written["messages"]) > 6
    assert [outcome.status for outcome in ingested.outcomes].count("rejected") == 1
    assert len(list(Path(in_parts.root).glob("messages/*/*.parquet"))) == len(ingested.written["messages"])


def test_landed_files_are_kept_as_they_were_served(lake: Lake, tmp_path: Path) -> None:
    """The landing zone holds the very bytes, both contents of a name that was replaced, and nothing else."""
    first, second = gz(document(conversation())), gz(document(conversation("c2")))
    take(lake, put(tmp_path, first))
    take(lake, put(tmp_path, second))
    landed = [path for path in Path(lake.root, "landing").rglob("*") if path.is_file()]
    assert sorted(path.read_bytes() for path in landed) == sorted([first, second])
    assert {path.name for path in landed} == {name_at(0)}


def test_a_name_without_gz_gets_one(lake: Lake, tmp_path: Path) -> None:
    """Listings sometimes lack the ending; tables always have it."""
    take(lake, put(tmp_path, gz(document(conversation())), name_at(0).removesuffix(".gz")))
    assert ask(lake, "select source_file, name from conversations, files") == [(name_at(0), name_at(0))]


@pytest.mark.parametrize("name", ["B.GZ", "c.Gz", "a?b#c.gz"])
def test_a_name_is_the_one_that_the_file_has(lake: Lake, tmp_path: Path, name: str) -> None:
    """A suffix in another case is that suffix, and what would be a query in a web address is a part of a local file's name."""
    take(lake, put(tmp_path, gz(document(conversation())), name))
    assert ask(lake, "select source_file, name from conversations, files") == [(name, name)]


@pytest.mark.parametrize("through", ["", "simplecache::"])
def test_a_query_is_no_part_of_a_name(lake: Lake, through: str) -> None:
    """A file at a signed address has the base name of its path; the signature goes into no table."""
    with ScriptedApi() as api, writing(lake):
        api.script["/x/Engagement.gz"] = [Reply(gz(document(conversation())))]
        found = find_files([f"{through}{api.base_url}/x/Engagement.gz?path=a/b.gz&signature=canary#c/d"])
        load(lake, incoming_from(found), engine=Processes(1))
    assert ask(lake, "select source_file, name from conversations, files") == [("Engagement.gz", "Engagement.gz")]
    assert "canary" not in str(everything(lake))


def test_folders_are_searched_and_patterns_matched(tmp_path: Path) -> None:
    """A folder gives its source files of any depth, a pattern what it matches, a wrong path an error."""
    a, b = put(tmp_path / "x" / "y", b"", name_at(0)), put(tmp_path / "x", b"", name_at(1))
    put(tmp_path / "x", b"", "README.txt")
    assert {Path(url.removeprefix("file://")) for url in find_files([str(tmp_path)])} == {a, b}
    assert [Path(url.removeprefix("file://")) for url in find_files([str(tmp_path / "x" / "*.gz")])] == [b]
    with pytest.raises(LakeError, match="there is no source file"):
        find_files([str(tmp_path / "nowhere")])


def test_files_that_a_folder_passes_over_are_told(tmp_path: Path) -> None:
    """One line has their number and a name; hidden ones, a lake's own and those that are named as well are not among them."""
    folder = tmp_path / "in"
    take(Lake(str(folder / "lake")), put(folder / "x", gz(document(conversation())), name_at(0)))
    named = put(folder, gz(document(conversation("c2"))), "named.txt")
    put(folder / ".git", b"", "config")
    put(folder, b"", ".DS_Store")
    said: list[str] = []
    assert len(find_files([str(folder), str(named)], said.append)) == 3
    assert said == []
    others = [put(folder / "x", b"", name) for name in ("a\x1b[2J.csv", "notes.txt")]
    find_files([str(folder), str(tmp_path / "i*"), str(named)], said.append)
    [line] = said
    assert line.startswith(f"2 files passed over, such as {str(others[0]).replace(chr(27), ' ')}: ")
    assert line.isprintable()
    assert len(find_files([str(folder / "x" / "*")], said.append)) == 3
    assert len(said) == 1


def test_a_folder_that_holds_the_lake_loads_again_without_a_change(lake: Lake, tmp_path: Path) -> None:
    """The lake's own tables are no source files, by folder or by pattern; its landing zone is, also by the lake's folder."""
    put(tmp_path, gz(document(conversation())))
    assert take(lake, tmp_path).is_complete
    (Path(lake.root) / "landing" / ".incoming" / "half.gz").touch()
    before = everything(lake)
    for path in (
        tmp_path,
        tmp_path / "*",
        tmp_path / "**",
        Path(lake.root),
        Path(lake.root, "landing"),
        Path(lake.root, "land*"),
    ):
        report = take(lake, path) if path.name != "**" else None
        assert report is None or (report.is_complete and report.loaded == 0)
        of_tables = [url for url in find_files([str(path)]) if "_delta_log" in url or ".incoming" in url or "parquet" in url]
        assert of_tables == []
    assert everything(lake) == before


def test_a_pattern_takes_folders_and_links_as_the_shell_would(tmp_path: Path) -> None:
    """Folders that it matches give their source files; a link is what it leads to, in a folder as well, and a loop ends."""
    one, two, three = (put(tmp_path / "x" / f"2026-0{day}", b"1", name_at(day)) for day in (1, 2, 3))
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "one.gz").symlink_to(one)
    (tmp_path / "links" / "folder").symlink_to(two.parent)
    (tmp_path / "links" / "loop").symlink_to(tmp_path / "links")
    put(three.parent, b"", "README.txt")

    def found(path: str) -> set[str]:
        return {url.removeprefix(f"file://{tmp_path}/") for url in find_files([str(tmp_path / path)])}

    assert found("x/2026-0[23]") == {f"x/2026-02/{name_at(2)}", f"x/2026-03/{name_at(3)}"}
    assert found("links/*.gz") == {"links/one.gz"}
    assert found("links") == {"links/one.gz", f"links/folder/{name_at(2)}"}
    assert found("links/fold*") == {f"links/folder/{name_at(2)}"}


def test_an_empty_path_is_not_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script's variable that is not set loads nothing."""
    put(tmp_path, gz(document(conversation())))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match="expected a path"):
        find_files([""])


def test_what_can_not_be_read_of_a_folder_keeps_nothing_else_out(tmp_path: Path) -> None:
    """A link that leads to nothing is told, and ends the load with 3; the other files of its folder are in."""
    put(tmp_path / "in", gz(document(conversation())))
    (tmp_path / "in" / "lost.gz").symlink_to(tmp_path / "nowhere")
    done = lakehouse("load", "in", cwd=tmp_path)
    assert (done.returncode, "lost.gz: it can't be read" in done.stderr) == (3, True)
    assert ask(Lake(str(tmp_path / "lake")), "select count(*) from conversations") == [(1,)]
    alone = lakehouse("load", "in/lost.gz", cwd=tmp_path)
    assert (alone.returncode, "lost.gz" in alone.stderr) == (1, True)


def test_a_suffix_counts_in_upper_case_too(tmp_path: Path) -> None:
    """`B.GZ` in a folder is as good as `a.gz`."""
    paths = {put(tmp_path, b"", name) for name in ("a.gz", "B.GZ", "c.Json")}
    assert {Path(url.removeprefix("file://")) for url in find_files([str(tmp_path)])} == paths


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_member_of_an_archive_loads_by_its_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """A chained URL leads to the file from any working folder, and gives the name that the file has in the archive."""
    put(tmp_path / "in" / "x", gz(document(conversation())))
    archive = shutil.make_archive(str(tmp_path / "archive"), kind, tmp_path / "in", "x")
    monkeypatch.chdir(tmp_path)
    found = find_files([f"{kind}://x/{name_at(0)}::archive.{kind}"])
    for member in ("x/*.gz", "x", "", "*"):
        for place in (f"archive.{kind}", archive, f"file://{archive}"):
            assert find_files([f"{kind}://{member}::{place}"]) == found, (member, place)
    monkeypatch.chdir("/")
    lake = Lake(str(tmp_path / "lake"))
    for loaded in (1, 0):
        with writing(lake):
            assert load(lake, incoming_from(found), engine=Processes(1)).loaded == loaded
    assert ask(lake, "select source_file, name from conversations, files") == [(name_at(0), name_at(0))]


@pytest.fixture
def crashed(lake: Lake, tmp_path: Path) -> Lake:
    """A lake whose second load died between the commits of its tables and that of its ledger."""
    take(lake, put(tmp_path, gz(document(conversation("c1"))), name_at(0)))
    with killed_before(lake, "commit files"):
        take(lake, put(tmp_path, gz(document(conversation("c2"))), name_at(1)))
    return lake


def test_a_load_that_dies_is_invisible_and_the_next_one_carries_on(crashed: Lake, tmp_path: Path) -> None:
    """Rows above the ledger's pins are not read, and the next load removes them."""
    assert [row[0] for row in ask(crashed, "select conversation_id from conversations")] == ["c1"]
    take(crashed, put(tmp_path, gz(document(conversation("c3"))), name_at(2)))
    assert ask(crashed, "select conversation_id from conversations order by all") == [("c1",), ("c3",)]
    take(crashed, tmp_path / name_at(1))
    assert ask(crashed, "select conversation_id from conversations order by all") == [("c1",), ("c2",), ("c3",)]


def test_a_lake_that_was_moved_answers(lake: Lake, tmp_path: Path) -> None:
    """A reader has a DuckDB file for itself and leaves the lake's as it was; the next load or compaction names the new path."""
    take(lake, put(tmp_path, gz(document(conversation()))))
    moved = Lake(str(Path(lake.root).rename(tmp_path / "moved")))
    held = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert ask(moved, "select count(*) from messages") == [(1,)]
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == held
    with writing(moved):
        assert ask(moved, "select count(*) from messages") == [(1,)]
        compact(moved)
    assert len(seen(moved.root)["messages"]) == 1


@pytest.mark.parametrize("name", ["a b", "ü%'\"", "a[1]*{b}"])
def test_a_lake_may_have_any_name(tmp_path: Path, name: str) -> None:
    """Spaces, quotes and signs of patterns in a lake's path are nothing but letters."""
    lake = Lake(str(tmp_path / name / "lake"))
    take(lake, put(tmp_path, gz(document(conversation())), name_at(0)))
    take(lake, put(tmp_path, gz(document(conversation())), name_at(1)))
    assert ask(lake, "select count(*) from messages") == [(1,)]


@pytest.mark.parametrize("name", ["what?", "a#b", "a%20b"])
def test_a_name_that_libraries_misread_is_refused(tmp_path: Path, name: str) -> None:
    """They would take it for a part of a URL, and write elsewhere."""
    with pytest.raises(SettingsError, match="choose another one"):
        Lake(str(tmp_path / name))


def test_what_finds_no_room_in_memory_leaves_nothing_behind(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader's and a writer's go into the lake; both are gone with the connection."""
    take(lake, put(tmp_path, gz(document(conversation()))))
    for name in ("here", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))

    def files() -> set[Path]:
        return {path for path in tmp_path.rglob("*") if "_temp_" in path.name}

    for opened in (connect, connected):
        with opened(lake) as connection:
            connection.execute("set memory_limit = '10MB'")
            connection.execute("create temp table much as select md5(i::varchar) as text from range(400_000) as r(i)")
            spilled = files()
            assert spilled
            assert {path.parent.parent for path in spilled} == {Path(lake.root)}
        assert not files()
        assert not [*Path(lake.root).glob(".publish-*"), *Path(lake.root).glob(".lakehouse-spill-*")]
    assert not [*Path.cwd().iterdir(), *(tmp_path / "temporary").iterdir()]


def test_json_null_and_text_of_any_kind_arrive(lake: Lake, tmp_path: Path) -> None:
    """NUL characters, quotes and 5 MB of text arrive as they were sent."""
    texts = ["a\0b", 'it\'s "quoted"', "🙂", "x" * 5_000_000, ""]
    contents = gzip.compress(json.dumps(document(conversation(messages=[message(text) for text in texts]))).encode())
    take(lake, put(tmp_path, contents))
    assert [row[0] for row in ask(lake, "select text from messages order by position")] == texts


def test_what_a_dead_run_left_is_gone_before_anything_comes_in(lake: Lake, tmp_path: Path) -> None:
    """The next writer deletes half copied files and half made DuckDB files first, so that new files have room."""
    take(lake, put(tmp_path, gz(document(conversation()))))
    before = {path for path in Path(lake.root).rglob("*") if path.is_file()}
    put(Path(lake.root, "landing", ".incoming"), b"half", "half a file")
    put(Path(lake.root, ".publish-dead"), b"half", "lakehouse.duckdb")
    with writing(lake):
        assert {path for path in Path(lake.root).rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("error", [OSError(5, "input/output error"), KeyboardInterrupt(), duckdb.InterruptException("stopped")])
def test_a_failed_session_leaves_nothing_staged(lake: Lake, error: BaseException) -> None:
    """Whatever ends it, such as an error that a signal has made of a query, and whichever step has staged the file."""
    with suppress(LakeError, KeyboardInterrupt, duckdb.InterruptException), writing(lake):
        staged = stage(lake, io.BytesIO(b"text"))
        assert Path(staged.path).exists()
        raise error
    assert not Path(staged.path).exists()


def test_a_name_that_tells_an_impossible_time_tells_none(tmp_path: Path, lake: Lake) -> None:
    """A file named for an hour behind the year 9999 loads like one without an hour in its name."""
    name = "Engagement.999999999999999.999999999999999.part-00000-0.gz"
    take(lake, put(tmp_path, gz(document(conversation())), name))
    assert ask(lake, "select name, scope_start_time, scope_end_time, status from files") == [(name, None, None, "loaded")]


@pytest.mark.parametrize("instead", [b"<response>busy</response>", b"upstream connect error\n"])
def test_an_error_served_under_a_good_files_name_replaces_nothing(tmp_path: Path, lake: Lake, instead: bytes) -> None:
    """An error page in place of a file is refused as a whole, and the rows stay."""
    take(lake, put(tmp_path / "good", gz(document(conversation()))))
    report = take(lake, put(tmp_path / "bad", instead))
    assert not report.is_complete
    assert ask(lake, "select status, conversations, rejects from files") == [("loaded", 1, 0)]
    assert ask(lake, "select count(*) from conversations") == [(1,)]


@pytest.mark.parametrize("limits", [merge._MEMORY_LIMITS, ("8MB", "9MB"), ("8MB", "360MB")])
def test_a_merge_that_takes_too_much_memory_is_left_out(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limits: tuple[str, ...]
) -> None:
    """Eight files of a day are merged in the memory that there is, if long texts need it in the larger one; else they stay."""
    monkeypatch.setattr(merge, "_MEMORY_LIMITS", limits)
    chance = random.Random(1)
    for hour in range(8):
        texts = [chance.randbytes(1500).hex() for _ in range(1500)]
        lines = [[message(text) for text in texts[first : first + 10]] for first in range(0, len(texts), 10)]
        put(
            tmp_path / "in",
            gz(*(document(conversation(f"c{hour}-{n}", messages=some)) for n, some in enumerate(lines))),
            name_at(hour),
        )
    with writing(lake):
        for path in sorted((tmp_path / "in").iterdir()):
            load(lake, incoming_from(find_files([str(path)])), engine=Processes(1))
    assert ask(lake, "select count(*), count(distinct text) from messages") == [(12_000, 12_000)]
    files = [file for file in lake.snapshot().files["messages"] if file.rows]
    assert len(files) == (8 if limits == ("8MB", "9MB") else 1)
    assert {path.name for path in Path(lake.root, "messages").rglob("*.parquet")} >= {
        file.path.rpartition("/")[2] for file in files
    }


def test_rows_of_which_a_few_thousand_fill_the_memory_are_not_merged(lake: Lake, tmp_path: Path) -> None:
    """Eight files with texts of 40,000 characters: they stay as they are, in loads and in `compact`."""
    chance = random.Random(1)
    with writing(lake):
        for hour in range(8):
            some = [conversation(f"c{hour}-{n}", messages=[message(chance.randbytes(20_000).hex())]) for n in range(20)]
            path = put(tmp_path, gz(document(*some)), name_at(hour))
            load(lake, incoming_from(find_files([str(path)])), engine=Processes(1))
        compact(lake)
    files = lake.snapshot().files
    assert (len(files["messages"]), len(files["conversations"])) == (8, 1)
    assert verify(lake, read_data=True).findings == []


def test_a_merge_leaves_a_file_whose_end_is_damaged(lake: Lake, tmp_path: Path) -> None:
    """One of a version whose names told no digests: the load does not depend on it, and verify finds it."""
    take(lake, put(tmp_path, gz(document(conversation())), name_at(0)))
    (file,) = lake.snapshot().files["messages"]
    path = Path(lake.path("messages", file.path))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DamagedError, match="can't be read"):
        rows_of_a_group(lake, "messages", [file])
