"""Texts to vectors. An embedder knows nothing of snippets, stores or indexes."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from logging import ERROR, getLogger
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from knowledge.crew import Crew, threads
from knowledge.errors import EmbedderError
from knowledge.imports import TURN

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Progress = Callable[[int, int], None]
"""Called with how many are done and how many there are."""

_FEW_TEXTS = 2
_HUB_SECONDS = 10.0


class Embedder(Protocol):
    """What turns texts into vectors whose dot product says how near in meaning the texts are."""

    @property
    def name(self) -> str:
        """Changes whenever the vectors would: it is kept with every vector."""

    @property
    def dimension(self) -> int:
        """The length of a vector."""

    def embed(self, texts: Sequence[str], progress: Progress | None = None) -> NDArray[np.float32]:
        """One vector of length 1 for each text, in order: shape (len(texts), dimension), float32.

        Raises:
            EmbedderError: not enough memory.
        """


class SentenceTransformerEmbedder:
    """Any sentence-transformers model. Texts longer than the model reads are cut.

    Attributes:
        name: the model's name and, after an @, the start of its weights' SHA-256 or of its commit on the hub.
        dimension: the length of a vector.
    """

    def __init__(
        self, name_or_folder: str | Path, device: str | None = None, batch_size: int = 16, name: str | None = None
    ) -> None:
        """Load a model: some seconds the first time in a process.

        Args:
            name_or_folder: a folder, or a name on the hub. Only a name may make the hub be asked, and only when the
                model is not in its cache.
            device: as PyTorch names it ("cpu", "cuda"); None takes the best there is.
            batch_size: how many texts go through the model at once. What is read in comes by the 64 (ingest.BATCH), and
                sixteen of those are nearer in length than 32: less is padding.
            name: what to call it, where the folder's name says less.

        Raises:
            EmbedderError: it is missing, damaged, unreachable or too large for the memory.
        """
        self._batch_size = batch_size
        self._crew = Crew(threads())
        if Path(name_or_folder).expanduser().is_dir():
            folder = Path(name_or_folder).expanduser().resolve()
            self._model = _load(str(folder), device, local=True)
            self.name = name or f"{folder.name}@{_fingerprint(folder)}"
        elif isinstance(name_or_folder, Path) or name_or_folder.startswith(("/", ".", "~")):
            raise EmbedderError(
                f"no embedder in the folder {name_or_folder}; give an existing folder, or a name on the hub"
            )
        else:
            # Where names without an owner have always been.
            owned = name_or_folder if "/" in name_or_folder else f"sentence-transformers/{name_or_folder}"
            self._model = _load_by_name(owned, device)
            self.name = name or f"{owned}@{_commit(self._model)}"
        self.dimension = int(self._model.get_embedding_dimension() or 0)

    def embed(self, texts: Sequence[str], progress: Progress | None = None) -> NDArray[np.float32]:
        """As `Embedder.embed`. Texts of like length go through the model together, so that little is padding."""
        vectors = np.empty((len(texts), self.dimension), np.float32)
        longest_first = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
        for start in range(0, len(texts), self._batch_size):
            batch = longest_first[start : start + self._batch_size]
            vectors[batch] = self._encode([encodable(texts[i]) for i in batch])
            if progress is not None:
                progress(start + len(batch), len(texts))
        return vectors

    def _encode(self, texts: list[str]) -> NDArray[np.float32]:
        try:
            with _few_threads() if len(texts) <= _FEW_TEXTS else self._crew:
                rows = self._model.encode(
                    texts,
                    batch_size=len(texts),
                    normalize_embeddings=True,
                    convert_to_numpy=True,
                    show_progress_bar=False,
                )
        except (MemoryError, RuntimeError) as error:
            if _is_out_of_memory(error):
                raise _out_of_memory(self.name) from error
            raise
        return np.asarray(rows, np.float32)


@contextmanager
def _few_threads() -> Iterator[None]:
    """One thread of PyTorch's while it lasts.

    On a text or two, threads gain next to nothing; and where other work keeps the cores busy, waiting for each other at
    every step of the model they take some ten times as long as one alone.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _load_by_name(name: str, device: str | None) -> SentenceTransformer:
    """A model of the hub, from its cache if it is there: then nothing is asked of the network."""
    try:
        return _load(name, device, local=True)
    except EmbedderError:
        _ask_hub_for(name)
        return _load(name, device, local=False)


def _ask_hub_for(name: str) -> None:
    """See that the hub can be reached and has the model. Asked once and briefly; a download would try for a minute."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        HfApi().model_info(name, timeout=_HUB_SECONDS)
    except RepositoryNotFoundError as error:
        raise EmbedderError(f"the hub has no embedder {name}, or keeps it private; check the name") from error
    # Names that cannot be, proxies, certificates, time-outs, offline mode: each a class of its own, and one answer.
    except Exception as error:
        raise EmbedderError(
            f"cannot get the embedder {name} from the hub: {_reason(error)}; check the name and the network,"
            ' or use a folder or "embedded"'
        ) from error


def _load(model: str, device: str | None, local: bool) -> SentenceTransformer:
    with TURN, _sklearn_later():
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

    # What they warn of on the way is either of no consequence or in the error that follows.
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    getLogger("sentence_transformers").setLevel(ERROR)
    try:
        return SentenceTransformer(model, device=device, local_files_only=local)
    # Whatever a damaged or foreign file makes the libraries raise (there are dozens), the answer is the same.
    except Exception as error:
        if _is_out_of_memory(error):
            raise _out_of_memory(model) from error
        raise EmbedderError(
            f"cannot load the embedder {model}: {_reason(error)}; replace it or choose another"
        ) from error


def _reason(error: Exception) -> str:
    """The first line of what an error says."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".:")


@contextmanager
def _sklearn_later() -> Iterator[None]:
    """While sentence-transformers is imported, scikit-learn is not: a second saved at every start.

    Only its evaluators use scikit-learn, for a few metrics, which it imports by name. Each name becomes a function that
    loads scikit-learn when it is first called; nothing is called here, and everything works as before where it is.
    """
    spec = importlib.util.find_spec("sklearn")
    if spec is None or "sklearn" in sys.modules:
        yield
        return
    package, metrics = ModuleType("sklearn"), ModuleType("sklearn.metrics")
    package.__spec__ = spec
    metrics.__dict__["__getattr__"] = _metric_later
    sys.modules.update({"sklearn": package, "sklearn.metrics": metrics})
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "sklearn"]:
            del sys.modules[name]


def _metric_later(name: str) -> Callable[..., Any]:
    """A function of sklearn.metrics that is looked up when it is called."""
    if name.startswith("__"):
        raise AttributeError(name)

    def metric(*arguments: Any, **options: Any) -> Any:
        return getattr(importlib.import_module("sklearn.metrics"), name)(*arguments, **options)

    return metric


def _is_out_of_memory(error: Exception) -> bool:
    # torch.cuda.OutOfMemoryError is a RuntimeError; on a CPU, PyTorch raises a bare RuntimeError.
    said = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and ("out of memory" in said or "can't allocate memory" in said)
    )


def _out_of_memory(model: str) -> EmbedderError:
    return EmbedderError(f"not enough memory for the embedder {model}; close other programs or choose a smaller one")


def _fingerprint(folder: Path) -> str:
    """The start of a SHA-256 over the weights in `folder`: a tuned copy under the same name is another embedder."""
    weights = sorted(path for path in folder.rglob("*") if path.suffix in (".safetensors", ".bin"))
    return hashlib.sha256("".join(_sha256(path) for path in weights).encode()).hexdigest()[:8]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _commit(model: SentenceTransformer) -> str:
    config: Any = getattr(getattr(model[0], "auto_model", None), "config", None)
    return str(getattr(config, "_commit_hash", None) or "unknown")[:8]


def encodable(text: str) -> str:
    """`text` as tokenizers can take it: UTF-8 has no lone surrogates, so they become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")
