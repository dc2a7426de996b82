"""Hosts on this machine: network namespaces on a bridge, each of which can be cut off. Takes root, on Linux."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

MIDDLE: Final = "10.213.77.1"
"""This process's address among the hosts."""
_BRIDGE: Final = f"lh{os.getpid() % 100_000}"


@dataclass(frozen=True)
class Host:
    """A host: its address, and what goes before a command that is to run on it."""

    address: str
    name: str

    @property
    def prefix(self) -> tuple[str, ...]:
        """Runs a command there."""
        return ("ip", "netns", "exec", self.name)

    def cut_off(self) -> None:
        """Pull the cable: packets are lost from now on, without a word to either side."""
        _ip("link", "set", f"{self.name}v", "down")


def can_be_made() -> bool:
    """Whether this machine lets us."""
    if os.getuid() or not shutil.which("ip"):
        return False
    made = subprocess.run(["ip", "netns", "add", f"{_BRIDGE}t"], capture_output=True, check=False)
    subprocess.run(["ip", "netns", "del", f"{_BRIDGE}t"], capture_output=True, check=False)
    return made.returncode == 0


@contextmanager
def connected(count: int) -> Iterator[list[Host]]:
    """So many hosts, while the block runs."""
    with ExitStack() as stack:
        _ip("link", "add", _BRIDGE, "type", "bridge")
        stack.callback(_ip, "link", "del", _BRIDGE)
        _ip("addr", "add", f"{MIDDLE}/24", "dev", _BRIDGE)
        _ip("link", "set", _BRIDGE, "up")
        hosts = [Host(f"10.213.77.{number + 2}", f"{_BRIDGE}-{number}") for number in range(count)]
        for host in hosts:
            _ip("netns", "add", host.name)
            stack.callback(_ip, "netns", "del", host.name)
            _ip("link", "add", f"{host.name}v", "type", "veth", "peer", "name", "eth0", "netns", host.name)
            _ip("link", "set", f"{host.name}v", "master", _BRIDGE, "up")
            for words in (
                ("addr", "add", f"{host.address}/24", "dev", "eth0"),
                ("link", "set", "eth0", "up"),
                ("link", "set", "lo", "up"),
            ):
                subprocess.run([*host.prefix, "ip", *words], check=True)
        yield hosts


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
