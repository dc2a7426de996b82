"""The metrics of a lake: what Prometheus reads of them is what the JSON form has."""

import json
import os
import stat
from collections import Counter
from pathlib import Path

import pytest
from commands import lakehouse
from documents import conversation, document, gz, name_at, put
from prometheus_client.parser import text_string_to_metric_families

from pipeline import schema
from pipeline.cli.metrics import LATE, STATES
from pipeline.lake.lake import Lake

ODD = 'a"b\\c\n{d}'
"""An account's id with all that the text form of metrics has a meaning for."""

Samples = dict[tuple[str, ...], float]


def read(text: str) -> Samples:
    """The samples by name and values of labels, as a server of Prometheus reads them."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


def with_files(folder: Path) -> None:
    """Load two accounts' files into `folder/lake`: one has a broken file and a broken document."""
    put(folder, gz(document(conversation("c1"), account_id="75555851")), name_at(1))
    put(folder, gz(document(conversation("c2"), account_id=ODD), {"no": "document"}), name_at(2))
    put(folder, b"no gzip", name_at(3))
    assert lakehouse("load", str(folder), "--lake", "lake", cwd=folder).returncode == 3


def test_the_metrics_are_those_of_the_json_form(tmp_path: Path) -> None:
    """Hours by state, overdue hours, rejects and rows by table are the numbers that status and SQL give."""
    with_files(tmp_path)
    done = lakehouse("status", "--lake", "lake", "--max-age", "3h", "--format", "prometheus", cwd=tmp_path)
    plain = json.loads(lakehouse("status", "--lake", "lake", "--max-age", "3h", "--format", "json", cwd=tmp_path).stdout)
    found = read(done.stdout)

    assert done.returncode == 3
    accounts = {row["account_id"] or "" for row in plain["hours"]}
    counts = Counter(("lakehouse_hours", row["account_id"] or "", row["state"]) for row in plain["hours"])
    assert {key: value for key, value in found.items() if key[0] == "lakehouse_hours"} == {
        ("lakehouse_hours", account, state): counts["lakehouse_hours", account, state]
        for account in accounts
        for state in STATES
    }
    overdue = Counter((row["account_id"] or "", row["state"]) for row in plain["overdue"])
    assert {key[1:]: value for key, value in found.items() if key[0] == "lakehouse_overdue_hours"} == {
        (account, state): overdue[account, state] for account in accounts for state in LATE
    }
    assert overdue["75555851", "unknown"] > 700
    assert sum(value for key, value in found.items() if key[0] == "lakehouse_rejected_files") == 1
    assert found["lakehouse_rejected_documents", ODD] == 1
    assert found["lakehouse_nothing_came",] == 0
    for table in schema.TABLES:
        rows = lakehouse("sql", "--lake", "lake", f"select count(*) from {table}", "--format", "csv", cwd=tmp_path).stdout
        assert found["lakehouse_rows", table] == float(rows.split()[1])


def test_an_empty_lake_has_metrics_too(tmp_path: Path) -> None:
    """Of a lake into which nothing ever came a metric says so; without an age there is none of overdue hours."""
    Lake(str(tmp_path / "lake")).create()
    done = lakehouse("status", "--lake", "lake", "--format", "prometheus", cwd=tmp_path)
    found = read(done.stdout)

    assert found["lakehouse_nothing_came",] == 1
    assert not any(key[0] == "lakehouse_overdue_hours" for key in found)


def test_the_file_is_whole_and_the_collector_may_read_it(tmp_path: Path) -> None:
    """A file of metrics takes the place of the last one at once, and every user may read it; other forms stay the owner's."""
    with_files(tmp_path)
    target = tmp_path / "lake.prom"
    target.write_text("former")
    for form, mode in (("prometheus", 0o644), ("json", 0o600)):
        done = lakehouse("status", "--lake", "lake", "--format", form, "--output", str(target), cwd=tmp_path)
        assert (done.stdout, target.stat().st_mode & 0o777) == ("", mode)
        assert "former" not in target.read_text()
    assert sorted(path.name for path in tmp_path.glob(".lake.prom*")) == []
    refused = lakehouse("status", "--lake", "lake", "--output", str(tmp_path / "none" / "x.prom"), cwd=tmp_path)
    assert refused.returncode == 2
    assert "cannot be written" in refused.stderr


def test_a_device_keeps_its_rights(tmp_path: Path) -> None:
    """Only a file that the command makes is made legible for the collector."""
    with_files(tmp_path)
    device = tmp_path / "null"
    try:
        os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root makes devices")
    device.chmod(0o666)
    for output in (device, tmp_path / "x.prom"):
        call = ("status", "--lake", "lake", "--format", "prometheus", "--output", str(output))
        assert lakehouse(*call, cwd=tmp_path).returncode == 0
    assert stat.S_IMODE(device.stat().st_mode) == 0o666
    assert stat.S_IMODE((tmp_path / "x.prom").stat().st_mode) == 0o644


def test_a_place_without_a_lake_has_metrics(tmp_path: Path) -> None:
    """They say that nothing came, with the exit code of that."""
    done = lakehouse("status", "--format", "prometheus", cwd=tmp_path)
    assert (done.returncode, read(done.stdout)["lakehouse_nothing_came",]) == (3, 1)
    assert not (tmp_path / "lake").exists()
