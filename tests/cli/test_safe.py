"""Secrets stay secret, nobody else reads the lake, and no file brings the machine down."""

import base64
import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from click.testing import CliRunner
from documents import conversation, document, gz, name_at, put
from lakes import ask, take
from places import ROOT, SUPPORT
from scripted_api import ACCOUNT, CANARIES, LISTING_PATH, Reply, ScriptedApi, Seen, as_json, says

from pipeline.cli.commands import main
from pipeline.lake.lake import Lake

SECRETS = ("LP_APP_KEY", "LP_APP_SECRET", "LP_ACCESS_TOKEN", "LP_ACCESS_TOKEN_SECRET")
WINDOW = ("--since", "2016-07-25T18:00Z", "--until", "2016-07-25T20:00Z")


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    with ScriptedApi() as api:
        yield api


def environment(**settings: str) -> dict[str, str]:
    """The surroundings without settings of ours, and these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LP_", "LAKE_", "AWS_"))}
    return kept | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"} | settings


def settings_of(api: ScriptedApi) -> dict[str, str]:
    """The settings of a sync from it, with canaries for secrets."""
    return {"LP_BASE_URL": api.base_url, "LP_ACCOUNT_ID": ACCOUNT} | dict(zip(SECRETS, CANARIES, strict=True))


def loud(*commands: str, cwd: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Commands that tell all that they can."""
    command = [sys.executable, "-X", "faulthandler", str(SUPPORT / "log_everything.py"), *commands]
    return subprocess.run(command, cwd=cwd, env=environment(**settings), capture_output=True, text=True, check=False)


def lakehouse(*arguments: str, cwd: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own."""
    command = [sys.executable, "-W", "error", "-m", "pipeline", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment(**settings), capture_output=True, text=True, check=False)


def forms(secret: str) -> set[bytes]:
    """A secret in every usual spelling; in Base64 its middle, wherever it stands in what was encoded."""
    spelled = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), repr(secret)[1:-1], json.dumps(secret)[1:-1]}
    found = {text.encode() for text in spelled} | {secret.encode().hex().encode(), secret.encode("utf-16-le")}
    for text in (secret, quote(secret, safe="")):
        for shift in range(3):
            encoded = base64.b64encode(bytes(shift) + text.encode())[4:-4]
            found |= {encoded, encoded.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


def leaks(*texts: bytes, signed: list[Seen]) -> list[bytes]:
    """The secrets, and the signatures made with them, that are in the texts."""
    signatures = {seen.headers.get("Authorization", "").partition('oauth_signature="')[2].partition('"')[0] for seen in signed}
    hidden = {form for canary in CANARIES for form in forms(canary)} | {one.encode() for one in signatures if one}
    return [form for form in hidden for text in texts if form in text]


def files_below(folder: Path) -> list[bytes]:
    """The contents of every file, and of what is packed the text, too."""
    contents = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return contents + [gzip.decompress(raw) for raw in contents if raw.startswith(b"\x1f\x8b")]


def test_the_search_finds_every_form() -> None:
    """The tests below can fail: a secret is found in Base64 at any place, in JSON, in a URL and in a repr."""
    for canary in CANARIES:
        for before in ("", "k", "ke", "key"):
            assert leaks(base64.b64encode(f"{before}{canary}:".encode()), signed=[])
        for text in (json.dumps({"a": canary}), quote(f"?a={canary}"), repr([canary]), f"x{canary}y"):
            assert leaks(text.encode(), signed=[]), text


def files_listed(api: ScriptedApi, *contents: bytes) -> Reply:
    """A listing of files with these contents."""
    for number, body in enumerate(contents):
        api.script[f"{LISTING_PATH}/{name_at(number)}"] = [Reply(body)]
    return api.listing(*(api.entry(name_at(number)) for number in range(len(contents))))


LATE = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
LISTING_FAULTS = (
    says("Unauthorized request", code=10, status=401, headers={"Date": LATE}),
    Reply(b"<e><message>Unauthorized request</message></e>", status=403),
    says("This request is not supported", code=5, status=400),
    as_json([1]),
    as_json({"dataAccessFiles": {"file": [{"@name": "../x", "@href": "x"}]}}),
    Reply(status=302, headers={"Location": "https://evil.example/"}),
    Reply(status=503, headers={"Retry-After": "3600"}),
)


def test_no_secret_shows_in_any_failure(api: ScriptedApi, tmp_path: Path) -> None:
    """Every command that uses the API, at its loudest and in every kind of failure, shows no secret, nor does the lake."""
    good = files_listed(api, gz(document(conversation("c1"))), gz("garbage"), b"<html>no file", gz(document())[:-9], b"", b"")
    api.script[f"{LISTING_PATH}/{name_at(4)}"] = [says("gone", status=404)]
    api.script[f"{LISTING_PATH}/{name_at(5)}"] = [Reply(status=302, headers={"Location": "//evil.example/x"})]
    api.script[LISTING_PATH] = [*LISTING_FAULTS, good]
    sync = f"sync --debug {' '.join(WINDOW)}"
    commands = [*[sync] * len(LISTING_FAULTS), f"{sync} --dry-run", sync, "status --debug", "verify --debug", "doctor --debug"]
    (tmp_path / "locked").touch()
    done = loud(*commands, f"{sync} --lake locked", cwd=tmp_path, **settings_of(api))
    output = (done.stdout + done.stderr).encode()
    ended = [line.rpartition(" ")[2] for line in done.stderr.splitlines() if " ended with " in line]
    assert ended[: len(LISTING_FAULTS) + 2] == [*"1111311", "0", "3"]  # an entry that is no file is set aside
    assert ended[-1] == "1"
    assert {"401", "403"} <= set(re.findall(r"HTTP (\d+)", done.stderr))
    assert b"DEBUG:urllib3" in output
    assert b"Secret" in output
    assert leaks(output, *files_below(tmp_path), signed=api.seen) == []


def test_a_setting_that_is_refused_shows_no_other(tmp_path: Path) -> None:
    """A garbled setting is named; the values of the others, from .env too, stay unsaid."""
    (tmp_path / ".env").write_text("".join(f"{name}={canary}\n" for name, canary in zip(SECRETS, CANARIES, strict=True)))
    done = loud("sync --debug", "doctor --debug", cwd=tmp_path, LP_ACCOUNT_ID="a b")
    assert "SettingsError: LP_ACCOUNT_ID" in done.stderr
    assert leaks((done.stdout + done.stderr).encode(), signed=[]) == []


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The working folder of commands that run in this process, without settings."""
    for name in [name for name in os.environ if name.startswith(("LP_", "LAKE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_env_file_that_others_can_read_is_told_once(here: Path) -> None:
    """Sync says so on standard error, once, and goes on; a file for its owner alone is not worth a word."""
    (here / ".env").write_text("LP_APP_KEY=x\n")
    (here / ".env").chmod(0o644)
    assert CliRunner().invoke(main, ["sync"]).stderr.count("others can read it") == 1
    (here / ".env").chmod(0o600)
    assert "others" not in CliRunner().invoke(main, ["sync"]).stderr


def test_nothing_that_a_command_makes_is_for_others(api: ScriptedApi, here: Path) -> None:
    """Sync, a load in several processes, compact and report: files are for their owner alone, folders too."""
    api.script[LISTING_PATH] = [files_listed(api, gz(document(conversation("c1"))), gz("garbage"))]
    for hour in range(3, 6):  # enough that other processes take part
        put(here / "in", gz(document(conversation(f"h{hour}")), os.urandom(400_000).hex()), name_at(hour))
    former = os.umask(0o022)
    try:
        for arguments in (
            ("sync", *WINDOW),
            ("load", "in"),
            ("compact", "--retain-hours", "0"),
            ("report", "--output", "out.html"),
        ):
            done = CliRunner(env=settings_of(api)).invoke(main, arguments)
            assert done.exit_code in (0, 3), done.stderr
    finally:
        os.umask(former)
    made = [here / "lake", here / "out.html", *(here / "lake").rglob("*")]
    assert len(made) > 50
    assert {path.stat().st_mode & 0o777 for path in made if path.is_dir()} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in made if path.is_file()} == {0o600}


def test_a_lake_made_from_python_is_for_its_owner(here: Path) -> None:
    """Without the command, too; the umask of the process is then as it was."""
    former = os.umask(0o022)
    try:
        take(Lake("lake"), put(here / "in", gz(document(conversation("c1")))))
    finally:
        found = os.umask(former)
    assert found == 0o022
    assert [path for path in (here / "lake", *(here / "lake").rglob("*")) if path.stat().st_mode & 0o077] == []


def test_a_bomb_is_refused_and_memory_stays_bounded(tmp_path: Path) -> None:
    """A file or document that unpacks to more than is allowed is rejected; others beside it load."""
    long_line = gzip.compress(b"x" * (26 << 20) + b"\n")
    put(tmp_path / "in", long_line + gz(document(conversation("c2"))), name_at(0))
    put(tmp_path / "in", gzip.compress(b"\n" * (40 << 20)), name_at(1))
    put(tmp_path / "in", gz(document(conversation("c1"))), name_at(2))
    (tmp_path / ".env").write_text("LP_MAX_UNPACKED_BYTES=32MiB\nLP_MAX_DOCUMENT_BYTES=24MiB\n")
    measured = (
        "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)"
    )
    command = [sys.executable, "-c", measured, sys.executable, "-m", "pipeline", "load", "in"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "2 files loaded: 2 conversations," in done.stderr
    assert f"  {name_at(1)}: it holds more than 33,554,432 bytes of text; if it is genuine, raise LP" in done.stderr
    assert int(done.stdout) < 600_000, "in kB, of the largest process"


def test_a_cap_of_today_does_not_give_up_what_the_lake_has(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A landed file whose delivery counts again is read whole, even if it were refused as a new one."""
    first = put(here / "1", gz(document(conversation("c1")), *[document()] * 200), name_at(0))
    lake = Lake(str(here / "lake"))
    take(lake, first, put(here / "2", gz(document(conversation("c1"))), name_at(1)))
    monkeypatch.setenv("LP_MAX_UNPACKED_BYTES", "5000")
    assert take(lake, put(here / "3", gz(document(conversation("c2"))), name_at(1))).is_complete
    assert ask(lake, "select conversation_id from conversations order by all") == [("c1",), ("c2",)]
    assert not take(Lake(str(here / "other")), first).is_complete


def test_downloads_are_capped_by_settings(api: ScriptedApi, here: Path) -> None:
    """A listing or a file that is larger than its setting is refused by a sentence that names it."""
    api.script[LISTING_PATH] = [files_listed(api, os.urandom(3000), gz(document(conversation("c1"))))]
    (here / ".env").write_text("".join(f"{name}='{value}'\n" for name, value in settings_of(api).items()))
    done = CliRunner(env={"LP_MAX_FILE_BYTES": "2000"}).invoke(main, ["sync", *WINDOW])
    assert (done.exit_code, "1 file loaded" in done.stderr) == (3, True)
    assert f"{name_at(0)}: expected at most 2,000 bytes, more came; if it is genuine, raise LP_MAX_FILE_BYTES" in done.stderr
    done = CliRunner(env={"LP_MAX_LISTING_BYTES": "300"}).invoke(main, ["sync", *WINDOW])
    assert (done.exit_code, "raise LP_MAX_LISTING_BYTES" in done.stderr) == (1, True)
