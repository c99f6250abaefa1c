"""One question answered: read, pair, group, settle, write. Touches no store and no file but those of `out`."""

from __future__ import annotations

import os
import tempfile
import time
from decimal import Decimal
from pathlib import Path

import duckdb

from reconcile.matching import answer, grouping, pairing, rows
from reconcile.matching.question import Mode, Question

MEMORY_LIMIT = "2GB"


def answer_question(question: Question, out: Path) -> answer.Summary:
    """Matches the two extracts and writes the lists of `reconcile.matching.answer` into `out`.

    The same extracts in any order of their rows give the same lists. Raises NotFound for a file or a column that is not
    there, HubError for an extract that cannot be read, InvariantBroken if a row were lost.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bsshub-matching-") as folder:
        connection = duckdb.connect(
            config={
                "threads": os.cpu_count() or 1,
                "memory_limit": MEMORY_LIMIT,
                "temp_directory": folder,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            }
        )
        with connection:
            connection.execute("set TimeZone = 'Asia/Shanghai'")
            rows.prepare(connection, question)
            pairing.pair(connection, question)
            _group(connection, question)
            answer.settle(connection, question)
            seconds = Decimal(f"{time.monotonic() - began:.2f}")
            summary = answer.summarise(connection, question, seconds)
            answer.write(connection, question, out)
            return summary


def _group(connection: duckdb.DuckDBPyConnection, question: Question) -> None:
    connection.execute(grouping.EMPTY)
    if question.mode is Mode.GROUPED:
        grouping.group(connection, question)
