"""Settings come from the environment or .env, errors name them, and no secret shows."""

import json
import os
import traceback
from dataclasses import FrozenInstanceError, asdict
from pathlib import Path

import pytest

from pipeline.errors import SettingsError
from pipeline.settings import DEFAULT_BASE_URL, checked_base_url, env_file_warnings, export_store_settings, read_settings

CANARY = "canary-Zx81$"
ALL = {
    "LP_ACCOUNT_ID": "75555851",
    "LP_APP_KEY": CANARY + "1",
    "LP_APP_SECRET": CANARY + "2",
    "LP_ACCESS_TOKEN": CANARY + "3",
    "LP_ACCESS_TOKEN_SECRET": CANARY + "4",
}


@pytest.fixture(autouse=True)
def _empty_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each test starts in an empty folder, without any of our variables."""
    monkeypatch.chdir(tmp_path)
    for name in (*ALL, "LAKE_URI", "LP_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def set_all(monkeypatch: pytest.MonkeyPatch, **changed: str) -> None:
    for name, value in (ALL | changed).items():
        monkeypatch.setenv(name, value)


def test_defaults_hold_where_nothing_is_set() -> None:
    """Without environment and .env there is a lake in the working folder and the vendor's US host."""
    settings = read_settings()
    assert settings.lake_uri == "./lake"
    assert settings.lp_base_url == DEFAULT_BASE_URL


def test_environment_wins_over_env_file_and_both_over_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """A blank variable does not hide the file's value, foreign variables are left alone, a BOM does no harm."""
    lines = [
        "LAKE_URI=s3://file/lake",
        "LP_APP_KEY='from file'",
        "LP_ACCOUNT_ID=1",
        "OTHER=x",
        "export LP_APP_SECRET=z",
    ]
    Path(".env").write_text("\n".join(lines), encoding="utf-8-sig")
    monkeypatch.setenv("LP_ACCOUNT_ID", "2")
    monkeypatch.setenv("LP_APP_KEY", "")
    settings = read_settings()
    assert settings.lake_uri == "s3://file/lake"
    assert settings.lp_account_id == "2"
    assert settings.lp_app_key.clear == "from file"
    assert settings.lp_app_secret.clear == "z"


@pytest.mark.parametrize("secret", ["a$b", "${HOME}x", "$(id)", "a#b", "p@ss/%24", "a\\nb", "k'y", "ü=ß", "`id`"])
def test_a_secret_arrives_as_it_is_written(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    """Nothing in a value of .env is a reference, an escape or a comment, for the API's settings and for a store's."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "")
    Path(".env").write_text(f"LP_APP_SECRET={secret}\nAWS_SECRET_ACCESS_KEY={secret}\n", encoding="utf-8")
    export_store_settings()
    assert read_settings().lp_app_secret.clear == secret
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == secret


@pytest.mark.parametrize(("mode", "told"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True), (0o666, True)])
def test_an_env_file_that_others_can_read_is_told(mode: int, *, told: bool) -> None:
    """The warning names the file, its mode and the command that mends it."""
    assert not [*env_file_warnings()]
    Path(".env").write_text("LP_APP_KEY=x")
    Path(".env").chmod(mode)
    assert [*env_file_warnings()] == [f".env: others can read it (its mode is {mode:o}); run chmod 600 .env"] * told


def test_a_line_that_is_no_setting_is_told_by_its_number(caplog: pytest.LogCaptureFixture) -> None:
    """It can hold a secret, so it is not shown; the other lines count. A folder of that name is no file of settings."""
    Path(".env").write_text(f"# keys\n\n\n{CANARY} {CANARY}\nLAKE_URI=here\n")
    Path(".env").chmod(0o600)
    assert [*env_file_warnings()] == [".env: line 4 is not NAME=value, and sets nothing; correct it, or make it a comment by #"]
    assert read_settings().lake_uri == "here"
    assert not caplog.records
    Path(".env").unlink()
    Path(".env").mkdir()
    assert read_settings().lake_uri == "./lake"


def test_sizes_are_numbers_with_or_without_a_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit is read in bytes; blank is the default, and the error for a wrong size names the setting."""
    usual = read_settings()
    monkeypatch.setenv("LP_MAX_FILE_BYTES", " 1000 ")
    monkeypatch.setenv("LP_MAX_UNPACKED_BYTES", "1.5GiB")
    monkeypatch.setenv("LP_MAX_LISTING_BYTES", "  ")
    settings = read_settings()
    assert (settings.lp_max_file_bytes, settings.lp_max_unpacked_bytes) == (1000, 3 << 29)
    assert settings.lp_max_listing_bytes == usual.lp_max_listing_bytes == 32 << 20
    for wrong in ("0", "-1", CANARY, "1 parsec", "1e3", "9" * 5000, "\uff11\uff10MB", "0.1"):
        monkeypatch.setenv("LP_MAX_FILE_BYTES", wrong)
        with pytest.raises(SettingsError, match=r"^LP_MAX_FILE_BYTES: expected a size such as 500MB") as caught:
            read_settings()
        assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_the_number_of_downloads_is_a_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """From 1 to 32, without a unit; the error for anything else names the setting and what is expected."""
    assert read_settings().lp_downloads == 8
    for right in ("1", " 16 ", "32"):
        monkeypatch.setenv("LP_DOWNLOADS", right)
        assert read_settings().lp_downloads == int(right)
    for wrong in ("0", "33", "-1", "4.5", "4k", CANARY, "9" * 5000, "\uff14", "1e1"):
        monkeypatch.setenv("LP_DOWNLOADS", wrong)
        with pytest.raises(
            SettingsError, match=r"^LP_DOWNLOADS: expected a whole number from 1 to 32, found another value$"
        ) as caught:
            read_settings()
        assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_settings_are_frozen() -> None:
    """Settings stay as they were first read."""
    with pytest.raises(FrozenInstanceError):
        read_settings().lake_uri = "elsewhere"  # type: ignore[misc]


def test_credentials_have_all_that_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blanks around a value, as left by copying, do not belong to it."""
    set_all(monkeypatch, LP_APP_SECRET=f" {CANARY}2\n")
    credentials = read_settings().credentials()
    assert credentials.account_id == "75555851"
    assert credentials.app_secret.clear == CANARY + "2"


def test_all_missing_settings_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty and blank count as missing; the sentence says where they go and holds no value."""
    set_all(monkeypatch, LP_APP_SECRET="", LP_ACCESS_TOKEN="  ", LP_ACCOUNT_ID="")
    with pytest.raises(SettingsError, match=r"^LP_ACCOUNT_ID, LP_APP_SECRET, LP_ACCESS_TOKEN not set: .*\.env") as caught:
        read_settings().credentials()
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("name", ["AWS_SECRET_ACCESS_KEY", "LP_APP_SECRET"])
def test_a_nul_character_is_told(name: str) -> None:
    """No variable of a process can hold one."""
    Path(".env").write_text(f"{name}={CANARY}\0x\n")
    for read in (read_settings, export_store_settings):
        with pytest.raises(SettingsError, match=rf"^\.env: {name}: expected plain text, found a NUL character") as caught:
            read()
        assert CANARY not in str(caught.value)


def test_a_name_without_a_value_is_told() -> None:
    """A line of .env without `=` is no way to leave a setting out."""
    Path(".env").write_text("LP_APP_KEY\n")
    with pytest.raises(SettingsError, match=r"^LP_APP_KEY: expected a text, found none; write NAME=value"):
        read_settings()


@pytest.mark.parametrize("account", ["../x", "a b", "a/b", "1?x", "é", "1" * 65])
def test_an_account_that_could_leave_its_path_is_refused(monkeypatch: pytest.MonkeyPatch, account: str) -> None:
    """The account stands in URLs and file paths, so it is plain."""
    set_all(monkeypatch, LP_ACCOUNT_ID=account)
    with pytest.raises(SettingsError, match="LP_ACCOUNT_ID: expected only letters"):
        read_settings().credentials()


@pytest.mark.parametrize(
    "url",
    [
        "http://va.da.liveperson.net",
        f"https://user:{CANARY}@va.da.liveperson.net",
        "https://va.da.liveperson.net/data_access_le",
        "https://va.da.liveperson.net:99999",
        "https://va.da.liveperson.net:0",
        "https://[::::1]:80",
        "https://",
        "va.da.liveperson.net",
        "ftp://va.da.liveperson.net",
        "https://va.da.liveperson.net?x=1",
        "https://a..b",
        "http://127.0.0.1.evil.example",
    ],
)
def test_a_base_url_is_https_to_a_host_and_nothing_else(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """The error names the setting and never repeats a value that may hold a password."""
    set_all(monkeypatch, LP_BASE_URL=url)
    with pytest.raises(SettingsError, match="LP_BASE_URL: expected https://") as caught:
        read_settings().credentials()
    assert CANARY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("https://LO.da.liveperson.net/", "https://lo.da.liveperson.net"),
        ("HTTPS://lo.da.liveperson.net:8443", "https://lo.da.liveperson.net:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost:1/", "http://localhost:1"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_base_urls_that_serve(url: str, read: str) -> None:
    """They are https to any host, http to this computer only; the closing slash goes."""
    assert checked_base_url(url) == read


def test_a_lake_needs_no_api(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that only the API needs is checked at its use: queries work beside a wrong LP_BASE_URL."""
    monkeypatch.setenv("LP_BASE_URL", "nonsense")
    assert read_settings().lake_uri == "./lake"


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither settings nor credentials nor their errors print one, in any of the usual ways."""
    set_all(monkeypatch)
    settings = read_settings()
    credentials = settings.credentials()
    shown = [str(settings), repr(settings), str(vars(settings)), str(asdict(settings)), json.dumps(vars(settings), default=str)]
    shown += [str(credentials), repr(credentials), f"{credentials.app_key}"]
    assert not any(CANARY in text for text in shown)


@pytest.mark.parametrize("content", [b"LP_APP_KEY=\xff" + CANARY.encode(), b"\xff\xfeL\x00"])
def test_an_env_file_that_is_no_text_is_named(content: bytes) -> None:
    """A .env in another encoding is one sentence about the file, without its contents."""
    Path(".env").write_bytes(content)
    with pytest.raises(SettingsError, match=r"^\.env: expected UTF-8 text") as caught:
        read_settings()
    assert CANARY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.skipif(os.name != "posix", reason="environment variables are bytes on POSIX only")
def test_a_secret_of_other_bytes_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that cannot sign are refused before a request."""
    set_all(monkeypatch, LP_APP_SECRET=os.fsdecode(b"\xff" + CANARY.encode()))
    with pytest.raises(SettingsError, match=r"^LP_APP_SECRET: expected plain text") as caught:
        read_settings().credentials()
    assert CANARY not in str(caught.value)
