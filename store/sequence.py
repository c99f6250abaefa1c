"""The load sequence: when the hub knew. One number, given under one row lock held to the end of the transaction."""

from __future__ import annotations

from sqlalchemy import Connection, text


def current(connection: Connection) -> int:
    """The newest sequence given. What is visible at it is everything committed."""
    return int(connection.execute(text("select seq from hub.clock")).scalar_one())


def advance(connection: Connection) -> int:
    """The next sequence, for the rows this transaction writes. Others who ask wait until it ends, so that sequences
    become visible in their order and none is given twice; a rollback gives the number back."""
    return int(connection.execute(text("update hub.clock set seq = seq + 1 returning seq")).scalar_one())
