"""The SQL shell on a real terminal: keys go in, the screen is read."""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from documents import VENDOR_EXAMPLE
from lakes import take
from places import ROOT
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from terminals import Terminal

from pipeline.cli.prompt import SqlCompleter, is_complete, leaves
from pipeline.cli.shell import COMMANDS
from pipeline.lake.lake import Lake
from pipeline.warehouse.database import connect

ENTER, TAB, CTRL_C, CTRL_D, UP = "\r", "\t", "\x03", "\x04", "\x1b[A"
SLOW = "select count(*) from range(100000000) a, range(1000) b where a.range * b.range % 7 = 3;"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with the vendor's example."""
    folder = tmp_path_factory.mktemp("lake")
    lake = Lake(str(folder / "lake"))
    take(lake, VENDOR_EXAMPLE)
    return lake


def shell(lake: Lake, home: Path, *options: str, **variables: str) -> Terminal:
    """`lakehouse sql` on a terminal of 30 lines and 100 columns."""
    surroundings = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1"}
    env = surroundings | {"PYTHONPATH": str(ROOT), "HOME": str(home), "LAKE_URI": lake.uri} | variables
    command = [sys.executable, "-m", "pipeline", "sql", *options]
    return Terminal(command, cwd=home, env=env, lines=30, columns=100)


def do(terminal: Terminal, keys: str, *shown: str) -> str:
    """Press keys at the prompt, wait for what they bring and the next prompt; returns all that was shown."""
    terminal.press(keys)
    return "".join(terminal.expect(text) for text in (*shown, "lake>"))


@pytest.fixture(scope="module")
def opened(lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A shell that several tests type into, each from an empty line to an empty line."""
    with shell(lake, tmp_path_factory.mktemp("home")) as terminal:
        terminal.expect("lake>")
        yield terminal
        terminal.press(CTRL_D)
        assert terminal.ended() == 0


def test_a_statement_goes_over_several_lines(opened: Terminal) -> None:
    """Enter begins a new line until the statement ends with a semicolon, wherever else one stands."""
    opened.press(f"select 'a;b' as text, -- ;{ENTER}")
    opened.expect("->")
    assert "a;b" in do(opened, f"40 + 2 as sum;{ENTER}", "42 │")


@pytest.mark.parametrize(
    ("entry", "is_leaving"),
    [(".quit", True), ("exit", True), ("QUIT;", True), ("exit ;", True), ("quit from t;", False), ("quitting", False)],
)
def test_other_shells_words_leave(entry: str, *, is_leaving: bool) -> None:
    """`exit` and `quit` leave, with a semicolon or without, where nothing else stands in the entry."""
    assert leaves(entry) == is_leaving


def test_a_dot_command_that_is_none_is_said(opened: Terminal) -> None:
    """A name that is not known, or a word that a command does not take: that, and the list of what there is."""
    for wrong in (".foo", ".mode xml"):
        do(opened, f"{wrong}{ENTER}", f"{wrong}: no such command, or not in that form", ".describe NAME")


def test_tab_completes_tables_columns_and_commands(opened: Terminal) -> None:
    """A table after from, a column of an alias's table, a function, a dot command: Tab writes the rest."""
    opened.press(f"from queue_time_b{TAB}")
    opened.expect("queue_time_by_skill")
    do(opened, f";{ENTER}", "1 row")
    opened.press(f".desc{TAB}")
    opened.expect(".describe")
    do(opened, f" transf{TAB}{CTRL_C}")


def test_ctrl_c_stops_a_query_and_does_not_leave(opened: Terminal) -> None:
    """A running query ends at once, and the next one is answered."""
    opened.press(SLOW + ENTER)
    opened.expect("= 3;")
    with pytest.raises(AssertionError):
        opened.expect("rows", seconds=1)  # it is running
    do(opened, CTRL_C, "stopped")
    assert "after" in do(opened, f"select 'after' as came;{ENTER}", "├")


def test_duckdb_s_errors_are_its_words_alone(opened: Terminal) -> None:
    """A wrong statement says what is wrong with it, without a traceback."""
    shown = do(opened, f"select nonsense from messages;{ENTER}", "Binder Error", "Candidate bindings")
    assert "Traceback" not in shown
    do(opened, f"from query;{ENTER}", "Catalog Error: Table with name query does not exist")


def test_more_rows_than_fit_come_with_their_number(opened: Terminal) -> None:
    """A table is no longer than the screen, and the number of all rows stands below; .rows sets how many are shown."""
    shown = do(opened, f"from range(1234567) as numbers(a);{ENTER}", "1,234,567 rows in all")
    assert sum("│" in line for line in shown.splitlines()) < 30
    do(opened, f".rows 10{ENTER}")
    do(opened, f"from range(50);{ENTER}", "50 rows", "(10 shown)")
    do(opened, f".rows 0{ENTER}")


def test_wide_tables_end_at_the_screen_s_edge(opened: Terminal) -> None:
    """No line of a table is wider than the terminal; .mode line shows every column."""
    shown = do(opened, f"from conversations;{ENTER}", "shown)", "in the shell .mode line")
    assert max(len(line) for line in shown.splitlines() if "│" in line) <= 100
    do(opened, f".mode line{ENTER}")
    do(opened, f"from conversations;{ENTER}", "conversation_id = 755558514295264942", "context_id")
    do(opened, f".mode table{ENTER}")


def test_formats_and_files(opened: Terminal, tmp_path: Path) -> None:
    """CSV and JSON come on the screen and, once, into a file."""
    do(opened, f".mode csv{ENTER}")
    do(opened, f"select 1 as a, 'x,y' as b;{ENTER}", '1,"x,y"')
    do(opened, f".mode json{ENTER}")
    do(opened, f".once {tmp_path / 'rows.json'}{ENTER}")
    do(opened, f"select 1 as a;{ENTER}", "written to")
    do(opened, f"select 2 as a;{ENTER}", '{"a": 2}')
    do(opened, f".mode table{ENTER}")
    assert (tmp_path / "rows.json").read_text() == '[\n{"a": 1}\n]\n'


def test_what_customers_wrote_can_not_steer_the_terminal(opened: Terminal) -> None:
    """Control characters of a value are shown, in every format."""
    hostile = "select chr(27) || '[31m' || chr(155) || chr(8238) as t;"
    for form in ("csv", "line", "table", "json"):
        do(opened, f".mode {form}{ENTER}")
        opened.press(hostile + ENTER)
        opened.expect("as t;")
        seen = opened.raw_until("lake>")
        assert not {"\x1b[31m", "\x9b", "\u202e"} & {
            seen[place : place + size] for place in range(len(seen)) for size in (1, 5)
        }
    do(opened, f".mode table{ENTER}")


def test_timing_on_request(opened: Terminal) -> None:
    """.timer on prints the seconds of each statement."""
    do(opened, f".timer on{ENTER}")
    do(opened, f"select 1;{ENTER}", "└", " s\r\n")
    do(opened, f".timer off{ENTER}")


def test_history_survives_and_is_private(lake: Lake, tmp_path: Path) -> None:
    """The next shell knows the last one's statements; the file is its owner's alone, and can be cleared."""
    with shell(lake, tmp_path) as terminal:
        terminal.expect("lake>")
        do(terminal, f"select 6{ENTER}* 7 as answer;{ENTER}", "42")
        terminal.press(f".quit{ENTER}")
        assert terminal.ended() == 0
    kept = tmp_path / ".local/state/lakehouse/sql_history"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    with shell(lake, tmp_path) as terminal:
        terminal.expect("lake>")
        terminal.press(UP + UP)
        terminal.expect("* 7 as answer;")
        do(terminal, ENTER, "42")
        do(terminal, f".history{ENTER}", "sql_history")
        do(terminal, f".history clear{ENTER}", "is empty now")
    assert "answer" not in kept.read_text()


def test_history_can_be_switched_off(lake: Lake, tmp_path: Path) -> None:
    """LAKE_HISTORY=off leaves nothing behind."""
    with shell(lake, tmp_path, LAKE_HISTORY="off") as terminal:
        terminal.expect("lake>")
        do(terminal, f"select 42;{ENTER}", "42 │")
        do(terminal, f".history{ENTER}", "No history is kept")
        terminal.press(CTRL_D)
        assert terminal.ended() == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("", True),
        (".tables", True),
        ("exit", True),
        ("quit ", True),
        ("select 1\nexit", False),
        ("select 1", False),
        ("select 1;", True),
        ("select 1; -- done", True),
        ("select 'a;", False),
        ("select $$ ; $$", False),
        ('select "ü;";', True),
        ("select 1 /* ;", False),
    ],
)
def test_a_statement_is_whole_with_its_semicolon(text: str, *, whole: bool) -> None:
    """A semicolon counts where DuckDB's own scanner sees one."""
    assert is_complete(text) == whole


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("select * from queue_time_h", "queue_time_hourly"),
        ("select m.pos| from messages as m", "position"),
        ("select t.queue_e| from conversations c join transfers t using (conversation_id)", "queue_end_time"),
        ("select entry_c| from queue_time_daily where true", "entry_count"),
        ("with calm as (select 1) from cal", "calm"),
        ("select quantile_co", "quantile_cont"),
        ("SEL", "select"),
        (".mo", ".mode"),
        (".describe mcs_di", "mcs_distribution"),
    ],
)
def test_the_first_offer_fits(lake: Lake, text: str, first: str) -> None:
    """Tab's first completion, with the cursor at the bar or the end."""
    before, _, after = text.partition("|")
    with connect(lake) as connection:
        offers = SqlCompleter(connection, list(COMMANDS)).get_completions(
            Document(before + after, len(before)), CompleteEvent()
        )
        assert next(offers).text == first
