"""Lands a paged read and proves it whole: every page once, as many rows as the sender says, no column unheard of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from adapters.drift import Carries, check_columns
from adapters.file_codes import FileCode
from adapters.protocol import LandingSink, PullRequest
from hub.errors import RefuseDelivery
from schemas.batch import Delivery, Kind, LandedObject, Layout
from schemas.contract import Mode

READS = 2  # a read that contradicts itself is read once more, since the source may have changed under it
KINDS = {Mode.FULL: Kind.FULL, Mode.INCREMENTAL: Kind.INCREMENTAL, Mode.EVENT: Kind.EVENT}


@dataclass(frozen=True)
class Page:
    """`body` as received; `digest` covers the records only; `total` is the sender's count over all pages."""

    body: bytes
    rows: int
    total: int
    fields: frozenset[str]
    digest: bytes


class Inconsistent(Exception):
    """A read that cannot be whole: its pages contradict each other or the sender's count."""

    def __init__(self, code: FileCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass
class _Read:
    objects: list[LandedObject] = field(default_factory=list)
    digests: set[bytes] = field(default_factory=set)
    fields: dict[str, None] = field(default_factory=dict)
    rows: int = 0
    total: int = 0

    def add(self, page: Page, landed: LandedObject) -> None:
        self.objects.append(landed)
        self.fields.update(dict.fromkeys(sorted(page.fields)))
        self.rows += page.rows
        self.total = page.total
        if self.rows > page.total:
            raise Inconsistent(FileCode.ROWS, f"{self.rows} rows came where the sender counts {page.total}")
        if page.rows and page.digest in self.digests:
            raise Inconsistent(FileCode.REPEATED_PAGE, f"{landed.name} repeats the records of an earlier page")
        self.digests.add(page.digest)


@dataclass(frozen=True)
class PagedFetch:
    """`read_pages` starts a read from its first page; a request that fails is retried in there, at its own page."""

    where: str
    layout: Layout
    suffix: str
    read_pages: Callable[[], Iterator[Page]]

    def fetch(self, request: PullRequest, sink: LandingSink) -> Delivery:
        """Raises RefuseDelivery (facts: `delivery`) where two reads contradict themselves, FixContract on new columns."""
        for left in reversed(range(READS)):
            read = _Read()
            try:
                return self._fetch_once(request, sink, read)
            except Inconsistent as error:
                if not left:
                    raise RefuseDelivery(
                        f"{self.where}: {error.message}, and again when read anew",
                        code=error.code,
                        delivery=self._delivery(request, read),
                        where=self.where,
                    ) from None
        raise AssertionError("unreachable: the last read returns or raises")

    def _fetch_once(self, request: PullRequest, sink: LandingSink, read: _Read) -> Delivery:
        for number, page in enumerate(self.read_pages(), 1):
            read.add(page, sink.put(f"page-{number:05d}.{self.suffix}", [page.body]))
        if read.rows != read.total:
            raise Inconsistent(FileCode.ROWS, f"{read.rows} rows came where the sender counts {read.total}")
        delivery = self._delivery(request, read)
        if read.rows:
            check_columns(request.contract, read.fields, where=self.where, carries=Carries.REQUIRED, delivery=delivery)
        return delivery

    def _delivery(self, request: PullRequest, read: _Read) -> Delivery:
        return Delivery(
            kind=KINDS[request.contract.mode],
            resend=0,
            layout=self.layout,
            objects=tuple(read.objects),
            declared_rows=read.total,
            window=request.window,
        )
