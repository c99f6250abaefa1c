"""File drops: a directory or SFTP, data files with check files and control totals (DOMAIN §3; docs/interfaces.md, "Files").

A drop belongs to its sender: nothing in it is moved, renamed or removed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import dropwhile, takewhile

from adapters.file_codes import FileCode
from adapters.protocol import LandingSink, Probe, PullRequest
from adapters.transports.checkfile import FileFault, parse_control
from adapters.transports.drop import Drop, LandedSending
from adapters.transports.filenames import Choice, Sending, choose, parse_name
from adapters.transports.filesystem import open_file_system
from adapters.transports.patience import Patience
from adapters.transports.records import shape_drift
from hub.errors import FixContract, NotYetDelivered, RefuseDelivery
from hub.settings import Connection
from schemas.batch import ControlTotals, Delivery, LandedObject, Layout
from schemas.contract import Contract

CONTROL_UNITS = {"daily": "00000", "monthly": "99999"}
SHOWN_FAULTS = 10


@dataclass(frozen=True)
class _Beside:
    """What is kept beside a base sending."""

    notes: tuple[str, ...] = ()
    totals: ControlTotals | None = None
    companions: tuple[LandedObject, ...] = ()


class FileSource:
    """One province's drop, for units of one layout."""

    def __init__(self, connection: Connection, province: str, layout: Layout, patience: Patience) -> None:
        self._drop = Drop(open_file_system(connection, patience), patience)
        self._province = province
        self._layout = layout
        self._where = str(self._drop)

    def probe(self, contract: Contract) -> Probe:
        """Files bear no column names, so `columns` is None and the newest file's first records are held against the contract."""
        mine = [
            name
            for name in filter(None, map(parse_name, self._drop.sizes()))
            if (name.unit, name.province, name.is_check_file) == (contract.unit, self._province, False)
        ]
        if not mine:
            return Probe(None, f"directory reached; no file of unit {contract.unit} yet")
        latest = max(mine, key=lambda name: (name.period, name.resend, name.split)).text
        head = self._drop.head(latest)
        self._check_shape(contract, latest, head)
        return Probe(None, f"directory reached; {latest} {'has records of the agreed shape' if head else 'is empty'}")

    def fetch(self, request: PullRequest, sink: LandingSink) -> Sequence[Delivery]:
        """The newest base sending, then corrections.

        Raises NotYetDelivered while data or check file of the base are not there (corrections wait for their base),
        RefuseDelivery with facts `delivery` (what was landed of the refused sending), `delivered` (the good ones landed
        before it, to be kept all the same) and `faults` (code, file, detail), FixContract with `delivery` and `delivered`.
        """
        sizes = self._drop.sizes()
        choice = choose(sizes, self._province, request.period, request.contract.unit)
        self._check_complete(request, choice)
        # One that is not finished holds back those after it: applied before it, they would keep it out for good.
        ready = list(takewhile(lambda sending: sending.check_file, choice.corrections))
        beside = self._beside(request, sizes, choice, sink)
        delivered = [self._land_base(request, choice.bases, beside, sink)]
        for sending in ready:
            landed = self._drop.land(sending, request.period, sink)
            delivered.append(self._delivery(request, sending, landed, _Beside(), delivered))
        return delivered

    def close(self) -> None:
        self._drop.close()

    def _check_complete(self, request: PullRequest, choice: Choice) -> None:
        if choice.bases and all(sending.check_file for sending in choice.bases):
            return
        why = f"{choice.bases[0]} has no check file yet" if choice.bases else "no data file yet"
        waiting = tuple(map(str, choice.corrections))
        if waiting:
            why += f"; corrections wait for it: {', '.join(waiting)}"
        what = f"{request.contract.feed_id} {request.period} (unit {request.contract.unit})"
        raise NotYetDelivered(f"{self._where}: {what}: {why}", where=self._where, waiting=waiting)

    def _land_base(self, request: PullRequest, bases: Sequence[Sending], beside: _Beside, sink: LandingSink) -> Delivery:
        landed = [self._drop.land(sending, request.period, sink) for sending in bases]
        if len(bases) == 1:
            return self._delivery(request, bases[0], landed[0], beside, ())
        fault = FileFault(FileCode.DUPLICATE, ", ".join(map(str, bases)), "sent twice under one resend number")
        both = LandedSending(
            data=tuple(file for each in landed for file in each.data),
            check=landed[0].check,
            records=tuple(record for each in landed for record in each.records),
            faults=(fault,),
        )
        return self._delivery(request, bases[0], both, beside, ())

    def _delivery(
        self, request: PullRequest, sending: Sending, landed: LandedSending, beside: _Beside, delivered: Sequence[Delivery]
    ) -> Delivery:
        delivery = Delivery(
            kind=sending.kind,
            resend=sending.resend,
            layout=self._layout,
            objects=tuple(file.kept for file in landed.data),
            companions=(landed.check, *beside.companions),
            declared_rows=sum(record.rows for record in landed.records) if landed.records else None,
            control=beside.totals,
            window=request.window,
            notes=beside.notes,
        )
        if landed.faults:
            raise self._refusal(request, landed.faults, delivery, delivered)
        for file in landed.data:
            self._check_shape(request.contract, file.kept.name, file.head, delivery=delivery, delivered=tuple(delivered))
        return delivery

    def _refusal(
        self, request: PullRequest, faults: Sequence[FileFault], delivery: Delivery, delivered: Sequence[Delivery]
    ) -> RefuseDelivery:
        said = "; ".join(map(str, faults[:SHOWN_FAULTS]))
        return RefuseDelivery(
            f"{self._where}: {request.contract.feed_id} {request.period}: {said}",
            code=faults[0].code,
            where=self._where,
            faults=tuple((fault.code.value, fault.name, fault.detail) for fault in faults),
            delivery=delivery,
            delivered=tuple(delivered),
        )

    def _check_shape(self, contract: Contract, name: str, head: bytes, **kept: object) -> None:
        drift = shape_drift(contract, self._layout, head)
        if drift:
            what = f"{self._where}: {name}: {drift}"
            raise FixContract(what, where=self._where, feed=contract.feed_id, file=name, **kept)

    def _beside(self, request: PullRequest, sizes: Mapping[str, int], choice: Choice, sink: LandingSink) -> _Beside:
        notes = [f"superseded by a newer resend, ignored: {sending}" for sending in choice.superseded]
        waiting = list(dropwhile(lambda sending: sending.check_file, choice.corrections))
        notes += [f"correction left in the drop, for {waiting[0]} has no check file yet: {sending}" for sending in waiting]
        unit = CONTROL_UNITS[request.contract.period]
        control = choose(sizes, self._province, request.period, unit).bases
        if not control or control[0].check_file is None or not control[0].data:
            return _Beside((*notes, f"no control totals (unit {unit}) yet"))
        landed = self._drop.land(control[0], request.period, sink, rows=False)
        totals, note = _totals(landed, request.contract.unit)
        objects = (*(file.kept for file in landed.data), landed.check)
        return _Beside((*notes, *([note] if note else [])), totals, objects)


def _totals(landed: LandedSending, unit: str) -> tuple[ControlTotals | None, str | None]:
    """The unit's control totals, or a note saying why they are not used."""
    if landed.faults:
        return None, "control totals not used: " + "; ".join(map(str, landed.faults))
    try:
        totals = parse_control(b"".join(file.head for file in landed.data), unit)
    except ValueError:
        return None, f"control totals not used: {landed.check.name}: not unit|files|rows|amount_fen"
    return totals, None if totals else f"control totals hold no line of unit {unit}"
