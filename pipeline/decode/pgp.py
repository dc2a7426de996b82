"""Armoured PGP messages among the strings of a JSON text, decrypted before anything else reads the text.

A string that is one whole message, public keys around it aside, is replaced by the decrypted text, so all later steps read
it as if it had been served in plain. A message that no key decrypts stays as it is, and is counted.

Messages are decrypted by a child with limited memory and time, forked from a process that holds the unlocked keys. A message
that unpacks without end kills that child alone: its string stays encrypted, and a new child is forked for the next message. A
process pool would not do with less: a killed worker breaks the whole pool, and a new one has to unlock the keys again.
"""

import contextlib
import functools
import itertools
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from queue import LifoQueue
from typing import TYPE_CHECKING, Final, NoReturn, Protocol

from pipeline.errors import LakeError, SettingsError

if TYPE_CHECKING:
    from pysequoia import PyDecryptor
    from pysequoia.packet import Packet

    from pipeline.settings import Secret

MARKER: Final = b"-----BEGIN PGP MESSAGE-----"
"""How an armoured message begins."""

_BLOCK: Final = re.compile(rb"-----BEGIN PGP PRIVATE KEY BLOCK-----.*?-----END PGP PRIVATE KEY BLOCK-----[^\n]*\n?", re.DOTALL)
_END: Final = "-----END PGP MESSAGE-----"
_PUBLIC: Final = rb"-----BEGIN PGP PUBLIC KEY BLOCK-----"
# The vendor: "each encrypted record will come attached with the public key". No block holds another one's beginning.
_ATTACHED: Final = re.compile(
    r"-----BEGIN PGP PUBLIC KEY BLOCK-----(?:(?!-----BEGIN ).)*?-----END PGP PUBLIC KEY BLOCK-----", re.DOTALL
)
# Between its quotes. Outside of strings no quote has a backslash before it; inside each quote has one.
_MESSAGE: Final = (
    rb'"(?P<message>(?:\\[nrt]| )*(?:' + MARKER + rb"|" + _PUBLIC + rb'(?=[^"]*' + MARKER + rb'))[^"\\\n]*(?:\\.[^"\\\n]*)*)"'
)
_ANY: Final = re.compile(rb"(?P<before>)(?<!\\)" + _MESSAGE)
_ID: Final = re.compile(
    rb'(?P<before>"[A-Za-z]*(?i:conversationId|consumerId|visitorId)"\s*:\s*(?:\{\s*"[\w.]+"\s*:\s*)?)' + _MESSAGE
)

_LONGEST: Final = 4 << 20  # bytes; a longer message is not tried
_MOST_BYTES: Final = 1 << 20  # of the decrypted text; no field is as long
_MEMORY_BYTES: Final = 256 << 20  # for decrypting one
_SECONDS: Final = 10  # likewise, of a core; a usual message takes some hundredths
_REMEMBERED: Final = 256  # messages, since erasing reads a document several times
_REFUSED: Final = b"-"
_PLAIN: Final = b"+"
_NUMBER_BYTES: Final = 8  # of a request; its answer repeats them


@dataclass(frozen=True)
class Decrypted:
    """A text with its messages decrypted where a key serves, and how many were decrypted and how many were not."""

    text: bytes
    decrypted: int = 0
    encrypted: int = 0


class Decrypt(Protocol):
    """Decrypts the strings of a JSON text that are armoured messages."""

    def __call__(self, text: bytes, *, ids_only: bool = False) -> Decrypted:
        """Decrypt all messages; with `ids_only` only the ids by which erased people are found.

        Raises:
            SettingsError: the key can't be used.
            LakeError: the process that holds the key has died.
        """


def leave_encrypted(text: bytes, *, ids_only: bool = False) -> Decrypted:
    """Count the messages, without a key."""
    return _replaced(text, lambda _: {}, ids_only=ids_only)


def _replaced(text: bytes, open_all: Callable[[set[bytes]], dict[bytes, bytes | None]], *, ids_only: bool) -> Decrypted:
    """Replace messages; `open_all` maps their spelling between quotes to the JSON string of the decrypted text, or None."""
    if MARKER not in text:
        return Decrypted(text)
    pattern = _ID if ids_only else _ANY
    strings = open_all({found["message"] for found in pattern.finditer(text)})
    encrypted = 0

    def plain(found: re.Match[bytes]) -> bytes:
        nonlocal encrypted
        string = strings.get(found["message"])
        if string is None:
            encrypted += 1
            return found[0]
        return found["before"] + string

    replaced, met = pattern.subn(plain, text)
    return Decrypted(replaced, met - encrypted, encrypted)


def read_keyring() -> "Keyring | None":
    """The keys that LP_PGP_KEY names; None where it names none.

    Raises:
        SettingsError: the file can't be read.
    """
    from pipeline.settings import read_settings  # the processes that open messages start without it

    settings = read_settings()
    if not settings.lp_pgp_key:
        return None
    path = Path(settings.lp_pgp_key).expanduser()
    try:
        keys = path.read_bytes()
        is_open = bool(path.stat().st_mode & 0o077)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no path"
        raise SettingsError(f"LP_PGP_KEY: {path} can't be read ({reason}); name the file of the private key") from None
    return Keyring(keys, settings.lp_pgp_passphrase, path=path, is_open=is_open)


class SettingsKeyring:
    """The keys that the settings name, read when a text first needs them; a copy in another process reads its own."""

    def __reduce__(self) -> tuple[type["SettingsKeyring"], tuple[()]]:
        return SettingsKeyring, ()

    @functools.cached_property
    def _keyring(self) -> "Keyring | None":
        return read_keyring()

    def __bool__(self) -> bool:
        return self._keyring is not None

    def decrypt(self, text: bytes, *, ids_only: bool = False) -> Decrypted:
        """Decrypt a text, as `Decrypt` declares it; without keys all messages stay encrypted."""
        if MARKER not in text:
            return Decrypted(text)
        return (self._keyring.decrypt if self._keyring else leave_encrypted)(text, ids_only=ids_only)


class Keyring:
    """Private keys, and the processes that open messages with them: started when needed, ended with the keyring."""

    def __init__(self, keys: bytes, passphrase: "Secret", *, path: Path, is_open: bool) -> None:
        self._keys = keys
        self._passphrase = passphrase
        self._path = path
        self.warning = (
            f"WARNING: LP_PGP_KEY: others can read {path}; make it yours alone: chmod 600 {path}" if is_open else None
        )
        # a load's helpers are as many as there are cores already
        count = (os.cpu_count() or 1) if parent_process() is None else 1
        self._threads = ThreadPoolExecutor(count)
        self._plain = functools.lru_cache(_REMEMBERED)(_Openers(keys, passphrase, count).plain_string)

    def check(self) -> None:
        """Unlock the keys.

        Raises:
            SettingsError: the file holds no private key that decrypts, or the passphrase does not unlock it.
        """
        try:
            decryptors(self._keys, self._passphrase.clear)
        except ImportError:
            raise SettingsError("LP_PGP_KEY: needs the extra pgp: pip install 'engagement-lakehouse[pgp]'") from None
        except ValueError as error:
            raise SettingsError(f"LP_PGP_KEY: {self._path} {error}; nothing was done") from None

    def decrypt(self, text: bytes, *, ids_only: bool = False) -> Decrypted:
        """Decrypt a text, as `Decrypt` declares it."""
        return _replaced(text, self._opened, ids_only=ids_only)

    def _opened(self, messages: Iterable[bytes]) -> dict[bytes, bytes | None]:
        """The decrypted JSON strings by message; None where no key serves."""
        listed = [message for message in messages if len(message) <= _LONGEST]
        return dict(zip(listed, self._threads.map(self._plain, listed), strict=True))


class _Openers:
    """Processes that decrypt messages, at most one for each thread that asks."""

    def __init__(self, keys: bytes, passphrase: "Secret", count: int) -> None:
        self._keys = keys
        self._passphrase = passphrase
        self._numbers = itertools.count()
        self._idle: LifoQueue[Connection | None] = LifoQueue()
        for _ in range(count):
            self._idle.put(None)

    def plain_string(self, spelling: bytes) -> bytes | None:
        """The decrypted text as a JSON string; `spelling` is the message as JSON spells it, without the quotes."""
        message = _armoured(spelling)
        plain = None if message is None else self._ask(message)
        if plain is None:
            return None
        try:
            return json.dumps(plain.decode(), ensure_ascii=False).encode()
        except UnicodeDecodeError:
            return None

    def _ask(self, message: bytes) -> bytes | None:
        opener = self._idle.get() or self._start()
        try:
            number = next(self._numbers).to_bytes(_NUMBER_BYTES)
            opener.send_bytes(number + message)
            while (answer := opener.recv_bytes()) != _REFUSED and not answer.startswith(number):
                pass  # a child that was killed while idle may have left the answer to an earlier request
        except (EOFError, OSError) as error:
            self._idle.put(None)
            raise LakeError(
                "a process that decrypts PGP messages has died, most likely because memory ran out; "
                "all finished loads are as they were: leave it more memory and run the command again"
            ) from error
        self._idle.put(opener)
        return answer[_NUMBER_BYTES + 1 :] if answer[_NUMBER_BYTES:].startswith(_PLAIN) else None

    def _start(self) -> Connection:
        ours, theirs = get_context("spawn").Pipe()
        get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True).start()
        theirs.close()  # so that each process sees the end of the other
        ours.send_bytes(self._keys)
        ours.send_bytes(self._passphrase.clear.encode("utf-8", "surrogateescape"))
        return ours


def check_key(warn: Callable[[str], None]) -> None:
    """Check, before a command does anything, that the key can be used; call `warn` if others can read its file.

    Raises:
        SettingsError: the key can't be used.
    """
    keyring = read_keyring()
    if keyring is not None:
        keyring.check()
        if keyring.warning:
            warn(keyring.warning)


def _armoured(spelling: bytes) -> bytes | None:
    """The message in a JSON string; None if the string holds other text beside it and public keys, which must not get lost."""
    try:
        text = _ATTACHED.sub("", str(json.loads(b'"%b"' % spelling))).strip()
        message = text.encode("ascii")
    except ValueError:
        return None
    return message if text.endswith(_END) and text.count(_END) == message.count(MARKER) == 1 else None


def decryptors(keys: bytes, passphrase: str) -> "list[PyDecryptor]":
    """A decryptor for each private key and subkey in a file.

    Raises:
        ImportError: the extra is not installed.
        ValueError: there is no usable key; the text follows the file's name in a sentence.
    """
    from pysequoia import Tsk

    found, problems = [], []
    for packets in _single_keys(keys):
        try:
            tsk = Tsk.from_packets(packets)
        except RuntimeError:
            continue
        for password in (None, passphrase):
            try:
                found.append(tsk.decryptor(password))
                break
            except RuntimeError as error:
                problems.append(str(error).partition("\n")[0])
    if found:
        return found
    if not problems or all(problem.startswith("No suitable") for problem in problems):
        raise ValueError(
            "holds no private key that decrypts and is neither expired nor revoked: export the account's, or extend it"
        )
    if not passphrase:
        raise ValueError("is locked: put its passphrase into LP_PGP_PASSPHRASE")
    raise ValueError("is not unlocked by LP_PGP_PASSPHRASE: correct it")


def _single_keys(keys: bytes) -> "Iterator[list[Packet]]":
    """Each key and subkey with its signatures, as a key of its own: the library uses only the first that decrypts."""
    from pysequoia.packet import PacketPile, Tag

    for block in _BLOCK.findall(keys) or [keys]:
        try:
            packets = list(PacketPile.from_bytes(block))
        except RuntimeError:
            continue
        primary: list[Packet] = []
        parts: list[list[Packet]] = []
        for packet in packets:
            if packet.tag in (Tag.SecretKey, Tag.PublicKey):
                primary = [packet]
                parts.append(primary)
            elif packet.tag in (Tag.SecretSubkey, Tag.PublicSubkey):
                parts.append([*primary, packet])
            elif parts:
                parts[-1].append(packet)
        yield from parts


def _serve(requests: Connection) -> None:
    """Fork a child that decrypts, and another when it dies; the first two requests are the keys and their passphrase."""
    import resource  # POSIX only

    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # the library prints a backtrace when a message breaks it
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    found = decryptors(requests.recv_bytes(), requests.recv_bytes().decode("utf-8", "surrogateescape"))
    while True:
        child = os.fork()
        if not child:
            _answer(requests, found)
        if not os.waitpid(child, 0)[1]:
            return
        requests.send_bytes(_REFUSED)  # the answer to the message that killed the child


def _answer(requests: Connection, found: "list[PyDecryptor]") -> NoReturn:
    """Decrypt messages until the pipe is closed; an error ends this process with exit code 1."""
    try:
        _limit_memory()
        with contextlib.suppress(EOFError):
            while True:
                request = requests.recv_bytes()
                _limit_time()
                plain = _open(found, request[_NUMBER_BYTES:])
                _limit_time()  # so that the time limit cuts no answer in two
                answer = b"" if plain is None or len(plain) > _MOST_BYTES else _PLAIN + plain
                requests.send_bytes(request[:_NUMBER_BYTES] + answer)
        os._exit(0)
    finally:
        os._exit(1)


def _limit_memory() -> None:
    import resource  # POSIX only

    with contextlib.suppress(OSError):  # macOS has no such limit: there only the time is limited
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + _MEMORY_BYTES, taken + _MEMORY_BYTES))


def _limit_time() -> None:
    import resource  # POSIX only

    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + _SECONDS, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _open(found: "list[PyDecryptor]", message: bytes) -> bytes | None:
    from pysequoia import decrypt

    for decryptor in found:
        with contextlib.suppress(RuntimeError):  # for another key, tampered with, or no message
            return decrypt(message, decryptor).bytes
    return None
