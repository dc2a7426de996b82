"""Mistakes in the files that people edit: the report begins with them, since they move its figures."""

from pathlib import Path

import duckdb
import pytest
from commands import lakehouse
from documents import conversation, document, gz, put
from lakes import take
from made_lake import make_lake
from report_pages import HOSTILE, Element, browse, needs_browser, read_page

from pipeline.errors import SettingsError
from pipeline.lake.lake import Lake
from pipeline.report import write_report
from pipeline.warehouse.names import NAME_FILES, parse_names
from pipeline.warehouse.rules import parse_rules

SKILLS_CSV = "account_id,skill_id,skill_name,is_bot\n4711,12,Bot,treu\n"


def faults_of(page: Element) -> list[str]:
    """The lines of the banner."""
    return [line.text for line in page.by_id("faults").every("li")]


def hostile_lake(folder: Path) -> tuple[Path, list[str]]:
    """A lake of few days whose skills.csv has a hostile value in each of its lines; the file's faults."""
    values = [*HOSTILE, "\u202e\x1b[31m" + "x" * 5000, *(f"value {number}" for number in range(20))]
    lines = [f'1,{number},"{value}"\n'.replace("'\"", '\'""') for number, value in enumerate(values)]
    raw = "account_id,skill_id,is_bot\n" + "".join(lines)
    faults = parse_names(raw.encode(), NAME_FILES[0], lambda: ["1"]).faults
    path = make_lake(folder, accounts=("1",), days=2, per_day=5)
    with duckdb.connect(str(path)) as connection:
        connection.execute("insert into name_files values ('skills.csv', 'x', ?)", [faults])
    return path, faults


def write(path: Path, settings_fault: str = "") -> Element:
    """Write the report on a lake, and read it back."""
    target = path.with_name("report.html")
    with duckdb.connect(str(path), read_only=True) as connection:
        write_report(connection, target, settings_fault)
    return read_page(target.read_text(encoding="utf-8"))


def test_a_lake_without_mistakes_has_no_banner(tmp_path: Path) -> None:
    """Nothing is said where nothing is wrong."""
    page = write(make_lake(tmp_path, days=1, per_day=3))

    assert not [element for element in page.walk() if element.attributes.get("id") == "faults"]


def test_the_report_command_names_file_line_and_consequence(tmp_path: Path) -> None:
    """A typo in skills.csv and one in settings.csv stand above the figures, and go when they are corrected."""
    lake = Lake(str(tmp_path / "lake"))
    take(lake, put(tmp_path, gz(document(conversation(), account_id="4711"))))
    settings = Path(lake.root) / "settings.csv"
    right = settings.read_text()
    settings.write_text(right.replace("service_level_seconds,,30", "service_level_seconds,,fast"))
    (Path(lake.root) / "skills.csv").write_text(SKILLS_CSV)
    done = lakehouse("report", "--lake", lake.root, cwd=tmp_path)
    assert done.returncode == 0
    text = Path(done.stdout.strip()).read_text(encoding="utf-8")
    page = read_page(text)

    number = next(at for at, line in enumerate(right.splitlines(), 1) if line.startswith("service_level_seconds"))
    holds = "correct it or delete the line; until then the views keep the last settings that could be used"
    assert faults_of(page) == [
        "skills.csv, line 2: is_bot: expected true or false, found 'treu'; the line does not count: correct or delete it",
        f"settings.csv, line {number}: service_level_seconds: expected a number, as 30 or 2.5, found 'fast'; {holds}",
    ]
    assert text.index('id="faults"') < text.index('id="key-p50"')
    assert lake.root not in page.by_id("faults").text

    settings.write_text(right)
    (Path(lake.root) / "skills.csv").write_text(SKILLS_CSV.replace("treu", "true"))
    assert lakehouse("report", "--lake", lake.root, cwd=tmp_path).returncode == 0
    assert 'id="faults"' not in Path(done.stdout.strip()).read_text(encoding="utf-8")


def test_mistakes_are_escaped_and_bounded(tmp_path: Path) -> None:
    """Hostile values add no element and no control; five lines of a file are named, the rest counted."""
    path, faults = hostile_lake(tmp_path)
    with pytest.raises(SettingsError, match="time_zone") as raised:
        parse_rules(f"setting,account_id,value,about\ntime_zone,,{'y' * 9000},\n{HOSTILE[0]},,1,\n".encode(), "settings.csv")
    page = write(path, str(raised.value))

    assert len(faults) == 24
    shown = faults_of(page)
    assert len(shown) == 5 + 1 + 1
    assert shown[0].startswith("skills.csv, line 2: is_bot: expected true or false, found '</script ><img")
    assert shown[-1] == "and 19 more of them: lakehouse doctor names each"
    assert all(len(line) <= 1_000 and line.isprintable() for line in shown)
    assert page.every("img") == []
    assert len(page.every("script")) == 5  # three of data


@needs_browser
def test_mistakes_in_a_browser(tmp_path: Path) -> None:
    """The banner stands in the page after its scripts ran, with hostile values as text and nothing on the console."""
    path, _ = hostile_lake(tmp_path)
    written = write(path, "settings.csv: expected UTF-8 text, found other bytes; save it as UTF-8")
    page, messages = browse(tmp_path / "report.html", tmp_path / "profile", 390)

    assert messages == []
    assert page.every("img") == []
    assert faults_of(page) == faults_of(written)
    assert page.by_id("faults").text == written.by_id("faults").text
