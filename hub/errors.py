"""Every error the hub raises, named by what the caller does next.

`facts` are what happened and where (never a secret, never a personal value); they are kept as an attribute, so that
the ledger and the tests read them without parsing a sentence.
"""

from __future__ import annotations


class HubError(Exception):
    """Base of all. `message` says what, where, and what was allowed."""

    retry = False

    def __init__(self, message: str, **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts

    @property
    def kind(self) -> str:
        return type(self).__name__


class RetryLater(HubError):
    """The other side failed in a way that passes: connection refused or dropped, timeout, 429, 5xx, "busy"."""

    retry = True


class NotYetDelivered(RetryLater):
    """The sender has not delivered this period, or not finished delivering it. Wait until the feed is due."""


class RefuseDelivery(HubError):
    """What was delivered is wrong as a whole; a new delivery must come. `code` is the file-level reply (DOMAIN §3)."""

    def __init__(self, message: str, *, code: str, **facts: object) -> None:
        super().__init__(message, code=code, **facts)
        self.code = code


class OutOfOrder(RefuseDelivery):
    """A period, resend number or correction that may not come now."""


class FixConnection(HubError):
    """The connection is missing, its address is wrong, or its credentials are refused. A person must mend it."""


class FixContract(HubError):
    """What the source shows is not what the contract says (a column renamed, new or gone). A person must decide."""


class InvariantBroken(HubError):
    """The hub's own accounts do not add up, or the past was changed. Stop; nothing may be published."""


class NotFound(HubError):
    """What was asked for by name does not exist; `message` lists what does."""


class PublicationStopped(HubError):
    """Reconciliation found more than a critical rule allows. Portals keep last night's; a person must decide."""


class NotAllowed(HubError):
    """What a person asked for is against the rules they work under; `message` says what is allowed."""
