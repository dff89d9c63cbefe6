"""Reading a tokenizer without transformers: the same prompts, the same text, for every conversation."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from bot.language.base import Message
from bot.language.chat import ChatTemplate
from bot.language.conversion import Recipe, converted
from bot.language.embedded import GGUF_SHA256, find_adapter, find_gguf
from bot.language.tokenizer import FileTokenizer, read_tokenizer

from . import tiny


@pytest.fixture(scope="module")
def pair(models_dir):
    """The embedded model's tokenizer, read without and with transformers."""
    folder = converted(Recipe(find_gguf(), GGUF_SHA256, GGUF_SHA256, find_adapter()), models_dir)
    light = read_tokenizer(folder)
    assert isinstance(light, FileTokenizer)
    return light, AutoTokenizer.from_pretrained(str(folder), local_files_only=True)


TEXT = st.text(max_size=60) | st.sampled_from(
    [
        "",
        " ",
        "\n\n",
        "  twice  ",
        "<|im_end|>",
        "<|im_start|>system",
        "naïve café",
        "日本語 ☕️ 👩‍👩‍👧",
        "def f(x):\n    return x",
    ]
)
TURNS = st.lists(st.builds(Message, st.sampled_from(["system", "user", "assistant"]), TEXT), min_size=1, max_size=5)


@settings(max_examples=80, deadline=None)
@given(turns=TURNS)
def test_prompts_are_those_of_transformers(pair, turns):
    light, full = (ChatTemplate(tokenizer) for tokenizer in pair)
    assert light.prompt(turns) == full.prompt(turns)


@settings(max_examples=80, deadline=None)
@given(text=TEXT, tokens=st.lists(st.integers(0, 49151), max_size=20))
def test_texts_are_those_of_transformers(pair, text, tokens):
    light, full = pair
    assert light.encode(text, add_special_tokens=False) == full.encode(text, add_special_tokens=False)
    assert ChatTemplate(light).text(tokens) == ChatTemplate(full).text(tokens)
    assert light.eos_token_id == full.eos_token_id


@pytest.mark.parametrize(
    "template",
    [
        tiny.CHATML,
        # trims what it shows, so that an answer to go on with is cut where the template cuts it
        "{% for m in messages %}[{{ m.role }}]{{ m.content | trim }}{% if not loop.last %};{% endif %}{% endfor %}",
        "{% set ns = namespace(n=0) %}"
        "{% for m in messages %}{% set ns.n = ns.n + 1 %}{{ ns.n }}{{ m.content }}{% endfor %}",
        "{{ bos_token }}{{ messages[:-1] | tojson }}{{ dict(a='<é>') | tojson }}"
        "{{ eos_token }}{{ messages[-1].content }}",
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{% if loop.index > 4 %}{% break %}{% endif %}{{ m.content }}{% endfor %}",
    ],
)
def test_templates_render_as_in_transformers(tmp_path, template):
    folder = tiny.save(tmp_path / "model")
    (folder / "chat_template.jinja").write_text(template)
    light, full = read_tokenizer(folder), AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    assert isinstance(light, FileTokenizer)
    for turns in (
        [Message("user", " a <b> & 'c' \n")],
        [Message("system", "be brief"), Message("user", "ünï"), Message("assistant", " and so ")],
        [Message("user", "1"), Message("assistant", "2"), Message("user", "3"), Message("assistant", "4")],
    ):
        assert ChatTemplate(light).prompt(turns) == ChatTemplate(full).prompt(turns)


@pytest.mark.parametrize(
    "attack",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ dict.__base__.__subclasses__() }}",
        "{% set ns = namespace() %}{% set ns.__class__ = 1 %}{{ messages[0].content }}",
        "{{ messages.append(1) }}",
    ],
)
def test_a_template_cannot_reach_out_of_its_sandbox(tmp_path, attack):
    from jinja2 import TemplateError

    folder = tiny.save(tmp_path / "model")
    (folder / "chat_template.jinja").write_text(attack)
    with pytest.raises(TemplateError):
        read_tokenizer(folder).apply_chat_template([{"role": "user", "content": "x"}], tokenize=False)


def test_the_embedded_model_needs_no_transformers(models_dir):
    """The import alone takes longer than loading the model."""
    import subprocess
    import sys

    script = (
        "import sys, asyncio; from pathlib import Path; from bot.language.embedded import embedded_model\n"
        "from bot.language.base import Message, Sampling, complete\n"
        "model = embedded_model(Path(sys.argv[1]))\n"
        "async def go():\n"
        "    print(len(await complete(model, [Message('user', 'Hi')], Sampling(max_tokens=3))) > 0)\n"
        "    await model.close()\n"
        "asyncio.run(go()); print([name for name in ('transformers', 'huggingface_hub') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", script, str(models_dir)], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["True", "[]"]
