"""The DuckDB file that each load begins with: kept between processes, made anew where it is damaged or out of date."""

import shutil
import zlib
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from pipeline.lake.formats import sql_folder
from pipeline.warehouse import library
from pipeline.warehouse.template import digest, kept_or_made, template

MADE = bytes(range(256)) * 1000


def refuse() -> bytes:
    """Fail, where nothing is to be made."""
    raise AssertionError


def test_the_kept_file_is_taken() -> None:
    """A second process makes nothing: it reads the file of the first, beside Python's compiled files."""
    made = template()
    path = Path(cache_from_source(library.__file__)).with_name(f"views-{digest(sql_folder())}.duckdb.z")

    assert kept_or_made(path, refuse) == made


@pytest.mark.parametrize(
    "left", [b"", zlib.compress(MADE)[:-9], b"other", zlib.compress(b"other"), bytes(32) + zlib.compress(b"other")]
)
def test_a_damaged_file_is_made_anew(tmp_path: Path, left: bytes) -> None:
    """A file that a power cut left half, or that is something else, is replaced."""
    path = tmp_path / "__pycache__" / "views-1.duckdb.z"
    path.parent.mkdir()
    path.write_bytes(left)

    assert kept_or_made(path, lambda: MADE) == MADE
    assert kept_or_made(path, refuse) == MADE


def test_one_version_is_kept(tmp_path: Path) -> None:
    """The file of a version replaces those of others; nothing else lies there."""
    folder = tmp_path / "__pycache__"
    for version in ("1", "2"):
        kept_or_made(folder / f"views-{version}.duckdb.z", lambda: MADE)

    assert [path.name for path in folder.iterdir()] == ["views-2.duckdb.z"]


def test_a_folder_that_cannot_be_written_is_no_reason_to_fail(tmp_path: Path) -> None:
    """Where nothing can be kept, the file is made all the same."""
    (tmp_path / "file").touch()

    assert kept_or_made(tmp_path / "file" / "views-1.duckdb.z", lambda: MADE) == MADE


def test_files_beside_the_library_do_not_count(tmp_path: Path) -> None:
    """A folder, an editor's dangling lock or a note in a folder of sql/ changes nothing."""
    sql = shutil.copytree(sql_folder(), tmp_path / "sql")
    (sql / "steps" / ".ipynb_checkpoints").mkdir()
    (sql / "steps" / ".#named_entries.sql").symlink_to("user@host.1")
    (sql / "steps" / "notes.txt").touch()

    assert digest(sql) == digest(sql_folder())


def test_other_sql_is_another_version(tmp_path: Path) -> None:
    """A change in any file of the library changes the digest."""
    sql = shutil.copytree(sql_folder(), tmp_path / "sql")
    before = digest(sql)
    view = sql / "steps" / "named_entries.sql"
    view.write_text(view.read_text(encoding="utf-8") + "-- Changed.\n", encoding="utf-8")

    assert (before, digest(sql) == before) == (digest(sql_folder()), False)
