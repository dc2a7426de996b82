"""Files of names in a lake: when they take effect, what holds where they can't be read, and the command that writes them."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from commands import lakehouse
from documents import START, conversation, document, gz, message, name_at, put
from filelock import FileLock
from lakes import ask, copied, first, take

from pipeline.errors import LakeError
from pipeline.lake.lake import Lake
from pipeline.lake.store import LOCK_NAME
from pipeline.load.engines import Processes
from pipeline.load.find import find_files, incoming_from
from pipeline.load.load import load
from pipeline.load.session import writing
from pipeline.warehouse.database import connect
from pipeline.warehouse.name_tables import names_of
from pipeline.warehouse.name_writer import write_names
from pipeline.warehouse.unmet import unmet_notes

FIRST, SECOND = "75555851", "20348697"
SKILLS = "select account_id, skill_id, skill_name, is_bot from skill_names order by all"
HEADER = "account_id,skill_id,skill_name,is_bot\n"


def source(folder: Path, hour: int, *account_ids: str) -> Path:
    """A source file with three conversations of each account: two of skill 12 by agent a5, one of skill 90."""
    said = message("hi", type={"string": "1"}, by={"string": "=Zoë"}, agentId={"string": "a5"})
    documents = [_document(account_id, said) for account_id in account_ids]
    return put(folder, gz(*documents), name_at(hour))


def _document(account_id: str, said: dict[str, Any]) -> dict[str, Any]:
    """A document of an account."""
    conversations = [
        conversation(
            f"{account_id}-{number}",
            skillId={"long": skill_id},
            agentId={"string": "a5"},
            interactionStartTime={"long": START},
            messages=[said],
        )
        for number, skill_id in enumerate((12, 90, 12))
    ]
    return document(*conversations, account_id=account_id)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake of one account."""
    folder = tmp_path_factory.mktemp("names")
    lake = Lake(str(folder / "lake"))
    take(lake, source(folder, 10, FIRST))
    return lake


@pytest.fixture
def lake(made: Lake, tmp_path: Path) -> Lake:
    """A copy of it."""
    return copied(made, tmp_path)


def write(lake: Lake, text: str | bytes, name: str = "skills.csv") -> Path:
    """Write a file of names."""
    path = Path(lake.root) / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def told_by(lake: Lake) -> list[str]:
    """The sentences that a reader is told."""
    told: list[str] = []
    connect(lake, told.append).close()
    return told


def test_names_hold_from_the_next_command_on(lake: Lake) -> None:
    """Without a load a reader sees new names at once, and the DuckDB file has them for other clients; a deleted file counts."""
    assert ask(lake, SKILLS) == []
    path = write(lake, "skill_id,skill_name\n12,Sales\n")
    assert ask(lake, SKILLS) == [(FIRST, 12, "Sales", False)]
    path.write_text(f"{HEADER}{FIRST},12,Shop,\n{FIRST},90,Nova,yes\n", encoding="utf-8")

    assert ask(lake, SKILLS) == [(FIRST, 12, "Shop", False), (FIRST, 90, "Nova", True)]
    with duckdb.connect(f"{lake.root}/lakehouse.duckdb", read_only=True) as connection:
        assert connection.sql("select skill_name from skills order by skill_id").fetchall() == [("Shop",), ("Nova",)]
    path.unlink()
    assert ask(lake, SKILLS) == []
    assert ask(lake, "from name_files") == []


def test_the_duckdb_file_is_made_anew_once(lake: Lake) -> None:
    """Only a change of a file of names makes the DuckDB file anew, also where its lines are wrong."""
    write(lake, f"{HEADER}x\n")
    database = Path(lake.root) / "lakehouse.duckdb"
    former = database.stat().st_ino
    told_by(lake)
    made = database.stat().st_ino
    told_by(lake)

    assert made != former
    assert database.stat().st_ino == made


def test_two_accounts_with_the_same_skill(lake: Lake, tmp_path: Path) -> None:
    """Each account has its own name of an id; when a second account comes, lines without an account can't be told apart."""
    write(lake, "skill_id,skill_name\n12,Sales\n")
    assert ask(lake, SKILLS) == [(FIRST, 12, "Sales", False)]
    take(lake, source(tmp_path, 11, SECOND))

    assert ask(lake, SKILLS) == [(FIRST, 12, "Sales", False)]
    (sentence,) = told_by(lake)
    assert f"expected the column account_id, as the lake has accounts {SECOND} and {FIRST}, found none" in sentence
    write(lake, f"{HEADER}{SECOND},12,Billing,\n{FIRST},12,Sales,\n")
    assert ask(lake, "select account_id, skill_name from skills where skill_id = 12 order by all") == [
        (SECOND, "Billing"),
        (FIRST, "Sales"),
    ]


@pytest.mark.parametrize("others", [(), (FIRST,)])
def test_a_file_of_several_accounts(tmp_path: Path, others: tuple[str, ...]) -> None:
    """Accounts are counted in conversations: where one file has two, a line without an account is of neither, and is named."""
    lake = Lake(str(tmp_path / "lake"))
    take(lake, source(tmp_path, 10, FIRST, SECOND), *(source(tmp_path, 11, account_id) for account_id in others))
    write(lake, f"{HEADER},12,Sales,\n{SECOND},12,Billing,\n")
    fault = (
        "skills.csv, line 2: account_id: expected an account, as the lake has several, found nothing; the line does not count"
    )

    assert ask(lake, SKILLS) == [(SECOND, 12, "Billing", False)]
    assert [fault in sentence for sentence in told_by(lake)] == [True]
    assert [names.faults for names in names_of(lake) if names.faults] == [[f"{fault}: correct or delete it"]]


def test_conversations_that_can_not_be_read(lake: Lake) -> None:
    """Where the accounts of the lake can't be read, a line without one is given to none, and the last names hold."""
    path = write(lake, "skill_id,skill_name\n12,Sales\n")
    assert ask(lake, SKILLS) == [(FIRST, 12, "Sales", False)]
    for part in Path(lake.root, "conversations").glob("date=*/*.parquet"):
        contents = part.read_bytes()
        footer = int.from_bytes(contents[-8:-4], "little") + 8  # its columns can be told, its rows can't be read
        part.write_bytes(contents[:4] + bytes(len(contents) - footer - 4) + contents[-footer:])
    path.write_text("skill_id,skill_name\n12,Shop\n", encoding="utf-8")

    assert ask(lake, SKILLS) == [(FIRST, 12, "Sales", False)]
    (sentence,) = told_by(lake)
    assert "expected an account in each line, as the conversations can't be read" in sentence
    path.write_text(f"{HEADER}{FIRST},12,Shop,\n", encoding="utf-8")
    assert ask(lake, SKILLS) == [(FIRST, 12, "Shop", False)]


def test_wrong_lines_stop_no_load_and_no_reader(lake: Lake, tmp_path: Path) -> None:
    """Data comes in, good lines count, and both say what is wrong: three lines of a file, and how many more there are."""
    write(lake, f"{HEADER}{FIRST},12,Sales,\n" + f"{FIRST},x,Nobody,\n" * 5)
    told: list[str] = []

    with writing(lake, told.append):
        report = load(lake, incoming_from(find_files([str(source(tmp_path, 11, FIRST))])), engine=Processes(1))
    by_reader = told_by(lake)

    assert report.is_complete
    assert told == by_reader
    assert [sentence.removeprefix(f"{lake.uri}/")[:29] for sentence in told[:3]] == [
        f"skills.csv, line {number}: skill_id:" for number in (3, 4, 5)
    ]
    assert told[3:] == [f"{lake.uri}/skills.csv: 2 more lines like that; lakehouse doctor names each"]
    assert ask(lake, SKILLS) == [(FIRST, 12, "Sales", False)]


@pytest.mark.parametrize("bad", [b"\xff\n", *(pytest.param(bad, marks=pytest.mark.long) for bad in (b"", b"name\nSales\n"))])
def test_a_file_that_can_not_be_used_leaves_the_last_names(lake: Lake, tmp_path: Path, bad: bytes) -> None:
    """Readers and loads keep the last names of that file, and of no other, until it is corrected."""
    write(lake, "skill_id,skill_name\n12,Sales\n")
    agents = write(lake, "agent_id,agent_name\na5,Zoe\n", "agents.csv")
    assert ask(lake, SKILLS) == [(FIRST, 12, "Sales", False)]
    write(lake, bad)
    agents.write_text("agent_id,agent_name\na5,Zoe Miller\n", encoding="utf-8")

    assert len(told_by(lake)) == 1
    take(lake, source(tmp_path, 11, FIRST))
    assert ask(lake, SKILLS) == [(FIRST, 12, "Sales", False)]
    assert ask(lake, "select agent_name from agents") == [("Zoe Miller",)]
    (Path(lake.root) / "lakehouse.duckdb").unlink()
    assert ask(lake, SKILLS) == []


def _sparse(path: Path) -> None:
    with path.open("wb") as out:
        out.truncate(9 << 20)


@pytest.mark.parametrize(
    ("put", "problem"),
    [
        (Path.mkdir, "it is no regular file"),
        (os.mkfifo, "it is no regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "it is no regular file"),
        (lambda path: path.symlink_to("nowhere"), "the link leads nowhere"),
        (_sparse, "it is larger than 8 MiB"),
    ],
    ids=["folder", "pipe", "device", "nowhere", "huge"],
)
@pytest.mark.parametrize("name", ["skills.csv", pytest.param("settings.csv", marks=pytest.mark.long)])
def test_what_is_no_file_is_named_and_stops_nobody(lake: Lake, name: str, put: Callable[[Path], None], problem: str) -> None:
    """A command that reads has a sentence on it, and its answer; `lakehouse names` makes nothing outside of the lake."""
    (Path(lake.root) / name).unlink(missing_ok=True)
    put(Path(lake.root) / name)

    (sentence,) = told_by(lake)
    assert sentence.startswith(f"{lake.uri}/{name}: ")
    assert problem in sentence
    if name == "skills.csv":
        assert sentence.endswith("no line counts, and the last names hold: put a file in its place, or none")
        with connect(lake) as connection, pytest.raises(LakeError, match=problem):
            write_names(lake, connection)
    assert not (Path(lake.root) / "nowhere").exists()


def test_a_reader_beside_a_writer_has_the_names_in_its_copy(lake: Lake) -> None:
    """Where the DuckDB file can't be made anew, a reader's own copy has the new names, and the file stays."""
    database = Path(lake.root) / "lakehouse.duckdb"
    former = database.read_bytes()
    write(lake, "skill_id,skill_name\n12,Sales\n")

    with FileLock(lake.path(LOCK_NAME)):
        assert ask(lake, SKILLS) == [(FIRST, 12, "Sales", False)]
        assert database.read_bytes() == former
    assert ask(lake, SKILLS) == [(FIRST, 12, "Sales", False)]
    assert database.read_bytes() != former


def test_names_command(lake: Lake, tmp_path: Path) -> None:
    """The first run writes each file, most used ids first; filled in they count, and a second run changes no byte."""
    done = lakehouse("names", "--lake", lake.uri, cwd=tmp_path)
    files = {name: Path(lake.root) / name for name in ("skills.csv", "agents.csv", "campaigns.csv")}

    assert (done.returncode, done.stdout.splitlines()) == (
        0,
        [
            f"{lake.uri}/skills.csv: 2 lines added, 2 skills, 2 without a name",
            f"{lake.uri}/agents.csv: 1 line added, 1 agent, 1 without a name, 1 of them with a nickname",
            f"{lake.uri}/campaigns.csv: 0 campaigns, 0 without a name",
        ],
    )
    assert "fill in names and groups" in done.stderr
    assert files["skills.csv"].read_text("utf-8-sig").splitlines()[1:] == [f"{FIRST},12,,,", f"{FIRST},90,,,"]
    assert files["agents.csv"].read_text("utf-8-sig").splitlines()[1:] == [f"{FIRST},a5,,,,,,'=Zoë"]
    assert not files["campaigns.csv"].exists()
    assert files["skills.csv"].stat().st_mode & 0o777 == 0o600
    assert ask(lake, "select agent_name from agents") == [("=Zoë",)]

    files["skills.csv"].write_text(f"{HEADER}{FIRST},90,Nova,true\n", encoding="utf-8")
    files["skills.csv"].chmod(0o664)
    done = lakehouse("names", "--lake", lake.uri, cwd=tmp_path)
    assert done.stdout.splitlines()[0] == f"{lake.uri}/skills.csv: 1 line added, 2 skills, 1 without a name"
    assert files["skills.csv"].read_text() == f"{HEADER}{FIRST},90,Nova,true\n{FIRST},12,,\n"
    assert files["skills.csv"].stat().st_mode & 0o777 == 0o664
    former = {name: (path.read_bytes(), path.stat().st_ino) for name, path in files.items() if path.exists()}
    lakehouse("names", "--lake", lake.uri, cwd=tmp_path)
    assert {name: (path.read_bytes(), path.stat().st_ino) for name, path in files.items() if path.exists()} == former
    assert list(Path(lake.root).glob(".*csv*")) == []


def test_names_command_and_wrong_lines(lake: Lake, tmp_path: Path) -> None:
    """A wrong line stays as it is, with its id; the command names it and ends with 3, as one that found something."""
    path = write(lake, f"{HEADER}{FIRST},12,Sales,perhaps\n")

    done = lakehouse("names", "--lake", lake.uri, cwd=tmp_path)

    assert done.returncode == 3
    assert "skills.csv, line 2: is_bot: expected true or false, found 'perhaps'; the line does not count" in done.stderr
    assert path.read_text() == f"{HEADER}{FIRST},12,Sales,perhaps\n{FIRST},90,,\n"
    write(lake, b"\xff")
    done = lakehouse("names", "--lake", lake.uri, cwd=tmp_path)
    assert (done.returncode, path.read_bytes()) == (3, b"\xff")


def test_a_link_stays_a_link(lake: Lake, tmp_path: Path) -> None:
    """A file of names may lie elsewhere: what is added is written there."""
    elsewhere = tmp_path / "shared" / "our-skills.csv"
    elsewhere.parent.mkdir()
    elsewhere.write_text("skill_id,skill_name\n12,Sales\n", encoding="utf-8")
    link = Path(lake.root) / "skills.csv"
    link.symlink_to(elsewhere)

    lakehouse("names", "--lake", lake.uri, cwd=tmp_path)

    assert link.is_symlink()
    assert elsewhere.read_text() == "skill_id,skill_name\n12,Sales\n90,\n"
    assert ask(lake, SKILLS) == [(FIRST, 12, "Sales", False)]


def test_an_edit_at_the_same_time_is_kept(lake: Lake) -> None:
    """A file that is saved while ids are added to it is read again, so no edit is lost."""
    path = write(lake, "skill_id,skill_name\n12,Sales\n")

    with connect(lake) as connection, first(lake, "names", lambda: write(lake, "skill_id,skill_name\n12,Shop\n")):
        write_names(lake, connection)

    assert path.read_text() == "skill_id,skill_name\n12,Shop\n90,\n"


def test_doctor_names_each_line(lake: Lake, tmp_path: Path) -> None:
    """Each wrong line has its own line in doctor, and each column that is not read."""
    write(lake, "account_id,skill_id,skill_name,colour\n" + f"{FIRST},x,Nobody,red\n" * 5)

    done = lakehouse("doctor", "--lake", lake.uri, cwd=tmp_path)

    lines = [line for line in done.stdout.splitlines() if "skills.csv" in line]
    assert [line.split()[0] for line in lines] == ["warn"] * 5 + ["ok"]
    assert "the column 'colour' is kept, and not read" in lines[-1]


def test_an_id_that_no_conversation_has_is_told(lake: Lake, tmp_path: Path) -> None:
    """Doctor and names tell the lines of unmet ids, with their numbers and how many; that is a note, not a failure."""
    write(lake, HEADER + f"{FIRST},12,Sales,\n{FIRST},21,Slaes,\n{SECOND},12,Elsewhere,\n{FIRST},1,A,\n{FIRST},2,B,\n")
    write(lake, f"account_id,agent_id,agent_name\n{FIRST},a5,Zoe\n{FIRST},A5,Zoe\n", "agents.csv")
    write(lake, f"account_id,skill_id\n{FIRST},12\n", "campaigns.csv")
    skills = (
        f"{lake.uri}/skills.csv: no conversation has the id of 4 of 5 lines, which name nothing so far: line 3 (skill 21 "
        f"of account {FIRST}), line 4 (skill 12 of account {SECOND}), line 5 (skill 1 of account {FIRST}), 1 more; "
        "correct the ids that are typos"
    )
    agents = (
        f"{lake.uri}/agents.csv: no conversation has the id of 1 of 2 lines, which name nothing so far: "
        f"line 3 (agent A5 of account {FIRST}); correct the ids that are typos"
    )

    told = [line.split(maxsplit=2) for line in lakehouse("doctor", "--lake", lake.uri, cwd=tmp_path).stdout.splitlines()]
    assert [line for line in told if "no conversation has" in line[2]] == [["ok", "names", skills], ["ok", "names", agents]]
    (Path(lake.root) / "campaigns.csv").unlink()
    done = lakehouse("names", "--lake", lake.uri, cwd=tmp_path)
    assert done.returncode == 0
    assert [line for line in done.stderr.splitlines() if "no conversation has" in line] == [skills, agents]


def test_before_the_first_conversation_no_id_is_told(tmp_path: Path) -> None:
    """A lake without conversations has met nobody, and tells no line; nor does one in which each id is met."""
    lake = Lake(str(tmp_path / "lake"))
    take(lake, put(tmp_path / "in", gz(), name_at(10)))
    write(lake, HEADER + f"{FIRST},12,Sales,\n")
    assert unmet_notes(lake) == []
    take(lake, source(tmp_path / "in", 11, FIRST))
    assert unmet_notes(lake) == []
    write(lake, HEADER + f"{FIRST},13,Sales,\n")
    assert len(unmet_notes(lake)) == 1


def test_names_without_a_lake(tmp_path: Path) -> None:
    """Where nothing was ever loaded, nothing is written."""
    done = lakehouse("names", "--lake", str(tmp_path / "none"), cwd=tmp_path)

    assert done.returncode == 1
    assert "there is no lake" in done.stderr
    assert not (tmp_path / "none").exists()


def test_no_pattern_of_a_topic_stops_a_query(lake: Lake) -> None:
    """Libraries of regular expressions differ in details: a pattern that DuckDB refuses does not count, and others do."""
    patterns = ["(?<n>a)", "(?P<n>a)", "(?i)a", "[[:alpha:]]{1000}", "\\pL", "a{,2}", "(?:", "\\8", "(?-m)^a", "(?i)^hi$"]
    lines = [f'{number},"{pattern}"\n' for number, pattern in enumerate(patterns)]
    path = write(lake, f"name,pattern\n{''.join(lines)}", "topics.csv")
    with connect(lake) as connection:
        found = connection.execute("select topics_in(account_id, text) from messages").fetchall()
    assert all("9" in topics for (topics,) in found), found
    path.unlink()


def test_topics_hold_from_the_next_command_on(lake: Lake) -> None:
    """New topics are found at once, of any account, and no longer once the file is gone."""
    query = "select distinct topics_in(account_id, text) from messages"
    assert ask(lake, query) == [([],)]
    path = write(lake, f"name,pattern,account_id\nit's,^HI$,\nother,hi,{SECOND}\n", "topics.csv")
    assert ask(lake, query) == [(["it's"],)]
    with duckdb.connect(f"{lake.root}/lakehouse.duckdb", read_only=True) as connection:
        assert connection.sql(query).fetchall() == [(["it's"],)]
    path.unlink()
    assert ask(lake, query) == [([],)]
