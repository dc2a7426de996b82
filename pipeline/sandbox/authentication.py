"""The sandbox's credentials, and its check of signatures: OAuth 1.0a with HMAC-SHA1."""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from threading import Lock
from typing import Any

from oauthlib.oauth1 import SIGNATURE_HMAC_SHA1, RequestValidator, ResourceEndpoint

from pipeline.settings import Credentials, Secret

# A signed timestamp further off the clock is refused.
CLOCK_TOLERANCE_SECONDS = 300


def credentials_for(account_id: str) -> Credentials:
    """The credentials of a made-up account: always the same, and obviously made up."""

    def made_up(kind: str) -> Secret:
        return Secret(f"sandbox{kind}{sha256(f'{kind} {account_id}'.encode()).hexdigest()[:16]}")

    return Credentials(account_id, made_up("key"), made_up("secret"), made_up("token"), made_up("tokensecret"))


class Gate:
    """Admits requests that are signed with an account's credentials, each signature once."""

    def __init__(self, account_ids: Iterable[str]) -> None:
        """Know the keys of these accounts."""
        self._validator = _Validator(account_ids)
        self._endpoint = ResourceEndpoint(self._validator)

    def account_of(self, method: str, url: str, headers: Mapping[str, str]) -> str | None:
        """The account whose keys signed a request; None if the signature is unknown, wrong, repeated or too old."""
        try:
            is_valid, request = self._endpoint.validate_protected_resource_request(
                url, http_method=method, headers=dict(headers), realms=[]
            )
        except ValueError:
            # A query that is no query, or an Authorization header that is none.
            return None
        return self._validator.account_by_key.get(request.client_key) if is_valid else None


class _Validator(RequestValidator):
    """The callbacks of oauthlib's check of a signature."""

    enforce_ssl = False
    timestamp_lifetime = CLOCK_TOLERANCE_SECONDS
    allowed_signature_methods = (SIGNATURE_HMAC_SHA1,)
    nonce_length = client_key_length = access_token_length = (1, 256)
    dummy_client = dummy_access_token = "nobody"  # noqa: S105 -- a name for the unknown

    def __init__(self, account_ids: Iterable[str]) -> None:
        super().__init__()
        known = map(credentials_for, account_ids)
        self._by_key = {credentials.app_key.clear: credentials for credentials in known}
        self.account_by_key = {key: known.account_id for key, known in self._by_key.items()}
        self._seen: set[tuple[str, str, str, str]] = set()
        self._lock = Lock()

    def check_nonce(self, nonce: str) -> bool:
        return self._is_short(nonce)

    def check_client_key(self, client_key: str) -> bool:
        return self._is_short(client_key)

    def check_access_token(self, request_token: str) -> bool:
        return self._is_short(request_token)

    def _is_short(self, value: str) -> bool:
        return 1 <= len(value) <= 256

    def validate_timestamp_and_nonce(  # noqa: PLR0917 -- as oauthlib calls it
        self,
        client_key: str,
        timestamp: str,
        nonce: str,
        request: Any,
        request_token: str | None = None,
        access_token: str | None = None,
    ) -> bool:
        del request, request_token
        used = (client_key, timestamp, nonce, access_token or "")
        with self._lock:
            if used in self._seen:
                return False
            self._seen.add(used)
            return True

    def validate_client_key(self, client_key: str, request: Any) -> bool:
        del request
        return client_key in self._by_key

    def validate_access_token(self, client_key: str, token: str, request: Any) -> bool:
        del request
        return client_key in self._by_key and self._by_key[client_key].access_token.clear == token

    def validate_realms(self, client_key: str, token: str, request: Any, uri: Any = None, realms: Any = None) -> bool:
        del client_key, token, request, uri, realms
        return True

    def get_client_secret(self, client_key: str, request: Any) -> str:
        del request
        return self._by_key[client_key].app_secret.clear if client_key in self._by_key else "none"

    def get_access_token_secret(self, client_key: str, token: str, request: Any) -> str:
        del token, request
        return self._by_key[client_key].access_token_secret.clear if client_key in self._by_key else "none"
