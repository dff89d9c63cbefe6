"""Converting GGUF files: the same model comes out, once, whole or not at all."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import gguf
import pytest
import torch

from bot.language.base import Message, Sampling, complete
from bot.language.conversion import Recipe, converted, file_digest, recipe_for_file
from bot.language.embedded import MODEL, embedded_model, find_adapter
from bot.language.errors import LanguageError, ModelNotFound
from bot.language.loading import load, load_plain
from bot.language.local import local_model

from . import tiny

ROOT = Path(__file__).parents[3]


def write_gguf(path: Path, model) -> Path:
    """The tiny Llama as llama.cpp's converter would write it, with its byte-level tokenizer."""
    config, tokenizer = model.config, tiny.tokenizer()
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    tokens = [token for token, _ in sorted(tokenizer.get_vocab().items(), key=lambda pair: pair[1])]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in tiny.SPECIAL else 1 for token in tokens])
    writer.add_token_merges(["t h"])
    writer.add_eos_token_id(tiny.END)
    writer.add_bos_token_id(tiny.END + 1)
    writer.add_chat_template(tiny.CHATML)
    names = {
        "model.embed_tokens.weight": "token_embd.weight",
        "model.norm.weight": "output_norm.weight",
        "lm_head.weight": "output.weight",
    }
    parts = {
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
    }
    for name, weight in model.state_dict().items():
        if name not in names:
            _, _, layer, part = name.split(".", 3)
            names[name] = f"blk.{layer}.{parts[part.removesuffix('.weight')]}.weight"
        data = weight.float()
        for projection, heads in (("q_proj", config.num_attention_heads), ("k_proj", config.num_key_value_heads)):
            if projection in name:  # llama.cpp interleaves the two halves that rotary embeddings turn
                data = data.view(heads, 2, -1, data.shape[1]).transpose(1, 2).reshape(data.shape)
        writer.add_tensor(names[name], data.contiguous().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def original():
    return tiny.model("llama")


@pytest.fixture(scope="module")
def file(tmp_path_factory, original):
    return write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf", original)


def partials(folder):
    return list(folder.glob("*.partial"))


def test_the_converted_model_is_the_original(file, original, tmp_path):
    told = []
    folder = converted(recipe_for_file(file), tmp_path, lambda stage, fraction: told.append((stage, fraction)))
    loaded = load(folder)
    plain = load_plain(folder)
    found = plain.state_dict()
    for name, weight in original.state_dict().items():
        torch.testing.assert_close(found[name].bfloat16(), weight.bfloat16(), msg=name)
    tokens = torch.tensor([list(range(20))])
    with torch.inference_mode():
        ours, theirs = plain(tokens).logits, original(tokens).logits
    assert (ours.argmax(-1) == theirs.argmax(-1)).float().mean() > 0.9
    assert loaded.window == 1024 and tiny.END in loaded.end_tokens
    assert not partials(tmp_path)
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert len({stage for stage, _ in told}) >= 4


def test_notes_beside_an_adapter_do_not_make_it_another(tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    (tmp_path / "adapter_model.safetensors").write_bytes(b"one")

    def name():
        return Recipe(tmp_path / "tiny.gguf", "tiny", adapter=tmp_path).folder_name

    before = name()
    (tmp_path / "preferred.json").write_text("[]")
    assert name() == before
    (tmp_path / "adapter_model.safetensors").write_bytes(b"two")
    assert name() != before


async def test_a_gguf_file_is_a_model(file, tmp_path):
    model = local_model(str(file), tmp_path)
    assert model.name == "tiny.gguf"
    assert await complete(model, [Message("user", "Hi")], Sampling(max_tokens=5, seed=3)) is not None
    await model.close()
    before = next(tmp_path.glob("tiny-*")).stat().st_mtime_ns
    await local_model(str(file), tmp_path).load()
    assert [path.stat().st_mtime_ns for path in tmp_path.glob("tiny-*")] == [before]


def test_damaged_weights_are_refused_and_leave_nothing(file, tmp_path):
    recipe = Recipe(file, "x", sha256="0" * 64)
    with pytest.raises(ModelNotFound, match="damaged"):
        converted(recipe, tmp_path)
    torn = tmp_path / "torn.gguf"
    torn.write_bytes(file.read_bytes()[:3000])
    with pytest.raises(ModelNotFound, match=r"torn\.gguf"):
        converted(Recipe(torn, "y", sha256=file_digest(torn)), tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []


def test_an_unwritable_folder_is_one_line(file, tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(LanguageError, match="Cannot write"):
        converted(recipe_for_file(file), tmp_path / "taken")


KILLED = """
import sys, time
from pathlib import Path
import bot.language.conversion as conversion
def progress(stage, fraction):
    print(stage, flush=True)
    if stage == sys.argv[3]:
        time.sleep(60)
conversion.converted(conversion.recipe_for_file(Path(sys.argv[1])), Path(sys.argv[2]), progress)
"""


def test_killed_on_the_way_nothing_half_is_left(file, tmp_path):
    """SIGKILL while the files are about to be written; then somebody else converts, and cleans up."""
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, file, tmp_path, "writing the converted model"],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    with process:
        assert any("writing" in line for line in process.stdout)
        process.send_signal(signal.SIGKILL)
    recipe = recipe_for_file(file)
    assert len(partials(tmp_path)) == 1
    assert not (tmp_path / recipe.folder_name).exists()
    folder = converted(recipe, tmp_path)
    assert load(folder).window == 1024
    assert not partials(tmp_path)


def test_several_at_once_convert_once(file, tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    stages = []
    with ThreadPoolExecutor(3) as pool:
        folders = list(
            pool.map(lambda _: converted(recipe_for_file(file), tmp_path, lambda s, _f: stages.append(s)), range(3))
        )
    assert len(set(folders)) == 1
    assert stages.count("converted") == 1


async def test_closing_the_model_breaks_a_conversion_off(file, tmp_path):
    loop, begun = asyncio.get_running_loop(), asyncio.Event()
    model = local_model(str(file), tmp_path, progress=lambda *_: loop.call_soon_threadsafe(begun.set))
    load = asyncio.create_task(model.load())
    await begun.wait()
    await model.close()
    with pytest.raises(LanguageError, match="closed"):
        await load
    assert not any(path.is_dir() for path in tmp_path.iterdir())


@pytest.fixture(scope="module")
def adapter(tmp_path_factory, original):
    """A LoRA adapter that changes one projection in every layer."""
    from peft import LoraConfig, get_peft_model

    folder = tmp_path_factory.mktemp("adapter")
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft speaks to an older transformers
        torch.manual_seed(2)
        tuned = get_peft_model(
            tiny.model("llama"),
            LoraConfig(r=2, lora_alpha=4, target_modules=["v_proj"], init_lora_weights=False, task_type="CAUSAL_LM"),
        )
        tuned.save_pretrained(folder)
        return folder, tuned.merge_and_unload()


def test_an_adapter_is_merged_and_gets_a_folder_of_its_own(file, adapter, tmp_path):
    folder, merged = adapter
    plain = recipe_for_file(file)
    tuned = replace(plain, adapter=folder)
    assert tuned.folder_name != plain.folder_name
    found = load_plain(converted(tuned, tmp_path)).state_dict()
    for name, weight in merged.state_dict().items():
        torch.testing.assert_close(found[name].bfloat16(), weight.bfloat16(), msg=name)
    other = tmp_path / "other"
    other.mkdir()
    for path in folder.iterdir():
        (other / path.name).write_bytes(path.read_bytes() + b" ")
    assert replace(plain, adapter=other).folder_name not in {tuned.folder_name, plain.folder_name}


def folders(models_dir):
    return {path.name for path in models_dir.iterdir() if path.is_dir()}


def test_a_folder_that_is_superseded_goes_and_others_stay(file, adapter, tmp_path):
    """A former adapter's and a former version of the same file's; not the untuned model's, nor another file's."""
    (tmp_path / "elsewhere").mkdir()
    other = recipe_for_file(shutil.copy(file, tmp_path / "elsewhere" / "tiny.gguf"))
    own = shutil.copy(file, tmp_path / "tiny.gguf")
    plain, models = recipe_for_file(own), tmp_path / "models"
    tuned = replace(plain, adapter=adapter[0])
    again = shutil.copytree(adapter[0], tmp_path / "again")
    (again / "README.md").write_text("tuned again")
    (models / "tiny-0123456789ab").mkdir(parents=True)  # converted before folders had notes
    (models / "tiny-of-somebody").mkdir()
    for recipe in (plain, other, tuned):
        converted(recipe, models)
    assert folders(models) == {plain.folder_name, other.folder_name, tuned.folder_name, "tiny-of-somebody"}
    retuned = replace(plain, adapter=again)
    assert load(converted(retuned, models)).window == 1024
    assert folders(models) == {plain.folder_name, other.folder_name, retuned.folder_name, "tiny-of-somebody"}
    os.utime(own, ns=(1, 1))
    renewed = recipe_for_file(own)
    converted(renewed, models)
    assert folders(models) == {renewed.folder_name, other.folder_name, retuned.folder_name, "tiny-of-somebody"}


def test_the_name_tells_whether_the_embedded_model_is_tuned(adapter, tmp_path):
    folder, _ = adapter
    assert find_adapter(folder) == folder and find_adapter(tmp_path) is None
    assert find_adapter(tmp_path, folder) == folder
    name = embedded_model(tmp_path, adapter=folder).name
    assert name.startswith(f"{MODEL} (embedded, tuned ") and len(name.split()[-1]) == 9
