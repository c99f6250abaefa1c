"""Which program made a thing that is kept on disk: what another one made is made again.

To be asked while that program is imported: a process that runs for days, and its forks, run what was on disk then.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

_ROOT = Path(__file__).parent.parent
_READ = {".py", ".json", ".csv", ".toml"}


def program_digest(*packages: str) -> str:
    """Of the source of these top-level packages, and of the tables and settings that lie beside it."""
    files = sorted(file for package in packages for file in (_ROOT / package).rglob("*") if file.suffix in _READ)
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
