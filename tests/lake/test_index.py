"""Where earlier deliveries of a conversation are: the index has it by account, and no load reads what it has of others."""

from collections.abc import Iterator
from hashlib import md5
from itertools import count
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from documents import DAY_MS, START, conversation, document, gz, name_at, put
from lakes import ask, everything, take
from selections import often

from pipeline import schema
from pipeline.errors import LakeError
from pipeline.lake.lake import Lake
from pipeline.lake.snapshot import WHOLE, Change, DataFile
from pipeline.load.session import writing
from pipeline.maintenance.compact import compact
from pipeline.maintenance.verify import verify

INDEX = schema.INDEX.name


@pytest.fixture
def hours() -> Iterator[int]:
    """Each file that a test loads is of an hour later than the one before."""
    return count()


def deliver(lake: Lake, hours: Iterator[int], *accounts: str | None, start: int = START, ident: str = "c") -> None:
    """Load a file of each account, all with a conversation of one id that started at that moment."""
    folder = Path(lake.root).parent / f"hour-{(hour := next(hours))}"
    for part, account_id in enumerate(accounts):
        put(folder, gz(document(conversation(ident, start=start), account_id=account_id)), name_at(hour, part))
    take(lake, folder)


def index_of(lake: Lake) -> list[DataFile]:
    return lake.snapshot().files[INDEX]


def share_of(account_id: str) -> str:
    return md5(account_id.encode(), usedforsecurity=False).hexdigest()[:4]


def conversations(lake: Lake) -> list[tuple[str | None, str]]:
    return ask(lake, "select account_id, date::varchar from conversations order by all")


def with_index(lake: Lake, *files: DataFile) -> None:
    """Put other files in the place of the index."""
    lake.commit({INDEX: Change(add=list(files), remove=index_of(lake))}, lake.snapshot())


def findings(lake: Lake) -> list[str]:
    return verify(lake, read_data=True).findings


def test_a_load_reads_the_index_of_its_own_accounts_and_of_no_others(lake: Lake, hours: Iterator[int]) -> None:
    """That of another account may even be gone: what a load reads of it does not grow with what others have."""
    deliver(lake, hours, "1", "2")
    for file in index_of(lake):
        if file.label == share_of("2"):
            Path(lake.path(INDEX, file.path)).unlink()
    deliver(lake, hours, "1", start=START + DAY_MS)
    assert conversations(lake) == [("1", "2016-07-26"), ("2", "2016-07-25")]
    with pytest.raises(LakeError, match=share_of("2")):
        deliver(lake, hours, "2", start=START + DAY_MS)


def test_one_id_in_two_accounts_is_two_conversations_each_found_again_by_itself(lake: Lake, hours: Iterator[int]) -> None:
    """One account's conversation may move to another date, alone or with the other; one of no known account is a third."""
    deliver(lake, hours, "1", "2", None)
    deliver(lake, hours, "2", start=START + DAY_MS)
    assert conversations(lake) == [("1", "2016-07-25"), ("2", "2016-07-26"), (None, "2016-07-25")]
    deliver(lake, hours, "1", "2", start=START + 2 * DAY_MS)
    assert conversations(lake) == [("1", "2016-07-27"), ("2", "2016-07-27"), (None, "2016-07-25")]
    deliver(lake, hours, None, start=START + 2 * DAY_MS)
    assert conversations(lake) == [("1", "2016-07-27"), ("2", "2016-07-27"), (None, "2016-07-27")]
    assert not findings(lake)


def test_accounts_that_share_their_part_of_the_index_are_kept_apart(lake: Lake, hours: Iterator[int]) -> None:
    """The hash has 65,536 values, and these two have the same one."""
    first, second = "117", "211"
    assert share_of(first) == share_of(second)
    deliver(lake, hours, first, second)
    deliver(lake, hours, second, start=START + DAY_MS)
    expected = [(first, "2016-07-25"), (second, "2016-07-26")]
    assert conversations(lake) == expected
    with writing(lake):
        compact(lake)
    assert [file.label for file in index_of(lake)] == [share_of(first)]
    deliver(lake, hours, first, start=START + DAY_MS)
    assert conversations(lake) == [(first, "2016-07-26"), (second, "2016-07-26")]


def test_an_index_from_before_there_were_parts_is_read_for_every_account(lake: Lake, hours: Iterator[int]) -> None:
    """A lake that was made then goes on without a command, and `compact` makes parts of it."""
    deliver(lake, hours, "1", "2", "3")
    parts = [pq.read_table(lake.path(INDEX, file.path)) for file in index_of(lake)]
    with_index(lake, lake.write(INDEX, pa.concat_tables(parts).sort_by("key")))
    assert not findings(lake)
    deliver(lake, hours, "2", start=START + DAY_MS)
    assert conversations(lake) == [("1", "2016-07-25"), ("2", "2016-07-26"), ("3", "2016-07-25")]
    assert {file.label for file in index_of(lake)} == {WHOLE, share_of("2")}
    before = everything(lake)
    with writing(lake):
        compact(lake)
    assert {file.label for file in index_of(lake)} == {share_of(account) for account in "123"}
    assert everything(lake) == before
    deliver(lake, hours, "3", start=START + DAY_MS)
    assert conversations(lake)[2] == ("3", "2016-07-26")
    assert not findings(lake)


def test_an_entry_in_the_part_of_another_account_is_found_to_be_missing(lake: Lake, hours: Iterator[int]) -> None:
    """No load of its account would see it."""
    deliver(lake, hours, "1")
    (file,) = index_of(lake)
    with_index(lake, lake.write(INDEX, pq.read_table(lake.path(INDEX, file.path)), label=share_of("2")))
    assert ["1 conversations are not in it" in finding for finding in findings(lake)] == [True]


@pytest.mark.parametrize(
    "harm",
    often("a bit has changed", of=("no entries", "a bit has changed", "a file is gone", "a file is broken")),
)
def test_compact_makes_a_damaged_index_anew(lake: Lake, hours: Iterator[int], harm: str) -> None:
    """As `verify` advises, whatever is left of it."""
    deliver(lake, hours, "1", "2")
    file = Path(lake.path(INDEX, index_of(lake)[0].path))
    if harm == "no entries":
        with_index(lake)
    elif harm == "a file is gone":
        file.unlink()
    elif harm == "a file is broken":
        file.write_bytes(b"x" * file.stat().st_size)
    else:
        flip(file, file.read_bytes().index(b"parquet-cpp"))  # where no reader looks
    (finding,) = findings(lake)
    assert finding.endswith("run lakehouse compact, which makes it anew")
    with writing(lake):
        compact(lake)
    assert not findings(lake)
    deliver(lake, hours, "1", start=START + DAY_MS)
    assert conversations(lake) == [("1", "2016-07-26"), ("2", "2016-07-25")]


def test_no_load_goes_by_an_index_that_was_not_written_so(lake: Lake, hours: Iterator[int]) -> None:
    """Where any bit of it has changed, another delivery of a conversation is refused, not taken for a new one."""
    deliver(lake, hours, "1")
    with writing(lake):
        compact(lake)
    file = Path(lake.path(INDEX, index_of(lake)[0].path))
    whole = file.read_bytes()
    for place in (40, len(whole) // 2, -40):
        file.write_bytes(whole)
        flip(file, place)
        with pytest.raises(LakeError, match=r"conversation_dates/.* is not as it was written"):
            deliver(lake, hours, "1", start=START + DAY_MS)
    file.write_bytes(whole)
    deliver(lake, hours, "1", start=START + DAY_MS)
    assert conversations(lake) == [("1", "2016-07-26")]


def flip(file: Path, place: int) -> None:
    """Change a bit of a file."""
    contents = bytearray(file.read_bytes())
    contents[place] ^= 1
    file.write_bytes(contents)


def test_each_part_of_the_index_stays_few_files_however_many_loads(lake: Lake, hours: Iterator[int]) -> None:
    """Loads merge them as they go, each with those of its own account."""
    for turn in range(10):
        deliver(lake, hours, "1", "2", ident=f"c{turn}")
    files = index_of(lake)
    for account in "12":
        of_account = [file for file in files if file.label == share_of(account)]
        assert 1 <= len(of_account) < 8
        assert sum(file.rows for file in of_account) == 10
    assert {file.label for file in files} == {share_of("1"), share_of("2")}
