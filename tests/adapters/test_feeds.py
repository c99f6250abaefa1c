"""The list of feeds, and opening one."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from adapters.feeds import FEEDS, PROVINCES, feed_of, open_source
from hub.errors import FixConnection, NotFound
from hub.settings import Connection
from schemas.batch import Layout
from schemas.contracts import CONTRACTS


def test_every_contract_has_exactly_one_feed() -> None:
    assert list(FEEDS) == list(CONTRACTS)
    assert len(FEEDS) == 13
    assert all(feed.contract is CONTRACTS[feed_id] for feed_id, feed in FEEDS.items())


def test_a_fixed_width_feed_has_a_width_for_every_column() -> None:
    for feed in FEEDS.values():
        widths = [column.width for column in feed.contract.columns]
        assert all(widths) if feed.layout is Layout.FIXED else not any(widths), feed.feed_id


def test_an_unknown_feed_or_province_lists_the_known_ones() -> None:
    with pytest.raises(NotFound, match=r"billing\.account"):
        feed_of("billing.accounts")
    with pytest.raises(NotFound, match="gd, js"):
        open_source("crm.customer", "bj", Connection("bss_crm_bj", "http", "localhost"))


@pytest.mark.parametrize("feed_id", list(FEEDS))
def test_a_connection_of_another_kind_is_refused_by_name(feed_id: str) -> None:
    connection = Connection("bss_x_gd", "carrier-pigeon", "loft", password=SecretStr("s3cret"))
    with pytest.raises(FixConnection) as caught:
        open_source(feed_id, PROVINCES[0], connection)
    assert "bss_x_gd" in caught.value.message
    assert "s3cret" not in caught.value.message
