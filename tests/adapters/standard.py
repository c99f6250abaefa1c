"""The suite every adapter passes. A transport's test class derives from `AdapterStandard` and gives a `rig`.

A rig is a real server (or directory) of the transport, holding `keys` in order, with faults that can be switched on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pytest

from adapters.protocol import PullRequest, Source
from adapters.transports.patience import Patience
from hub.errors import FixConnection, FixContract, HubError, RefuseDelivery, RetryLater
from schemas.batch import Delivery
from tests.adapters.sinks import DirectorySink

SECRET = "s3cret-Of-The-Source"
ATTEMPTS = 4


class Rig(Protocol):
    keys: list[str]
    request: PullRequest
    cannot: frozenset[str]  # what this transport has no way to show
    resumes: bool  # whether a broken read goes on where it broke
    cut_short_error: type[HubError]
    full_reads: int  # how often the read was begun at its first row

    def source(self, patience: Patience) -> Source: ...
    def keys_of(self, delivery: Delivery, sink: DirectorySink) -> list[str]: ...
    def fail(self, times: int) -> None: ...
    def break_midway(self) -> None: ...
    def refuse_login(self) -> None: ...
    def add_column(self) -> None: ...
    def rename_column(self) -> None: ...
    def cut_short(self) -> None: ...
    def miscount(self) -> None: ...
    def fall_silent(self) -> None: ...
    def stop(self) -> None: ...


def patient(waits: list[float], **changes: float) -> Patience:
    """Waits are noted, not slept."""
    return Patience(attempts=ATTEMPTS, connect_seconds=5, read_seconds=changes.get("read_seconds", 5.0), sleep=waits.append)


def assert_no_secret(error: BaseException) -> None:
    seen: BaseException | None = error
    while seen is not None:
        facts = getattr(seen, "facts", {})
        assert SECRET not in f"{seen!r} {seen} {facts!r}"
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)


class AdapterStandard:
    @pytest.fixture
    def waits(self) -> list[float]:
        return []

    @pytest.fixture
    def sink(self, tmp_path: Path) -> DirectorySink:
        return DirectorySink(tmp_path / "landing")

    def fetched(self, rig: Rig, sink: DirectorySink, waits: list[float], **changes: float) -> Delivery:
        source = rig.source(patient(waits, **changes))
        try:
            (delivery,) = source.fetch(rig.request, sink)
        finally:
            source.close()
        return delivery

    def test_reads_every_row_to_the_last_page(self, rig: Rig, sink: DirectorySink, waits: list[float]) -> None:
        delivery = self.fetched(rig, sink, waits)
        assert rig.keys_of(delivery, sink) == rig.keys
        assert delivery.declared_rows == len(rig.keys)
        assert waits == []

    def test_the_same_source_lands_the_same_bytes(self, rig: Rig, sink: DirectorySink, waits: list[float]) -> None:
        assert self.fetched(rig, sink, waits) == self.fetched(rig, sink, waits)

    def test_tries_again_what_may_pass(self, rig: Rig, sink: DirectorySink, waits: list[float]) -> None:
        rig.fail(times=2)
        assert rig.keys_of(self.fetched(rig, sink, waits), sink) == rig.keys
        assert len(waits) == 2
        assert all(wait > 0 for wait in waits)

    def test_gives_up_in_the_end(self, rig: Rig, sink: DirectorySink, waits: list[float]) -> None:
        rig.fail(times=10_000)
        with pytest.raises(RetryLater) as caught:
            self.fetched(rig, sink, waits)
        assert len(waits) == ATTEMPTS - 1
        assert_no_secret(caught.value)

    def test_a_read_that_breaks_is_completed_without_a_double(self, rig: Rig, sink: DirectorySink, waits: list[float]) -> None:
        rig.break_midway()
        assert rig.keys_of(self.fetched(rig, sink, waits), sink) == rig.keys
        assert len(waits) == 1
        assert rig.full_reads == (1 if rig.resumes else 2)

    def test_a_new_column_is_named(self, rig: Rig, sink: DirectorySink, waits: list[float]) -> None:
        rig.add_column()
        with pytest.raises(FixContract) as caught:
            self.fetched(rig, sink, waits)
        if "names" not in rig.cannot:
            assert caught.value.facts["new"] == ("surprise",)
            assert "surprise" in caught.value.message
        assert waits == []

    def test_a_renamed_column_is_named_on_both_sides(self, rig: Rig, sink: DirectorySink, waits: list[float]) -> None:
        if "names" in rig.cannot:
            pytest.skip("its columns bear no names")
        rig.rename_column()
        with pytest.raises(FixContract) as caught:
            self.fetched(rig, sink, waits)
        assert caught.value.facts["new"] == ("surprise",)
        assert len(caught.value.facts["missing"]) == 1  # type: ignore[arg-type]

    def test_a_refused_login_is_not_tried_again(self, rig: Rig, sink: DirectorySink, waits: list[float]) -> None:
        rig.refuse_login()
        with pytest.raises(FixConnection) as caught:
            self.fetched(rig, sink, waits)
        assert waits == []
        assert_no_secret(caught.value)

    def test_a_read_that_always_ends_early_is_an_error(self, rig: Rig, sink: DirectorySink, waits: list[float]) -> None:
        rig.cut_short()
        with pytest.raises(rig.cut_short_error):
            self.fetched(rig, sink, waits)

    def test_a_wrong_count_refuses_what_was_landed(self, rig: Rig, sink: DirectorySink, waits: list[float]) -> None:
        if "miscount" in rig.cannot:
            pytest.skip("its sender states no count")
        rig.miscount()
        with pytest.raises(RefuseDelivery) as caught:
            self.fetched(rig, sink, waits)
        assert caught.value.code == "rows"
        refused = caught.value.facts["delivery"]
        assert isinstance(refused, Delivery)
        assert rig.keys_of(refused, sink) == rig.keys

    def test_silence_ends_in_time(self, rig: Rig, sink: DirectorySink, waits: list[float]) -> None:
        if "silence" in rig.cannot:
            pytest.skip("nothing to wait for")
        rig.fall_silent()
        with pytest.raises(RetryLater):
            self.fetched(rig, sink, waits, read_seconds=0.2)

    def test_probe_sees_what_was_agreed(self, rig: Rig, waits: list[float]) -> None:
        source = rig.source(patient(waits))
        probe = source.probe(rig.request.contract)
        assert "as agreed" in probe.detail or "agreed shape" in probe.detail
        source.close()

    def test_probe_tells_stopped_refused_and_drifted_apart(self, rig: Rig, waits: list[float]) -> None:
        for switch, error in ((rig.add_column, FixContract), (rig.refuse_login, FixConnection), (rig.stop, RetryLater)):
            switch()
            source = rig.source(patient(waits))
            with pytest.raises(error) as caught:
                source.probe(rig.request.contract)
            assert type(caught.value) is error
            assert_no_secret(caught.value)
            source.close()
