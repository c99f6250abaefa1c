from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

# The stage of core rows, and the simulated worlds as extracts, that the identity tests use too.
for _name in ("scene", "worlds"):
    if _name not in sys.modules:
        _spec = importlib.util.spec_from_file_location(_name, Path(__file__).parent.parent / "identity" / f"{_name}.py")
        assert _spec
        assert _spec.loader
        sys.modules[_name] = importlib.util.module_from_spec(_spec)
        _spec.loader.exec_module(sys.modules[_name])
