"""What may be wrong with a delivery as a whole: the file-level replies of DOMAIN §3, and two of the other transports."""

from __future__ import annotations

from enum import StrEnum


class FileCode(StrEnum):
    MISSING = "missing"
    SIZE = "size"
    ROWS = "rows"
    DATE = "date"
    DUPLICATE = "duplicate"
    NOT_EXPECTED_DATE = "not_expected_date"
    CORRECTION_AHEAD = "correction_ahead"
    CORRECTION_ACROSS_MONTH = "correction_across_month"
    BAD_RESEND = "bad_resend"
    CHECK_FILE = "check_file"  # the check file itself cannot be read
    REPEATED_PAGE = "repeated_page"  # REST and SOAP: a cursor or a page came twice
