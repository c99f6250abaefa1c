"""`make bench-identity`: see `bench.identity_run`. Worker processes of a run import the main module anew, as they do the command
line's; like that one it imports nothing until it runs."""

from __future__ import annotations

from importlib import import_module

if __name__ == "__main__":
    import_module("bench.identity_run").main()
