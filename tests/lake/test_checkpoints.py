"""A damaged checkpoint costs nothing while its commits are there, and what other programs do to the tables costs nothing."""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from deltalake import DeltaTable, write_deltalake
from documents import conversation, document, gz, message, name_at, put
from lakes import ask, everything, killed_before, take

from pipeline import schema
from pipeline.erasure.erase import erase
from pipeline.errors import DamagedError
from pipeline.lake.lake import Lake
from pipeline.lake.snapshot import LEDGER
from pipeline.load.session import writing
from pipeline.maintenance.compact import compact
from pipeline.maintenance.verify import verify

TRANSFER = {"timestamp": {"string": "1469469300000"}, "skillId": {"long": 1}, "targetSkillId": {"long": 2}}
DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "garbage": lambda path: path.write_bytes(bytes(range(256)) * 8),
    "gone": lambda path: path.unlink(),
    "another named": lambda path: (path.parent / "_last_checkpoint").write_text('{"version": 99, "size": 3}'),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with rows in every table but listings, somebody erased, and a checkpoint below the newest commits."""
    lake, files = Lake(str(tmp_path_factory.mktemp("sound") / "lake")), tmp_path_factory.mktemp("files")
    for hour in range(2):
        texts = document(conversation(f"c{hour}", messages=[message("a")], transfers=[TRANSFER]), conversation(f"e{hour}"))
        take(lake, put(files, gz(texts, "garbage"), name_at(hour)))
        with writing(lake):
            erase(lake, "conversation", f"e{hour}")
        if not hour:
            checkpoint(lake)
    return Path(lake.root)


@pytest.fixture
def lake(sound: Path, tmp_path: Path) -> Lake:
    return Lake(str(shutil.copytree(sound, tmp_path / "lake")))


@pytest.fixture
def more(tmp_path: Path) -> Path:
    """A file with a new conversation, a replaced and two erased ones."""
    texts = document(*map(conversation, ("n", "c0", "e0", "e1")))
    return put(tmp_path / "more", gz(texts), name_at(5))


@pytest.fixture(scope="module")
def after(sound: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """All rows once that file is loaded."""
    lake = Lake(str(shutil.copytree(sound, tmp_path_factory.mktemp("control") / "lake")))
    take(lake, put(Path(lake.root).parent, gz(document(*map(conversation, ("n", "c0", "e0", "e1")))), name_at(5)))
    return everything(lake)


@pytest.mark.parametrize("count", range(7, 12))
def test_a_run_that_dies_in_a_lake_that_rested_for_months_takes_nothing_with_it(count: int, tmp_path: Path) -> None:
    """Each tenth version is a checkpoint, for which the table format would delete entries older than a month: all there are."""
    lake = rested(tmp_path, count)
    with killed_before(lake, f"commit {LEDGER}"):
        take(lake, put(tmp_path / "in", gz(document(conversation("new"))), name_at(count)))

    assert ask(lake, "select count(*) from conversations") == [(count,)]
    take(lake, put(tmp_path / "in", gz(document(conversation("new"))), name_at(count)))
    assert ask(lake, "select count(*) from conversations") == [(count + 1,)]
    assert verify(lake).findings == []


def test_the_log_of_a_table_does_not_grow_for_ever(tmp_path: Path) -> None:
    """Entries older than a month go with the load after a checkpoint, which sums them up; a reader needs none of them."""
    lake = rested(tmp_path, 9)
    take(lake, put(tmp_path / "in", gz(document(conversation("new"))), name_at(9)))

    for table in ("conversations", "messages", LEDGER):
        assert sorted(path.name for path in Path(lake.path(table, "_delta_log")).glob("*.json")) == [
            f"{version:020}.json" for version in (9, 10)
        ]
    assert ask(lake, "select count(*) from conversations") == [(10,)]
    assert verify(lake).findings == []


def rested(folder: Path, count: int) -> Lake:
    """A lake of so many loads, the last of them two months ago."""
    lake, ago = Lake(str(folder / "rested")), time.time() - 60 * 86_400
    for hour in range(count):
        take(lake, put(folder / "in", gz(document(conversation(f"c{hour}"))), name_at(hour)))
    for table in schema.STORED:
        for path in Path(lake.path(table, "_delta_log")).iterdir():
            os.utime(path, (ago, ago))
    return lake


def checkpoint(lake: Lake) -> None:
    for table in schema.STORED:
        DeltaTable(lake.table_uri(table)).create_checkpoint()


def damage_all(lake: Lake, shift: int) -> None:
    """Each table has another damage."""
    for place, table in enumerate(schema.STORED, start=shift):
        harm = [*DAMAGES.values()][place % len(DAMAGES)]
        harm(max(Path(lake.path(table, "_delta_log")).glob("*.checkpoint.parquet")))


SHIFTS = [0, *(pytest.param(shift, marks=pytest.mark.long) for shift in range(1, len(DAMAGES)))]


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_damaged_checkpoint_whose_commits_are_there_is_deleted_by_compact(lake: Lake, shift: int) -> None:
    """`verify` says so, of each table; then the lake has every row, and nothing is found."""
    before = everything(lake)
    damage_all(lake, shift)
    found = verify(lake).findings
    for table in schema.STORED:
        assert any(f"/{table}/_delta_log/" in finding for finding in found)
    remedy = "run lakehouse compact, which deletes it: the commits have all that it held"
    assert all(finding.endswith(remedy) for finding in found)
    with writing(lake):
        compact(lake)
    assert verify(lake, read_data=True).findings == []
    assert everything(lake) == before


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_checkpoint_that_a_power_cut_left_stops_no_load(
    lake: Lake, more: Path, after: dict[str, list[str]], shift: int
) -> None:
    """Also where a run that died wrote it, above what any load has finished."""
    checkpoint(lake)
    damage_all(lake, shift)
    take(lake, more)
    assert everything(lake) == after
    assert verify(lake).findings == []


def test_a_torn_checkpoint_that_nothing_names_yet_stops_no_load(lake: Lake, more: Path, after: dict[str, list[str]]) -> None:
    """Readers of the format take the newest that is there, whatever `_last_checkpoint` says."""
    named = {table: Path(lake.path(table, "_delta_log", "_last_checkpoint")) for table in schema.STORED}
    before = {table: path.read_bytes() for table, path in named.items()}
    checkpoint(lake)
    for table, path in named.items():
        path.write_bytes(before[table])
        DAMAGES["garbage"](max(path.parent.glob("*.checkpoint.parquet")))
    take(lake, more)
    assert everything(lake) == after


def test_a_damaged_checkpoint_is_kept_where_it_was_the_only_source(lake: Lake) -> None:
    """Commits go after 30 days; then `verify` says what is left, and no command deletes or changes anything."""
    checkpoint(lake)
    for table in schema.STORED:
        log = Path(lake.path(table, "_delta_log"))
        for path in [*log.glob("*.json"), *sorted(log.glob("*.checkpoint.parquet"))[:-1]]:
            path.unlink()
        DAMAGES["cut"](*log.glob("*.checkpoint.parquet"))
    before = {path: path.read_bytes() for path in Path(lake.root).glob("*/_delta_log/*")}
    for finding in (found := verify(lake).findings):
        is_of_fact = any(f"/{name}/" in finding or f"/{name}:" in finding for name in schema.FACTS)
        assert finding.endswith("which computes it anew" if is_of_fact else "repeat each erasure of the last 30 days there")
    assert len(found) >= len(schema.STORED)
    with writing(lake), pytest.raises(DamagedError, match="run lakehouse verify"):
        compact(lake)
    assert {path: path.read_bytes() for path in Path(lake.root).glob("*/_delta_log/*")} == before


def vacuumed(table: DeltaTable) -> None:
    table.vacuum(0, dry_run=False, enforce_retention_duration=False, full=True)


def with_deletion_vectors(table: DeltaTable) -> None:
    """Commit as Spark does before it deletes rows without rewriting files."""
    features = ["deletionVectors"]
    protocol = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features, "writerFeatures": features}
    told = {"timestamp": 1, "operation": "SET TBLPROPERTIES", "engineInfo": "Apache-Spark/4.0.0"}
    log = Path(table.table_uri.removeprefix("file://"), "_delta_log", f"{table.version() + 1:020}.json")
    log.write_text("".join(json.dumps(line) + "\n" for line in ({"commitInfo": told}, {"protocol": protocol})))


def doubled(table: DeltaTable) -> None:
    write_deltalake(table, table.to_pyarrow_table(), mode="append")


STRANGERS: dict[str, Callable[[DeltaTable], object]] = {
    "compact": lambda table: table.optimize.compact(),
    "z-order": lambda table: table.optimize.z_order([table.schema().fields[-1].name]),
    "vacuum": vacuumed,
    "delete": lambda table: table.delete(),
    "append": doubled,
    "checkpoint": lambda table: table.create_checkpoint(),
    "restore": lambda table: table.restore(table.version() - 1, ignore_missing_files=True) if table.version() else None,
    "deletion vectors": with_deletion_vectors,
    "properties": lambda table: table.alter.set_table_properties({"delta.appendOnly": "false"}),
}


@pytest.mark.parametrize(
    "name",
    [name if name == "compact" else pytest.param(name, marks=pytest.mark.long) for name in STRANGERS],
)
def test_what_another_program_does_to_the_tables_is_taken_back(
    lake: Lake, more: Path, after: dict[str, list[str]], name: str
) -> None:
    """Readers see the newest finished load, a load or `compact` goes on from it: no row is lost, doubled or back."""
    before = everything(lake)
    for table in schema.STORED:
        STRANGERS[name](DeltaTable(lake.table_uri(table)))
    assert verify(lake).findings == []
    Path(lake.root, "lakehouse.duckdb").unlink()
    assert everything(lake) == before
    take(lake, more)
    assert everything(lake) == after
    for table in schema.STORED:
        STRANGERS[name](DeltaTable(lake.table_uri(table)))
    with writing(lake):
        compact(lake)
    assert lake.snapshot().foreign is None
    assert everything(lake) == after
    assert verify(lake, read_data=True).findings == []


def test_files_that_another_program_vacuumed_are_told_and_nothing_is_built_on(lake: Lake, more: Path, tmp_path: Path) -> None:
    """Each is named; the index is made anew by `compact`, all else by a load of the landing zone, without who was erased."""
    before = everything(lake)
    for table in schema.STORED:
        DeltaTable(lake.table_uri(table)).optimize.compact()
    vacuumed(DeltaTable(lake.table_uri(schema.INDEX.name)))
    assert any("run lakehouse compact" in finding for finding in verify(lake).findings)
    with writing(lake):
        compact(lake)
    assert verify(lake, read_data=True).findings == []
    assert everything(lake) == before
    for table in schema.STORED:
        DeltaTable(lake.table_uri(table)).delete()
        vacuumed(DeltaTable(lake.table_uri(table)))
    remedies = dict.fromkeys((*schema.SENT, "rejects"), "run lakehouse rebuild")
    remedies |= dict.fromkeys(schema.FACTS, "run lakehouse upgrade --recompute")
    remedies["conversation_dates"] = "run lakehouse compact"
    for finding in verify(lake).findings:
        (table,) = (table for table in schema.STORED if f"/{table}/" in finding)
        assert "the Parquet file is gone" in finding
        assert remedies.get(table, "load the files in landing/ into a new lake") in finding
    with pytest.raises(DamagedError, match="run lakehouse verify"):
        take(lake, more)
    rebuilt = Lake(str(tmp_path / "rebuilt"))
    take(rebuilt, Path(lake.root, "landing"))
    for table in ("conversations", "messages", "transfers", "rejects"):
        assert everything(rebuilt)[table] == before[table]


def test_a_ledger_whose_log_is_gone_is_no_new_lake(lake: Lake, more: Path) -> None:
    """A load that took it for one would take all that was loaded for a dead run's litter."""
    before = {path: path.read_bytes() for path in Path(lake.root).rglob("part-*.parquet")}
    for path in Path(lake.path(LEDGER, "_delta_log")).iterdir():
        path.unlink()
    with pytest.raises(DamagedError, match="log of this table is gone"):
        take(lake, more)
    assert any("its log has no commit" in finding or "is gone" in finding for finding in verify(lake).findings)
    assert {path: path.read_bytes() for path in Path(lake.root).rglob("part-*.parquet")}.items() >= before.items()
