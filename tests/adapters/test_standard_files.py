"""A directory and an SFTP server pass the standard suite."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from pydantic import SecretStr

from adapters.feeds import open_source
from adapters.protocol import PullRequest, Source
from adapters.transports import filesystem
from adapters.transports.patience import Patience
from hub.errors import FixConnection, HubError, RefuseDelivery
from hub.settings import Connection
from schemas.batch import Delivery
from schemas.contracts.billing import ACCOUNT
from tests.adapters.billing_drop import account_record, check_record, drop
from tests.adapters.sftp_server import SftpServer
from tests.adapters.sinks import DirectorySink
from tests.adapters.standard import SECRET, AdapterStandard, patient

STEM = "i_gd_20260201_01001_00"
RECORD = sum(column.width or 0 for column in ACCOUNT.columns) + 2


class DropRig:
    """What both kinds of drop share: three splits of a fixed-width unit, read in small pieces."""

    cut_short_error: type[HubError] = RefuseDelivery
    request = PullRequest(ACCOUNT, "gd", "20260201")

    def __init__(self, root: Path) -> None:
        self.root = root
        self.keys = [f"A{number:05d}" for number in range(60)]
        records = [account_record(key) for key in self.keys]
        self.splits = [b"".join(records[start : start + 20]) for start in (0, 20, 40)]
        drop(root, STEM, *self.splits)

    def keys_of(self, delivery: Delivery, sink: DirectorySink) -> list[str]:
        whole = b"".join(sink.contents(delivery))
        return [whole[start : start + 12].decode().rstrip() for start in range(0, len(whole), RECORD)]

    def add_column(self) -> None:
        wider = [split.replace(b"\r\n", b"X" * 10 + b"\r\n") for split in self.splits]
        drop(self.root, STEM, *wider)

    def rename_column(self) -> None:
        raise NotImplementedError

    def cut_short(self) -> None:
        path = self.root / f"{STEM}_003.dat"
        path.write_bytes(path.read_bytes()[:-100])

    def miscount(self) -> None:
        names = [f"{STEM}_{number:03d}.dat" for number in (1, 2, 3)]
        records = [check_record(name, split, "20260201") for name, split in zip(names, self.splits, strict=True)]
        records[2] = check_record(names[2], self.splits[2], "20260201", rows=19)
        (self.root / f"{STEM}_001.verf").write_bytes(b"".join(records))


class DirectoryRig(DropRig):
    cannot = frozenset({"names", "silence"})
    resumes = True

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(root)
        self.patch = monkeypatch
        self.full_reads = 0
        monkeypatch.setattr(filesystem, "PIECE", 4096)

    def source(self, patience: Patience) -> Source:
        connection = Connection("bss_billing_gd", "file", schema=str(self.root), password=SecretStr(SECRET))
        return open_source("billing.account", "gd", connection, patience)

    def fail(self, times: int) -> None:
        left, scandir = [times], os.scandir

        def failing(path: Any) -> Any:
            if left[0]:
                left[0] -= 1
                raise OSError(errno.EIO, "the network drive is away")
            return scandir(path)

        self.patch.setattr(filesystem.os, "scandir", failing)

    def break_midway(self) -> None:
        rig, opened, broken = self, Path.open, [False]

        class Breaking:
            def __init__(self, path: Path) -> None:
                self.file = opened(path, "rb", buffering=0)
                self.last = path.name.endswith("003.dat")

            def __enter__(self) -> Self:
                return self

            def __exit__(self, *_: object) -> None:
                self.file.close()

            def seek(self, offset: int) -> None:
                rig.full_reads += self.last and offset == 0
                self.file.seek(offset)

            def read(self, size: int) -> bytes:
                if self.last and self.file.tell() and not broken[0]:
                    broken[0] = True
                    raise OSError(errno.EIO, "the network drive is away")
                return self.file.read(size)

        def open_here(path: Path, *args: Any, **options: Any) -> Any:
            return Breaking(path) if path.parent == rig.root else opened(path, *args, **options)

        self.patch.setattr(filesystem.Path, "open", open_here)

    def refuse_login(self) -> None:
        shutil.rmtree(self.root)

    def stop(self) -> None:
        self.root.mkdir(exist_ok=True)
        self.fail(times=10_000)


class SftpRig(DropRig):
    cannot = frozenset({"names"})
    resumes = True

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.server = SftpServer(root, "hub", SECRET)
        self.password = SECRET
        self.directory = "/"

    @property
    def full_reads(self) -> int:
        return self.server.first_reads[f"{STEM}_003.dat"]

    def source(self, patience: Patience) -> Source:
        extra: dict[str, object] = {"host_key": self.server.host_key}
        connection = Connection(
            "bss_billing_gd", "sftp", "127.0.0.1", self.server.port, "hub", SecretStr(self.password), self.directory, extra
        )
        return open_source("billing.account", "gd", connection, patience)

    def fail(self, times: int) -> None:
        self.server.refuse = times

    def break_midway(self) -> None:
        self.server.break_in = f"{STEM}_003.dat"

    def refuse_login(self) -> None:
        self.password = SECRET + "-wrong"

    def fall_silent(self) -> None:
        self.server.hang = True

    def stop(self) -> None:
        self.server.stop()


class TestDirectory(AdapterStandard):
    @pytest.fixture
    def rig(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DirectoryRig:
        return DirectoryRig(tmp_path / "drop", monkeypatch)


class TestSftp(AdapterStandard):
    @pytest.fixture
    def rig(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SftpRig]:
        monkeypatch.setattr(filesystem, "PIECE", 4096)
        monkeypatch.setattr(filesystem, "SFTP_PIECE", 2048)
        rig = SftpRig(tmp_path / "drop")
        yield rig
        rig.stop()

    @pytest.mark.parametrize("by_probe", [True, False], ids=["probe", "fetch"])
    def test_a_directory_that_is_not_there_is_named(self, rig: SftpRig, sink: DirectorySink, *, by_probe: bool) -> None:
        rig.directory = "/nowhere"
        source = rig.source(patient([]))
        with pytest.raises(FixConnection, match="the directory /nowhere is not there") as caught:
            source.probe(ACCOUNT) if by_probe else source.fetch(rig.request, sink)
        assert caught.value.facts["errno"] == errno.ENOENT
        source.close()

    def test_a_directory_closed_to_the_login_is_named(self, rig: SftpRig) -> None:
        rig.server.forbid = True
        source = rig.source(patient([]))
        with pytest.raises(FixConnection, match="the directory / is not readable for this login") as caught:
            source.probe(ACCOUNT)
        assert caught.value.facts["errno"] == errno.EACCES
        source.close()
