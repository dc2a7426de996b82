"""Erasing somebody: nothing of that person is left anywhere in the lake, everybody else's data is as it was."""

import json
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from commands import lakehouse
from computed_facts import require_computed_facts
from documents import START, TAG, conversation, document, gz, message, name_at, put
from hypothesis import given, settings
from hypothesis import strategies as st
from lakes import ask, everything, killed_before, take
from marked import Json, Marked, contents, found
from selections import often

from pipeline.cli.commands import main
from pipeline.erasure.erase import erase
from pipeline.erasure.results import Erased
from pipeline.erasure.search import find, list_landed
from pipeline.erasure.tombstones import KEY_FILE, Tombstones
from pipeline.errors import LakeError
from pipeline.lake.lake import Lake
from pipeline.lake.snapshot import LEDGER, Change
from pipeline.load.engines import Processes
from pipeline.load.find import find_files, incoming_from
from pipeline.load.load import load
from pipeline.load.session import writing
from pipeline.maintenance.compact import compact
from pipeline.schema import DELIVERED
from pipeline.warehouse.database import connect

CONSUMER, VISITOR = "consumer/ü-41", "visitor 41"
HOSTILE = "'); drop table x; --\n\"$1"


def escaped(value: Any) -> bytes:
    """JSON with every letter of every text escaped."""
    match value:
        case str():
            return b'"' + "".join(f"\\u{ord(letter):04x}" for letter in value).encode() + b'"'
        case dict():
            return b"{" + b",".join(json.dumps(name).encode() + b":" + escaped(item) for name, item in value.items()) + b"}"
        case list():
            return b"[" + b",".join(map(escaped, value)) + b"]"
        case _:
            return json.dumps(value).encode()


def run(lake: Lake, kind: str, ident: str, **options: Any) -> Erased:
    """Erase, as the command does."""
    with writing(lake):
        return erase(lake, kind, ident, **options)


def rows_of_others(lake: Lake, erased: set[str]) -> list[Any]:
    """All columns of all rows of conversations that are not erased, and the rejects of others."""
    ids = ", ".join(f"'{one}'" for one in erased)
    rejects = "select account_id, source_file, reason, raw from rejects where raw like 'garbage%' order by all"
    queries = [f"select * from {table} where conversation_id not in ({ids}) order by all" for table in DELIVERED]
    with connect(lake) as connection:
        return [connection.sql(query).fetchall() for query in (*queries, rejects)]


@pytest.mark.parametrize(
    ("kind", "is_compacted"),
    [
        pytest.param("consumer", False, marks=pytest.mark.long),
        ("visitor", True),
        pytest.param("conversation", False, marks=pytest.mark.long),
    ],
)
def test_no_value_of_the_person_is_left(lake: Lake, tmp_path: Path, kind: str, is_compacted: bool) -> None:  # noqa: FBT001
    """Every value of an erased conversation is in the lake before, and in none of its files after, packed or not."""
    one, two, other, rest = (Marked(person) for person in "1234")
    others = other.document(other.conversation("o1", "consumer-42"), visitor="visitor-42")
    mixed = document(
        recordCollection=[
            one.record(one.conversation("p1", CONSUMER), visitor=VISITOR),
            other.record(other.conversation("o2", "consumer-42"), visitor="visitor-42"),
        ]
    )
    unnamed = one.document(one.conversation("p1", None), visitor=None)
    second = two.document(two.conversation("p2", CONSUMER), visitor=VISITOR)
    broken = json.dumps(one.document(one.conversation("p1", CONSUMER), visitor=VISITOR))[:-2]
    partly = document(
        recordCollection=[
            one.record(one.conversation("p1", CONSUMER), visitor=VISITOR),
            other.record(other.conversation("o3", None), other.conversation("", None), visitor=None),
        ]
    )
    former = put(tmp_path / "former", gz(others, one.document(one.conversation("p1", CONSUMER), visitor=VISITOR)), name_at(4))
    take(lake, former)
    pretty = json.dumps(second, indent=2, ensure_ascii=False).encode()
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("a.json", json.dumps(second))
    files = [
        put(tmp_path / "in", gz(others, mixed, broken, "garbage of others"), name_at(0)),
        put(tmp_path / "in", gz(unnamed, pretty, partly), name_at(1)),
        put(tmp_path / "in", gz(escaped(second), escaped(unnamed)), name_at(2)),
        put(tmp_path / "in", (tmp_path / "zip").read_bytes(), name_at(3)),
        put(tmp_path / "in", json.dumps(rest.document(rest.conversation("r", None), visitor=None)).encode(), name_at(4)),
    ]
    take(lake, *files)
    root = Path(lake.root)
    (root / "report.html").write_text(one.marks[0])
    (root / "messages" / "part-of-a-dead-run.parquet").write_text(one.marks[0])
    (root / "landing" / ".incoming" / "left").write_text(one.marks[0])
    if is_compacted:
        with writing(lake):
            compact(lake)
    erased = {"p1"} if kind == "conversation" else {"p1", "p2"}
    mine, kept = (one.marks, two.marks) if kind == "conversation" else (one.marks + two.marks, [])
    kept = kept + other.marks + rest.marks
    assert found(root, mine + kept) == set(mine + kept)
    assert found(root / "conversation_metrics", [CONSUMER]) == {CONSUMER}
    before = rows_of_others(lake, erased)
    done = run(lake, kind, {"consumer": CONSUMER, "visitor": VISITOR, "conversation": "p1"}[kind])
    assert done.anything
    assert found(root, mine) == set()
    assert found(root, kept) == set(kept)
    assert found(root, [CONSUMER, VISITOR, "p1"]) - {"p1"} == ({CONSUMER, VISITOR} if kind == "conversation" else set())
    assert rows_of_others(lake, erased) == before
    require_computed_facts(lake)
    assert not run(lake, kind, {"consumer": CONSUMER, "visitor": VISITOR, "conversation": "p1"}[kind]).anything


def owned(conversation_id: str, consumer: str | None, *, end: int = START, text: str = "hello") -> Json:
    """A conversation of a consumer."""
    named = consumer and {"string": consumer}
    return conversation(conversation_id, consumerId=named, conversationEndTime={"long": end}, messages=[message(text)])


def load_listed(lake: Lake, *paths: Path) -> None:
    """Load files as a listing of the account gives them."""
    with writing(lake):
        load(
            lake,
            [replace(item, account_id="75555851") for item in incoming_from(find_files(map(str, paths)))],
            engine=Processes(1),
        )


def served_apart(lake: Lake) -> dict[str, list[str]]:
    """All rows of all tables, but for the digest and the size of files as served."""
    return everything(lake) | {
        "files": sorted(map(str, ask(lake, "select * exclude (bytes, sha256, downloaded_at, loaded_at) from files")))
    }


FILES = st.lists(  # documents of conversations (id, consumer, is it written on several lines), or None for garbage
    st.lists(
        st.none()
        | st.tuples(
            st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["X", "Y", None])), max_size=3), st.booleans()
        ),
        max_size=4,
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=2, deadline=None)
@given(drawn=FILES, data=st.data())
def test_a_lake_after_an_erase_is_that_of_files_without_the_person(
    drawn: list[Any], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Erased before or after the files come in: all rows are those that a load of the files without the person gives."""
    check_erase(drawn, data, tmp_path_factory)


@pytest.mark.long
@settings(max_examples=300, deadline=None)
@given(drawn=FILES, data=st.data())
def test_many_lakes_after_an_erase(drawn: list[Any], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The same with more examples."""
    check_erase(drawn, data, tmp_path_factory)


def check_erase(drawn: list[Any], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Compare with a lake that never had the person."""
    folder = tmp_path_factory.mktemp("files")
    mine = {one for documents in drawn for item in documents if item for one, consumer in item[0] if consumer == "X"}
    served, left = [], []
    for hour, documents in enumerate(drawn):
        whole, rest = [], []
        for place, item in enumerate(documents):
            if item is None:
                whole.append(f"garbage {hour} {place}")
                rest.append(whole[-1])
                continue
            made = [owned(one, consumer, text=f"{hour} {place} {one}") for one, consumer in item[0]]
            kept = [one for one, (ident, _) in zip(made, item[0], strict=True) if ident not in mine]
            whole.append(json.dumps(document(*made), indent=1 if item[1] else None))
            rest += [json.dumps(document(*kept))] if kept or not made else []
        served.append(put(folder / "served", gz(*whole), name_at(hour)))
        left.append(put(folder / "left", gz(*rest), name_at(hour)))
    expected, got = (Lake(str(tmp_path_factory.mktemp("lake"))) for _ in range(2))
    load_listed(expected, *left)
    before = data.draw(st.integers(0, len(served)))
    got.create()
    load_listed(got, *served[:before])
    run(got, "consumer", "X")
    load_listed(got, *served[before:])
    assert served_apart(got) == served_apart(expected)
    assert {one for (one,) in ask(got, "select conversation_id from conversations")} & mine == set()


def test_what_was_erased_does_not_come_back(lake: Lake, tmp_path: Path) -> None:
    """Not with the same file, nor with other contents of its name, nor after its row was lost, nor in a later file."""
    ours = document(owned("x1", "X", text="secret text"))
    path = put(tmp_path / "in", gz(ours, document(owned("y1", "Y"))), name_at(0))
    take(lake, path)
    run(lake, "consumer", "X")
    assert take(lake, path).unchanged == 1
    again = put(tmp_path / "again", gz(ours, document(owned("y1", "Y"), owned("y2", "Y"))), name_at(0))
    assert take(lake, again).conversations == 2
    with writing(lake):
        snapshot = lake.snapshot()
        lake.commit({LEDGER: Change(remove=snapshot.files[LEDGER])}, snapshot)
    take(lake, path, put(tmp_path / "in", gz(document(owned("x1", None, text="secret text"))), name_at(1)))
    take(lake, put(tmp_path / "in", gz(document(owned("x2", "X", text="secret text"))), name_at(2)))
    assert ask(lake, "select conversation_id from conversations order by all") == [("y1",), ("y2",)]
    assert found(Path(lake.root), ["secret text", "x1", "x2"]) & {"secret text"} == set()
    assert ask(lake, "select count(*) from files where status = 'loaded'") == [(3,)]


def test_what_the_person_does_afterwards_is_new_data(lake: Lake, tmp_path: Path) -> None:
    """A conversation that ended after the request comes in, and its file is landed as served."""
    then = datetime.fromtimestamp(START / 1000, UTC)
    take(lake, put(tmp_path / "in", gz(document(owned("x1", "X", end=START - 1))), name_at(0)))
    run(lake, "consumer", "X", now=lambda: then)
    later = put(tmp_path / "in", gz(document(owned("x2", "X", end=START + 1))), name_at(1))
    take(lake, later)
    take(lake, put(tmp_path / "in", gz(document(owned("x3", "X", end=START - 1), owned("x4", "X", end=START))), name_at(2)))
    assert ask(lake, "select conversation_id from conversations order by all") == [("x2",), ("x4",)]
    assert later.read_bytes() in [path.read_bytes() for path in Path(lake.root, "landing").rglob("*.gz")]
    assert run(lake, "consumer", "X").rows["conversations"] == 2


def test_a_delivery_that_does_not_name_the_person_is_found_when_another_does(lake: Lake, tmp_path: Path) -> None:
    """A load that brings the name of an erased person's conversation removes what came before without the name."""
    take(lake, put(tmp_path / "in", gz(document(owned("x1", None, text="secret text"), owned("y", "Y"))), name_at(0)))
    assert not run(lake, "consumer", "X").anything
    take(lake, put(tmp_path / "in", gz(document(owned("x1", "X"))), name_at(1)))
    assert ask(lake, "select conversation_id from conversations") == [("y",)]
    assert found(Path(lake.root), ["secret text"]) == set()


def test_a_withdrawn_delivery_brings_nobody_back(lake: Lake, tmp_path: Path) -> None:
    """A landed file that lost somebody is read again where an older delivery in it counts again."""
    contents = gz(document(owned("x", "X"), owned("y", "Y", text="old"), owned("z", "Z")))
    take(lake, put(tmp_path / "in", contents, name_at(0)))
    take(lake, put(tmp_path / "in", gz(document(owned("y", "Y", text="new"), owned("x", "X"))), name_at(1)))
    run(lake, "consumer", "X")
    landed = sorted(Path(lake.root, "landing").rglob("*.gz"))
    take(lake, put(tmp_path / "again", gz(document(owned("w", "W"))), name_at(1)))
    assert ask(lake, "select conversation_id, text from messages order by all") == [
        ("w", "hello"),
        ("y", "old"),
        ("z", "hello"),
    ]
    assert set(landed) < set(Path(lake.root, "landing").rglob("*.gz"))
    assert len(list(Path(lake.root, "landing").rglob("*.gz"))) == 3


@pytest.mark.parametrize("step", often("delete", of=("put back", "publish", "delete")))
def test_an_erase_that_dies_is_finished_by_the_next(lake: Lake, tmp_path: Path, step: str) -> None:
    """After a death before any step, the same command again leaves nothing of the person."""
    marked = Marked("7")
    mine = marked.document(marked.conversation("x", "X"), visitor="V")
    take(lake, put(tmp_path, gz(mine, document(owned("y", "Y")))))
    with killed_before(lake, step):
        run(lake, "visitor", "V")
    run(lake, "visitor", "V")
    assert found(Path(lake.root), [*marked.marks, "V"]) & set(marked.marks) == set()
    assert ask(lake, "select conversation_id from conversations") == [("y",)]
    assert ask(lake, "select documents, conversations from files") == [(1, 1)]


def test_without_its_secret_a_lake_takes_nothing(lake: Lake, tmp_path: Path) -> None:
    """Where the file erasure.key is gone, a load fails rather than let somebody back in; the file is its owner's alone."""
    take(lake, put(tmp_path, gz(document(owned("x", "X")))))
    run(lake, "conversation", "x")
    secret = Path(lake.root, KEY_FILE)
    assert secret.stat().st_mode & 0o077 == 0
    secret.unlink()
    with pytest.raises(LakeError, match="put it back from a backup"):
        take(lake, put(tmp_path, gz(document(owned("y", "Y"))), name_at(1)))


def test_a_broken_landed_file_is_named(lake: Lake, tmp_path: Path) -> None:
    """The report names a file that can't be searched, and the erase removes the rest."""
    paths = [put(tmp_path, gz(document(owned(f"x{hour}", "X"))), name_at(hour)) for hour in range(2)]
    take(lake, *paths)
    broken = next(Path(lake.root, "landing").rglob(name_at(1)))
    broken.write_bytes(broken.read_bytes()[:-9])
    done = run(lake, "consumer", "X")
    assert done.unreadable == [str(broken)]
    assert (done.rows["conversations"], done.landed_rewritten) == (2, 1)


@pytest.mark.parametrize("ident", often(HOSTILE, of=(HOSTILE, "ü🙂 \\u0041", "-")))
def test_the_command_says_what_it_did_and_not_to_whom(tmp_path: Path, ident: str) -> None:
    """An id of any text is a value; it is not printed, and exit codes are as everywhere."""
    lake = Lake(str(tmp_path / "lake"))
    paths = [put(tmp_path / "in", gz(document(owned("x", ident)), f"garbage {json.dumps(ident)}", document(owned("y", "Y"))))]
    take(lake, *paths)
    done = lakehouse("erase", "--consumer-id", ident, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 conversation, 1 message, 0 transfers, 1 reject" in done.stdout
    assert "searched: 1 landed file (" in done.stdout
    assert len(ident) == 1 or ident not in done.stdout
    assert ask(lake, "select conversation_id from conversations") == [("y",)]


def test_wrong_usage_and_nothing_found(tmp_path: Path) -> None:
    """An id is needed, and none is empty; somebody who is not there is said so, and kept out all the same."""
    lake = Lake(str(tmp_path / "lake"))
    take(lake, put(tmp_path / "in", gz(document(owned("y", "Y")))))
    none, *empty = (
        CliRunner().invoke(main, ["erase", *ids, "--lake", lake.root])
        for ids in ((), ("--visitor-id", ""), ("--visitor-id", " \t"), ("--consumer-id", "Y", "--consumer-id", ""))
    )
    assert [none.exit_code, *(done.exit_code for done in empty)] == [2, 2, 2, 2]
    assert "one id or several" in none.stderr
    nobody = lakehouse("erase", "--consumer-id", "X", cwd=tmp_path)
    assert nobody.returncode == 3
    assert (
        "not found in tables, landed files and rejects: the consumer's id; nothing of it was erased; a "
        "tombstone now keeps out data of this id that comes late" in nobody.stdout
    )
    assert "no conversation was removed\n" in nobody.stdout
    assert "\ndeleted unused Parquet files: " in nobody.stdout
    take(lake, put(tmp_path / "in", gz(document(owned("x", "X"))), name_at(1)))
    assert ask(lake, "select conversation_id from conversations") == [("y",)]


def test_other_processes_find_and_keep_out_the_same(lake: Lake, tmp_path: Path) -> None:
    """A lake large enough for several processes is searched and loaded by them with the same outcome."""
    paths = [put(tmp_path, gz(document(owned(f"x{hour}", "X"), owned(f"y{hour}", "Y"))), name_at(hour)) for hour in range(4)]
    take(lake, *paths[:2])
    tombstones = Tombstones(bytes(32), {}).with_ids("consumer", ["X"], datetime.now(UTC))
    by_one, by_many = (find(lake, list_landed(lake, []), tombstones, ["X"], alone_bytes=most) for most in (1 << 30, 0))
    assert by_many.conversations == by_one.conversations == {"x0", "x1"}
    assert by_many.named == by_one.named
    by_one.drop(lake)
    by_many.drop(lake)
    assert run(lake, "consumer", "X").landed_rewritten == 2
    with writing(lake):
        assert load(lake, incoming_from(find_files(map(str, paths))), engine=Processes(2, unit_bytes=0)).conversations == 2
    assert ask(lake, "select conversation_id from conversations order by all") == [(f"y{hour}",) for hour in range(4)]


def test_ids_in_odd_places_are_found(lake: Lake, tmp_path: Path) -> None:
    """An id sent as a number, in another spelling, in an object, in a document without conversations or of another type."""
    visitor = {f"{TAG}VisitorHeader": {"visitorid": {"string": "4711081508154711"}}}
    body = {f"{TAG}EngagementData": {"header": visitor, "engagements": None}}
    take(
        lake,
        put(
            tmp_path,
            gz(
                document(conversation("x1", consumerId={"long": 4711081508154711})),
                document(conversation("x2", ConsumerID={"string": "4711081508154711"})),
                document(conversation("x3", consumerId={"id": "4711081508154711"})),
                document(conversation("x4", consumerId={"string": "Y"}, ConsumerID={"string": "4711081508154711"})),
                document(conversation("y", consumerId={"string": "47110815081547110"})),
                document(recordCollection=[{"body": body}]),
                {"dataType": "Other", "consumerId": "4711081508154711"},
            ),
        ),
    )
    run(lake, "consumer", "4711081508154711")
    assert ask(lake, "select conversation_id from conversations") == [("y",)]
    run(lake, "visitor", "4711081508154711")
    assert b"4711081508154711" not in b"".join(text for _, text in contents(Path(lake.root))).replace(b"47110815081547110", b"")


def test_what_a_dead_load_left_is_erased_too(lake: Lake, tmp_path: Path) -> None:
    """Rows above the pins, that no reader sees, and landed files that no row of the ledger names; the next load goes on."""
    take(lake, put(tmp_path, gz(document(owned("y", "Y"))), name_at(0)))
    with killed_before(lake, "commit files"):
        take(lake, put(tmp_path, gz(document(owned("x", "X", text="secret text"))), name_at(1)))
    assert found(Path(lake.root), ["secret text"])
    run(lake, "consumer", "X")
    assert not found(Path(lake.root), ["secret text"])
    take(lake, put(tmp_path, gz(document(owned("z", "Z"))), name_at(2)), tmp_path / name_at(1))
    assert ask(lake, "select conversation_id from conversations order by all") == [("y",), ("z",)]
