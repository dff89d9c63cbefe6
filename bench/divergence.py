"""The quality guard of bench/language.py: is what the engine computes still the model?"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bot.language.attention import Segment
from bot.language.base import Message
from bot.language.decoder import Decoder
from bot.language.keyvalues import KeyValues
from bot.language.loading import load
from bot.language.surroundings import quiet

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Divergence:
    """How far the engine's next-token distributions are from float32 transformers', over `tokens` tokens of text.

    `kl` is the mean Kullback-Leibler divergence in nats, `agree` the share of tokens at which both rank the same first.
    """

    kl: float
    agree: float
    tokens: int


def divergence(folder: Path, device: str) -> Divergence | None:
    """Compare on fixed texts, each read as a prefix and a sequence of its own. None for models of the plain engine."""
    import torch
    from transformers import AutoModelForCausalLM

    loaded = load(folder, device)
    decoder = loaded.model
    if not isinstance(decoder, Decoder):
        return None
    with quiet():
        reference = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32, local_files_only=True).eval()
    apart, same = [], []
    with torch.inference_mode():
        for text in texts():
            tokens = loaded.template.prompt([Message("user", text)])[:256]
            half = len(tokens) // 2
            prefix, own = KeyValues(decoder.shape, 1, half), KeyValues(decoder.shape, 1, len(tokens))
            rest = len(tokens) - half
            first = decoder.forward(tokens[:half], [Segment(prefix, [0], [0], [half])], range(half))
            second = decoder.forward(tokens[half:], [Segment(own, [0], [0], [rest], prefix, half)], range(rest))
            ours = torch.cat([first, second]).float().cpu().log_softmax(-1)
            theirs = reference(torch.tensor([tokens])).logits[0].log_softmax(-1)
            apart += (theirs.exp() * (theirs - ours)).sum(-1).tolist()
            same += (ours.argmax(-1) == theirs.argmax(-1)).tolist()
    return Divergence(statistics.mean(apart), statistics.mean(same), len(same))


def texts() -> Iterator[str]:
    """English prose that the model has not seen: what Kindling's own modules say of themselves."""
    for path in sorted((ROOT / "bot" / "language").glob("*.py")):
        yield path.read_text(encoding="utf-8").split('"""')[1]
