"""Loads that a Dask cluster reads: the rows are those of one process, whichever worker dies."""

import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dask
import network_namespaces as hosts
import pytest
import s3fs
from click.testing import CliRunner
from clusters import LOOPBACK, Workers, running
from documents import conversation, document, gz, put
from lakes import everything, take
from one_account import sync
from sandboxes import misbehaving
from stores import serving, variables

from pipeline.cli.commands import main
from pipeline.errors import LakeError, SettingsError
from pipeline.lake.lake import Lake
from pipeline.lake.landing import stage
from pipeline.load.engines import Cluster, as_here
from pipeline.load.find import find_files, incoming_from
from pipeline.load.load import load
from pipeline.load.session import writing
from pipeline.load.worker import Ingested, ingest
from pipeline.sandbox import Account, file_bytes, hour_file_names
from pipeline.source_files import Incoming, Outcome

ACCOUNT = Account("75555851", conversations_per_day=150)
FIRST_HOUR = datetime(2026, 3, 2, tzinfo=UTC)
HOURS = 24
UNIT_BYTES = 8_000  # so that there is always a unit to lose


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """The variables of a bucket, which the cluster's processes and this one share."""
    with serving("lakes") as address:
        yield surroundings() | variables(address)


def surroundings() -> dict[str, str]:
    """The environment without any settings of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LAKE_", "LP_"))}


def use_store(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Have the store's settings in this process, too."""
    for name, value in variables(address).items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def cluster(
    request: pytest.FixtureRequest,
    environment: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Workers]:
    """Three workers, or as many as the test says."""
    use_store(monkeypatch, environment["AWS_ENDPOINT_URL"])
    with running(tmp_path, environment, places=getattr(request, "param", 3) * (LOOPBACK,)) as workers:
        yield workers


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of some hours."""
    folder = tmp_path_factory.mktemp("source")
    for hour in range(HOURS):
        for name in hour_file_names(ACCOUNT, FIRST_HOUR + timedelta(hours=hour)):
            (folder / name).write_bytes(file_bytes(ACCOUNT, name))
    return folder


class Killer:
    """Has a worker lost that is at work, once a few files have been read."""

    def __init__(self, workers: Workers, lose: Callable[[str], None] | None = None) -> None:
        self.victim = ""
        self._workers = workers
        self._lose = lose or (lambda name: workers.processes[name].kill())
        self._outcomes = 0

    def __call__(self, _: Outcome) -> None:
        """Count a file."""
        self._outcomes += 1
        if self._outcomes == HOURS // 4:
            self.victim = self._workers.one_at_work()
            self._lose(self.victim)


def staged_files(lake: Lake) -> list[str]:
    """The files in the folder of incoming files."""
    folder = lake.path("landing", ".incoming")
    return lake.files.find(folder) if lake.files.exists(folder) else []


def test_a_load_into_a_bucket_survives_a_worker(cluster: Workers, source: Path, tmp_path: Path) -> None:
    """One of three workers is killed in mid-load: the rows are those that one process loads, and none is there twice."""
    alone = Lake(str(tmp_path / "alone"))
    take(alone, source)
    lake = Lake(f"s3://lakes/{tmp_path.name}")
    killer = Killer(cluster)
    with writing(lake):
        report = load(
            lake,
            incoming_from(find_files([str(source)])),
            engine=Cluster(cluster.engine, unit_bytes=UNIT_BYTES),
            progress=killer,
        )

    assert cluster.processes[killer.victim].wait(10) == -9
    assert report.loaded == len(list(source.iterdir()))
    assert everything(lake) == everything(alone)
    assert len(staged_files(lake)) < HOURS // 4  # of the unit that the dead one had begun


@pytest.mark.long
def test_a_sync_survives_a_worker(cluster: Workers, tmp_path: Path) -> None:
    """Files that the run itself has downloaded, into a folder that all share, are read by whoever is left."""
    lake = Lake(str(tmp_path / "lake"))
    killer = Killer(cluster)
    alone = Lake(str(tmp_path / "alone"))
    until = FIRST_HOUR + timedelta(hours=HOURS)
    with misbehaving(account=ACCOUNT, now=until + timedelta(days=1)) as (_, client):
        with writing(lake):
            report = sync(
                lake,
                client,
                since=FIRST_HOUR,
                until=until,
                engine=Cluster(cluster.engine, unit_bytes=UNIT_BYTES),
                progress=killer,
            )
        with writing(alone):
            sync(alone, client, since=FIRST_HOUR, until=until)

    assert killer.victim
    assert report.loaded == report.listed > HOURS // 2
    assert everything(lake) == everything(alone)
    assert staged_files(lake) == []
    assert {path.stat().st_mode & 0o077 for path in Path(lake.root).rglob("*.parquet")} == {0}


@pytest.mark.long
@pytest.mark.skipif(not hosts.can_be_made(), reason="this machine does not let us make network namespaces")
def test_a_load_survives_a_host_that_is_cut_off(
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three hosts, one of which nobody reaches any more while it goes on working: the rows are those of one process."""
    alone = Lake(str(tmp_path / "alone"))
    take(alone, source)
    soon = dask.config.set({f"distributed.comm.timeouts.{name}": "11s" for name in ("tcp", "connect")})
    with soon, hosts.connected(3) as places, serving("lakes", host=hosts.MIDDLE) as address:
        use_store(monkeypatch, address)
        patience = {f"DASK_DISTRIBUTED__COMM__TIMEOUTS__{name}": "11s" for name in ("TCP", "CONNECT")}
        everywhere = surroundings() | variables(address) | patience
        with running(tmp_path, everywhere, host=hosts.MIDDLE, places=places) as workers:
            lake = Lake(f"s3://lakes/{tmp_path.name}")
            killer = Killer(workers, lambda name: places[int(name.removeprefix("worker-"))].cut_off())
            with writing(lake):
                report = load(
                    lake,
                    incoming_from(find_files([str(source)])),
                    engine=Cluster(workers.engine, unit_bytes=UNIT_BYTES),
                    progress=killer,
                )
        assert killer.victim
        assert report.loaded == len(list(source.iterdir()))
        assert everything(lake) == everything(alone)


def test_a_unit_can_be_read_twice(tmp_path: Path) -> None:
    """A worker that gets a staged file again, because the first answer was lost, gives the same answer."""
    lake = Lake(str(tmp_path / "lake"))
    lake.create()
    good, broken = gz(document(conversation())), gz(document(conversation("c2")))[:-5]
    unit = []
    for number, content in enumerate((good, broken)):
        path = put(tmp_path, content, f"{number}.gz")
        with path.open("rb") as file:
            unit.append(Incoming(name=path.name, staged=stage(lake, file)))

    def told(done: Ingested) -> list[tuple[str, str, str | None, int]]:
        return [(one.name, one.status, one.staged.sha256, one.counts.conversations) for one in done.outcomes]

    first, second = ingest(lake.uri, unit), ingest(lake.uri, unit)
    assert told(first) == told(second)
    assert [one.status for one in first.outcomes] == ["loaded", "rejected"]
    assert [file.rows for file in second.written["conversations"]] == [1]


def test_an_engine_that_can_not_be_had_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address of another kind, a scheduler that is not there, an extra that is not installed: nothing is loaded."""
    source = put(tmp_path, gz(document(conversation())))
    lake = str(tmp_path / "lake")

    def loaded(engine: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["load", str(source), "--lake", lake, "--engine", engine])
        return done.exit_code, done.stderr.splitlines()[-1].partition(f" (lake {lake}, ")[0]

    assert loaded("spark://host") == (
        2, "lakehouse: --engine: expected an address such as dask://scheduler:8786, found 'spark://host'"
    )  # fmt: skip
    unreachable = Cluster("dask://127.0.0.1:1", patience_seconds=1)
    with pytest.raises(LakeError, match=r"dask://127.0.0.1:1: the scheduler can't be reached, was lost or has no worker;"):
        load(Lake(lake), incoming_from(find_files([str(source)])), engine=unreachable)
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert loaded("dask://127.0.0.1:1") == (
        2, "lakehouse: dask://127.0.0.1:1: it takes a library; pip install 'engagement-lakehouse[dask]'"
    )  # fmt: skip
    assert Lake(lake).snapshot().rows.get("files", 0) == 0


def test_a_worker_of_another_version_reads_nothing() -> None:
    """Rows of two versions of the package never meet in one load."""
    with pytest.raises(SettingsError, match=r"a worker has engagement-lakehouse .*, this process engagement-lakehouse 99;"):
        as_here("engagement-lakehouse 99", lambda _: Ingested(), [])


@pytest.mark.parametrize("cluster", [1], indirect=True)
def test_a_cluster_that_dies_ends_the_load(cluster: Workers, source: Path, tmp_path: Path) -> None:
    """When no worker is left the load ends with what holds and what to do, and the lake is as it was."""
    lake = Lake(str(tmp_path / "lake"))

    def killer(_: Outcome) -> None:
        for process in cluster.processes.values():
            process.kill()

    with (
        pytest.raises(LakeError, match="has no worker; all finished loads are as they were: see to the cluster"),
        writing(lake),
    ):
        load(
            lake,
            incoming_from(find_files([str(source)])),
            engine=Cluster(cluster.engine, unit_bytes=UNIT_BYTES, patience_seconds=1),
            progress=killer,
        )
    assert lake.snapshot().rows.get("files", 0) == 0
