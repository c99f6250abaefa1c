"""One HTTP exchange, for REST and SOAP: bounded in time and size, its failures mapped to the hub's errors in this file.

Headers are never logged and bodies never quoted: either may hold a credential or a personal value.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import requests
from requests.auth import AuthBase
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema, SSLError

from adapters.file_codes import FileCode
from adapters.transports.patience import Patience
from hub.errors import FixConnection, HubError, RefuseDelivery, RetryLater
from hub.settings import Connection

LARGEST_ANSWER = 64 << 20
PIECE = 1 << 16
PASSING = frozenset({408, 425, 429})


@dataclass(frozen=True)
class Call:
    """What is sent. `what` says it in words for an error; it holds no secret, and what may hold one is in no repr."""

    method: str
    path: str
    what: str
    params: Mapping[str, str] | None = None
    form: Mapping[str, str] | None = None
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    auth: AuthBase | None = field(default=None, repr=False)


class _NoAuth(AuthBase):
    """Keeps requests from looking for a login of its own."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class Endpoint:
    """An HTTP server's instance of one province: scheme, host and port of the connection, `prefix` of its extra.

    Extra `ca_file` names the certificate authority to trust. Proxies and .netrc of the environment are not used.
    """

    def __init__(self, connection: Connection, patience: Patience) -> None:
        if connection.conn_type not in {"http", "https"} or not connection.host:
            raise FixConnection(f"{connection} is no http(s) address", conn_id=connection.conn_id)
        port = f":{connection.port}" if connection.port else ""
        prefix = str(connection.extra.get("prefix", "")).strip("/")
        self._base = f"{connection.conn_type}://{connection.host}{port}" + (f"/{prefix}" if prefix else "")
        self._conn_id = connection.conn_id
        self._patience = patience
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(connection.extra["ca_file"]) if "ca_file" in connection.extra else True

    def __str__(self) -> str:
        return f"{self._conn_id} ({self._base})"

    def close(self) -> None:
        self._session.close()

    def exchange(self, call: Call) -> bytes:
        """The body of a 2xx answer, after one attempt.

        Raises RetryLater (no connection, timeout, broken body, 408, 429, 5xx; `retry_after` seconds where told),
        FixConnection (any other status), RefuseDelivery (an answer larger than 64 MiB).
        """
        try:
            with self._send(call) as response:
                self._check_status(call, response)
                return self._read(call, response)
        except HubError:
            raise
        except (SSLError, InvalidURL, InvalidSchema, MissingSchema) as error:
            # The library's own text may quote the URL with its query, so only its kind is told.
            raise self._error(FixConnection, call, f"address or certificate is wrong ({type(error).__name__})") from None
        except requests.RequestException as error:
            raise self._error(RetryLater, call, _failure(error)) from None

    def _send(self, call: Call) -> requests.Response:
        return self._session.request(
            call.method,
            self._base + call.path,
            params=call.params,
            data=call.body if call.form is None else call.form,
            headers=call.headers,
            auth=call.auth or _NoAuth(),
            timeout=(self._patience.connect_seconds, self._patience.read_seconds),
            allow_redirects=False,
            stream=True,
        )

    def _check_status(self, call: Call, response: requests.Response) -> None:
        status = response.status_code
        if 200 <= status < 300:
            return
        if status in PASSING or status >= 500:
            pause = _retry_after(response.headers.get("Retry-After"))
            raise self._error(RetryLater, call, f"answered {status}", status=status, retry_after=pause)
        raise self._error(FixConnection, call, f"answered {status}", status=status)

    def _read(self, call: Call, response: requests.Response) -> bytes:
        began = time.monotonic()
        body = bytearray()
        for piece in response.iter_content(PIECE):
            body += piece
            if len(body) > LARGEST_ANSWER:
                raise RefuseDelivery(f"{self}: {call.what}: the answer exceeds {LARGEST_ANSWER} bytes", code=FileCode.SIZE)
            if time.monotonic() - began > self._patience.answer_seconds:
                raise self._error(RetryLater, call, f"the answer took more than {self._patience.answer_seconds:g} s")
        return bytes(body)

    def _error(self, kind: type[HubError], call: Call, why: str, **facts: object) -> HubError:
        return kind(f"{self}: {call.what}: {why}", where=str(self), what=call.what, **facts)


def _failure(error: requests.RequestException) -> str:
    if isinstance(error, requests.ConnectTimeout):
        return "cannot connect: timed out"
    if isinstance(error, requests.Timeout) or "Read timed out" in str(error):
        return "timed out waiting for the answer"
    if isinstance(error, requests.ConnectionError) and "NewConnectionError" in repr(error):
        return "cannot connect"
    return f"the connection broke ({type(error).__name__})"


def _retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header, in either of its forms (RFC 9110 §10.2.3); None where it says nothing readable."""
    if not value:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (when - datetime.now(UTC)).total_seconds()) if when.tzinfo else None
