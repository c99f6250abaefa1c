"""How dirty the world is: every rate in one place. Rates and their meaning are tabled in `simulator/README.md`."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

CEILING = 0.9


@dataclass(frozen=True, slots=True)
class DirtRates:
    """Shares (0..1). `junk_code_firms` 0.02 of 2,000 customers are the 40 firms of the issue."""

    ids_blank: float = 0.20
    names_differ: float = 0.35
    cross_references_blank: float = 0.40
    branches: float = 0.15
    junk_code_firms: float = 0.02
    broken_rows: float = 0.005
    duplicates: float = 0.01
    conflicting_share: float = 0.20
    awkward_characters: float = 0.01
    codes_rounded: float = 0.003
    literal_na: float = 0.003
    renamed: float = 0.02
    same_name: float = 0.005
    pilot_codes: float = 0.003
    terminated_billed: float = 0.0012
    never_ordered: float = 0.0010
    active_unbilled: float = 0.0014
    invoice_differs: float = 0.005
    account_mapped_elsewhere: float = 0.005
    billing_faults: float = 0.0004
    bill_faults: float = 0.001
    record_faults: float = 0.0004
    unmapped: float = 0.002

    def tripled(self) -> DirtRates:
        """Every rate three times as high, none above 0.9."""
        tripled = {f.name: min(CEILING, getattr(self, f.name) * 3) for f in fields(self)}
        return replace(self, **tripled)

    @classmethod
    def clean(cls) -> DirtRates:
        """A world without dirt, traps or inconsistencies."""
        return cls(**{f.name: 0.0 for f in fields(cls)})
