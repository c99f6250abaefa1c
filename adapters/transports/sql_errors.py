"""What a database driver raises, as the hub's errors. The only place that looks into a driver's exception.

A driver's text may hold the login or a row's values, so none of it is passed on: only its class, its code and our words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import exc

from hub.errors import FixConnection, FixContract, HubError, RetryLater

# A refused login and an unknown database, as each vendor says them (SQLSTATE where there is one, else its own code).
_REFUSED = re.compile(
    r"\b(28000|28P01|3D000|42501)\b|\((1044|1045|1049|1142|1698),|ORA-(01017|01031|01045|12505|12514|28000|28001)\b"
    r"|password authentication failed|no pg_hba\.conf entry|(role|database) \".*\" does not exist"
    r"|no password supplied|permission denied|unable to open database file|not a database",
    re.IGNORECASE | re.DOTALL,
)
_PASSING = (exc.OperationalError, exc.InterfaceError, exc.InternalError, exc.TimeoutError, exc.PendingRollbackError)


@contextmanager
def mapped(where: str, what: str) -> Iterator[None]:
    """Raises FixConnection (login, database, privilege, driver), RetryLater (what may pass), FixContract (table or column)."""
    try:
        yield
    except HubError:
        raise
    except (exc.SQLAlchemyError, psycopg.Error, ModuleNotFoundError, OSError) as error:
        raise _translated(error, where, what) from None


def _translated(error: Exception, where: str, what: str) -> HubError:
    original = error.orig if isinstance(error, exc.DBAPIError) and error.orig is not None else error
    state = str(getattr(original, "sqlstate", None) or "")
    facts = {"where": where, "what": what, "driver_error": type(original).__name__, "sqlstate": state}
    said = f"{type(original).__name__}{f' {state}' if state else ''}"
    if isinstance(error, ModuleNotFoundError | exc.NoSuchModuleError | exc.ArgumentError):
        return FixConnection(f"{where}: cannot {what}: the URL's dialect or driver is not installed ({said})", **facts)
    if _REFUSED.search(f"{state} {original}"):
        return FixConnection(f"{where}: cannot {what}: login, database or privilege refused ({said})", **facts)
    if isinstance(error, (*_PASSING, psycopg.OperationalError, psycopg.InterfaceError, OSError)):
        return RetryLater(f"{where}: cannot {what}: cannot connect, or the connection broke or fell silent ({said})", **facts)
    if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
        return RetryLater(f"{where}: cannot {what}: the connection broke ({said})", **facts)
    return FixContract(f"{where}: cannot {what}: the database refuses the query ({said})", **facts)
