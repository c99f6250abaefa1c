"""One seeded world and the views its systems show of it. The layout of every row is that of `docs/interfaces.md`."""

from __future__ import annotations

from simulator.dirt import DirtRates

PROVINCES = ("gd", "js")
FIRST_NIGHT = "20260225"
BASE_NIGHT = "20260305"


class World:
    """The truth, and each system's view of it, for every night (Shanghai date) from `FIRST_NIGHT` on."""

    provinces = PROVINCES

    def __init__(self, seed: int = 20260305, customers: int = 2000, dirt: DirtRates = DirtRates()) -> None:
        self.seed = seed
        self.customers = customers
        self.dirt = dirt

    def rows(self, feed: str, province: str, night: str) -> list[dict[str, object]]:
        """State of one feed (`crm.*`, `group.*`, `orders.*`) at the end of a night, sorted by (updated_at, key).

        crm and group rows hold JSON-able values in the source's form; orders rows hold Python str, int, datetime, None.
        """
        raise NotImplementedError(feed)
