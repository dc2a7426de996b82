"""An erase does all that it was asked for, or says what not: several ids, ids that nothing has, rows that no id leads to."""

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from commands import lakehouse
from computed_facts import change_a_fact
from documents import NAME, START, conversation, document, gz, message, name_at, owned, put
from lakes import ask, conversations, take

from pipeline.cli.commands import main
from pipeline.cli.status import print_status
from pipeline.erasure.erase import erase_all
from pipeline.lake.lake import Lake
from pipeline.lake.parquet import rows_of
from pipeline.lake.snapshot import Change
from pipeline.load.engines import Processes
from pipeline.load.find import find_files, incoming_from
from pipeline.load.load import load
from pipeline.load.session import writing
from pipeline.schema import TABLES
from pipeline.warehouse.database import connect

DAY_MS = 86_400_000


def test_several_ids_of_several_kinds_are_all_erased(lake: Lake, tmp_path: Path) -> None:
    """Each id that is given is erased, blanks around it aside; the ones that nothing has are told by their number."""
    people = [("a", "A", "1"), ("b", "B", "2"), ("c", "C", "3"), ("d", "D", "4"), ("e", "E", "5"), ("f", "A,B", "6")]
    take(lake, put(tmp_path / "in", gz(*(owned(*one) for one in people))))
    given = ("--consumer-id", "A", "--consumer-id", " B\t", "--visitor-id", "3", "--conversation-id", "d")
    done = lakehouse("erase", *given, cwd=tmp_path)
    assert (done.returncode, conversations(lake)) == (0, ["e", "f"]), done.stdout
    comma = lakehouse("erase", "--consumer-id", "A,B", "--consumer-id", "E,E", "--visitor-id", "5", cwd=tmp_path)
    assert (comma.returncode, conversations(lake)) == (3, [])
    assert "not found in tables, landed files and rejects: the consumer's id, number 2 of 3 ids" in comma.stdout
    assert lakehouse("verify", cwd=tmp_path).returncode == 0


def test_an_id_that_others_mention_is_not_found(lake: Lake, tmp_path: Path) -> None:
    """Digits or words inside of somebody else's text are no person; one whom a reject names is found."""
    take(lake, put(tmp_path / "in", gz(owned("a1234", "A", "X4711X"), 'garbage "G"', document(conversation("b")))))
    for kind, ident, expected in (("consumer", "471", 3), ("conversation", "hello", 3), ("visitor", "G", 0)):
        assert lakehouse("erase", f"--{kind}-id", ident, cwd=tmp_path).returncode == expected, ident


def test_other_conversations_of_the_same_visitor_are_told(lake: Lake, tmp_path: Path) -> None:
    """Conversations of the same visitor or consumer are counted, with the option that erases them; unfinished ones, too."""
    ahead = int((datetime.now(UTC) + timedelta(days=9)).timestamp() * 1000)
    documents = [owned("a", "A"), owned("b", None), owned("c", "A", "W"), owned("d", None, "W w"), owned("e", "B", "W w")]
    take(lake, put(tmp_path / "in", gz(*documents, owned("later", "A", "Z", end=ahead))))
    first = lakehouse("erase", "--consumer-id", "A", cwd=tmp_path).stdout
    assert "1 more conversation has the same visitor: lakehouse erase --visitor-id V\n" in first
    assert "1 conversation not ended yet, so kept" in first
    assert first.count(" more conversation") == 1
    second = lakehouse("erase", "--conversation-id", "e", cwd=tmp_path).stdout
    assert "1 more conversation has the same visitor: lakehouse erase --visitor-id 'W w'\n" in second


def test_rows_that_no_id_leads_to_are_reported(lake: Lake, tmp_path: Path) -> None:
    """Rows in no conversation, and rows that a file which lost somebody lacks, are told before an erase is done."""
    take(lake, put(tmp_path / "in", gz(owned("a", "A"), owned("b", "B"))))
    with writing(lake):
        snapshot = lake.snapshot()
        (file,) = snapshot.files["messages"]
        rows = ask(lake, f"from read_parquet({lake.locations('messages', [file])}, hive_partitioning = false)")
        names = TABLES["messages"].file_schema.names
        other = [dict(zip(names, row, strict=True)) | {"conversation_id": "OTHERa"} for row in rows[:1]]
        more = lake.write("messages", rows_of(other, TABLES["messages"]), date=file.date)
        lake.commit({"messages": Change(add=[more])}, snapshot)
    done = lakehouse("erase", "--consumer-id", "A", cwd=tmp_path)
    assert (done.returncode, conversations(lake)) == (3, ["b"])
    assert "LEFT, and may be of an erased person: 1 row of messages that belong to no conversation" in done.stdout
    assert "1 row of messages more than are left in Engagement." in done.stdout
    assert "run lakehouse rebuild, which makes the tables anew" in done.stdout


def test_facts_that_name_the_person_are_reported(lake: Lake, tmp_path: Path) -> None:
    """Of no conversation, or of one that does not name the person: no id of a conversation leads to them."""
    take(lake, put(tmp_path / "in", gz(owned("a", "A"), owned("b", "B"), owned("c", None, "A"))))
    change_a_fact(lake, "queue_entries", "b", source_file="gone.gz")
    change_a_fact(lake, "conversation_metrics", "b", person_id=" A")
    done = lakehouse("erase", "--consumer-id", "A", cwd=tmp_path)
    assert (done.returncode, conversations(lake)) == (3, ["b", "c"])
    left = [line for line in done.stdout.splitlines() if "LEFT" in line]
    assert len(left) == 2, left
    assert "1 row of queue_entries that belong to no conversation, from gone.gz; run lakehouse upgrade --recompute" in left[0]
    assert f"1 row of conversation_metrics with the id, from {NAME}; run lakehouse upgrade --recompute" in left[1]
    assert lakehouse("upgrade", "--recompute", cwd=tmp_path).returncode == 0
    assert lakehouse("erase", "--consumer-id", "A", cwd=tmp_path).returncode == 0


NAMED: list[dict[str, Any]] = [
    {"messages": [message(consumerId={"string": "A.*"}, senderVisitorId="V"), message(note="A.*")]},
    {"transfers": [{"reason": 1, "byConsumerId": "A.*"}]},
    {"secureForms": [{"formId": 1, "consumerId": {"string": "A.*"}}]},
    {"mcs": {"score": 5, "consumerId": "A.*"}},
    {"newField": {"CONSUMERID": "A.*", "more": 1}},
]


def test_somebody_who_is_named_beside_the_columns_is_told(lake: Lake, tmp_path: Path) -> None:
    """Rows of other conversations that name the erased person, where no column takes it, are told to be left."""
    others = {f"b{number}": fields for number, fields in enumerate(NAMED)}
    documents = [document(conversation(ident, consumerId={"string": "B"}, **fields)) for ident, fields in others.items()]
    take(lake, put(tmp_path / "in", gz(owned("a", "A.*"), *documents)))
    with writing(lake):
        left = erase_all(lake, [("consumer", "A.*")]).left
        expected = ("extra of messages, in conversation 'b0',", "extra of transfers, in conversation 'b1',")
        for table in (*expected, "secure_forms of conversations, in conversation 'b2' and 2 more,"):
            assert [line for line in left if table in line], table
        assert conversations(lake) == [*others]
        assert erase_all(lake, [("conversation", ident) for ident in others]).is_complete


def test_a_changed_file_is_told_since_its_ids_may_be_others(lake: Lake, tmp_path: Path) -> None:
    """Rows of a Parquet file that is not as it was written may be the person's, though no id of theirs says so."""
    take(lake, put(tmp_path / "in", gz(owned("a", "A"), owned("b", "B", start=START + DAY_MS))))
    changed = next(Path(lake.path("messages")).glob("date=2016-07-26/*.parquet"))
    changed.write_bytes(changed.read_bytes().replace(b"parquet-cpp", b"qarquet-cpp"))
    with writing(lake):
        (left,) = erase_all(lake, [("consumer", "A")]).left
    assert left.startswith(f"rows in {changed}: is not as it was written")
    assert conversations(lake) == ["b"]


def test_a_reject_whose_landed_file_is_lost_is_judged_by_its_text(lake: Lake, tmp_path: Path) -> None:
    """Though other contents of the same name are landed: they say nothing of it."""
    for folder, documents in (("old", [owned("b", "B")]), ("new", ['broken {"consumerId": "A"', owned("b", "B")])):
        take(lake, put(tmp_path / folder, gz(*documents)))
    (lost,) = ask(lake, "select left(sha256, 16) from files")
    next(Path(lake.path("landing")).glob(f"*/{lost[0]}/*")).unlink()
    with writing(lake):
        assert erase_all(lake, [("consumer", "A")]).rows["rejects"] == 1
    assert ask(lake, "select count(*) from rejects") == [(0,)]


def test_a_clock_that_is_behind_erases_nothing(lake: Lake, tmp_path: Path) -> None:
    """Where the newest load is later than now, an erase is refused and nothing changes."""
    source = put(tmp_path / "in", gz(owned("a", "A")))
    with writing(lake):
        incoming = incoming_from(find_files([str(source)]))
        load(lake, incoming, engine=Processes(1), now=lambda: datetime.now(UTC) + timedelta(hours=1))
    done = lakehouse("erase", "--consumer-id", "A", cwd=tmp_path)
    assert (done.returncode, conversations(lake)) == (2, ["a"])
    assert "set the clock right" in done.stderr
    assert not Path(lake.root, "erasure.key").exists()


SINGLE = [
    (name, option)
    for name, command in main.commands.items()
    for option in command.params
    if isinstance(option, click.Option) and not option.is_flag and not option.multiple
]


@pytest.mark.parametrize(("command", "option"), SINGLE, ids=lambda value: getattr(value, "name", value))
def test_an_option_that_is_given_twice_is_refused(tmp_path: Path, command: str, option: click.Option) -> None:
    """Each option of each command that has one value can be given once, however it is spelled."""
    value = option.type.choices[0] if isinstance(option.type, click.Choice) else "2026-01-01" if option.metavar == "T" else "1"
    done = lakehouse(command, option.opts[0], value, f"{option.opts[0]}={value}", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{option.opts[0]} takes one value and is given 2 times; give it once" in " ".join(done.stderr.split())
    assert not list(tmp_path.iterdir())


def test_options_are_looked_at() -> None:
    """The commands have such options, and those that may be given several times are few and known."""
    options = [option for command in main.commands.values() for option in command.params]
    many = {option.name for option in options if getattr(option, "multiple", False)}
    assert len(SINGLE) > 10
    assert many == {"consumer_id", "visitor_id", "conversation_id", "faults", "accounts", "account_ids"}


def test_what_the_vendor_has_erased_is_counted_and_offered(lake: Lake, tmp_path: Path) -> None:
    """Conversations with the vendor's mark in the place of a text are counted by status, listed by check, gone after erase."""
    masked = [conversation(ident, messages=[message("** LP deleted data **")] * 2) for ident in ("m1", "m2")]
    take(lake, put(tmp_path / "in", gz(document(*masked, conversation("c")))))
    newest_alone = io.StringIO()
    with connect(lake) as connection:
        print_status(connection, "table", datetime.now(UTC), newest_alone, searched_rows=0)
    for text, since in ((lakehouse("status", cwd=tmp_path).stdout, ""), (newest_alone.getvalue(), " of those since 2016-06-2")):
        assert f"2 conversations{since}" in text
        assert "with text that the vendor has erased" in text
    assert '"conversations": 2' in lakehouse("status", "--format", "json", cwd=tmp_path).stdout
    found = lakehouse("check", cwd=tmp_path)
    assert (found.returncode, "FIND  erased_at_source\n      2 rows: " in found.stdout) == (3, True)
    ids = ("--conversation-id", "m1", "--conversation-id", "m2")
    assert lakehouse("erase", *ids, cwd=tmp_path).returncode == 0
    assert "vendor has erased" not in lakehouse("status", cwd=tmp_path).stdout


ODD: list[Any] = [
    document(conversation("x", consumerId={"id": "A"})),
    document(conversation("x", consumerId={"string": "B"}, ConsumerID={"string": "A"})),
    document(conversation("x", visitorId={"string": "A"})),
    document(recordCollection=[{"body": {"header": {"visitorId": ["A"]}, "engagements": [conversation("x")]}}]),
    document(recordCollection=[{"body": {"header": {"visitorId": "B", "visitorID": "A"}, "engagements": [conversation("x")]}}]),
    document(conversation("x"), consumerId="A"),
]


def told_of(number: int, conversation_id: str) -> Any:
    """The odd document of that number, about a person and a conversation of its own."""
    text = json.dumps(ODD[number]).replace('"A"', f'"A{number}"')
    return json.loads(text.replace('"x"', f'"{conversation_id}{number}"'))


def test_who_is_named_beside_the_columns_does_not_come_back(lake: Lake, tmp_path: Path) -> None:
    """A load keeps out of later files, alone or not, everything that an erase takes for the person's in a landed file."""
    people = range(len(ODD))
    take(lake, put(tmp_path / "in", gz(*(told_of(number, "x") for number in people), owned("b", "B"))))
    with writing(lake):
        erase_all(lake, [(kind, f"A{number}") for number in people for kind in ("consumer", "visitor")])
    assert conversations(lake) == ["b"]
    later = [told_of(number, "y") for number in people]
    take(lake, put(tmp_path / "in", gz(*later), name_at(1)), put(tmp_path / "in", gz(*later, owned("c", "C")), name_at(2)))
    assert conversations(lake) == ["b", "c"]
