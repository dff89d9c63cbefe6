"""Sources that live on the web: feeds that are followed, and pages that are taken in once.

harvest   an address -> what is there now: entries of a feed, a page, a list of feeds
keeping   entries -> snippets in the store: new ones added, changed ones replaced, doubles joined to their first
ledger    how each source's fetches went, and when its next is due
"""
