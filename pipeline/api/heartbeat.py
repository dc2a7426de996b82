"""A heartbeat: a request to a service that watches a schedule. It carries no signature, and no data of the source."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import requests

from pipeline.settings import certificates_of_env_file

_GOOD: Final = 2  # hundred: a redirect is not followed


def ping(url: str, ending: str, body: Mapping[str, Any] | None, seconds: float) -> str | None:
    """Post a body to the URL, whose path gets the ending; give the fault, without the URL, or None.

    The URL is a secret, and so is all that a library says of a request to it.
    """
    parts = urlsplit(url)
    address = urlunsplit(parts._replace(path=parts.path.rstrip("/") + ending))
    try:
        answer = requests.post(
            address, json=body, timeout=seconds, allow_redirects=False, verify=certificates_of_env_file() or True
        )
    except (requests.RequestException, OSError, ValueError) as error:
        return type(error).__name__
    return None if answer.status_code // 100 == _GOOD else f"it answered {answer.status_code}"
