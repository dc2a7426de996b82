"""The demo fills a lake of its own, and keeps out of anybody else's."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from commands import lakehouse
from documents import conversation, document, gz, put
from lakes import ask, everything, take
from places import ROOT

from pipeline.cli.demo import UNTIL, run_demo
from pipeline.lake.lake import Lake


@pytest.mark.parametrize(("account_id", "told"), [("4711", "4711"), (None, "unknown")])
def test_a_lake_of_other_accounts_is_refused(tmp_path: Path, account_id: str | None, told: str) -> None:
    """One sentence names the account and the remedy; no row is added to the lake."""
    lake = Lake(str(tmp_path / "mine"))
    take(lake, put(tmp_path, gz(document(conversation(), account_id=account_id))))
    before, files = everything(lake), sorted(Path(lake.root).rglob("*"))
    (tmp_path / ".env").write_text("LAKE_URI=mine\n")
    done = lakehouse("demo", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert f"found account {told}; nothing was changed, name another lake by --lake or LAKE_URI" in done.stderr
    assert (everything(lake), sorted(Path(lake.root).rglob("*"))) == (before, files)


def test_an_empty_lake_and_the_demos_own_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A lake without any account, and then the same one again; a log gets no colours."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    lake = Lake(str(tmp_path / "lake"))
    take(lake, put(tmp_path, b""))
    for _ in range(2):
        assert run_demo(lake, print, {}, since=UNTIL - timedelta(hours=6)).is_complete
        printed = capsys.readouterr()
        assert "Report: " in printed.out
        assert "\x1b" not in printed.out + printed.err
    assert len(ask(lake, "select distinct account_id from conversations")) == 2


@pytest.mark.long
def test_the_readmes_answer_is_the_demos(tmp_path: Path) -> None:
    """The question of the README gives its answer, number by number, on the lake that the demo's last lines name."""
    shown = re.search(
        r"^```sh\nmake sql\n(.*?)^```\n\n```\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE
    )
    assert shown
    done = lakehouse("demo", "--lake", "my lake", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Ask your own question: lakehouse sql --lake 'my lake'.\n" in done.stdout
    asked = lakehouse("sql", "--lake", "my lake", re.sub(r"^(?:lake| *-)> ", "", shown[1], flags=re.MULTILINE), cwd=tmp_path)
    assert (asked.returncode, asked.stdout.strip()) == (0, shown[2].strip()), asked.stderr
