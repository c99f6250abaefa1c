"""Folders that a command writes to: one that cannot be written is told before the work, not after it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import typer


def writable(folder: Path | None) -> Path | None:
    """A callback of an option: makes the folder where there is none. Raises BadParameter (exit 2) where it cannot be written."""
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise typer.BadParameter(f"cannot be written ({error.strerror}): {folder}") from None
    return folder
