"""A heartbeat: a request to a service that watches a schedule. It carries no signature, and no data of the source."""

from collections.abc import Mapping
from threading import Thread
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import requests

from pipeline.settings import certificates_of_env_file

_GOOD: Final = 2  # hundred: a redirect is not followed


def ping(url: str, ending: str, body: Mapping[str, Any] | None, seconds: float) -> str | None:
    """Post a body to the URL, whose path gets the ending; give the fault, without the URL, or None.

    The URL is a secret, and so is all that a library says of a request to it.
    """
    found: list[str | None] = []
    thread = Thread(target=lambda: found.append(_post(url, ending, body, seconds)), daemon=True)
    thread.start()
    thread.join(seconds)  # an answer that comes byte by byte would never be late
    return found[0] if found else "no answer in time"


def _post(url: str, ending: str, body: Mapping[str, Any] | None, seconds: float) -> str | None:
    parts = urlsplit(url)
    address = urlunsplit(parts._replace(path=parts.path.rstrip("/") + ending))
    try:
        answer = requests.post(
            address,
            json=body,
            timeout=seconds,
            allow_redirects=False,
            verify=certificates_of_env_file() or True,
            auth=lambda request: request,  # else those of .netrc
            stream=True,  # the body is not of interest
        )
    except (requests.RequestException, OSError, ValueError) as error:
        return type(error).__name__
    return None if answer.status_code // 100 == _GOOD else f"it answered {answer.status_code}"
