"""Strings that arrive as PGP messages: decrypted at load with the account's key, left and counted without it."""

import gzip
import itertools
import json
import multiprocessing
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpgp
import pytest
from commands import lakehouse, process
from documents import START, conversation, document, gz, message, name_at, put
from lakes import seen

from pipeline.decode.pgp import Keyring
from pipeline.decode.reader import RowReader
from pipeline.decode.scanner import PADDING
from pipeline.settings import Secret
from pipeline.source_files import Source

TAG = "com.liveperson.dataaccess."
ARMOUR = "-----BEGIN PGP MESSAGE-----"
PUBLIC = "-----BEGIN PGP PUBLIC KEY BLOCK-----\r\n\r\nmQINBF/abc+=\r\n=abcd\r\n-----END PGP PUBLIC KEY BLOCK-----\r\n"
WITH_KEY = {"LP_PGP_KEY": str(openpgp.KEY), "LP_PGP_PASSPHRASE": openpgp.PASSPHRASE}
TRANSFER = {"timestamp": {"string": str(START)}, "skillId": {"long": 1}, "agentId": {"string": "agent 7"}}


def documents(seal: Callable[[str], Any]) -> list[dict[str, Any]]:
    """Three people's conversations with every kind of value that a field may have as a string, each put in by `seal`."""
    made = []
    for person in ("ann", "bob", "cem"):
        one = conversation(
            f"c-{person}",
            consumerId={"string": seal(f"consumer {person}")},
            startUrl={"string": seal(f"https://example.com/?q={person}")},
            startPage=seal("Page \u2028 \\ / \x07"),
            endReasonId={"int": seal("3")},
            campaignData={f"{TAG}CampaignData": {"campaignId": {"string": seal("12")}, "lob": {"string": seal("sales")}}},
            messages=[
                message(seal(f'{person} said: "where is my order?"\n🙂')),
                message(f"{ARMOUR}\nno message at all", by={"string": seal(person)}),
                message(PUBLIC),
                message(f"in clear, with {ARMOUR} in it"),
            ],
            transfers={"array": [TRANSFER | {"targetAgentId": {"string": seal("agent 9")}}]},
            secureForms={"array": [{"string": seal("a form")}]},
            ssn={"string": seal("123-45-6789")},
        )
        made.append(document(one))
    return made


@pytest.fixture(scope="module")
def sealed() -> list[dict[str, Any]]:
    """The documents with every such value encrypted; equal values are different messages.

    Some come with a public key before them, behind them, both, or two of them.
    """
    around = itertools.cycle([("", ""), (PUBLIC, ""), ("", PUBLIC), (PUBLIC, PUBLIC), (PUBLIC * 2, "")])

    def seal(text: str) -> str:
        before, behind = next(around)
        return f"{before}{openpgp.encrypted(text)}\n{behind}"

    return documents(seal)


@pytest.fixture(scope="module")
def with_key(tmp_path_factory: pytest.TempPathFactory, sealed: list[dict[str, Any]]) -> Path:
    """A folder whose ./lake has them, decrypted; ./in the file as it was served."""
    folder = tmp_path_factory.mktemp("with_key")
    put(folder / "in", gz(*sealed), name_at(0))
    done = lakehouse("load", "in", cwd=folder, **WITH_KEY)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose ./lake has the same documents, never encrypted."""
    folder = tmp_path_factory.mktemp("plain")
    put(folder / "in", gz(*documents(str)), name_at(0))
    done = lakehouse("load", "in", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def rows(folder: Path) -> dict[str, list[str]]:
    """All rows of a folder's lake; of files only what does not tell them apart."""
    told = seen(folder / "lake")
    return told | {"files": [re.sub(r'"(bytes|sha256)":[^,]+,', "", row) for row in told["files"]]}


def status(folder: Path) -> dict[str, int]:
    """The files that status counts as encrypted."""
    done = lakehouse("status", "--format", "json", cwd=folder)
    left: dict[str, int] = json.loads(done.stdout)["encrypted"]
    return left


def test_decrypted_rows_are_those_of_the_plain_documents(with_key: Path, plain: Path) -> None:
    """4096-bit RSA, AES-256: whatever the field, the rows are as if nothing had been encrypted; the file stays as served."""
    assert rows(with_key) == rows(plain)
    landed = next((with_key / "lake" / "landing").rglob("*.gz"))
    assert landed.read_bytes() == (with_key / "in" / name_at(0)).read_bytes()


def test_without_a_key_messages_stay_and_are_counted_until_there_is_one(
    tmp_path: Path, sealed: list[dict[str, Any]], with_key: Path
) -> None:
    """Nothing is set aside; status says what to do; with the key, loading landing/ again gives the decrypted rows, once."""
    put(tmp_path / "in", gz(*sealed), name_at(0))
    done = lakehouse("load", "in", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "36 values left encrypted" in done.stderr
    assert status(tmp_path) == {"values": 36, "files": 1}
    assert "36 values of 1 file left encrypted: set LP_PGP_KEY" in lakehouse("status", cwd=tmp_path).stdout
    assert ARMOUR in "".join(rows(tmp_path)["messages"])
    assert "1 file unchanged" in lakehouse("load", "lake/landing", cwd=tmp_path).stderr
    assert "1 file loaded" in lakehouse("load", "lake/landing", cwd=tmp_path, **WITH_KEY).stderr
    assert rows(tmp_path) == rows(with_key)
    assert status(tmp_path) == {"values": 3, "files": 1}
    assert "1 file unchanged" in lakehouse("load", "in", cwd=tmp_path, **WITH_KEY).stderr
    assert lakehouse("verify", "--read-data", cwd=tmp_path).returncode == 0


def test_gnupg_writes_what_is_read(tmp_path: Path) -> None:
    """A message that another program encrypted and compressed for the key is decrypted; line ends do not matter."""
    armour = openpgp.MESSAGE.read_text()
    texts = [armour, armour.replace("\n", "\r\n"), f"\n{armour.strip()}"]
    put(tmp_path, gz(document(conversation(messages=[message(text) for text in texts]))))
    assert lakehouse("load", ".", cwd=tmp_path, **WITH_KEY).returncode == 0
    assert seen(tmp_path / "lake")["messages"][0].count(r"Where is my order, François? It said \"soon\" 🙂") == 1
    assert ARMOUR not in "".join(seen(tmp_path / "lake")["messages"])


def test_what_no_key_opens_stays_as_it_was_sent(tmp_path: Path) -> None:
    """Bombs, tampering, other people's messages, text beside a message: each stays, is counted, and harms no neighbour."""
    bomb = openpgp.compressed(openpgp.compressed_zeros(600))
    nested = openpgp.literal(b"deep")
    for _ in range(100):
        nested = openpgp.compressed(nested)
    good = openpgp.encrypted("good")
    odd = {
        "bomb": openpgp.message_of(bomb),
        "nested": openpgp.message_of(nested),
        "tampered": openpgp.message_of(openpgp.literal(b"x" * 99), tampered=True),
        "stranger": openpgp.message_of(openpgp.literal(b"x"), stranger=True),
        "no text": openpgp.encrypted(b"\xff\xfe"),
        "cut": good[:300],
        "beside": good + "and more",
        "two": good + good,
        "garbage": f"{ARMOUR}\n\n????\n-----END PGP MESSAGE-----\n",
        "escape": f"{ARMOUR}\\ \u0000",
    }
    put(tmp_path, gz(document(conversation(messages=[message(text) for text in (good, *odd.values(), good)]))))
    measured = "import resource, subprocess as s, sys; s.run([sys.executable, '-m', 'pipeline', 'load', '.'], check=True)"
    done = subprocess.run(
        [sys.executable, "-c", f"{measured}; print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"],
        cwd=tmp_path,
        env=os.environ | WITH_KEY | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"{len(odd)} values left encrypted" in done.stderr
    assert int(done.stdout) < 500_000, "in kB, of the largest process: the bomb has 600,000"
    query = "select text from messages order by position"
    told = json.loads(lakehouse("sql", query, "--format", "json", cwd=tmp_path).stdout)
    assert [row["text"] for row in told] == ["good", *odd.values(), "good"]


@pytest.mark.long
def test_workers_have_the_key_too(tmp_path: Path) -> None:
    """Settings of a .env file reach every process of a load, which several files of some size are spread over."""
    filler = os.urandom(5 << 19).hex()
    for hour in range(3):
        secret = message(openpgp.encrypted(f"secret {hour}"))
        put(tmp_path / "in", gz(document(conversation(f"c{hour}", messages=[secret, message(filler)]))), name_at(hour))
    (tmp_path / ".env").write_text(f"LP_PGP_KEY={openpgp.KEY}\nLP_PGP_PASSPHRASE='{openpgp.PASSPHRASE}'\n")
    done = process("load", "in", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = lakehouse("sql", "select text from messages where position = 0 order by 1", "--format", "csv", cwd=tmp_path).stdout
    assert told == "text\nsecret 0\nsecret 1\nsecret 2\n"


def test_broken_documents_are_decrypted_too(tmp_path: Path) -> None:
    """A document set aside is decrypted, and a quote in a text begins no string."""
    good = json.dumps(openpgp.encrypted("good"))
    put(tmp_path, gz(f'{{"dataType": "Engagement", "oops": {good}, "quoted": "\\{good[:-1]}\\""'))
    assert lakehouse("load", ".", cwd=tmp_path, **WITH_KEY).returncode == 3
    raw = json.loads(seen(tmp_path / "lake")["rejects"][0])["raw"]
    assert '"oops": "good"' in raw
    assert raw.count("BEGIN PGP") == 1


@pytest.mark.parametrize(
    ("key", "passphrase", "says"),
    [
        (openpgp.KEY, "wrong canary", "is not unlocked by LP_PGP_PASSPHRASE"),
        (openpgp.KEY, "", "is locked: put its passphrase into LP_PGP_PASSPHRASE"),
        (Path("nowhere.asc"), "", r"nowhere.asc can't be read \(No such file"),
        (openpgp.MESSAGE, "", "holds no private key that decrypts"),
        (Path(__file__), "", "holds no private key that decrypts"),
    ],
)
def test_a_key_that_does_not_serve_is_one_sentence(tmp_path: Path, key: Path, passphrase: str, says: str) -> None:
    """Exit code 2 before anything is loaded; the passphrase is not repeated."""
    put(tmp_path, gz(document(conversation())))
    done = lakehouse("load", ".", cwd=tmp_path, LP_PGP_KEY=str(key), LP_PGP_PASSPHRASE=passphrase)
    assert (done.returncode, done.stderr.count("\n"), (tmp_path / "lake").exists()) == (2, 1, False), done.stderr
    assert re.match(f"lakehouse: LP_PGP_KEY: .*{says}", done.stderr), done.stderr
    assert "canary" not in done.stderr


def test_a_key_that_others_can_read_is_warned_of(tmp_path: Path) -> None:
    """The load goes on all the same."""
    put(tmp_path / "in", gz(document(conversation())))
    key = tmp_path / "key.asc"
    key.write_bytes(openpgp.KEY.read_bytes())
    for mode, warnings in ((0o640, 1), (0o600, 0)):
        key.chmod(mode)
        done = lakehouse("load", "in", cwd=tmp_path, **WITH_KEY | {"LP_PGP_KEY": str(key)})
        assert (done.returncode, done.stderr.count("WARNING: LP_PGP_KEY: others can read")) == (0, warnings)


def test_secrets_are_nowhere(tmp_path: Path, sealed: list[dict[str, Any]]) -> None:
    """Neither passphrase nor key is in any output or file, whatever goes wrong, at --debug too."""
    put(tmp_path / "in", gz(*sealed, "garbage"), name_at(0))
    put(tmp_path / "in", gz(*sealed)[:-9], name_at(1))
    said = ""
    for command in (["load", "in"], ["load", "in", "nowhere"], ["erase", "--consumer-id", "consumer ann"]):
        done = lakehouse(*command, "--debug", cwd=tmp_path, **WITH_KEY)
        said += done.stdout + done.stderr
    wrong = process("load", "in", "--debug", cwd=tmp_path, **WITH_KEY | {"LP_PGP_PASSPHRASE": f"not {openpgp.PASSPHRASE}"})
    said += wrong.stdout + wrong.stderr
    assert "Traceback" in said
    secrets = [openpgp.PASSPHRASE.encode(), *(line for line in openpgp.KEY.read_bytes().splitlines() if len(line) > 60)]
    files = [path.read_bytes() for path in (tmp_path / "lake").rglob("*") if path.is_file()]
    assert not [secret for secret in secrets for text in (said.encode(), *files) if secret in text]


def erased_like(folder: Path, cwd: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Erase from a copy of a folder's lake."""
    subprocess.run(["cp", "-a", f"{folder}/lake", f"{cwd}/lake"], check=True)
    return lakehouse("erase", *arguments, cwd=cwd, **environment)


def test_somebody_is_erased_by_an_id_that_is_encrypted(with_key: Path, plain: Path, tmp_path: Path) -> None:
    """The rows that are left are those of the plain lake; the landed file keeps the other messages as they were served."""
    done = erased_like(with_key, tmp_path, "--consumer-id", "consumer bob", **WITH_KEY)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "removed from the tables: 1 conversation, 4 messages, 1 transfer" in done.stdout
    (tmp_path / "p").mkdir()
    assert erased_like(plain, tmp_path / "p", "--consumer-id", "consumer bob").returncode == 0
    assert rows(tmp_path) == rows(tmp_path / "p")
    landed = gzip.decompress(next((tmp_path / "lake" / "landing").rglob("*.gz")).read_bytes()).split(b"\n")
    assert list(filter(None, landed)) == gzip.decompress((with_key / "in" / name_at(0)).read_bytes()).splitlines()[::2]
    assert lakehouse("verify", cwd=tmp_path).returncode == 0
    again = lakehouse("load", str(with_key / "in"), cwd=tmp_path, **WITH_KEY)
    assert "consumer bob" not in "".join(rows(tmp_path)["conversations"]), again.stderr


def test_erasing_without_the_key_says_what_was_not_searched(with_key: Path, tmp_path: Path) -> None:
    """The tables lose the person, the landed file can't be searched: exit code 3; with the key it is 0."""
    done = erased_like(with_key, tmp_path, "--consumer-id", "consumer bob")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "not searched in full, since ids in them are encrypted: 1 landed file" in done.stdout
    assert "consumer bob" not in "".join(rows(tmp_path)["conversations"])
    again = lakehouse("erase", "--consumer-id", "consumer bob", cwd=tmp_path, **WITH_KEY)
    assert (again.returncode, "not found" in again.stdout, "not searched" in again.stdout) == (0, False, False)
    landed = gzip.decompress(next((tmp_path / "lake" / "landing").rglob("*.gz")).read_bytes())
    assert (landed.count(b"c-bob"), landed.count(b"c-ann")) == (0, 1)


def test_a_file_erased_from_is_decrypted_later(tmp_path: Path, sealed: list[dict[str, Any]]) -> None:
    """Loaded without the key, cut by a clear id, then loaded again with it: the erased stay out, the lake stays sound."""
    put(tmp_path / "in", gz(*sealed), name_at(0))
    assert lakehouse("load", "in", cwd=tmp_path).returncode == 0
    assert lakehouse("erase", "--conversation-id", "c-bob", cwd=tmp_path).returncode == 3
    assert status(tmp_path) == {"values": 24, "files": 1}
    assert "1 file loaded" in lakehouse("load", "lake/landing", cwd=tmp_path, **WITH_KEY).stderr
    conversations = "".join(rows(tmp_path)["conversations"])
    assert ("c-bob" in conversations, "consumer ann" in conversations, ARMOUR in conversations) == (False, True, False)
    assert lakehouse("verify", cwd=tmp_path).returncode == 0


def test_rows_under_an_encrypted_id_are_erased_with_the_key(tmp_path: Path) -> None:
    """A lake loaded without the key keeps conversations under messages; the key finds them by what these say."""
    made = [conversation(openpgp.encrypted(f"c-{person}"), consumerId={"string": person}) for person in ("ann", "bob")]
    put(tmp_path / "in", gz(*map(document, made)), name_at(0))
    assert lakehouse("load", "in", cwd=tmp_path).returncode == 0
    done = lakehouse("erase", "--conversation-id", "c-bob", cwd=tmp_path, **WITH_KEY)
    assert (done.returncode, "1 conversation, 1 message" in done.stdout) == (0, True), done.stdout
    told = rows(tmp_path)
    assert ('"ann"' in told["conversations"][0], len(told["conversations"]), len(told["messages"])) == (True, 1, 1)
    assert "1 file loaded" in lakehouse("load", "in", cwd=tmp_path, **WITH_KEY).stderr
    assert [row.count('"c-ann"') for row in rows(tmp_path)["conversations"]] == [1]


def test_a_delivery_that_counts_again_is_counted_as_it_is_read(tmp_path: Path) -> None:
    """Read once more from landing/ without the key, its values are encrypted again, and status says so."""
    put(tmp_path / "a", gz(document(conversation("c1", messages=[message(openpgp.encrypted("first"))]))), name_at(0))
    put(tmp_path / "b", gz(document(conversation("c1"))), name_at(1))
    put(tmp_path / "c", gz(document(conversation("c2"))), name_at(1))
    assert lakehouse("load", "a", cwd=tmp_path, **WITH_KEY).returncode == 0
    assert lakehouse("load", "b", cwd=tmp_path).returncode == 0
    assert status(tmp_path) == {"values": 0, "files": 0}
    assert lakehouse("load", "c", cwd=tmp_path).returncode == 0
    assert status(tmp_path) == {"values": 1, "files": 1}
    assert "1 file loaded" in lakehouse("load", "a", cwd=tmp_path, **WITH_KEY).stderr
    assert '"first"' in "".join(rows(tmp_path)["messages"])
    assert status(tmp_path) == {"values": 0, "files": 0}


def test_the_processes_that_hold_the_keys_end_with_them() -> None:
    """A worker that is done leaves no process behind that could decrypt."""
    before = set(multiprocessing.active_children())
    keyring = Keyring(openpgp.KEY.read_bytes(), Secret(openpgp.PASSPHRASE), path=openpgp.KEY, is_open=False)
    reader = RowReader(keyring.decrypt)
    reader.begin(Source("x.gz"))
    reader.feed(json.dumps(document(conversation(openpgp.encrypted("c1")))).encode() + b"\n" + PADDING)
    assert reader.finish().decrypted == 1
    started = set(multiprocessing.active_children()) - before
    del keyring, reader
    for one in started:
        one.join(20)
    assert [one.exitcode for one in started] == [0]
