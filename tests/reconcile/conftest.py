from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

# The stage of core rows that the identity tests use too.
_SPEC = importlib.util.spec_from_file_location("scene", Path(__file__).parent.parent / "identity" / "scene.py")
assert _SPEC
assert _SPEC.loader
if "scene" not in sys.modules:
    sys.modules["scene"] = importlib.util.module_from_spec(_SPEC)
    _SPEC.loader.exec_module(sys.modules["scene"])
