"""An erase that is asked for again, or of an id that nothing has, says what holds and what to do."""

import json
from pathlib import Path
from typing import Any

import pytest
from commands import lakehouse
from documents import gz, name_at, owned, put
from lakes import conversations, killed_before, take

from pipeline.cli.summaries import erasure
from pipeline.erasure.erase import erase_all
from pipeline.erasure.results import Erased
from pipeline.lake.lake import Lake
from pipeline.load.session import writing


def of_one_kind(quick: str, *, visitor: str) -> list[Any]:
    """An id of each kind; all but one take longer."""
    idents = {"consumer": "X", "visitor": visitor, "conversation": "x"}
    return [pytest.param(*one, marks=() if one[0] == quick else pytest.mark.long) for one in idents.items()]


def erased(lake: Lake, kind: str, ident: str) -> tuple[Erased, str]:
    """Erase as the command does; gives what it says, too."""
    with writing(lake):
        done = erase_all(lake, [(kind, ident)])
    return done, "\n".join(erasure(done, [(kind, ident)]))


def test_a_broken_file_deleted_leads_to_a_finished_erase(lake: Lake, tmp_path: Path) -> None:
    """Once the file that could not be searched is deleted, the same command ends with 0 and says since when it is erased."""
    take(lake, *(put(tmp_path / "in", gz(owned(f"x{hour}", "X")), name_at(hour)) for hour in range(2)))
    broken = next(Path(lake.root, "landing").rglob(name_at(1)))
    broken.write_bytes(broken.read_bytes()[:-9])
    first, said = erased(lake, "consumer", "X")
    assert (first.is_complete, f"{broken}; restore it or delete it, and erase again" in said) == (False, True)
    again, said = erased(lake, "consumer", "X")
    assert (again.is_complete, "nothing of it was found where it could be" in said) == (False, True)
    broken.unlink()
    done = lakehouse("erase", "--consumer-id", "X", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "erased already, asked for last on 20" in done.stdout
    assert "the consumer's id; searched again, nothing of it is left\n" in done.stdout


@pytest.mark.parametrize(("kind", "ident"), of_one_kind("visitor", visitor="V"))
def test_an_erase_killed_after_the_rows_went_is_finished_by_the_same_command(
    lake: Lake, tmp_path: Path, kind: str, ident: str
) -> None:
    """Run again, it is complete; so it is for a conversation that went with its person."""
    take(lake, put(tmp_path / "in", gz(owned("x", "X"))))
    with killed_before(lake, "delete"):
        erased(lake, kind, ident)
    assert erased(lake, kind, ident)[0].is_complete
    assert erased(lake, "conversation", "x")[0].is_complete


@pytest.mark.parametrize(("kind", "ident"), of_one_kind("conversation", visitor="W"))
def test_an_id_never_found_stays_not_found(lake: Lake, tmp_path: Path, kind: str, ident: str) -> None:
    """A misspelled id asked for twice is not taken for an erased one; it has a tombstone, and the sentence says so."""
    take(lake, put(tmp_path / "in", gz(owned("y", "Y"))))
    for _ in range(3):
        done, said = erased(lake, kind, ident)
        assert (done.is_complete, done.already, done.not_found) == (False, {}, [(kind, ident)])
        assert "nothing of it was erased; a tombstone now keeps out data of this id that comes late" in said
    take(lake, put(tmp_path / "in", gz(owned("x", "X", "W")), name_at(1)))
    assert conversations(lake) == ["y"]


@pytest.mark.parametrize(
    ("kind", "ident", "hint"),
    [
        ("consumer", "V v", "a visitor has it: lakehouse erase --visitor-id 'V v'"),
        ("visitor", "c1", "a conversation has it: lakehouse erase --conversation-id c1"),
        ("conversation", "Über", "a consumer has it: lakehouse erase --consumer-id 'Über'"),
        ("consumer", "üBER", "a consumer has it in other upper and lower case: lakehouse erase --consumer-id 'Über'"),
        pytest.param(
            *("consumer", "C1", "a conversation has it in other upper and lower case: lakehouse erase --conversation-id c1"),
            marks=pytest.mark.long,
        ),
    ],
)
def test_an_id_that_is_there_in_another_way_is_told(lake: Lake, tmp_path: Path, kind: str, ident: str, hint: str) -> None:
    """An id that exists as another kind, or in another case, is reported with the command that erases it."""
    take(lake, put(tmp_path / "in", gz(owned("c1", "Über", "V v"))))
    done, said = erased(lake, kind, ident)
    assert (done.is_complete, conversations(lake)) == (False, ["c1"])
    assert f"\n  no {kind} has this very id; {hint}\n" in said


@pytest.mark.parametrize(("kind", "ident"), of_one_kind("consumer", visitor="V"))
def test_an_id_with_blanks_around_it_in_the_data_is_erased(lake: Lake, tmp_path: Path, kind: str, ident: str) -> None:
    """Blanks around an id are none of it, in the data as in what is asked for; it stays out when it comes again."""
    mine = owned(" x\t", "\u3000X\xa0\n", "\u2003V ")
    take(lake, put(tmp_path / "in", gz(mine, owned("y", "Y", "W"))))
    done, said = erased(lake, kind, ident)
    assert (done.is_complete, conversations(lake), done.landed_rewritten) == (True, ["y"], 1), said
    take(lake, put(tmp_path / "in", gz(mine, json.dumps(mine, indent=1), owned("z", "Z", "W")), name_at(1)))
    assert conversations(lake) == ["y", "z"]
    done, said = erased(lake, kind, ident)
    assert done.is_complete, said
