"""Runs: each command that writes leaves a record with its result, whatever becomes of it, and nothing of the data."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from commands import lakehouse
from documents import conversation, document, gz, name_at, put
from filelock import FileLock
from lakes import ask
from places import ROOT
from prometheus_client.parser import text_string_to_metric_families
from scripted_api import ACCOUNT, CANARIES, LISTING_PATH, Reply, ScriptedApi, as_json
from small_disks import small_disk

from pipeline.lake import runs
from pipeline.lake.lake import Lake

CANARY = "canary-of-a-person"
KEYS = ("LP_APP_KEY", "LP_APP_SECRET", "LP_ACCESS_TOKEN", "LP_ACCESS_TOKEN_SECRET")
NEWEST = "select command, result, exit_code, error from runs order by began_at desc limit 1"


def loaded(folder: Path) -> Lake:
    """A lake with a load in it."""
    put(folder / "in", gz(document(conversation("c1"))), name_at(1))
    assert lakehouse("load", "in", cwd=folder).returncode == 0
    return Lake(str(folder / "lake"))


def test_a_load_is_a_row_with_its_counts(tmp_path: Path) -> None:
    """The row has what the summary says, and times around the run."""
    before = datetime.now(UTC)
    lake = loaded(tmp_path)
    [row] = ask(lake, "select command, account_id, result, exit_code, error, loaded_files, conversations, messages from runs")
    assert row == ("load", None, "complete", 0, None, 1, 1, 1)
    [(began, ended)] = ask(lake, "select began_at, ended_at from runs")
    assert before <= began <= ended <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("call", "result", "code"),
    [
        (("load", "broken"), "set aside", 3),
        (("compact",), "complete", 0),
        (("upgrade", "--recompute"), "complete", 0),
        (("rebuild",), "complete", 0),
        (("erase", "--consumer-id", CANARY), "set aside", 3),
    ],
    ids=lambda call: call[0] if isinstance(call, tuple) else "",
)
def test_each_command_that_writes_is_a_row(tmp_path: Path, call: tuple[str, ...], result: str, code: int) -> None:
    """Its result and exit code are those of the command; no record has an id or the name of a file."""
    lake = loaded(tmp_path)
    put(tmp_path / "broken", b"no gzip", f"{CANARY}.gz")
    assert lakehouse(*call, cwd=tmp_path).returncode == code
    assert ask(lake, NEWEST) == [(call[0], result, code, None)]
    assert len(ask(lake, "select distinct run_id from runs")) == 2
    assert not [path for path in (tmp_path / "lake" / "runs").iterdir() if CANARY.encode() in path.read_bytes()]


@pytest.mark.parametrize("call", [("status",), ("sql", "select 1"), ("check",), ("verify",), ("upgrade", "--dry-run")])
def test_a_command_that_reads_is_none(tmp_path: Path, call: tuple[str, ...]) -> None:
    """Neither is one that only says what it would do."""
    lake = loaded(tmp_path)
    lakehouse(*call, cwd=tmp_path)
    assert ask(lake, "select count(*) from runs") == [(1,)]


def test_a_run_that_fails_is_a_row(tmp_path: Path) -> None:
    """It has the kind of its error; the tables are as they were."""
    lake = loaded(tmp_path)
    Path(lake.path("files", "_delta_log")).rename(tmp_path / "away")
    assert lakehouse("compact", cwd=tmp_path).returncode == 1
    (tmp_path / "away").rename(lake.path("files", "_delta_log"))
    assert ask(lake, NEWEST) == [("compact", "failed", 1, "damage")]


def test_a_command_that_has_not_begun_changes_nothing(tmp_path: Path) -> None:
    """A path that leads to nothing leaves no row, and no lake."""
    lake = loaded(tmp_path)
    assert lakehouse("load", "nothing", cwd=tmp_path).returncode == 1
    assert lakehouse("load", "nothing", "--lake", "new", cwd=tmp_path).returncode == 1
    assert not (tmp_path / "new").exists()
    assert ask(lake, "select count(*) from runs") == [(1,)]


def test_a_killed_run_is_a_row_without_an_end(tmp_path: Path) -> None:
    """It is there while it goes on, and stays after the kill; status and the next run tell the two apart from ended ones."""
    lake = loaded(tmp_path)
    with FileLock(lake.path(".lock")):
        waiting = subprocess.Popen(
            [sys.executable, "-m", "pipeline", "compact"], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}
        )
        until = time.monotonic() + 60
        while not ask(lake, "from runs where ended_at is null") and time.monotonic() < until:
            time.sleep(0.05)
        waiting.kill()
        assert waiting.wait() == -signal.SIGKILL
    assert ask(lake, NEWEST) == [("compact", None, None, None)]
    assert "last compact began " in lakehouse("status", cwd=tmp_path).stdout
    assert lakehouse("compact", cwd=tmp_path).returncode == 0
    assert ask(lake, "select count(*), count(ended_at) from runs where command = 'compact'") == [(2, 1)]


def ended_run(number: int, *, goes_on: bool = False) -> dict[str, object]:
    """A row of a sync at an hour of November."""
    at = (datetime(2026, 11, 1, tzinfo=UTC) + timedelta(hours=number)).isoformat()
    run = {"run_id": f"{number:032}", "command": "sync", "account_id": "1", "began_at": at, "details": '{"n": 1}'}
    return run | {"ended_at": None if goes_on else at, "exit_code": 0, "loaded_files": number}


def keep(lake: Lake, row: dict[str, object]) -> None:
    """Write the record of a run of one row."""
    runs.record(lake, datetime.fromisoformat(str(row["began_at"])), str(row["run_id"]), [row], is_last=False)


def test_many_runs_become_one_file_and_none_is_lost(tmp_path: Path) -> None:
    """Runs that go on keep their files, damaged lines stay where they are, and what a dead run left half written goes."""
    lake = loaded(tmp_path)
    folder = tmp_path / "lake" / "runs"
    for number in range(60):
        keep(lake, ended_run(number, goes_on=number == 7))
    (folder / "damaged.run").write_text('{"run_id": "x", "began')
    half = folder / "dead.run.new"
    half.touch()
    os.utime(half, (1, 1))
    before = ask(lake, "from runs order by all")
    runs.merge(lake)

    assert ask(lake, "from runs order by all") == before
    assert ask(lake, "select count(*), count(ended_at), sum(loaded_files) from runs where command = 'sync'") == [(60, 59, 1770)]
    assert sorted(path.name for path in folder.glob("*.run")) == [
        "20261101T070000Z-" + f"{7:032}.run",
        "damaged.run",
        "none.run",
    ]
    assert len(list(folder.glob("*.parquet"))) == 2
    assert not half.exists()


def test_years_of_runs_are_few_files(tmp_path: Path) -> None:
    """Merged files are merged; a row that two of them have, as a merge that died leaves it, is one."""
    lake = loaded(tmp_path)
    folder = tmp_path / "lake" / "runs"
    for number in range(800):
        (folder / f"{number}.run").write_text(json.dumps(ended_run(number)))
        if number % 26 == 25:
            runs.merge(lake)
    assert ask(lake, "select count(*), count(distinct run_id) from runs where command = 'sync'") == [(800, 800)]
    assert len(list(folder.iterdir())) < 60
    merged = max(folder.glob("*.parquet"), key=lambda path: path.stat().st_size)
    (folder / "again.parquet").write_bytes(merged.read_bytes())
    keep(lake, ended_run(0))
    assert ask(lake, "select count(*), count(distinct run_id) from runs where command = 'sync'") == [(800, 800)]


def test_a_run_on_a_full_disk_is_a_row(tmp_path: Path) -> None:
    """Room for its record was kept; it comes back with the room for a load."""
    with small_disk(tmp_path / "disk", 16) as disk:
        lake = loaded(disk)
        put(disk / "in", gz(document(conversation("c2"))), name_at(2))
        filler = disk / "filler"
        with filler.open("wb", buffering=0) as out, suppress(OSError):
            while True:
                out.write(b"x" * 4096)
        assert lakehouse("load", "in", cwd=disk).returncode == 1
        assert lakehouse("load", "in", cwd=disk).returncode == 1
        filler.unlink()
        assert ask(lake, "select exit_code, error from runs order by began_at offset 1") == [(1, "disk"), (1, "disk")]
        assert lakehouse("load", "in", cwd=disk).returncode == 0
        assert ask(lake, "select exit_code from runs order by began_at desc limit 1") == [(0,)]
        assert Path(lake.path("runs", "none.run")).stat().st_size > 0


@pytest.mark.parametrize("harm", ["gone", "a file in the place", "an odd name"])
def test_no_load_depends_on_records(tmp_path: Path, harm: str) -> None:
    """A lake without the folder, as older ones are, gets it; one that can't have it goes without; any path will do."""
    folder = tmp_path / ("a[b]*c" if harm == "an odd name" else "plain")
    lake = loaded(folder)
    if harm != "an odd name":
        (folder / "lake" / "runs").rename(folder / "away")
    if harm == "a file in the place":
        (folder / "lake" / "runs").touch()
    put(folder / "in", gz(document(conversation("c2"))), name_at(2))
    done = lakehouse("load", "in", cwd=folder)
    assert done.returncode == 0
    assert ("the record of this run" in done.stderr) == (harm == "a file in the place")
    assert ask(lake, "select count(*) from conversations") == [(2,)]
    assert ask(lake, "select count(*) from runs") == [({"gone": 1, "a file in the place": 0, "an odd name": 2}[harm],)]


def test_a_pipe_among_records_holds_nothing_up(tmp_path: Path) -> None:
    """Nothing may ever come from it: a merge leaves it alone, and verify names it."""
    lake = loaded(tmp_path)
    pipe = Path(lake.path("runs", "pipe.run"))
    for number in range(30):
        keep(lake, ended_run(number))
    os.mkfifo(pipe)
    runs.merge(lake)
    assert len(list(pipe.parent.glob("2026110*.run"))) == 0
    assert f"{pipe}: this record of runs can't be read" in lakehouse("verify", cwd=tmp_path).stdout


@pytest.mark.parametrize("name", ["x.run", "x.parquet", "none.parquet"])
@pytest.mark.parametrize(
    "content", [b"", b"\0" * 100, b"[1, 2]\n", b'{"run_id": 7, "began_at": "x", "details": [1]}\n', b'"a"\n']
)
def test_a_damaged_record_harms_nothing_but_records(tmp_path: Path, name: str, content: bytes) -> None:
    """Status, metrics, report and loads go on; verify names a file that can't be read."""
    lake = loaded(tmp_path)
    Path(lake.path("runs", name)).write_bytes(content)
    for call in (("status", "--format", "prometheus"), ("status",), ("report",), ("load", "in"), ("compact",)):
        assert lakehouse(*call, cwd=tmp_path).returncode == 0, call
    is_bad = name.endswith("parquet") or content[:1] in {b"\0", b"[", b'"'}
    assert (
        f"{lake.path('runs', name)}: this record of runs can't be read" in lakehouse("verify", cwd=tmp_path).stdout
    ) == is_bad


@pytest.mark.parametrize("name", ["none.run", "none.parquet", "runs"])
def test_nothing_is_written_behind_a_link(tmp_path: Path, name: str) -> None:
    """In the place of a file of records, or of their folder: the load is in, and a line says that it has no record."""
    lake = loaded(tmp_path)
    folder = Path(lake.path("runs"))
    behind = tmp_path / "behind"
    if name == "runs":
        folder.rename(behind)
        folder.symlink_to(behind)
    else:
        behind.write_text("precious")
        (folder / name).unlink()
        (folder / name).symlink_to(behind)
    before = paths_below(behind) if name == "runs" else behind.read_text()
    put(tmp_path / "in", gz(document(conversation("c2"))), name_at(2))
    assert lakehouse("load", "in", cwd=tmp_path).returncode == 0
    assert (paths_below(behind) if name == "runs" else behind.read_text()) == before
    assert ask(lake, "select count(*) from conversations") == [(2,)]


def paths_below(folder: Path) -> list[Path]:
    """Every file and folder below a folder."""
    return sorted(folder.rglob("*"))


@pytest.mark.parametrize("names", ["*", "*.parquet", "none.run"])
def test_records_can_be_deleted(tmp_path: Path, names: str) -> None:
    """No query fails then, and the next run has its record."""
    lake = loaded(tmp_path)
    for path in Path(lake.path("runs")).glob(names):
        path.unlink()
    for call in (("status", "--format", "prometheus"), ("sql", "from runs"), ("report",)):
        assert lakehouse(*call, cwd=tmp_path).returncode == 0, call
    assert lakehouse("compact", cwd=tmp_path).returncode == 0
    assert ask(lake, NEWEST) == [("compact", "complete", 0, None)]


def test_a_run_of_a_clock_that_was_ahead_does_not_count(tmp_path: Path) -> None:
    """Status and metrics tell the newest run up to now."""
    lake = loaded(tmp_path)
    at = (datetime.now(UTC) + timedelta(days=20)).isoformat()
    row = {"run_id": "r", "command": "load", "began_at": at, "ended_at": at, "exit_code": 1, "result": "failed"}
    (Path(lake.path("runs")) / "ahead.run").write_text(json.dumps(row))
    assert "last load: complete" in lakehouse("status", cwd=tmp_path).stdout
    metrics = lakehouse("status", "--format", "prometheus", cwd=tmp_path).stdout
    assert 'lakehouse_run_exit_code{account_id="",command="load"} 0.0' in metrics


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_a_signal_ends_tells_it_in_each_form(tmp_path: Path, number: signal.Signals) -> None:
    """The object on standard output, each line of the log, and the record."""
    lake = loaded(tmp_path)
    settings = dict.fromkeys(KEYS, "abcdefgh") | {"LP_ACCOUNT_ID": "4711", "LP_BASE_URL": "http://127.0.0.1:9"}
    call = [sys.executable, "-m", "pipeline", "sync", "--format", "json", "--log-format", "json"]
    with FileLock(lake.path(".lock")):
        waiting = subprocess.Popen(
            call, cwd=tmp_path, env=os.environ | settings | {"PYTHONPATH": str(ROOT)}, stdout=-1, stderr=-1, text=True
        )
        assert waiting.stderr is not None
        while "waiting for it to finish" not in (first := waiting.stderr.readline()) and first:
            pass
        waiting.send_signal(number)
        out, log = waiting.communicate(timeout=60)
    assert waiting.returncode == 128 + number == json.loads(out)["exit_code"]
    *_, stopped, ended = map(json.loads, log.splitlines())
    assert (ended["message"], ended["exit_code"], "stopped by" in stopped["message"]) == ("ended", 128 + number, True)
    assert ask(lake, NEWEST) == [("sync", "failed", 128 + number, "signal")]


def environment(api: ScriptedApi) -> dict[str, str]:
    """The settings of an account of a server."""
    return dict(zip(KEYS, CANARIES, strict=True)) | {"LP_ACCOUNT_ID": ACCOUNT, "LP_BASE_URL": api.base_url}


def test_metrics_and_status_tell_the_newest_sync(tmp_path: Path) -> None:
    """A wrong setting, and a server that fails twice, are told of the newest run until one succeeds."""
    loaded(tmp_path)

    def gauges() -> dict[tuple[str, str], float]:
        text = lakehouse("status", "--format", "prometheus", cwd=tmp_path).stdout
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        return {
            (sample.name.removeprefix("lakehouse_run_"), sample.labels["account_id"]): sample.value
            for sample in samples
            if sample.labels.get("command") == "sync" and "account_id" in sample.labels
        }

    assert lakehouse("sync", cwd=tmp_path).returncode == 2
    assert gauges()["exit_code", ""] == 2
    with ScriptedApi() as api:
        api.script[LISTING_PATH] = [Reply(status=401)] * 20
        assert [lakehouse("sync", cwd=tmp_path, **environment(api)).returncode for _ in range(2)] == [1, 1]
        found = gauges()
        assert (found["exit_code", ACCOUNT], ("success_timestamp_seconds", ACCOUNT) in found, ("exit_code", "") in found) == (
            1,
            False,
            False,
        )
        [line] = [line for line in lakehouse("status", cwd=tmp_path).stdout.splitlines() if line.startswith("last sync")]
        assert line.startswith("last sync: failed (credentials), exit code 1, ended ")
        assert line.endswith(", 2 failures in a row: run lakehouse doctor")
        api.script[LISTING_PATH] = [as_json({"dataAccessFiles": {"file": []}})] * 40
        assert lakehouse("sync", cwd=tmp_path, **environment(api)).returncode == 0
    found = gauges()
    assert found["exit_code", ACCOUNT] == 0
    assert found["success_timestamp_seconds", ACCOUNT] == found["end_timestamp_seconds", ACCOUNT]
    assert "failure" not in lakehouse("status", cwd=tmp_path).stdout


def test_the_log_as_objects(tmp_path: Path) -> None:
    """Each line is an object with time, level and run; files and the error have theirs; the text form says no less."""
    loaded(tmp_path)
    put(tmp_path / "in", b"no gzip", name_at(2))
    done = lakehouse("load", "in", "--log-format", "json", cwd=tmp_path)
    lines = [json.loads(line) for line in done.stderr.splitlines()]

    assert done.returncode == 3
    assert all(datetime.fromisoformat(line["time"]) and line["level"] in {"info", "warning", "error"} for line in lines)
    [run_id] = {line["run"] for line in lines}
    assert ask(Lake(str(tmp_path / "lake")), f"select command from runs where run_id = '{run_id}'") == [("load",)]
    of_files = {line["file"]: (line["level"], line["message"]) for line in lines if "file" in line}
    assert of_files == {name_at(1): ("info", "unchanged"), name_at(2): ("warning", "rejected")}
    text = lakehouse("load", "in", cwd=tmp_path).stderr.splitlines()
    *said, end = [line for line in lines if "file" not in line][1:]
    assert [line["message"] for line in said] == [line.strip() for line in text[1:]]
    assert (end["message"], end["result"], end["exit_code"], end["unchanged"], end["rejected_files"]) == (
        "ended",
        "set aside",
        3,
        1,
        1,
    )

    failed = lakehouse("load", "nothing", "--log-format", "json", cwd=tmp_path)
    line, end = map(json.loads, failed.stderr.splitlines())
    assert (end["message"], end["level"], line["level"]) == ("ended", "error", "error")
    assert line["message"] == lakehouse("load", "nothing", cwd=tmp_path).stderr.strip()
