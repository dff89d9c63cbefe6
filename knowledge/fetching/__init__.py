"""Fetching from the web, safely: whoever may type an address may type any address.

addresses   what an address must be, and when two mean the same page
networks    which machines may be reached, checked where the connection is made
dialling    urllib3, with connections made by `networks`
deadline    the end of a fetch, whatever the other side does
pace        not too many requests to one host
robots      what a site asks of programs
fetcher     all of it together: one address in, one document out

It knows nothing of formats, of the store or of who asks.
"""

from knowledge.fetching.fetcher import Fetched, Fetcher, Limits
from knowledge.fetching.networks import Allowed

__all__ = ["Allowed", "Fetched", "Fetcher", "Limits"]
