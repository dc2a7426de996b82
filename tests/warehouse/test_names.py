"""Files of names: which lines count, and the sentence on each that does not; the lines that are added to them."""

import csv
import io
import re
from datetime import date
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from places import ROOT

from pipeline.warehouse.name_kinds import TEXT
from pipeline.warehouse.name_writer import with_ids
from pipeline.warehouse.names import NAME_FILES, TOPICS, NameFile, Names, guarded, parse_names

SKILLS, AGENTS, CAMPAIGNS = NAME_FILES
FALSE = False
A_TEXT = "expected a text of at most 200 characters, none of them a control or invisible one"


def parsed(text: str | bytes, file: NameFile = SKILLS, accounts: tuple[str, ...] = ("1",)) -> Names:
    """Read a file of names in a lake of these accounts."""
    return parse_names(text.encode() if isinstance(text, str) else text, file, lambda: accounts)


def test_plain_files() -> None:
    """Each file has its columns; a line that says an id alone is no row, and no fault."""
    skills = parsed("account_id,skill_id,skill_name,is_bot,skill_group\n1,12,Sales,,Shop\n1,90,Nova,true,\n1,13,,,\n")
    agents = parsed(
        "account_id,agent_id,agent_name,agent_group,employee_id,is_bot,hired_on\n1,a5,Zoë,Team,0012,no,2020-02-29\n", AGENTS
    )
    campaigns = parsed("account_id,campaign_id,campaign_name\n1,7,Spring\n", CAMPAIGNS)

    assert skills.rows == [("1", 12, "Sales", False, "Shop"), ("1", 90, "Nova", True, None)]
    assert agents.rows == [("1", "a5", "Zoë", "Team", "0012", False, date(2020, 2, 29))]
    assert campaigns.rows == [("1", 7, "Spring")]
    assert skills.ids == {("1", 12), ("1", 90), ("1", 13)}
    assert [names.faults + names.notes for names in (skills, agents, campaigns)] == [[], [], []]


def test_as_spreadsheets_save_it() -> None:
    """A mark at the beginning, semicolons or tabs, line ends of Windows, blanks around, quotes, and a language's words."""
    text = (
        "\ufeff Skill Name ;is_bot;SKILL_ID ; account_id ;;\r\n"
        ' "Sales; all" ;FALSCH; 12 ;1;;\r\n\r\n "Nova" ; WAHR ;90;1\r\n;;;;;\r\n'
    )

    assert parsed(text).rows == [("1", 12, "Sales; all", False, None), ("1", 90, "Nova", True, None)]
    assert parsed(text.replace(";", "\t")).rows == [
        ("1", 12, "Sales\t all".replace("\t ", " "), False, None),
        ("1", 90, "Nova", True, None),
    ]
    assert parsed(text).faults == parsed(text).notes == []
    assert parsed("agent_id,hired_on\n5,29.02.2020\n", AGENTS).rows == [("1", "5", None, None, None, None, date(2020, 2, 29))]


def test_a_nickname_is_the_name_of_an_agent_without_another() -> None:
    """The nickname that the program wrote beside an agent stands in for a name; it is still counted as none."""
    text = "agent_id,agent_name,nickname\n5,,'=Zoe\n6,Max,Maxi\n7,,\n"
    found = parsed(text, AGENTS)

    assert found.faults == []
    assert found.rows == [("1", "5", "=Zoe", None, None, None, None), ("1", "6", "Max", None, None, None, None)]
    assert found.nicknamed == {("1", "5")}
    assert parsed("skill_id,nickname\n5,Zoe\n").rows == []
    _, written = with_ids(text.encode(), AGENTS, [("1", "5", "=Zoe"), ("1", "6", "Maxi")], lambda: ["1"])
    assert (written.unnamed_count, written.nicknamed_count) == (1, 1)


@pytest.mark.parametrize("nickname", ["a\x07", "\u202eeoZ", "Z\u200boe", "\ufeffZoe", "Zoe\U000e0041", "x" * 201])
def test_a_nickname_that_is_no_name_is_a_wrong_line(nickname: str) -> None:
    """Control, turning and invisible characters and too long texts have a sentence; joiners of scripts and emoji are fine."""
    found = parsed(f"agent_id,agent_name,nickname\n5,,{nickname}\n6,Max,{nickname}\n7,,\U0001f469\u200d\U0001f4bb\n", AGENTS)

    assert [fault.partition(", found")[0] for fault in found.faults] == [
        f"agents.csv, line {line}: nickname: {A_TEXT}" for line in (2, 3)
    ]
    assert all(fault.isprintable() for fault in found.faults)
    assert [row[:3] for row in found.rows or []] == [("1", "7", "\U0001f469\u200d\U0001f4bb")]


def test_five_thousand_topics_take_no_time() -> None:
    """Patterns are judged at once, not one by one; the only wrong one is named, in its line."""
    patterns = [rf"\b(refund|money back) {number}\b" for number in range(5_000)]
    patterns[17] = "(?=x)"
    lines = [f"topic {number},{pattern}\n" for number, pattern in enumerate(patterns)]
    begin = process_time()
    found = parsed("name,pattern\n" + "".join(lines), TOPICS)

    assert process_time() - begin < 1.5
    assert len(found.rows or []) == 4_999
    assert [fault.partition(", found")[0] for fault in found.faults] == [
        "topics.csv, line 19: pattern: expected a regular expression of RE2, as refund|money back"
    ]


def test_other_columns_are_kept_and_named() -> None:
    """A column of the user's own is not read, and a sentence says so; that of nicknames is ours."""
    found = parsed("agent_id,agent_name,nickname,floor\n5,Zoe,Z,3\n", AGENTS)

    assert found.rows == [("1", "5", "Zoe", None, None, None, None)]
    assert found.notes == ["agents.csv: the column 'floor' is kept, and not read"]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("1,x,Sales,,", "skill_id: expected a whole number, as 12, found 'x'"),
        ("1,12.0,Sales,,", "skill_id: expected a whole number, as 12, found '12.0'"),
        ("1,99999999999999999999,Sales,,", "skill_id: expected a whole number, as 12, found '99999999999999999999'"),
        ("1,9999999999999999999,Sales,,", "skill_id: expected a whole number, as 12, found '9999999999999999999'"),
        ("1,1.2E+09,Sales,,", "skill_id: expected a whole number, as 12, found '1.2E+09', rounded by a spreadsheet"),
        ("7.5E+07,12,Sales,,", "account_id: expected an id of at most 200 characters, none of them a control character, "),
        ("1,,Sales,,", "skill_id: expected an id, found nothing"),
        ("1,12,Sales,perhaps,", "is_bot: expected true or false, found 'perhaps'"),
        (
            "1,12,Sal\x07es,,",
            f"skill_name: {A_TEXT}, found",
        ),
        (
            f"1,12,{'x' * 201},,",
            f"skill_name: {A_TEXT}, ",
        ),
        (
            "1,12,Sal\u200bes,,",
            f"skill_name: {A_TEXT}, ",
        ),
        ("1,12,Sales,,Shop,more", "expected 5 values, found 6; put those with ',' in quotes"),
        ("1,10,Again,,", "expected each id once, found skill 10 of account 1, as in line 2, which counts"),
        ('1,12,"open,,', "expected separated values, found none (unexpected end of data)"),
        ('1,12,"a"b,,', "expected separated values, found none (',' expected after '\"')"),
    ],
)
def test_a_wrong_line_costs_itself_alone(line: str, fault: str) -> None:
    """One sentence names file, line, column, what is expected and found; the lines before and after count."""
    found = parsed(f"account_id,skill_id,skill_name,is_bot,skill_group\n1,10,First,,\n{line}\n1,11,Last,,\n")

    assert found.rows == [("1", 10, "First", False, None), ("1", 11, "Last", False, None)]
    (sentence,) = found.faults
    assert sentence.startswith(f"skills.csv, line 3: {fault}")
    assert sentence.endswith("; the line does not count: correct or delete it")
    assert sentence.isprintable()


@pytest.mark.parametrize("day", ["1/2/2024", "2024-02-30", "24-02-01", "soon"])
def test_a_day_that_could_be_two_is_none(day: str) -> None:
    """A day is written as 2024-02-01 or 01.02.2024, so that no reader takes it for another."""
    (fault,) = parsed(f"agent_id,hired_on\n5,{day}\n", AGENTS).faults
    assert fault.startswith(f"agents.csv, line 2: hired_on: expected a day, as 2026-11-30, found {day!r}")


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"\xff\xfe", "skills.csv: expected UTF-8 text, found other bytes"),
        (b"", "skills.csv, line 1: expected a header with skill_id, each of account_id, "),
        (b"skill,name\n1,x\n", "skills.csv, line 1: expected a header with skill_id, "),
        (b"skill_id,skill_name,Skill_Name\n1,x,y\n", "skills.csv, line 1: expected a header with skill_id, "),
        (b'"skill_id,skill_name\n1,x\n', "skills.csv, line 1: expected a header of separated values, found none"),
    ],
)
def test_a_file_that_can_not_be_used(raw: bytes, fault: str) -> None:
    """Without a header nothing of it counts, and one sentence says that the last names hold."""
    found = parsed(raw)

    assert found.rows is None
    (sentence,) = found.faults
    assert sentence.startswith(fault)
    assert sentence.endswith("; no line counts, and the last names hold: correct it")


def test_accounts() -> None:
    """Without an account a line belongs to the lake's only one; with several it can't be told, and the same id is two."""
    assert parsed("skill_id,skill_name\n12,Sales\n").rows == [("1", 12, "Sales", False, None)]
    assert parsed("account_id,skill_id,skill_name\n,12,Sales\n").rows == [("1", 12, "Sales", False, None)]
    assert parsed("skill_id,skill_name\n12,Sales\n", accounts=()) == Names([], frozenset(), [], [])
    without = parsed("skill_id,skill_name\n12,Sales\n", accounts=("2", "1"))
    assert without.rows is None
    assert without.faults[0].startswith(
        "skills.csv, line 1: expected the column account_id, as the lake has accounts 1 and 2, found none;"
    )
    some = parsed("account_id,skill_id,skill_name\n,12,Sales\n1,12,One\n2,12,Two\n", accounts=("2", "1"))
    assert some.rows == [("1", 12, "One", False, None), ("2", 12, "Two", False, None)]
    assert some.faults[0].startswith(
        "skills.csv, line 2: account_id: expected an account, as the lake has several, found nothing"
    )
    unknown = parsed("skill_id,skill_name\n12,Sales\n", accounts=("",))
    assert unknown.rows == []
    assert "account_id: expected an account, as the lake's conversations do not say theirs, found nothing" in unknown.faults[0]
    assert parsed("skill_id,skill_name\n12,Sales\n", accounts=("", "1")).rows == [("1", 12, "Sales", False, None)]


def test_line_ends_and_formulas_in_names() -> None:
    """A name of several lines becomes one; what `names` has guarded against a spreadsheet is read without the guard."""
    found = parsed("agent_id,agent_name\n5,\"Zoe\r\n Miller\"\n6,'=1+1\n7,'Til\n", AGENTS)

    assert [row[2] for row in found.rows or []] == ["Zoe Miller", "=1+1", "'Til"]


@given(st.text(max_size=30))
def test_a_guarded_text_is_no_formula_and_reads_back(text: str) -> None:
    """Whatever a nickname is, its cell is one printable line and no formula; a usual text reads back as it was."""
    cell = guarded(text)

    assert not cell.startswith(("=", "+", "-", "@"))
    assert len(cell.splitlines()) <= 1
    if text.isprintable() and text == " ".join(text.split()) and text:
        out = io.StringIO()
        csv.writer(out).writerow(["5", cell])
        assert [row[2] for row in parsed(f"agent_id,agent_name\n{out.getvalue()}", AGENTS).rows or []] == [text]


@given(
    st.binary(max_size=200)
    | st.text(alphabet="skil_d,;\"\r\n\t\x00 12é'=", max_size=200).map(lambda text: f"skill_id,skill_name\n{text}".encode())
)
def test_any_content_is_read(raw: bytes) -> None:
    """No content raises; every id is met once, and each sentence is printable."""
    found = parsed(raw)

    keys = [row[:2] for row in found.rows or []]
    assert len(keys) == len(set(keys))
    assert set(keys) <= found.ids
    assert all(sentence.isprintable() for sentence in found.faults + found.notes)


MET: list[tuple[str, Any, str | None]] = [("1", 31, None), ("1", 12, None), ("1", 90, None)]


def added(raw: bytes | None, met: list[tuple[str, Any, str | None]] = MET, file: NameFile = SKILLS) -> str:
    """The contents after ids were added to a file."""
    contents, _ = with_ids(raw, file, met, lambda: {account for account, *_ in met})
    return (contents or b"").decode()


def test_a_new_file_has_every_id_most_used_first() -> None:
    """A new file has a mark by which a spreadsheet knows UTF-8, a header and a line for each id, ready to be filled in."""
    assert added(None) == "\ufeffaccount_id,skill_id,skill_name,is_bot,skill_group\n1,31,,,\n1,12,,,\n1,90,,,\n"
    assert added(None, []) == ""
    assert added(None, [("1", "5", 'Zoë "Z"'), ("2", "=6", "@x\ny")], AGENTS).splitlines()[1:] == [
        '1,5,,,,,,"Zoë ""Z"""',
        "2,'=6,,,,,,'@x y",
    ]


@pytest.mark.parametrize(
    ("raw", "end"),
    [
        (b"skill_id,skill_name\n12,Sales", "\n31,\n90,\n"),
        (b"colour;skill_name;SKILL_ID;account_id\r\nred;Sales;12;1\r\n", ";;31;1\r\n;;90;1\r\n"),
        (b"\xef\xbb\xbfskill_id,skill_name,is_bot\n12,Sales,perhaps\nx,y,\n", "31,,\n90,,\n"),
        (b'skill_id,skill_name\n12,"a\nb"\n90,\n"open', "\n31,\n"),
        (b"skill_id\tskill_name\r12\tSales\r", "31\t\r90\t\r"),
    ],
)
def test_what_people_wrote_stays(raw: bytes, end: str) -> None:
    """New lines stand behind the old ones, in the file's own columns and separators; no byte before them changes."""
    once = added(raw)

    assert once == raw.decode() + end
    assert added(once.encode()) == once


def test_ids_that_no_line_can_say_are_left_out() -> None:
    """An id with a control character or blanks around is in no line, and costs the others nothing."""
    contents, written = with_ids(None, AGENTS, [("1", "a\x07", None), ("1", " b", None), ("1", "c", "C")], lambda: ["1"])

    assert (contents or b"").decode().splitlines()[1:] == ["1,c,,,,,,C"]
    assert (written.met_count, written.added_count, written.unnamed_count, written.nicknamed_count) == (3, 1, 3, 1)


def test_a_file_that_can_not_be_used_stays() -> None:
    """Nothing is added to a file without a header, or without accounts where the lake has several."""
    for raw in (b"\xff", b"name\nx\n", b"skill_id,skill_name\n12,Sales\n"):
        contents, written = with_ids(raw, SKILLS, [*MET, ("2", 12, None)], lambda: ["1", "2"])
        assert contents is None
        assert written.added_count == 0
        assert len(written.faults) == 1


def test_topics() -> None:
    """A topic has a name and a pattern of RE2; without an account it is for all, also where the lake has several."""
    text = 'name,pattern,account_id\nrefund,"refund|money, back",\nrefund,geld,2\nrefund,again,\nlook,(?=x),\nopen,(,\nnone,,\n'
    found = parsed(text, TOPICS, ("1", "2"))

    assert found.rows == [(None, "refund", "refund|money, back"), ("2", "refund", "geld")]
    assert [fault.partition(";")[0] for fault in found.faults] == [
        "topics.csv, line 4: expected each name once, found topic refund, as in line 2, which counts",
        *(
            f"topics.csv, line {number}: pattern: expected a regular expression of RE2, as refund|money back, found {what}"
            for number, what in ((5, "'(?=x)'"), (6, "'('"), (7, "nothing"))
        ),
    ]
    assert parsed("pattern;name\nx;y\n", TOPICS, ("1", "2")).rows == [(None, "y", "x")]
    (fault,) = parsed("name,pattern\n,refund\n", TOPICS).faults
    assert fault.startswith("topics.csv, line 2: name: expected a text of at most 200 characters, ")
    assert fault.endswith(", found nothing; the line does not count: correct or delete it")


def test_the_view_of_agents_marks_what_no_name_may_have() -> None:
    """A nickname of any character, as the view shows it, is a name by the rule of the files."""
    text = re.sub(r"'\s*\|\| '", "", (ROOT / "sql/dimensions/agents.sql").read_text())
    [pattern] = re.findall(r"'\[(\\x.*?)\]\+',", text)
    ranges = re.findall(r"\\x\{(\w+)\}(?:-\\x\{(\w+)\})?", pattern)
    marked = {code for low, high in ranges for code in range(int(low, 16), int(high or low, 16) + 1)}

    refused = {code for code in range(0x110000) if not 0xD800 <= code < 0xE000 and TEXT.read(chr(code)) is None}
    assert refused == marked
