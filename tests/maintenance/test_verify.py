"""`lakehouse verify` finds each kind of damage, says where, and has nothing to say of a sound lake."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import lakehouse
from deltalake import DeltaTable, write_deltalake
from deltalake.transaction import PostCommitHookProperties
from documents import START, conversation, document, gz, message, name_at, put
from lakes import ask, everything, take

from pipeline import schema
from pipeline.cli.summaries import verification
from pipeline.erasure.erase import erase
from pipeline.errors import LakeError
from pipeline.lake.digests import read_file, read_part
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import Ledger
from pipeline.lake.parquet import rows_of
from pipeline.lake.snapshot import Change, new_path
from pipeline.load.session import writing
from pipeline.maintenance.compact import compact
from pipeline.maintenance.verify import problem, verify
from pipeline.warehouse.database import publish

TRANSFER = {"timestamp": {"string": "1469469300000"}, "skillId": {"long": 1}, "targetSkillId": {"long": 2}}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake that has seen re-delivery, replacement, withdrawal, a broken file, rejects, merges and a sweep."""
    folder = tmp_path_factory.mktemp("sound")
    lake, files = Lake(str(folder / "lake")), folder / "in"
    first = document(conversation("c1", transfers=[TRANSFER]), conversation("c2", messages=[message("a"), message("b")]))
    take(lake, put(files, gz(first, "garbage"), name_at(0)))
    take(lake, put(files, gz(document(conversation("c2", start=1_469_469_281_856 + 86_400_000))), name_at(1)))
    take(lake, put(files, gz(document(conversation("c3"), conversation("c1"))), name_at(2)))
    take(lake, put(files, gz(document(conversation("c3")), "more garbage"), name_at(2)))
    take(lake, put(files, b"", name_at(3)))
    with writing(lake):
        compact(lake)
    answered = [message("a"), message("b", timestamp=START + 1000, type={"string": "1"})]
    take(lake, put(files, gz(document(conversation("c4", messages=answered))), name_at(4)))
    return Path(lake.root)


@pytest.fixture
def lake(sound: Path, tmp_path: Path) -> Lake:
    """A copy of it, with a DuckDB file of its own."""
    copy = Lake(str(shutil.copytree(sound, tmp_path / "lake")))
    publish(copy, copy.snapshot())
    return copy


def test_a_sound_lake_has_no_findings(lake: Lake) -> None:
    """After all legal changes of a lake there are no findings, and everything was checked."""
    done = verify(lake, read_data=True)
    assert done.findings == []
    assert done.landed_files == 4
    assert done.rows > 10
    before = {path: path.stat().st_mtime_ns for path in Path(lake.root).rglob("*")}
    verify(lake)
    assert {path: path.stat().st_mtime_ns for path in Path(lake.root).rglob("*")} == before


def log(lake: Lake, table: str) -> list[Path]:
    return sorted(Path(lake.root, table, "_delta_log").glob("*.json"))


def parquet(lake: Lake, table: str) -> Path:
    return Path(lake.root, table, lake.snapshot().files[table][-1].path)


def landed(lake: Lake) -> Path:
    return next(path for path in sorted(Path(lake.root, "landing").rglob(name_at(4))))


def flip_a_byte(path: Path) -> None:
    contents = bytearray(path.read_bytes())
    contents[len(contents) // 2] ^= 1
    path.write_bytes(contents)


def append_as_a_stranger(lake: Lake) -> None:
    """Another program appends a line that belongs to nothing, and the pin is moved over it."""
    row = {"account_id": "1", "conversation_id": "c9", "position": 0, "source_file": name_at(0), "delivery": 1}
    rows = pa.Table.from_pylist([row | {"date": None}], schema=schema.MESSAGES.arrow_schema)
    rows = rows.set_column(2, "date", pa.array([16_000], pa.int32()).cast(pa.date32()))
    snapshot = lake.snapshot()
    write_deltalake(lake.table_uri("messages"), rows, mode="append")
    path = log(lake, "files")[-1]
    moved = DeltaTable(lake.table_uri("messages")).version()
    text = path.read_text()
    old = json.dumps({name: version for name, version in snapshot.versions.items() if name != "files"})
    new = json.dumps({name: version for name, version in snapshot.versions.items() if name != "files"} | {"messages": moved})
    assert json.dumps(old) in text
    path.write_text(text.replace(json.dumps(old), json.dumps(new)))


DAMAGES: dict[str, tuple[Callable[[Lake], object], str]] = {
    "an empty newest commit of a table": (lambda lake: log(lake, "messages")[-1].write_bytes(b""), "messages.*log is empty"),
    "an empty newest commit of the ledger": (lambda lake: log(lake, "files")[-1].write_bytes(b""), "files.*log is empty"),
    "half a commit": (lambda lake: log(lake, "transfers")[-1].write_bytes(b'{"add":'), "transfers.*can't be read"),
    "an empty checkpoint": (
        lambda lake: Path(lake.root, "messages/_delta_log/00000000000000000002.checkpoint.parquet").write_bytes(b""),
        "messages.*checkpoint is empty",
    ),
    "a gap in a log": (lambda lake: log(lake, "rejects")[1].unlink(), "rejects.*lacks version 1"),
    "a table that is gone": (lambda lake: shutil.rmtree(Path(lake.root, "transfers")), "transfers.*table is gone"),
    "a Parquet file that is gone": (lambda lake: parquet(lake, "messages").unlink(), "messages/.*is gone"),
    "a Parquet file cut short": (
        lambda lake: parquet(lake, "messages").write_bytes(parquet(lake, "messages").read_bytes()[:-9]),
        "messages/.*bytes, its log says",
    ),
    "a landed file that is gone": (lambda lake: landed(lake).unlink(), "landed file is gone"),
    "a landed file that was changed": (lambda lake: flip_a_byte(landed(lake)), "landed file is not as it was served"),
    "a landed file that was never loaded": (
        lambda lake: Path(lake.root, "landing", "2016-07-25", "stray.gz").write_bytes(b"x"),
        r"stray\.gz: is in the landing zone, but in no table",
    ),
    "a stranger's rows": (append_as_a_stranger, "messages: has .* rows, the ledger says"),
    "no DuckDB file": (lambda lake: Path(lake.root, "lakehouse.duckdb").unlink(), "lakehouse.duckdb: can't be read"),
    "a client's log beside the DuckDB file": (
        lambda lake: Path(lake.root, "lakehouse.duckdb.wal").write_bytes(b"x"),
        r"lakehouse\.duckdb\.wal: a client .* left it",
    ),
    "a DuckDB file that is none": (
        lambda lake: Path(lake.root, "lakehouse.duckdb").write_bytes(b"x" * 5000),
        "lakehouse.duckdb: can't be read",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_each_kind_of_damage_is_found(lake: Lake, damage: str) -> None:
    """One line says where, what and what to do."""
    harm, expected = DAMAGES[damage]
    harm(lake)
    done = verify(lake)
    assert any(re.search(expected, finding) for finding in done.findings), done.findings
    assert all(finding.count(";") >= 1 and "\n" not in finding for finding in done.findings)
    assert not [finding for finding in done.findings if "nothing was changed" in finding]  # verify never changes anything


def test_an_empty_newest_commit_of_the_ledger_is_no_empty_lake(lake: Lake, tmp_path: Path) -> None:
    """A load refuses to go on above it, rather than to take all that was loaded for a dead run's litter."""
    log(lake, "files")[-1].write_bytes(b"")
    with pytest.raises(LakeError, match="run lakehouse verify"):
        take(lake, put(tmp_path / "more", gz(document(conversation("c5"))), name_at(5)))
    log(lake, "files")[-1].unlink()
    assert ask(lake, "select count(*) from conversations") == [(4,)]


def test_no_load_is_built_on_a_table_that_lost_rows(lake: Lake, tmp_path: Path) -> None:
    """Delta reads an emptied commit as one without changes; a load above it would make the loss look right."""
    log(lake, "messages")[-1].write_bytes(b"")
    with pytest.raises(LakeError, match=r"messages: expected \d+ rows, found \d+; its log is damaged"):
        take(lake, put(tmp_path / "more", gz(document(conversation("c5"))), name_at(5)))
    assert ask(lake, "select count(*) from conversations") == [(4,)]


def test_an_empty_commit_of_a_dead_run_is_no_damage(lake: Lake, tmp_path: Path) -> None:
    """A power cut in the middle of a load may leave one; no finished load names it, and the next one takes it back."""
    version = len(log(lake, "messages"))
    Path(lake.root, "messages", "_delta_log", f"{version:020}.json").write_bytes(b"")
    assert verify(lake).findings == []
    take(lake, put(tmp_path / "more", gz(document(conversation("c5", messages=[message("a")]))), name_at(5)))
    assert verify(lake).findings == []


def test_a_gap_below_the_checkpoint_of_a_dead_run_is_found(tmp_path: Path) -> None:
    """No finished load can be read from there; below the checkpoint of one that is finished nothing is read any more."""
    lake = Lake(str(tmp_path / "hourly"))
    for hour in range(18):
        take(lake, put(tmp_path / "in", gz(document(conversation(f"c{hour}"))), name_at(hour)))
    version = lake.snapshot().versions["messages"]
    as_ours = PostCommitHookProperties(cleanup_expired_logs=False)
    DeltaTable(lake.table_uri("messages")).restore(version - 1, post_commithook_properties=as_ours)
    logs = Path(lake.root, "messages", "_delta_log")
    assert {int(path.name[:20]) for path in logs.glob("*.checkpoint.parquet")} == {9, version + 1}
    (logs / f"{5:020}.json").unlink(missing_ok=True)  # a clock far ahead takes it for older than a month
    assert verify(lake).findings == []
    (logs / f"{15:020}.json").unlink()
    (finding,) = verify(lake).findings
    assert finding.startswith(f"{lake.root}/messages: its log lacks version 15 (1 in all); restore")


@pytest.mark.parametrize("is_there", [True, False])
def test_what_verify_advises_for_a_landed_file_puts_it_back(lake: Lake, tmp_path: Path, *, is_there: bool) -> None:
    """A file that is loaded is landed anew if its landed file is gone, and no row changes for that."""
    before, served = everything(lake), landed(lake).read_bytes()
    flip_a_byte(landed(lake))
    assert len(verify(lake).findings) == 1
    if not is_there:
        landed(lake).unlink()
    report = take(lake, put(tmp_path / "backup", served, name_at(4)))
    assert (report.loaded, report.unchanged) == ((0, 1) if is_there else (1, 0))
    assert bool(verify(lake).findings) == is_there
    assert everything(lake) == before


def test_the_landing_zone_alone_gives_all_tables_back(lake: Lake, tmp_path: Path) -> None:
    """Replaced contents lie there too; the newer ones stand, whatever their digests, and after an erasure."""
    for turn in range(4):
        take(lake, put(tmp_path / "more", gz(document(conversation(f"n{turn}"), conversation("old"))), name_at(6)))
    take(lake, put(tmp_path / "more", gz(document(conversation("n4"))), name_at(6)))
    with writing(lake):
        erase(lake, "conversation", "old")
    rebuilt = Lake(str(tmp_path / "rebuilt"))
    take(rebuilt, Path(lake.root, "landing"))
    for table in ("conversations", "messages", "transfers", "rejects"):
        assert everything(rebuilt)[table] == everything(lake)[table]


def test_a_landed_file_of_a_name_that_was_only_ever_rejected_is_found(lake: Lake) -> None:
    """A run that died between landing and commit leaves it; its text is in no table."""
    stray = Path(lake.root, "landing", "2016-07-25", "feedfeedfeedfeed", name_at(3))
    stray.parent.mkdir(parents=True)
    stray.write_bytes(gz(document(conversation("c9"))))
    assert any("in no table; load it" in finding for finding in verify(lake).findings)


def test_a_value_that_cannot_be_decoded_is_found_by_reading_all(lake: Lake) -> None:
    """Without `--read-data` a flipped bit inside a page goes unseen; with it, it does not."""
    path = parquet(lake, "conversations")
    contents = bytearray(path.read_bytes())
    for place in range(4, len(contents) // 2):
        contents[place] ^= 0xFF
    path.write_bytes(contents)
    assert any("conversations/" in finding for finding in verify(lake, read_data=True).findings)


def test_the_command_prints_findings_and_exits_with_3(lake: Lake) -> None:
    """Findings go to standard output, one a line; a sound lake exits with 0, none at all with 1."""

    def call(uri: str) -> subprocess.CompletedProcess[str]:
        return lakehouse("verify", "--lake", uri, cwd=Path(lake.root).parent)

    sound = call(lake.root)
    assert (sound.returncode, sound.stdout) == (0, "")
    assert "all as they should be" in sound.stderr
    landed(lake).unlink()
    harmed = call(lake.root)
    assert harmed.returncode == 3
    assert len(harmed.stdout.splitlines()) == 1
    assert call(f"{lake.root}-nowhere").returncode == 1


@pytest.fixture(scope="module")
def of_all_tables(sound: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with rows in every table, those that users do not see too, written by Arrow and by DuckDB."""
    root = tmp_path_factory.mktemp("all") / "lake"
    lake = Lake(str(shutil.copytree(sound, root)))
    row = {"account_id": "1", "hour": datetime(2026, 11, 1, tzinfo=UTC), "files": 1, "missing": []}
    lake.commit({"listings": Change(add=[lake.write("listings", rows_of([row], schema.LISTINGS))])}, lake.snapshot())
    with writing(lake):
        erase(lake, "conversation", "c2")
    return lake


def test_every_flipped_bit_is_found_by_reading_all(of_all_tables: Lake) -> None:
    """The commit knows the digest of each Parquet file, whatever its table is and whoever wrote it."""
    random, files = Random(15), of_all_tables.snapshot().files
    named = [(table, file) for table, listed in files.items() for file in listed]
    assert {table for table, _ in named} == set(schema.STORED)
    unseen = []
    for turn in range(300):
        table, file = named[turn % len(named)]
        path = Path(of_all_tables.path(table, file.path))
        contents = path.read_bytes()
        place, bit = random.randrange(len(contents)), random.randrange(8)
        path.write_bytes(contents[:place] + bytes([contents[place] ^ 1 << bit]) + contents[place + 1 :])
        if "not as it was written" not in (problem(of_all_tables, table, file, read_data=True) or ""):
            unseen.append((table, place, bit))
        path.write_bytes(contents)
    assert unseen == []
    assert verify(of_all_tables, read_data=True).findings == []


def change_a_value(path: Path, column: str) -> None:
    """Change a value as flipped bits do that can still be decoded."""
    rows = pq.read_table(path, partitioning=None)
    place = rows.column_names.index(column)
    pq.write_table(rows.set_column(place, column, pa.array(["OTHER"] * rows.num_rows)), path)


def test_no_rows_of_a_changed_file_get_a_digest_that_looks_right(lake: Lake, tmp_path: Path) -> None:
    """A replaced conversation would write its neighbours' changed bits anew; merges of a load leave such a file alone."""
    largest = max(lake.snapshot().files["conversations"], key=lambda file: file.rows)
    change_a_value(Path(lake.path("conversations", largest.path)), "visitor_id")
    for hour in range(5, 5 + 7):
        take(lake, put(tmp_path / "more", gz(document(conversation(f"n{hour}"))), name_at(hour)))
    assert largest in lake.snapshot().files["conversations"]
    expected = r"is not as it was written \(its digest is another\).*run lakehouse verify --read-data"
    with pytest.raises(LakeError, match=expected):
        take(lake, put(tmp_path / "again", gz(document(conversation("c1"))), name_at(20)))
    with pytest.raises(LakeError, match=expected), writing(lake):
        compact(lake)
    assert any(largest.path in finding for finding in verify(lake, read_data=True).findings)


def test_what_a_run_decides_by_is_read_as_it_was_written_or_not_at_all(of_all_tables: Lake, tmp_path: Path) -> None:
    """Tables are held against their digests, of the ledger the pages that a load wrote against checksums by readers."""
    lake = Lake(str(shutil.copytree(of_all_tables.root, tmp_path / "lake")))
    take(lake, put(tmp_path / "more", gz(document(conversation("c5"))), name_at(5)))
    files = lake.snapshot().files
    for read, table in ((read_file, "erasures"), (read_file, "listings"), (read_part, "files")):
        file = min(files[table], key=lambda file: file.rows)
        path = Path(lake.path(table, file.path))
        contents = bytearray(path.read_bytes())
        contents[contents.index(b"\x15\x04", 40) - 9] ^= 1  # before the second page's header: the end of the first page
        path.write_bytes(contents)
        with pytest.raises(LakeError, match="is not as it was written"):
            read(lake, table, file)


def test_no_load_goes_by_a_ledger_that_was_not_written_so(of_all_tables: Lake, tmp_path: Path) -> None:
    """Files merged by DuckDB have no checksums: after a change of any bit, no decision relies on them."""
    lake = Lake(str(shutil.copytree(of_all_tables.root, tmp_path / "lake")))
    with writing(lake):
        compact(lake)
    snapshot = lake.snapshot()
    (file,) = snapshot.files["files"]
    path = Path(lake.path("files", file.path))
    whole = path.read_bytes()
    for place in range(0, len(whole), 151):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        with pytest.raises(LakeError, match="is not as it was written"):
            Ledger(lake, snapshot, [name_at(0)])


def test_a_file_of_before_there_were_digests_is_said_to_have_none(lake: Lake) -> None:
    """It is decoded, which is all that can be done, and counted; a load that writes it anew gives it one."""
    snapshot = lake.snapshot()
    (former,) = snapshot.files["rejects"][:1]
    old = replace(former, path=new_path(former.date, former.label))
    Path(lake.path("rejects", former.path)).rename(lake.path("rejects", old.path))
    lake.commit({"rejects": Change(add=[old], remove=[former])}, snapshot)
    done = verify(lake, read_data=True)
    assert done.undigested == 1
    assert "the digest of 1 Parquet file is not known" in verification(done)
    assert not [finding for finding in done.findings if "rejects/" in finding]


@pytest.mark.parametrize("command", [["sql", "from messages"], ["status"], ["report"], ["check"], ["verify"]])
def test_a_parquet_file_that_is_gone_is_named(command: list[str], tmp_path: Path) -> None:
    """Each command that meets it ends with a sentence that names it; advice is never the command itself."""
    lake = Lake(str(tmp_path / "lake"))
    take(lake, put(tmp_path / "in", gz(document(conversation("c1")))))
    [gone] = Path(lake.path("messages")).rglob("*.parquet")
    gone.unlink()
    done = lakehouse(*command, cwd=tmp_path)
    told = done.stdout + done.stderr
    assert (done.returncode, gone.name in told, "this is a bug" in told) == (3 if command == ["verify"] else 1, True, False)
    assert ("lakehouse verify" in told) is (command[0] != "verify")


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-9])])
def test_a_bad_parquet_file_hides_no_landed_file(lake: Lake, harm: Callable[[Path], object]) -> None:
    """The landing zone is held against the ledger whatever else is wrong."""
    harm(parquet(lake, "messages"))
    landed(lake).unlink()
    done = verify(lake)
    assert any("landed file is gone" in finding for finding in done.findings), done.findings
    assert done.landed_files == 4


def test_a_log_that_is_gone_hides_no_landed_file(lake: Lake) -> None:
    """A table that can't be read at all keeps the ledger from nothing."""
    shutil.rmtree(Path(lake.root, "transfers"))
    landed(lake).unlink()
    assert any("landed file is gone" in finding for finding in verify(lake).findings)


def test_landed_files_that_no_ledger_names_are_said_to_be_unchecked(lake: Lake) -> None:
    """Nothing was looked at, which is another thing than that there are none."""
    parquet(lake, "files").unlink()
    done = verify(lake)
    assert done.landed_files is None
    assert "landed files: not checked" in verification(done)


def test_a_link_in_landing_is_not_to_be_loaded(lake: Lake, tmp_path: Path) -> None:
    """It is one finding, of a link: what lies behind it may be somebody else's."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.gz").write_bytes(b"x")
    Path(lake.root, "landing", "link.gz").symlink_to(tmp_path / "other" / "x.gz")
    Path(lake.root, "landing", "2016-01-01").symlink_to(tmp_path / "other")
    findings = verify(lake).findings
    assert len(findings) == 2
    assert all("is a link to" in finding for finding in findings)


def test_a_finding_of_a_key_does_not_say_that_nothing_was_changed(of_all_tables: Lake, tmp_path: Path) -> None:
    """Neither verify nor doctor ever changes anything."""
    lake = Lake(str(shutil.copytree(of_all_tables.root, tmp_path / "lake")))
    Path(lake.root, "erasure.key").unlink()
    [finding] = [finding for finding in verify(lake).findings if "erasure.key" in finding]
    assert finding.endswith("; put it back from a backup of the lake")
    assert "nothing was changed" not in lakehouse("doctor", "--lake", lake.root, cwd=tmp_path).stdout
