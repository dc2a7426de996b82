"""Files of one name, of several accounts or one after another: whose rows go, whose stay and which come back."""

import itertools
import os
from pathlib import Path

import pytest
from documents import conversation, document, gz, message, name_at, put
from lakes import ask, take

from pipeline import schema
from pipeline.cli.summaries import summary
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import LoadedFiles, read_ledger
from pipeline.lake.parquet import rows_of
from pipeline.lake.snapshot import LEDGER, Change
from pipeline.maintenance.verify import verify
from pipeline.warehouse.database import publish

ACCOUNTS = ["".join(accounts) for number in (1, 2, 3) for accounts in itertools.combinations("123", number)]


def test_an_hour_without_conversations_takes_no_other_accounts_place(lake: Lake, tmp_path: Path) -> None:
    """Two have files of one name, and an empty one does not say whose it is; where there is one account, it is that one's."""
    mine = put(tmp_path / "1", gz(document(conversation("mine"), account_id="1")), name_at(1))
    theirs = put(tmp_path / "2", gz(document(conversation("theirs"), account_id="2")), name_at(2))
    quiet = put(tmp_path / "3", gz(document(account_id=None)), name_at(1))
    take(lake, mine)
    take(lake, theirs)
    take(lake, quiet)
    assert ask(lake, "select conversation_id from conversations order by all") == [("mine",), ("theirs",)]
    assert LoadedFiles(lake).of("3") == {}
    alone = Lake(str(tmp_path / "alone"))
    take(alone, mine)
    take(alone, quiet)
    assert ask(alone, "select * from conversations") == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(*pair, marks=[] if pair[0] in ("1", "12") and pair[1] in ("2", "12", "23") else pytest.mark.long)
        for pair in itertools.product(ACCOUNTS, ACCOUNTS)
    ],
)
def test_files_of_one_name_replace_each_other_by_account(first: str, second: str, lake: Lake, tmp_path: Path) -> None:
    """Of three files of a name, each of one account or several, a later one replaces those that share an account with it.

    A file of one account replaces its former one, else one of several accounts, whichever these are: the ledger does not name
    them.
    """
    standing: list[tuple[str, str]] = []
    for number, accounts in enumerate((first, second, "2")):
        contents = gz(*(document(conversation(f"c{number}"), account_id=account) for account in accounts))
        take(lake, put(tmp_path / f"{number}", contents, name_at(0)))
        is_first = accounts not in [one for one, _ in standing]
        takes_mixed = len(accounts) == 1 and is_first
        standing = [one for one in standing if not ({*accounts} & {*one[0]} or (takes_mixed and len(one[0]) > 1))]
        standing.append((accounts, f"c{number}"))
        expected = sorted((account, ident) for accounts, ident in standing for account in accounts)
        assert ask(lake, "select account_id, conversation_id from conversations order by all") == expected
        assert ask(lake, "select count(*) from files") == [(len(standing),)]
        assert verify(lake).findings == []


def test_a_replaced_file_takes_its_rows_with_it_whatever_account_they_name(lake: Lake, tmp_path: Path) -> None:
    """Rejects of a file that came by hand are of no account, though another account has a file of that name."""
    for number, text in enumerate(("before", "after")):
        put(tmp_path / f"{number}", gz(document(conversation("a"), account_id="1"), text), name_at(1))
    other = put(tmp_path / "2", gz(document(conversation("b"), account_id="2")), name_at(1))
    take(lake, tmp_path / "0", other)
    take(lake, tmp_path / "1")
    assert ask(lake, "select raw from rejects") == [("after",)]
    assert ask(lake, "select conversation_id from conversations order by all") == [("a",), ("b",)]


def test_the_summary_tells_files_in_the_place_of_others(lake: Lake, tmp_path: Path) -> None:
    """Of two files of one name in a run one stays, as of two in two runs; the same file again is no other."""
    one, other, third = (put(tmp_path / f"{number}", gz(document(conversation(f"c{number}")))) for number in range(3))
    line = "1 file loaded in the place of another of the same name, whose rows are gone"

    said = [list(summary(take(lake, *paths))) for paths in ((one, other), (other,), (third,))]

    assert [line in lines for lines in said] == [True, False, True]
    assert said[0][0].startswith("2 files loaded: 2 conversations")
    assert ask(lake, "select conversation_id from conversations") == [("c2",)]


def test_rows_without_an_account_are_of_the_one_that_their_file_names(lake: Lake, tmp_path: Path) -> None:
    """So the file of another account with its name does not take them with it; a file of several tells none."""
    contents = gz(document(conversation("x"), account_id=None), document(conversation("a"), account_id="1"), "broken")
    take(lake, put(tmp_path / "1", contents, name_at(1)))
    for number in ("2", "3"):
        take(lake, put(tmp_path / number, gz(document(conversation(f"b{number}"), account_id="2"), "torn"), name_at(1)))
    query = "select account_id, conversation_id from conversations order by all"
    assert ask(lake, query) == [("1", "a"), ("1", "x"), ("2", "b3")]
    assert ask(lake, "select account_id, raw from rejects order by all") == [("1", "broken"), ("2", "torn")]
    assert verify(lake).findings == []
    mixed = gz(*(document(conversation("m"), account_id=account) for account in (None, "3", "4")))
    take(lake, put(tmp_path / "mixed", mixed, name_at(2)))
    assert ask(lake, f"{query.replace('order', 'where conversation_id = $$m$$ order')}") == [
        ("3", "m"),
        ("4", "m"),
        (None, "m"),
    ]


def test_a_withdrawn_conversation_comes_back_though_its_file_has_the_name_of_a_replaced_one(lake: Lake, tmp_path: Path) -> None:
    """That of another account is replaced in the same load."""

    def sent(folder: str, account: str, hour: int, ident: str, text: str) -> Path:
        contents = gz(document(conversation(ident, messages=[message(text)]), account_id=account))
        return put(tmp_path / folder, contents, name_at(hour))

    take(lake, sent("1", "3", 0, "c", "early"))
    take(lake, sent("2", "2", 0, "b", "before"))
    take(lake, sent("3", "3", 1, "c", "late"))
    take(lake, sent("4", "2", 0, "b", "after"), sent("5", "3", 1, "d", "other"))
    query = "select account_id, conversation_id, text from messages order by all"
    assert ask(lake, query) == [("2", "b", "after"), ("3", "c", "early"), ("3", "d", "other")]
    assert verify(lake).findings == []


@pytest.mark.parametrize("other", [("1", 0), ("2", 4)])
def test_a_withdrawn_conversation_comes_back_though_its_id_comes_from_elsewhere(
    lake: Lake, tmp_path: Path, other: tuple[str, int]
) -> None:
    """From an hour before in the same load, or from another account; the delivery of hour 2 is the newest that is left."""
    for hour in (1, 2, 3):
        told = document(conversation("c", messages=[message(f"hour {hour}")]), account_id="1")
        take(lake, put(tmp_path / str(hour), gz(told), name_at(hour)))
    account_id, hour = other
    elsewhere = document(conversation("c", messages=[message("elsewhere")]), account_id=account_id)
    both = put(tmp_path / "both", gz(document(conversation("d"), account_id="1")), name_at(3)).parent
    put(both, gz(elsewhere), name_at(hour))
    take(lake, both)
    query = "select text from messages where account_id = '1' and conversation_id = 'c'"
    assert ask(lake, query) == [("hour 2",)]


def test_every_24th_commit_sweeps_however_many_a_load_makes(lake: Lake, tmp_path: Path) -> None:
    """Five accounts' files of one name are five commits: the last one is never the 24th."""
    take(lake, put(tmp_path / "0", gz(document(conversation())), name_at(0)))
    litter = Path(lake.root, "messages", "part-litter.parquet")
    litter.write_bytes(b"")
    os.utime(litter, (1, 1))
    for hour in range(1, 6):
        for account_id in "12345":
            put(tmp_path / f"{hour}" / account_id, gz(document(conversation(f"{hour}"), account_id=account_id)), name_at(hour))
        take(lake, tmp_path / f"{hour}")
    assert lake.snapshot().versions[LEDGER] == 26
    assert not litter.exists()


def test_files_of_one_name_are_counted_by_account(lake: Lake, tmp_path: Path) -> None:
    """A conversation too many of one account makes up for none of another account with a file of that name."""
    take(lake, put(tmp_path / "1", gz(document(conversation("c1"), account_id="1")), name_at(0)))
    take(lake, put(tmp_path / "2", gz(document(conversation("c2"), conversation("c3"), account_id="2")), name_at(0)))
    snapshot = lake.snapshot()
    rows = read_ledger(lake, snapshot).to_pylist()
    swapped = [row | {"account_id": {"1": "2", "2": "1"}[row["account_id"]]} for row in rows]
    change = Change(add=[lake.write(LEDGER, rows_of(swapped, schema.FILES))], remove=snapshot.files[LEDGER])
    publish(lake, lake.commit({LEDGER: change}, snapshot))
    (found,) = [finding for finding in verify(lake).findings if "the tables hold" in finding]
    assert f"{name_at(0)} of account 2: the tables hold 2 of 1 conversations" in found
