"""Progress of a run without a terminal: its counts, and nothing twice."""

from datetime import timedelta
from pathlib import Path

import pytest
from documents import conversation, document, gz, name_at, put
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cli.progress import LoadProgress
from pipeline.lake.lake import Lake
from pipeline.load.engines import Processes
from pipeline.load.find import find_files, incoming_from
from pipeline.load.load import load
from pipeline.load.session import writing
from pipeline.text import counted, program, span


def said(folder: Path, capsys: pytest.CaptureFixture[str], **how: float) -> list[str]:
    """The lines of a load of three files, the last one of which is cut short."""
    whole = [put(folder, gz(document(conversation(f"c{hour}"))), name_at(hour)) for hour in range(2)]
    cut = put(folder, gz(document())[:-3], name_at(2))
    incoming = incoming_from(find_files(map(str, [*whole, cut])))
    lake = Lake(str(folder / "lake"))
    with LoadProgress(len(incoming), **how) as progress, writing(lake):
        load(lake, incoming, engine=Processes(1), progress=progress.loaded)
    return capsys.readouterr().err.splitlines()


def test_a_quick_run_says_nothing_on_its_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files are no lines, so that the mail of a run is short: the summary names those that fail."""
    assert said(tmp_path, capsys) == []


def test_a_long_run_says_how_far_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Once in a while, here always, a line says how many files of how many are through."""
    lines = said(tmp_path, capsys, log_seconds=0)
    assert lines == [
        "loading 1 of 3 files, 2 rows",
        "loading 2 of 3 files, 4 rows",
        "loading 3 of 3 files, 4 rows",
    ]


@given(st.integers(min_value=0))
def test_one_is_no_plural(count: int) -> None:
    """Only one of a thing is without an s; thousands are grouped."""
    number, noun = counted(count, "file").split()
    assert int(number.replace(",", "")) == count
    assert (noun == "file") == (count == 1)
    assert counted(count, "delivery", "deliveries").endswith("delivery" if count == 1 else "deliveries")


@pytest.mark.parametrize(
    ("minutes", "told"),
    [
        (7 * 60 + 5, "7 hours"),
        (60, "1 hour"),
        (24 * 60 + 59, "1 day"),
        (50 * 60, "2 days and 2 hours"),
        (59, "59 minutes"),
        (1, "1 minute"),
        (0, "0 minutes"),
    ],
)
def test_a_span_leaves_out_what_is_zero(minutes: int, told: str) -> None:
    """Days and hours, neither of them if there are none; minutes where that leaves nothing."""
    assert span(timedelta(minutes=minutes)) == told


@pytest.mark.parametrize(
    ("called", "told"),
    [
        ("bin/lakehouse", "bin/lakehouse"),
        ("./lakehouse", "./lakehouse"),
        ("{}/bin/lakehouse", "bin/lakehouse"),
        ("-c", "lakehouse"),
    ],
)
def test_what_comes_next_can_be_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, called: str, told: str) -> None:
    """A command is named as it was called, from the working folder, where it is not on PATH; else by its name."""
    for file in (tmp_path / "bin" / "lakehouse", tmp_path / "lakehouse"):
        file.parent.mkdir(exist_ok=True)
        file.touch(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [called.format(tmp_path)])
    monkeypatch.setenv("PATH", "/nowhere")
    assert program() == told
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert program() == "lakehouse"
