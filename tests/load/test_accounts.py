"""Several accounts in one sync: one commit, each account's own report, and no account that keeps another out."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from lakes import ask, everything
from one_account import sync as sync_one
from sandboxes import MIDNIGHT, QUICK, SMALL

from pipeline.api.client import DataAccessClient
from pipeline.cli.summaries import sum_up_sync
from pipeline.errors import AccessRefusedError, LakeError
from pipeline.lake.lake import Lake
from pipeline.lake.snapshot import LEDGER
from pipeline.load.results import SyncReport
from pipeline.load.session import writing
from pipeline.load.sync import sync
from pipeline.load.sync import together as together_of
from pipeline.sandbox import Sandbox
from pipeline.settings import Secret

IDS = ("4711", "4712", "4713")
KEYS = "LP_APP_KEY=a\nLP_APP_SECRET=b\nLP_ACCESS_TOKEN=c\nLP_ACCESS_TOKEN_SECRET=d\n"
SINCE = MIDNIGHT - timedelta(days=4)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Three accounts, whose files have the same names."""
    accounts = [replace(SMALL, account_id=ident, conversations_per_day=3) for ident in IDS]
    with Sandbox(accounts, now=MIDNIGHT) as served:
        yield served


def clients(sandbox: Sandbox, stack: ExitStack, *refused: str) -> list[DataAccessClient]:
    """A client an account; the secrets of some are wrong."""
    made = []
    for ident in IDS:
        credentials = sandbox.credentials(ident)
        if ident in refused:
            credentials = replace(credentials, app_secret=Secret("wrong"))
        made.append(stack.enter_context(DataAccessClient(credentials, sandbox.base_url, limits=QUICK)))
    return made


def together(lake: Lake, sandbox: Sandbox, *refused: str, commit_bytes: int = 1 << 30) -> dict[str, SyncReport]:
    """Sync all accounts in one run; gives their reports by account, and leaves out the error of some."""
    with ExitStack() as stack:
        reports = {client: SyncReport() for client in clients(sandbox, stack, *refused)}
        ends = pytest.raises(AccessRefusedError, match=f"account {refused[0]}: the server") if refused else nullcontext()
        with writing(lake) as newest, ends:
            sync(lake, reports, since=SINCE, now=lambda: MIDNIGHT, commit_bytes=commit_bytes, newest=newest)
        return {client.account_id: report for client, report in reports.items()}


def one_by_one(lake: Lake, sandbox: Sandbox) -> dict[str, SyncReport]:
    with ExitStack() as stack:
        found = {}
        for client in clients(sandbox, stack):
            with writing(lake):
                found[client.account_id] = sync_one(lake, client, since=SINCE, now=lambda: MIDNIGHT)
        return found


def version(lake: Lake) -> int:
    return lake.newest_version(LEDGER) or 0


def test_one_run_is_as_one_for_each_in_one_commit(lake: Lake, sandbox: Sandbox, tmp_path: Path) -> None:
    """The same rows in all tables and the same reports, though files of the accounts share their names."""
    alone = Lake(str(tmp_path / "alone"))
    expected = one_by_one(alone, sandbox)
    assert together(lake, sandbox) == expected
    assert all(report.loaded > 1 for report in expected.values())
    assert (version(lake), version(alone)) == (1, 3)
    assert everything(lake) == everything(alone)
    for account in IDS:
        assert ask(lake, f"select count(*) from files where account_id = '{account}'") == [(expected[account].loaded,)]
    hours = "select account_id, hour, files, missing from listings order by all"
    assert ask(lake, hours) == ask(alone, hours)


def test_a_second_run_fetches_nothing(lake: Lake, sandbox: Sandbox) -> None:
    """Each account's files are known by that account."""
    first = together(lake, sandbox)
    rows = everything(lake)
    again = together(lake, sandbox)
    assert {one: (report.known, report.loaded) for one, report in again.items()} == {
        one: (report.loaded, 0) for one, report in first.items()
    }
    assert everything(lake) == rows


@pytest.mark.parametrize("commit_bytes", [1_500])
def test_small_commits_lose_nothing(lake: Lake, sandbox: Sandbox, tmp_path: Path, commit_bytes: int) -> None:
    """A commit for every file, or one across the end of an account."""
    expected = together(Lake(str(tmp_path / "whole")), sandbox)
    assert together(lake, sandbox, commit_bytes=commit_bytes) == expected
    assert version(lake) > 3
    assert everything(lake) == everything(Lake(str(tmp_path / "whole")))


@pytest.mark.parametrize("refused", [IDS[:1], IDS[1:2], IDS[2:], IDS[:2]])
def test_an_account_that_is_refused_keeps_no_other_out(lake: Lake, sandbox: Sandbox, refused: tuple[str, ...]) -> None:
    """The run fails and names it; the others are loaded, and its report says why it is not."""
    reports = together(lake, sandbox, *refused)
    for account, report in reports.items():
        assert bool(report.failure) == (account in refused)
        assert bool(report.loaded) == (account not in refused)
        assert report.is_complete == (account not in refused)
    assert {account for (account,) in ask(lake, "select distinct account_id from conversations")} == {*IDS} - {*refused}
    assert set(together(lake, sandbox)) == {*IDS}
    assert ask(lake, "select count(distinct account_id) from conversations") == [(3,)]


def test_a_load_that_fails_ends_the_downloads(lake: Lake, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing goes on in the background, and nothing was loaded."""

    def fail(*_: object, **__: object) -> None:
        raise LakeError("no room")

    monkeypatch.setattr("pipeline.load.load._commit", fail)
    with ExitStack() as stack, writing(lake), pytest.raises(LakeError, match="no room"):
        sync(lake, {client: SyncReport() for client in clients(sandbox, stack)}, since=SINCE, now=lambda: MIDNIGHT)
    assert not lake.snapshot().rows.get("conversations")


def files_of(sandbox: Sandbox, folder: Path) -> list[str]:
    """The arguments that name a file of settings for each account."""
    words = []
    for ident in IDS:
        path = folder / f"{ident}.env"
        path.write_text(sandbox.settings_of(ident))
        path.chmod(0o600)
        words += ["--account", str(path)]
    return words


def lakehouse(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline", *words, "--lake", str(folder / "lake")]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_the_command_tells_each_account(sandbox: Sandbox, tmp_path: Path) -> None:
    """Its lines stand below its id; a dry run names the account of each file."""
    accounts = files_of(sandbox, tmp_path)
    window = ("--since", f"{SINCE:%Y-%m-%d}", "--until", f"{MIDNIGHT:%Y-%m-%d}")
    dry = lakehouse(tmp_path, "sync", "--dry-run", *window, *accounts)
    assert dry.returncode == 0, dry.stderr
    assert {line.partition("\t")[0] for line in dry.stdout.splitlines()} == {*IDS}
    done = lakehouse(tmp_path, "sync", *window, *accounts)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    heading, *told, total = [line for line in lines if not line.startswith(" ")]
    assert f": accounts {', '.join(IDS)}, lake {tmp_path}/lake, " in heading
    assert told == [f"account {ident}:" for ident in IDS]
    assert total.startswith("3 accounts: ")
    assert sum(" files loaded: " in line for line in lines) == 4
    assert version(Lake(str(tmp_path / "lake"))) == 1


def test_what_is_of_no_single_account_is_told_below_them(sandbox: Sandbox) -> None:
    """Files replaced and deliveries superseded are known of the run alone; of one account they are in its own report."""
    with ExitStack() as stack:
        reports = {client: SyncReport(is_asked=True) for client in clients(sandbox, stack)}
        total = together_of(reports)
        total.replaced, total.superseded = 1, 2
        sum_up_sync(reports, total, (said := list[str]()).append)
        assert [line for line in said if not line.startswith(" ")] == [
            *(f"account {ident}:" for ident in IDS),
            "1 file loaded in the place of another of the same name, whose rows are gone",
            "2 deliveries of a conversation superseded by another",
            "3 accounts: 0 files loaded: 0 conversations, 0 messages, 0 transfers",
        ]
        (client, report), *_ = reports.items()
        assert together_of({client: report}) is report


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "expected a file with the settings of an account"),
        ("LP_APP_KEY=x\n", "LP_ACCESS_TOKEN, LP_ACCESS_TOKEN_SECRET, LP_ACCOUNT_ID, LP_APP_SECRET not set"),
        ("LP_ACCOUNT_ID=1\nLAKE_URI=elsewhere\n", "line 2: expected a setting of an account"),
        ("LP_ACCOUNT_ID=1\nLP_APP_KEY=a\nsecond-half\n", "line 3: expected NAME=value"),
        ("lp_account_id=1\nsecond-half=\n", "line 2: expected a setting of an account"),
        ("LP_ACCOUNT_ID=../x\n" + KEYS, "LP_ACCOUNT_ID: "),
        ("LP_ACCOUNT_ID=1\n" + KEYS + "LP_BASE_URL=http://example.org\n", "LP_BASE_URL: "),
        ("LP_ACCOUNT_ID=1\n" + KEYS + "\n\nLP_DOWNLOADS 3\n", "line 8: expected NAME=value"),
    ],
)
def test_a_file_of_an_account_says_what_is_wrong_with_it(tmp_path: Path, text: str | None, told: str) -> None:
    """In one sentence, before anything is asked or written."""
    path = tmp_path / "one.env"
    if text is not None:
        path.write_text(text)
    done = lakehouse(tmp_path, "sync", "--account", str(path))
    assert done.returncode == 2
    assert f"{path}: {told}" in done.stderr
    assert "second-half" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 + ("others can read it" in done.stderr)
    assert not (tmp_path / "lake").exists()


def test_an_account_has_one_file(sandbox: Sandbox, tmp_path: Path) -> None:
    """Two files of one account are a mistake: the second one may have older keys. The same file twice is none."""
    accounts = files_of(sandbox, tmp_path)
    copy = tmp_path / "copy.env"
    copy.write_text(Path(accounts[1]).read_text())
    done = lakehouse(tmp_path, "sync", *accounts, "--account", str(copy))
    assert done.returncode == 2
    assert f"{copy}: the account 4711 is in {accounts[1]}, too" in done.stderr
    assert lakehouse(tmp_path, "sync", "--dry-run", *accounts, *accounts[:2]).returncode == 0


def test_a_folder_stands_for_its_files(sandbox: Sandbox, tmp_path: Path) -> None:
    """Those named NAME.env; sync, status and doctor take it, and commands that they advise name it."""
    folder = tmp_path / "accounts"
    folder.mkdir()
    files_of(sandbox, folder)
    (folder / ".env").write_text("LP_ACCOUNT_ID=another\n")
    (folder / "notes.txt").write_text("no settings")
    Lake(str(tmp_path / "lake")).create()
    status = lakehouse(tmp_path, "status", "--account", str(folder))
    assert f"run lakehouse doctor --account {folder} --lake" in status.stdout
    window = ("--since", f"{SINCE:%Y-%m-%d}", "--until", f"{MIDNIGHT:%Y-%m-%d}")
    done = lakehouse(tmp_path, "sync", "--dry-run", *window, "--account", str(folder))
    assert {line.partition("\t")[0] for line in done.stdout.splitlines()} == {*IDS}
    doctor = lakehouse(tmp_path, "doctor", "--account", str(folder)).stdout
    for ident in IDS:
        assert f"{folder / ident}.env: account {ident}, all four keys are set" in doctor
        assert f"{folder / ident}.env: taken for account {ident}" in doctor
    empty = tmp_path / "empty"
    empty.mkdir()
    done = lakehouse(tmp_path, "sync", "--account", str(empty))
    assert (done.returncode, done.stderr.startswith(f"lakehouse: {empty}: expected files")) == (2, True)


def test_doctor_tells_of_every_wrong_file(sandbox: Sandbox, tmp_path: Path) -> None:
    """One after the other would take a run for each."""
    accounts = files_of(sandbox, tmp_path)
    for path in accounts[1:4:2]:
        Path(path).write_text("LP_APP_KEY=x\n")
    doctor = lakehouse(tmp_path, "doctor", *accounts)
    assert doctor.returncode == 2
    assert [path for path in accounts[1::2] if f"{path}: LP_ACCESS_TOKEN, LP_ACCESS_TOKEN_SECRET" in doctor.stdout] == accounts[
        1:4:2
    ]
    assert f"{accounts[5]}: taken for account 4713" in doctor.stdout


def test_a_key_that_a_file_lacks_is_no_others(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account's settings come from its file alone, whatever the environment has."""
    accounts = files_of(sandbox, tmp_path)
    path = Path(accounts[1])
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if "LP_APP_SECRET" not in line))
    monkeypatch.setenv("LP_APP_SECRET", "of another")
    done = lakehouse(tmp_path, "sync", *accounts)
    assert (done.returncode, f"{path}: LP_APP_SECRET not set" in done.stderr) == (2, True)
    monkeypatch.setenv("LP_ACCOUNT_ID", "another")
    assert lakehouse(tmp_path, "sync", "--dry-run", *accounts[2:]).returncode == 0


def test_status_knows_the_accounts_that_a_sync_was_given(sandbox: Sandbox, tmp_path: Path) -> None:
    """An account that was refused from the first run on is told, and that of another schedule is not called lost."""
    accounts = files_of(sandbox, tmp_path)
    refused = Path(accounts[1])
    refused.write_text(re.sub("LP_APP_SECRET=.*", "LP_APP_SECRET=wrongwrong", refused.read_text()))
    window = ("--since", f"{SINCE:%Y-%m-%d}", "--until", f"{MIDNIGHT:%Y-%m-%d}")
    done = lakehouse(tmp_path, "sync", *window, *accounts)
    assert done.returncode == 1
    *_, total, error = done.stderr.splitlines()
    assert total.startswith("3 accounts, 1 failed: ")
    assert error.startswith("lakehouse: 1 of 3 accounts failed, the others did not: account 4711: ")
    assert sum("account 4711: failed: " in line for line in done.stderr.splitlines()) == 1
    status = lakehouse(tmp_path, "status", *accounts)
    assert status.returncode == 3
    assert "account 4711: no listing of it was ever had" in status.stdout
    assert "neither LP_ACCOUNT_ID nor --account" not in status.stdout


def test_a_dry_run_prints_the_files_of_the_accounts_that_are_not_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    """It ends with 1, and names each that is; so does a run in which all are."""
    accounts = files_of(sandbox, tmp_path)
    window = ("--since", f"{SINCE:%Y-%m-%d}", "--until", f"{MIDNIGHT:%Y-%m-%d}")
    for path in accounts[1:4:2]:
        Path(path).write_text(re.sub("LP_APP_SECRET=.*", "LP_APP_SECRET=wrongwrong", Path(path).read_text()))
    dry = lakehouse(tmp_path, "sync", "--dry-run", *window, *accounts)
    assert dry.returncode == 1
    assert {line.partition("\t")[0] for line in dry.stdout.splitlines()} == {IDS[2]}
    for words in (("sync", "--dry-run"), ("sync",)):
        done = lakehouse(tmp_path, *words, *window, *accounts[:4])
        told = [line for line in done.stderr.splitlines() if line.startswith("account ")]
        assert [line.partition(": failed: the server")[0] for line in told] == [f"account {ident}" for ident in IDS[:2]]
        assert done.stderr.splitlines()[-1].startswith("lakehouse: 2 of 2 accounts failed; the first: account 4711: ")


def test_an_account_that_a_stopped_run_did_not_reach_is_told_so(sandbox: Sandbox) -> None:
    """It looks like no account without files."""
    with ExitStack() as stack:
        first, *others = (SyncReport() for _ in IDS)
        first.is_asked = True
        reports = dict(zip(clients(sandbox, stack), [first, *others], strict=True))
        sum_up_sync(reports, together_of(reports), (said := list[str]()).append)
    assert said[-3:-1] == [f"account {ident}: not asked, since the run was stopped before" for ident in IDS[1:]]
    assert said[-1].startswith("3 accounts, 2 not asked: ")
