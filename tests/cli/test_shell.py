"""The SQL shell on a real terminal: keys go in, the screen is read."""

import contextlib
import os
import re
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


@pytest.mark.parametrize("entry", ["help", "HELP;", ".help", "help .chart", ".help .chart"])
def test_help_needs_no_dot(opened: Terminal, entry: str) -> None:
    """`help` lists the commands, with a dot or without, and nothing on the screen's right is broken."""
    shown = do(opened, f"{entry}{ENTER}", ".tables [WORD]", ".chart [QUERY]", ".quit")
    assert max(map(len, shown.splitlines())) <= 100


def test_tables_are_listed_by_theme(opened: Terminal) -> None:
    """Tables, facts and the views of each folder, a line each, cut at a word; of days, weeks and steps the way to them."""
    shown = do(
        opened, f".tables{ENTER}", "\r\ntables\r\n", "conversations", "\r\nfacts\r\n", "\r\nqueue (and 15 by", ".tables steps: "
    )
    assert "queue_time_weekly" not in shown
    assert "local_named_entries" not in shown
    lines = shown.splitlines()
    assert max(map(len, lines)) < 100
    (line,) = [line for line in lines if line.startswith("  queue_time_daily ")]
    assert line.split(maxsplit=1)[1] == "Waits of visitors in queues, and the share who gave up, day by day."
    (cut,) = [line for line in lines if line.startswith("  mcs_movement_by_agent_daily ")]
    assert re.search(r"\w …$", cut)


@pytest.mark.parametrize(
    ("word", "shown", "hidden"),
    [
        ("queue", {"queue_time_weekly", "abandonment_daily", "queue_entries"}, {"mcs_daily", "queue_intervals"}),
        ("MCS_DAILY", {"mcs_daily"}, {"mcs_monthly"}),
        ("steps", {"queue_intervals"}, {"queue_time_daily"}),
        ("all", {"queue_intervals", "queue_time_monthly", "conversations"}, set()),
        ("mine", {"mine_alone"}, {"queue_entries"}),
        ("zebra", {"no table or view has zebra in its name or its theme"}, {"queue"}),
    ],
)
def test_tables_are_found_by_word(opened: Terminal, word: str, shown: set[str], hidden: set[str]) -> None:
    """`.tables WORD` lists those with the word in their name or their theme, and the session's own."""
    do(opened, f"create or replace temp table mine_alone as select 1;{ENTER}")
    listed = do(opened, f".tables {word}{ENTER}select 6 * 7;{ENTER}", "42 │")
    assert {name for name in shown | hidden if re.search(rf"^ *{name}\b", listed, re.MULTILINE)} == shown


def test_each_of_several_statements_shows_its_result(opened: Terminal) -> None:
    """Statements on one line are answered one after the other."""
    do(opened, f"select 1 as one; select 2 as two;{ENTER}", "one", "1 │", "two", "2 │")


def test_a_chart_draws_the_last_result_or_a_query(opened: Terminal) -> None:
    """`.chart` takes the last rows, or a query, with bars or lines, as wide as the screen; `.once` takes a chart, too."""
    do(opened, f"select 'a' as name, 30 as n; select 'b' as name, 20 as n;{ENTER}", "20 │")
    shown = do(opened, f".chart{ENTER}", "b  ", "█ 20")
    assert "30" not in shown
    shown = do(opened, f".chart line select range, range * 7 as seven from range(30);{ENTER}", "seven\r\n", "203 ┤", "0 ┤")
    assert 90 < max(len(line) for line in shown.splitlines() if "┤" in line) <= 100
    do(opened, f".chart bar{ENTER}", "█ 140", "the first 21 of 30 rows")
    do(opened, f".chart select 'only', 'text'{ENTER}", "the chart: expected a column of numbers after the first, found varchar")
    do(opened, f".chart select nonsense{ENTER}", "Binder Error")


def test_a_chart_needs_a_query(lake: Lake, tmp_path: Path) -> None:
    """Before any query `.chart` says so."""
    with shell(lake, tmp_path) as terminal:
        terminal.expect("lake>")
        do(terminal, f".chart{ENTER}", ".chart: expected a query before it or behind it, found none")


def leave_pager(terminal: Terminal) -> None:
    """Press q until the prompt is there: less drops the keys that come while it handles a Ctrl-C."""
    for _ in range(10):
        terminal.press("q")
        with contextlib.suppress(AssertionError):
            terminal.expect("lake>", seconds=3)
            return
    raise AssertionError("the pager does not end")


def test_the_pager_has_all_rows_and_columns(lake: Lake, tmp_path: Path) -> None:
    """With `.pager on` what is larger than the screen goes to less, whole and harmless; the arrows move, q leaves it."""
    with shell(lake, tmp_path) as terminal:
        terminal.expect("lake>")
        do(terminal, f".pager on{ENTER}", "q leaves it")
        do(terminal, f"select 42 as small;{ENTER}", "42 │")
        terminal.press(f"select chr(27) || '[31m' as hostile, range from range(5000);{ENTER}")
        terminal.expect("from range(5000);")
        seen = terminal.raw_until(r"\x1b[31m")
        assert "\x1b[31m" not in seen
        terminal.press("G")
        terminal.expect("5,000 rows")
        terminal.press("!")
        terminal.expect("not available")
        terminal.press(f"{ENTER}")
        do(terminal, "q")
        terminal.press(f"from conversations;{ENTER}")
        terminal.expect("(END)")
        terminal.press(CTRL_C)
        with pytest.raises(AssertionError):
            terminal.expect("lake>", seconds=1)  # the pager is still there
        leave_pager(terminal)
        do(terminal, f".pager off{ENTER}")
        do(terminal, f"from range(5000);{ENTER}", "shown)")


def test_leaving_the_pager_ends_the_query(lake: Lake, tmp_path: Path) -> None:
    """A result without end in sight stops where its reader leaves, without a word."""
    with shell(lake, tmp_path, PAGER="head -n 3") as terminal:
        terminal.expect("lake>")
        do(terminal, f".pager on{ENTER}")
        do(terminal, f".mode csv{ENTER}")
        shown = do(terminal, f"from range(1000000000);{ENTER}", "range\r\n0\r\n1\r\n")
        assert "2" not in shown.partition("1\r\n")[2]
        do(terminal, f"select 42 as n;{ENTER}", "42")


def test_a_pager_that_is_not_there_is_said(lake: Lake, tmp_path: Path) -> None:
    """The remedy is named, and the screen is used."""
    with shell(lake, tmp_path, PAGER="no-such-pager -x") as terminal:
        terminal.expect("lake>")
        do(terminal, f".pager on{ENTER}", ".pager: no-such-pager: there is no such program; set PAGER to another")
        do(terminal, f"from range(5000);{ENTER}", "shown)")


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
    do(opened, f"from range(50);{ENTER}", " 25 │", " 49 │")
    do(opened, f".rows fit{ENTER}")


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


def test_a_file_s_ending_tells_its_form(opened: Terminal, tmp_path: Path) -> None:
    """`.once` writes a table whole, or csv, Markdown and Parquet by the name; a wrong query leaves what was there."""
    for name, begin in {"a.parquet": b"PAR1", "a.csv": b"a\n", "a.md": b"| a |\n", "a.txt": "┌".encode()}.items():
        do(opened, f".once {tmp_path / name}{ENTER}")
        do(opened, f"select range as a from range(2000);{ENTER}", f"written to {tmp_path / name}")
        assert (tmp_path / name).read_bytes().startswith(begin)
    assert "│  1000 │" in (tmp_path / "a.txt").read_text()
    do(opened, f".once {tmp_path / 'a.csv'}{ENTER}")
    do(opened, f"select nonsense;{ENTER}", "Binder Error")
    assert (tmp_path / "a.csv").read_text().startswith("a\n0\n")
    assert len(list(tmp_path.iterdir())) == 4
    do(opened, f".once {tmp_path / 'nowhere' / 'a.csv'}{ENTER}")
    do(opened, f"select 1;{ENTER}", "the result cannot be written to")


def test_what_customers_wrote_can_not_steer_the_terminal(opened: Terminal) -> None:
    """Control characters of a value are shown, in every format."""
    hostile = "select chr(27) || '[31m' || chr(155) || chr(8238) as t;"
    for form in ("csv", "line", "markdown", "table", "json"):
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
        ("help", True),
        ("Help;", True),
        ("help .chart", True),
        ("help me", False),
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
        (".chart bar from queue_time_h", "queue_time_hourly"),
        (".chart select queue_e| from transfers", "queue_end_time"),
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
