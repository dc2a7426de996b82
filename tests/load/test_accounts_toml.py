"""Accounts in a file of TOML: secrets by reference, one sentence for what is wrong, and no value of a secret in it."""

import os
import traceback
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from commands import lakehouse
from sandboxes import SMALL

from pipeline.accounts import account_paths, each_account, own_accounts, read_accounts
from pipeline.errors import SettingsError
from pipeline.sandbox import Sandbox

CANARY = "canary-Zx81$"
KEYS = ("app_key", "app_secret", "access_token", "access_token_secret")
GOOD = 'account_id = "4711"\n' + "".join(f'{key} = {{ env = "ACME_{key.upper()}" }}\n' for key in KEYS)


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each test starts in an empty folder, with the variables of one account, and none of our settings."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("LP_", "LAKE_"))]:
        monkeypatch.delenv(name)
    for key in KEYS:
        monkeypatch.setenv(f"ACME_{key.upper()}", f"{CANARY}-{key}")


def written(text: str, mode: int = 0o644) -> Path:
    """A file of accounts with this text."""
    path = Path("accounts.toml")
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def with_key(value: str) -> str:
    """The table of an account whose app_key is that."""
    return f"[acme]\n{GOOD}".replace('{ env = "ACME_APP_KEY" }', value)


def test_secrets_come_from_where_the_file_says() -> None:
    """Variables, files beside it, and, where it is for its owner alone, texts; all other settings hold for all accounts."""
    Path("keys").mkdir()
    Path("keys/secret").write_text(f"{CANARY}\n\n")
    Path("keys/secret").chmod(0o600)
    Path("keys/link").symlink_to("secret")
    Path(".env").write_text("LP_ACCOUNT_ID=another\nLP_APP_KEY=another\nLP_DOWNLOADS=3\n")
    second = 'account_id = "4712"\nbase_url = "https://lo.da.liveperson.net"\napp_key = "inline"\n'
    second += 'app_secret = { file = "keys/secret" }\naccess_token = { file = "keys/link" }\n'
    second += f'access_token_secret = {{ file = "{Path.cwd()}/keys/secret" }}\n'
    path = written(f"[acme]\n{GOOD}\n['the other one']\n{second}", 0o600)
    first, other = read_accounts([path])
    assert (first.where, other.where) == ("accounts.toml: acme", "accounts.toml: the other one")
    assert first.credentials.account_id == "4711"
    assert first.credentials.secrets == tuple(f"{CANARY}-{key}" for key in KEYS)
    assert other.credentials.secrets == ("inline", CANARY, CANARY, CANARY)
    assert [one.settings.lp_base_url for one in (first, other)] == [
        f"https://{place}.da.liveperson.net" for place in ("va", "lo")
    ]
    assert [one.settings.lp_downloads for one in (first, other)] == [3, 3]
    assert first.warnings == other.warnings == ()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_that_stands_in_the_file_is_for_its_owner_alone(mode: int) -> None:
    """Else the sentence names the key, the mode and the remedies."""
    path = written(with_key(f'"{CANARY}"'), mode)
    with pytest.raises(SettingsError, match=rf"^accounts\.toml: acme: app_key: .* mode is {mode:o}\); run chmod 600") as caught:
        read_accounts([path])
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    written(with_key(f'"{CANARY}"'), 0o600)
    assert read_accounts([path])


@pytest.mark.parametrize(("mode", "told"), [(0o600, False), (0o440, False), (0o644, True)])
def test_a_secret_file_that_anybody_can_read_is_told(mode: int, *, told: bool) -> None:
    """As of `.env`: a warning, and the run goes on; that of a group is how services share one."""
    Path("key").write_text(CANARY)
    Path("key").chmod(mode)
    (account,) = read_accounts([written(with_key('{ file = "key" }'))])
    assert account.warnings == (f"key: others can read it (its mode is {mode:o}); run chmod 600 key",) * told
    assert account.credentials.app_key.clear == CANARY


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "accounts.toml: expected a table"),
        (f"[acme]\napp_key = {CANARY}\n", "accounts.toml: line 2: expected TOML"),
        (f'[acme]\napp_key = "{CANARY}\n', "accounts.toml: line 2: expected TOML"),
        (f'[acme]\napp_key = "{CANARY}"\napp_key = "{CANARY}"\n', "accounts.toml: line 3: expected TOML"),
        (f'[acme]\napp_key = """{CANARY}', "accounts.toml: its end: expected TOML"),
        pytest.param("app_key = " + "[" * 5000, "accounts.toml: expected TOML", id="deep"),
        pytest.param("app_key = " + "9" * 5000, "accounts.toml: expected TOML", id="long number"),
        (f'app_key = "{CANARY}"\n', "accounts.toml: app_key: expected a table"),
        (f'[acme]\n{GOOD}app_kee = "{CANARY}"\n', "accounts.toml: acme: app_kee: expected only access_token, "),
        (
            '[acme]\naccount_id = "4711"\n',
            "accounts.toml: acme: access_token, access_token_secret, app_key, app_secret not",
        ),
        (f"[acme]\n{GOOD}".replace('"4711"', "4711"), "accounts.toml: acme: account_id: expected a text in quotes"),
        (f"[acme]\n{GOOD}".replace('"4711"', '"../x"'), "accounts.toml: acme: account_id: expected only letters"),
        (f'[acme]\n{GOOD}base_url = "http://{CANARY}"\n', "accounts.toml: acme: base_url: expected https://"),
        (f"[acme]\n{GOOD}[beta]\n{GOOD}", "accounts.toml: beta: the account 4711 is in accounts.toml: acme, too"),
        (with_key("1"), "accounts.toml: acme: app_key: expected { env"),
        (with_key('{ env = "A", file = "B" }'), "accounts.toml: acme: app_key: expected { env"),
        (with_key(f'{{ value = "{CANARY}" }}'), "accounts.toml: acme: app_key: expected { env"),
        (with_key('{ env = "" }'), "accounts.toml: acme: app_key: expected { env"),
        (with_key('{ env = "NONE" }'), "accounts.toml: acme: app_key: expected a key in the variable NONE of the environment"),
        (
            with_key('{ env = "BLANK" }'),
            "accounts.toml: acme: app_key: expected a key in the variable BLANK of the",
        ),
        (
            with_key('{ file = "none" }'),
            "accounts.toml: acme: app_key: expected the path of a file, found a name that no file here has",
        ),
        (with_key('{ file = "folder" }'), "accounts.toml: acme: app_key: folder: cannot be read (Is a directory)"),
        (with_key('{ file = "empty" }'), "accounts.toml: acme: app_key: expected a key in empty, found none"),
        (with_key('{ file = "pipe" }'), "accounts.toml: acme: app_key: pipe: expected a file, found a pipe or a device"),
        (with_key('{ file = "/dev/zero" }'), "accounts.toml: acme: app_key: /dev/zero: expected a file, found a pipe"),
        (with_key('{ file = "long" }'), "accounts.toml: acme: app_key: long: expected at most 16,384 bytes"),
        (with_key('{ file = "bytes" }'), "accounts.toml: acme: app_key: bytes: expected UTF-8 text"),
        (
            with_key('{ file = "lines" }'),
            "accounts.toml: acme: app_key: expected plain text in lines, found control",
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(monkeypatch: pytest.MonkeyPatch, text: str, told: str) -> None:
    """It names file, account and key, and no value of a secret."""
    monkeypatch.setenv("BLANK", " ")
    Path("folder").mkdir()
    Path("empty").write_text("\n")
    Path("long").write_text(CANARY * 2000)
    Path("lines").write_text(f"{CANARY}\n{CANARY}\n")
    Path("bytes").write_bytes(b"\xff" + CANARY.encode())
    os.mkfifo("pipe")
    path = written(text, 0o600)
    with pytest.raises(SettingsError) as caught:
        read_accounts([path])
    assert str(caught.value).startswith(told)
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_a_run_that_can_not_read_its_accounts_ends_with_2(tmp_path: Path) -> None:
    """Before it asks or writes anything; a file that is not there is told, too."""
    written(f"[acme]\napp_key = {CANARY}\n")
    for name in ("accounts.toml", "none.toml"):
        for command in ("sync", "doctor"):
            done = lakehouse(command, "--account", name, cwd=tmp_path)
            assert done.returncode == 2
            assert f"{name}: " in done.stderr + done.stdout
            assert CANARY not in done.stderr + done.stdout
    assert not Path("lake").exists()


def test_each_wrong_account_is_known_by_itself() -> None:
    """So that doctor tells all of them in one run."""
    path = written(f'[acme]\n{GOOD}[beta]\naccount_id = "1"\n[gamma]\n{GOOD.replace("4711", "4713")}other = 1\n')
    good, *wrong = each_account([path])
    assert not isinstance(good, SettingsError)
    assert [str(one).partition(": ")[2].partition(":")[0] for one in wrong] == ["beta", "gamma"]


def test_a_reader_needs_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """`status` takes the ids of a file whose secrets it can't read."""
    for key in KEYS:
        monkeypatch.delenv(f"ACME_{key.upper()}")
    path = written(f"[acme]\n{GOOD}")
    assert own_accounts([path], print) == {"4711"}
    with pytest.raises(SettingsError, match="app_key"):
        read_accounts([path])


def test_a_setting_names_the_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and folders in the environment or `.env`; the options win."""
    assert account_paths([]) == ()
    Path(".env").write_text(f"LP_ACCOUNTS=one.toml{os.pathsep} two {os.pathsep}\n")
    assert account_paths([]) == (Path("one.toml"), Path("two"))
    monkeypatch.setenv("LP_ACCOUNTS", "three.env")
    assert account_paths([]) == (Path("three.env"),)
    assert account_paths([Path("four")]) == (Path("four"),)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Two accounts."""
    accounts = [replace(SMALL, account_id=ident, conversations_per_day=30) for ident in ("4711", "4712")]
    with Sandbox(accounts, now=datetime.now(UTC)) as served:
        yield served


def test_commands_take_the_accounts_of_the_setting(sandbox: Sandbox, tmp_path: Path) -> None:
    """Doctor tests each, sync brings all in one run, status tells of the one that is refused; each is named as in the file."""
    lines = []
    for ident in ("4711", "4712"):
        lines += [f"[a{ident}]", f'account_id = "{ident}"', f'base_url = "{sandbox.base_url}"']
        for key, secret in zip(KEYS, sandbox.credentials(ident).secrets, strict=True):
            Path(f"{key}-{ident}").write_text(secret)
            Path(f"{key}-{ident}").chmod(0o600)
            lines.append(f'{key} = {{ file = "{key}-{ident}" }}')
    written("\n".join(lines))
    Path("app_secret-4712").write_text("wrongwrong")
    setting = {"LP_ACCOUNTS": "accounts.toml"}
    doctor = lakehouse("doctor", cwd=tmp_path, **setting)
    assert "accounts.toml: a4711: taken for account 4711" in doctor.stdout
    assert "accounts.toml: a4712: account 4712, all four keys are set" in doctor.stdout
    assert doctor.returncode == 1
    since = f"{sandbox.now():%Y-%m-%d}T00:00"
    done = lakehouse("sync", "--since", since, cwd=tmp_path, **setting)
    assert done.returncode == 1
    assert "1 of 2 accounts failed, the others did not: account 4712: " in done.stderr
    status = lakehouse("status", cwd=tmp_path, **setting)
    assert status.returncode == 3
    assert "account 4712: no listing of it was ever had" in status.stdout
    written("[a]")
    wrong = lakehouse("status", cwd=tmp_path, **setting)  # it tells, and goes on with what it can read
    assert "accounts.toml: a: access_token, access_token_secret, account_id" in wrong.stderr
    assert "4711" in wrong.stdout


def test_a_key_in_a_wrong_place_is_not_shown() -> None:
    """As the name of a variable, of a file, or of a setting."""
    for line in ('app_key = { env = "canary4711" }', 'app_key = { file = "canary4711" }', 'canary4711 = "x"'):
        path = written("[acme]\n" + "\n".join(row for row in GOOD.splitlines() if not row.startswith(line[:8])) + f"\n{line}\n")
        with pytest.raises(SettingsError) as error:
            read_accounts([path])
        assert "canary4711" not in str(error.value)
