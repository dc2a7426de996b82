"""Doctor: its findings, and its end in every case. Real servers, disks and processes."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import openpgp
import pytest
from click.testing import CliRunner
from commands import lakehouse
from documents import conversation, document, gz, name_at, put
from lakes import take
from places import ROOT
from scripted_api import BASE_PATH, CANARIES, CREDENTIALS, LISTING_PATH, Reply, ScriptedApi, says
from small_disks import small_disk

from pipeline.cli.commands import main
from pipeline.cli.doctor.installation import about_pgp_key
from pipeline.lake.lake import Lake
from pipeline.load.find import find_files, incoming_from
from pipeline.load.load import load
from pipeline.load.session import writing
from pipeline.sandbox import Account, Sandbox
from pipeline.settings import Credentials

ACCOUNT = "4711"
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox([Account(ACCOUNT)]) as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty working folder, and no settings."""
    for name in [name for name in os.environ if name.startswith(("LP_", "LAKE_"))]:
        monkeypatch.delenv(name)
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def settings_of(base_url: str, keys: Credentials | None = None, **changed: str) -> dict[str, str]:
    """All that doctor wants, with canaries for the secrets unless there are keys."""
    secrets = keys.secrets if keys else CANARIES
    names = ("LP_APP_KEY", "LP_APP_SECRET", "LP_ACCESS_TOKEN", "LP_ACCESS_TOKEN_SECRET")
    account = ACCOUNT if keys else CREDENTIALS.account_id
    return {"LP_BASE_URL": base_url, "LP_ACCOUNT_ID": account} | dict(zip(names, secrets, strict=True)) | changed


def well(sandbox: Sandbox, **changed: str) -> dict[str, str]:
    return settings_of(sandbox.base_url, sandbox.credentials(ACCOUNT), **changed)


def doctor(settings: dict[str, str]) -> tuple[int, dict[str, list[str]]]:
    """Exit code, and of each check its findings, as `level found; advice`; no secret is in them."""
    done = CliRunner(env=settings).invoke(main, ["doctor", "--format", "json"])
    assert not [canary for canary in CANARIES if canary in done.output]
    found: dict[str, list[str]] = {}
    for one in json.loads(done.stdout):
        found.setdefault(one["check"], []).append(f"{one['level']} {one['found']}; {one['advice']}")
    return done.exit_code, found


def process(*arguments: str, settings: dict[str, str], through: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Doctor in a process of its own."""
    return subprocess.run(
        [*through, sys.executable, "-W", "error", "-m", "pipeline", "doctor", *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | settings,
        capture_output=True,
        text=True,
        check=False,
    )


def test_all_is_well(sandbox: Sandbox, here: Path) -> None:
    """With a sandbox and a lake each check is one line on standard output, and the exit code is 0; no key is shown."""
    take(Lake("lake"), put(here.parent, gz(document(conversation()))))
    settings = well(sandbox)
    (here / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    (here / ".env").chmod(0o600)
    done = process(settings={})
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    checks = [line.split()[1] for line in lines]
    assert checks == [
        ".env",
        "settings",
        "lake",
        "disk",
        "rights",
        "temp",
        "speed",
        "versions",
        "server",
        "clock",
        "credentials",
    ]
    assert {line.split()[0] for line in lines} <= {"ok", "warn"}  # without a compiler, speed is a warning
    assert "taken for account 4711, whose last two hours have" in lines[-1]
    assert not [
        value
        for name, value in settings.items()
        if "KEY" in name or "SECRET" in name or "TOKEN" in name
        if value in done.stdout
    ]
    assert not list(here.glob(".lakehouse-doctor*"))
    assert not list(here.glob("lake/.lakehouse-doctor*"))


def test_nothing_is_there() -> None:
    """Without account and lake it says that loads work and syncs do not, goes on, and fails nothing; no server is asked."""
    code, found = doctor({"LP_BASE_URL": NOWHERE})
    assert code == 0
    assert found["settings"][0].startswith("warn no account is set up: lakehouse load works without, lakehouse sync does not")
    assert found["server"] == ["warn not asked, since no account is set; "]
    assert "credentials" not in found
    assert found["lake"][0].startswith("ok none at ")
    assert {"disk", "rights", "temp", "speed", "versions"} <= found.keys()
    assert not Path("lake").exists()


@pytest.mark.parametrize(
    ("change", "check", "words", "expected"),
    [
        ({"LP_APP_SECRET": "wrong"}, "credentials", r"FAIL .*refuses the credentials \(HTTP 401, internalCode 10", 1),
        ({"LP_ACCOUNT_ID": "4712"}, "credentials", r"FAIL .*refuses the credentials \(HTTP 403", 1),
        ({"LP_BASE_URL": NOWHERE}, "server", r"FAIL the listing service: no answer from 127\.0\.0\.1 .*refused", 1),
        ({"LP_BASE_URL": "https://nowhere.invalid"}, "server", r"warn nowhere\.invalid is no known host of the vendor", 1),
        ({"LP_BASE_URL": "https://va.da.liveperson.net/x"}, "settings", "FAIL LP_BASE_URL: expected https", 2),
        ({"LP_ACCOUNT_ID": ""}, "settings", r"FAIL LP_ACCOUNT_ID not set", 2),
        ({"LP_APP_SECRET": ""}, "credentials", r"warn not tried, since settings are missing", 2),
        ({"LP_MAX_FILE_BYTES": "much"}, "settings", r"FAIL LP_MAX_FILE_BYTES: expected a size", 2),
        ({"LP_APP_SECRET": "<app secret>"}, "settings", r"warn LP_APP_SECRET holds a blank", 1),
        ({"LP_APP_SECRET": "…"}, "settings", r"warn LP_APP_SECRET holds a blank, a quote or another", 1),
        ({"LP_APP_SECRET": "short"}, "settings", r"warn LP_APP_SECRET has 5 characters only", 1),
        ({"LP_APP_SECERT": "x"}, "settings", r"warn LP_APP_SECERT is no setting; correct it if LP_APP_SECRET is meant", 0),
        ({"LAKE_URI": "s3://key:secret@bucket/lake"}, "lake", r"FAIL LAKE_URI or PATH: holds credentials", 2),
        ({"LAKE_URI": "nonsense://lake"}, "lake", r"FAIL nonsense://lake: expected a path or the URL", 2),
    ],
)
def test_what_is_wrong_is_told(sandbox: Sandbox, change: dict[str, str], check: str, words: str, expected: int) -> None:
    """Each by its name, with what to do; a setting that is missing or wrong ends with 2, another failure with 1."""
    code, found = doctor(well(sandbox) | change)
    assert any(re.match(words, one) for one in found[check]), found[check]
    assert code == expected


def test_the_same_key_twice_is_told(sandbox: Sandbox) -> None:
    """One of the four keys was copied twice."""
    settings = well(sandbox)
    _, found = doctor(settings | {"LP_ACCESS_TOKEN": settings["LP_APP_KEY"]})
    assert [one.split(";")[0] for one in found["settings"]] == [
        "warn LP_APP_KEY is the same as another key",
        "warn LP_ACCESS_TOKEN is the same as another key",
    ]


def test_an_env_file_for_others_is_a_warning(sandbox: Sandbox, here: Path) -> None:
    """It says what to run, and ends with 0."""
    (here / ".env").touch()
    (here / ".env").chmod(0o644)
    code, found = doctor(well(sandbox))
    assert (code, found[".env"]) == (0, ["warn .env: others can read it (its mode is 644); run chmod 600 .env; "])


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, r"ok this computer's clock and the server's are [0-3] s apart"),
        (-60, r"warn this computer's clock is (5[89]|6[0-3]) s ahead of the server's; .* timedatectl"),
        (60, r"warn this computer's clock is (5[7-9]|6[01]) s behind the server's"),
        (-3600, r"FAIL this computer's clock is (3599|360\d) s ahead of"),
        (3600, r"FAIL this computer's clock is (359\d|3600) s behind"),
        (None, r"warn the server tells no time"),
    ],
)
def test_the_clock_is_compared_with_the_servers(seconds: int | None, words: str) -> None:
    """By how many seconds and to which side; that spoils signatures only beyond five minutes."""
    with ScriptedApi() as api:
        date = "" if seconds is None else format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
        for path in ("/data_access_le", BASE_PATH):
            api.script[path] = [says("Unauthorized request", code=10, status=401, headers={"Date": date} if date else {})]
        code, found = doctor(settings_of(api.base_url))
    assert re.match(words, found["clock"][0]), found["clock"]
    assert ("clock" in found["credentials"][0]) is (abs(seconds or 0) > 300)
    assert code == 1


def test_an_account_without_engagement_data_is_told() -> None:
    """Keys that are taken open nothing where the base resource has no link to it, or that link's listing is refused."""
    with ScriptedApi() as api:
        settings = settings_of(api.base_url)
        api.script[LISTING_PATH] = [api.listing()]
        assert doctor(settings)[1]["credentials"][0].startswith(
            "ok taken for account 75555851, whose last two hours have 0 files"
        )
        by_itself, *signed = ["Authorization" in seen.headers for seen in api.seen]  # the first asks for the time alone
        assert (by_itself, set(signed)) == (False, {True})
        assert len(signed) in {2, 3}  # the base resource, then a listing a day: two hours are of two days after midnight
        api.script[LISTING_PATH] = [says("Unauthorized request", code=10, status=403)]
        assert re.match(r"FAIL .*/engagement for .* refuses", doctor(settings)[1]["credentials"][0])
        api.script[BASE_PATH] = [Reply(b'{"link": []}')]
        assert "FAIL" in doctor(settings)[1]["credentials"][0]
        assert "the server refuses the credentials (HTTP 403" in doctor(settings)[1]["credentials"][0]


def test_a_server_without_tls_is_told() -> None:
    """TLS to what speaks none is a failure of the server, not of the keys."""
    with ScriptedApi() as api:
        _, found = doctor(settings_of(api.base_url.replace("http:", "https:")))
    assert re.match(r"FAIL the listing service: .*(SSL|certificate)", found["server"][0])
    assert "credentials" not in found


@pytest.mark.long
def test_a_server_that_hangs_does_not_hang_doctor() -> None:
    """A server that takes the connection and says nothing is given up within seconds."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        _, found = doctor(settings_of(f"http://127.0.0.1:{silent.getsockname()[1]}"))
    assert found["server"][0].startswith("FAIL")
    assert time.monotonic() - started < 15


def test_a_lake_that_is_not_fed_is_a_warning(sandbox: Sandbox, here: Path) -> None:
    """Two days without a load are told; a load of today is not; how long the disk lasts is told by the lake's own growth."""
    lake = Lake(str(here / "lake"))
    paths = [put(here.parent, gz(document(conversation(f"c{hour}"))), name_at(hour)) for hour in (0, 24, 48)]
    with writing(lake):
        load(lake, incoming_from(find_files(map(str, paths))), now=lambda: datetime.now(UTC) - timedelta(days=5))
    code, found = doctor(well(sandbox))
    assert re.match(r"warn .*/lake: 3 files loaded, 0 rejected, 0 documents rejected, none for 5 days; sync", found["lake"][0])
    assert re.match(r"(ok|warn) .* free for the lake, which grows by 0.0 MB a day: for years", found["disk"][0])
    take(lake, put(here.parent, gz("garbage"), name_at(49)))
    assert code == 0
    assert re.match(
        r"ok .*/lake: 4 files loaded, 0 rejected, 1 document rejected, the newest at ", doctor(well(sandbox))[1]["lake"][0]
    )


def test_a_lake_that_cannot_be_read_fails(sandbox: Sandbox, here: Path) -> None:
    """A damaged log is told with the command that tells more."""
    take(Lake("lake"), put(here.parent, gz(document(conversation()))))
    max((here / "lake" / "files" / "_delta_log").glob("*.json")).write_text("")
    code, found = doctor(well(sandbox))
    assert (code, found["lake"][0].startswith("FAIL"), "lakehouse verify" in found["lake"][0]) == (1, True, True)


@pytest.mark.parametrize("harm", ["gone", "cut"])
def test_a_data_file_that_is_gone_or_cut_fails(here: Path, harm: str) -> None:
    """No sync is said to be possible where a Parquet file of any table isn't as it was written, and the file is named."""
    take(Lake("lake"), put(here.parent, gz(document(conversation()))))
    files = [path for path in sorted((here / "lake").rglob("*.parquet")) if not {"_delta_log", "runs"} & {*path.parts}]
    tables = {path.relative_to(here / "lake").parts[0] for path in files}
    assert len(tables) > 3
    for path in files:
        whole = path.read_bytes()
        path.write_bytes(whole[:-1])
        if harm == "gone":
            path.unlink()
        code, found = doctor({})
        assert (code, path.name in found["data files"][0], "lakehouse verify" in found["data files"][0]) == (1, True, True)
        path.write_bytes(whole)


def test_a_duckdb_file_that_no_load_ever_made_is_not_gone(here: Path) -> None:
    """A lake whose first run was refused has none, and lacks none."""
    lake = Lake("lake")
    lake.create()
    assert "duckdb" not in doctor({})[1]
    take(lake, put(here.parent, gz(document(conversation()))))
    (here / "lake" / "lakehouse.duckdb").unlink()
    assert "it is gone" in doctor({})[1]["duckdb"][0]


@pytest.fixture
def unprivileged() -> tuple[str, ...]:
    """The command that starts a process under the rights of files, which root can ignore."""
    if os.geteuid() != 0:
        return ()
    through = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    if shutil.which("setpriv") is None or subprocess.run([*through, "true"], capture_output=True, check=False).returncode:
        pytest.skip("root may write anywhere, and there is no setpriv to forbid it")
    return through


def test_a_folder_without_rights_fails(sandbox: Sandbox, here: Path, unprivileged: tuple[str, ...]) -> None:
    """Where nothing can be written no lake can be."""
    here.chmod(0o500)
    done = process(settings=well(sandbox), through=unprivileged)
    here.chmod(0o700)
    assert done.returncode == 1
    assert re.search(r"FAIL  rights +\S+/here can't be written as a lake is \(Permission denied\); give this user", done.stdout)


def test_a_folder_without_hard_links_fails(sandbox: Sandbox, here: Path) -> None:
    """Some mounted folders have none, and the tables' commits need them; nothing is left behind."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("no compiler to take hard links away with")
    source = here.parent / "no_links.c"
    source.write_text(
        "#include <errno.h>\n"
        "int link(const char *from, const char *to) { (void)from; (void)to; errno = EPERM; return -1; }\n"
        "int linkat(int a, const char *from, int b, const char *to, int flags)\n"
        "{ (void)a; (void)from; (void)b; (void)to; (void)flags; errno = EPERM; return -1; }\n"
    )
    library = source.with_suffix(".so")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    done = process(settings=well(sandbox) | {"LD_PRELOAD": str(library)})
    assert done.returncode == 1
    assert re.search(r"FAIL  rights .*Operation not permitted.*hard links", done.stdout)
    assert list(here.iterdir()) == []


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB of its own."""
    with small_disk(tmp_path / "disk", 1) as folder:
        yield folder


def test_a_full_disk_fails(sandbox: Sandbox, disk: Path) -> None:
    """Little room is a failure before it is filled; no room, for the lake and for what is downloaded, another."""
    _, found = doctor(well(sandbox, LAKE_URI=str(disk / "lake")))
    assert re.match(r"FAIL 1\.0 MB free for the lake; make room", found["disk"][0])
    assert found["rights"][0].startswith("ok")
    (disk / "ballast").write_bytes(bytes(os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize))
    done = process("--lake", str(disk / "lake"), settings=well(sandbox))
    assert done.returncode == 1
    assert re.search(r"FAIL  disk +0\.0 MB free", done.stdout)
    assert re.search(r"FAIL  rights .*No space left on device.*; make room", done.stdout), done.stdout
    assert "give this user the right" not in done.stdout


def test_versions_that_were_not_tried_are_a_warning(sandbox: Sandbox, here: Path) -> None:
    """The range is that of the installed package's own metadata; an extra that is not installed is none."""
    metadata = here.parent / "site" / "engagement_lakehouse-9.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    needed = ("pyarrow<20,>=18", "duckdb>=99.1", "click<9,>=8.1", "gcsfs>=9999; extra == 'nobody'")
    lines = ["Metadata-Version: 2.4", "Name: engagement-lakehouse", "Version: 9", *(f"Requires-Dist: {one}" for one in needed)]
    metadata.write_text("\n".join(lines) + "\n")
    settings = well(sandbox) | {"PYTHONPATH": f"{metadata.parent.parent}{os.pathsep}{ROOT}"}
    done = process(settings=settings)
    told = re.findall(r"warn  versions +(\w+) \S+ was not tried, (\S+) was; install", done.stdout)
    assert told == [("pyarrow", "<20,>=18"), ("duckdb", ">=99.1")]
    assert done.returncode == 0


def test_a_private_key_decrypts_and_is_for_its_owner(tmp_path: Path) -> None:
    """A key file that is not there or serves nothing is a wrong setting, one that others can read a warning."""
    key = tmp_path / "key.asc"
    assert list(about_pgp_key("")) == []
    for contents, mode, expected in (
        (None, 0, ["FAIL"]),
        (b"", 0o600, ["FAIL"]),
        (openpgp.KEY.read_bytes(), 0o644, ["warn"]),
        (openpgp.KEY.read_bytes(), 0o600, ["ok"]),
    ):
        if contents is not None:
            key.write_bytes(contents)
            key.chmod(mode)
        done = lakehouse("doctor", "--format", "json", cwd=tmp_path, LP_PGP_KEY=str(key), LP_PGP_PASSPHRASE=openpgp.PASSPHRASE)
        found = [one for one in json.loads(done.stdout) if one["check"] == "PGP key"]
        assert [one["level"] for one in found] == expected
        assert (done.returncode == 2) == (expected == ["FAIL"])


def test_a_terminal_gets_lines_that_fit(sandbox: Sandbox, here: Path) -> None:
    """On a terminal of 80 columns nothing is cut, and what needs more goes on below its own column."""
    script = "import pty, sys; pty.spawn([sys.executable, '-m', 'pipeline', 'doctor'])"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "80"} | well(sandbox)
    done = subprocess.run([sys.executable, "-c", script], cwd=here, env=environment, capture_output=True, text=True, check=True)
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", done.stdout).replace("\r", "")
    assert max(map(len, plain.splitlines())) <= 80
    assert {line[:19].strip() for line in plain.splitlines() if line.startswith("   ")} <= {""}
    assert re.sub(r"\s+", "", f"none in {here}, settings come from the environment") in re.sub(r"\s+", "", plain)
