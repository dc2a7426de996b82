"""OpenPGP messages made by hand, after RFC 4880: what a well-behaved encryptor writes, and what only an attacker does.

The key is tests/data/pgp_key.asc: 4096-bit RSA, made up with GnuPG for these tests, locked with `PASSPHRASE`.
"""

import base64
import hashlib
import os
import zlib
from functools import cache

from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers, generate_private_key
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from places import DATA
from pysequoia.packet import PacketPile, Tag

KEY = DATA / "pgp_key.asc"
MESSAGE = DATA / "pgp_message.asc"
"""One that GnuPG encrypted for it, compressed."""
PASSPHRASE = "made-up canary passphrase"

_AES_256 = 9
_BLOCK_BYTES = 16


def encrypted(text: str | bytes) -> str:
    """An armoured message for the key, encrypted with AES-256."""
    return message_of(literal(text.encode() if isinstance(text, str) else text))


def message_of(packets: bytes, *, tampered: bool = False, stranger: bool = False) -> str:
    """An armoured message of packets; `tampered` changes a bit of it, `stranger` encrypts it for another key."""
    session_key = os.urandom(32)
    key_id, public = _recipient()
    if stranger:
        public = generate_private_key(65537, 2048).public_key()
    checked = bytes([_AES_256]) + session_key + (sum(session_key) & 0xFFFF).to_bytes(2)
    sealed = int.from_bytes(public.encrypt(checked, PKCS1v15()))
    mpi = sealed.bit_length().to_bytes(2) + sealed.to_bytes((sealed.bit_length() + 7) // 8)
    head = os.urandom(_BLOCK_BYTES)
    body = head + head[-2:] + packets + b"\xd3\x14"
    cipher = Cipher(AES256(session_key), CFB(bytes(_BLOCK_BYTES))).encryptor()
    data = bytearray(cipher.update(body + hashlib.sha1(body, usedforsecurity=False).digest()) + cipher.finalize())
    data[-30] ^= tampered
    return armoured(packet(1, b"\x03" + key_id + b"\x01" + mpi) + packet(18, b"\x01" + bytes(data)))


def literal(data: bytes) -> bytes:
    """The packet of a text."""
    return packet(11, b"u\0\0\0\0\0" + data)


def compressed(packets: bytes) -> bytes:
    """The packet of compressed packets."""
    deflate = zlib.compressobj(1, zlib.DEFLATED, -15)
    return packet(8, b"\x01" + deflate.compress(packets) + deflate.flush())


def compressed_zeros(megabytes: int) -> bytes:
    """The packet of compressed packets with a text of that many megabytes of zeros; only one of them is compressed."""
    head = literal(bytes(megabytes << 20))[: -(megabytes << 20)]
    deflate = zlib.compressobj(1, zlib.DEFLATED, -15)
    first = deflate.compress(head) + deflate.flush(zlib.Z_FULL_FLUSH)
    each = deflate.compress(bytes(1 << 20)) + deflate.flush(zlib.Z_FULL_FLUSH)
    return packet(8, b"\x01" + first + megabytes * each + deflate.flush())


def packet(tag: int, body: bytes) -> bytes:
    """A packet with its head."""
    return bytes([0xC0 | tag, 0xFF]) + len(body).to_bytes(4) + body


def armoured(packets: bytes) -> str:
    """Packets as text."""
    lines = base64.encodebytes(packets).decode()
    return f"-----BEGIN PGP MESSAGE-----\n\n{lines}-----END PGP MESSAGE-----\n"


@cache
def _recipient() -> tuple[bytes, RSAPublicKey]:
    """The key's id, and the key, of the subkey that decrypts."""
    subkey = next(one for one in PacketPile.from_bytes(KEY.read_bytes()) if one.tag == Tag.SecretSubkey)
    body = subkey.body
    modulus, rest = _mpi(body[6:])
    exponent, _ = _mpi(rest)
    return bytes.fromhex(str(subkey.key_id)), RSAPublicNumbers(exponent, modulus).public_key()


def _mpi(data: bytes) -> tuple[int, bytes]:
    size = (int.from_bytes(data[:2]) + 7) // 8
    return int.from_bytes(data[2 : 2 + size]), data[2 + size :]
