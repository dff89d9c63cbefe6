"""Which characters Discord takes as an emoji in a button, a select or a reaction.

The characters below U+1F000 are those with the property Emoji in Unicode's emoji-data.txt; above it the emoji blocks
are taken whole, which is more lenient than Discord for the few unassigned places in them.
"""

import re

_BELOW_1F000 = (
    "00A9 00AE 203C 2049 2122 2139 2194-2199 21A9-21AA 231A-231B 2328 23CF 23E9-23F3 23F8-23FA 24C2 25AA-25AB 25B6 "
    "25C0 25FB-25FE 2600-2604 260E 2611 2614-2615 2618 261D 2620 2622-2623 2626 262A 262E-262F 2638-263A 2640 2642 "
    "2648-2653 265F-2660 2663 2665-2666 2668 267B 267E-267F 2692-2697 2699 269B-269C 26A0-26A1 26A7 26AA-26AB "
    "26B0-26B1 26BD-26BE 26C4-26C5 26C8 26CE-26CF 26D1 26D3-26D4 26E9-26EA 26F0-26F5 26F7-26FA 26FD 2702 2705 "
    "2708-270D 270F 2712 2714 2716 271D 2721 2728 2733-2734 2744 2747 274C 274E 2753-2755 2757 2763-2764 2795-2797 "
    "27A1 27B0 27BF 2934-2935 2B05-2B07 2B1B-2B1C 2B50 2B55 3030 303D 3297 3299"
)


def _ranges() -> str:
    spans = (span.split("-") for span in _BELOW_1F000.split())
    return "".join(f"{chr(int(span[0], 16))}-{chr(int(span[-1], 16))}" for span in spans)


_ONE = (
    rf"(?:[{_ranges()}\U0001F000-\U0001FAFF][\ufe0f\U0001F3FB-\U0001F3FF\U000E0020-\U000E007F]*|[0-9#*]\ufe0f?\u20e3)"
)
_EMOJI = re.compile(rf"{_ONE}(?:\u200d{_ONE}|[\U0001F1E6-\U0001F1FF])*")
_CUSTOM = re.compile(r"\w{2,32}:\d{15,20}")


def is_emoji(text: str) -> bool:
    """Whether the text is one Unicode emoji or a custom one written ``name:id``."""
    return bool(_EMOJI.fullmatch(text) or _CUSTOM.fullmatch(text))
