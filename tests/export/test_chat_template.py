"""Templates of other families are read as pieces that give the very same text, or refused with the reason."""

import pytest

from linnet.core.errors import BadInput
from linnet.export.chat_template import Template, read_format
from linnet.export.nasty import TALKS
from linnet.text.chat import TEMPLATE

# Written for these tests in the manner of the families' published templates.
CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
QWEN2 = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful assistant<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
ZEPHYR = (
    "{% for message in messages %}\n{% if message['role'] == 'user' %}\n"
    "{{ '<|user|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'system' %}\n"
    "{{ '<|system|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'assistant' %}\n"
    "{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n"
    "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}"
)
LLAMA3 = (
    "{{- bos_token }}{% for message in messages %}"
    "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' "
    "+ message['content'] | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
LLAMA31 = (
    "{{- bos_token }}{%- if messages and messages[0]['role'] == 'system' %}"
    "{%- set told = messages[0]['content'] | trim %}{%- set messages = messages[1:] %}{%- else %}{%- set told = '' %}"
    "{%- endif %}"
    "{{- '<|start_header_id|>system<|end_header_id|>\n\nKnowledge: December 2023\n\n' + told + '<|eot_id|>' }}"
    "{%- for message in messages %}{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' "
    "+ message['content'] | trim + '<|eot_id|>' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('must alternate') }}{% endif %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token }}"
    "{% else %}{{ raise_exception('only user and assistant') }}{% endif %}{% endfor %}"
)
MARKED = CHATML.replace("{{ '<|im_start|>' +", "{% generation %}{{ '<|im_start|>' +", 1).replace(
    "'\n' }}{% endfor", "'\n' }}{% endgeneration %}{% endfor", 1
)
SPECIALS = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"]
NAMES = {"bos_token": "<s>", "eos_token": "</s>"}
FORMATS = {
    "linnet": (TEMPLATE, "<|im_end|>"),
    "chatml": (CHATML, "<|im_end|>"),
    "qwen2": (QWEN2, "<|im_end|>"),
    "zephyr": (ZEPHYR, "</s>"),
    "llama3": (LLAMA3, "<|eot_id|>"),
    "llama31": (LLAMA31, "<|eot_id|>"),
    "mistral": (MISTRAL, "</s>"),
    "with marks of replies": (MARKED, "<|im_end|>"),
}


def by_transformers(source, turns, reply):
    """Render as transformers does, None where the template refuses."""
    from transformers.utils.chat_template_utils import render_jinja_template

    rows = [{"role": role, "content": content} for role, content in turns]
    try:
        [text], _ = render_jinja_template([rows], chat_template=source, add_generation_prompt=reply, **NAMES)
    except Exception:
        return None
    return text


@pytest.mark.parametrize("name", FORMATS)
def test_pieces_give_the_text_that_transformers_gives(name):
    pytest.importorskip("transformers")
    source, stop = FORMATS[name]
    form = read_format(source, NAMES, SPECIALS)
    assert (form.stop, form.template, form.variables) == (stop, source, NAMES)
    told = 0
    for turns in TALKS:
        for reply in (False, True):
            theirs = by_transformers(source, turns, reply)
            try:
                ours = form.text(turns, reply)
            except BadInput:
                continue
            if theirs is not None:
                told += 1
                assert ours.encode() == theirs.encode()
    assert told > (15 if name == "mistral" else 40)


def test_the_sandbox_renders_as_transformers_does():
    pytest.importorskip("transformers")
    for source, _ in FORMATS.values():
        template = Template(source, NAMES)
        for turns in TALKS:
            assert template.text(turns, True) == by_transformers(source, turns, True)


def test_the_pieces_of_some_families():
    qwen2 = read_format(QWEN2, NAMES, SPECIALS)
    assert qwen2.begin == "<|im_start|>system\nYou are a helpful assistant<|im_end|>\n"
    assert (qwen2.begin_system, qwen2.stripped) == ("<|im_start|>system\n", ())
    llama31 = read_format(LLAMA31, NAMES, SPECIALS)
    assert llama31.begin.endswith("December 2023\n\n<|eot_id|>")
    assert llama31.begin_system.endswith("December 2023\n\n")
    assert llama31.openings["system"] == "<|start_header_id|>system<|end_header_id|>\n\n"
    assert set(llama31.stripped) == {"system", "user", "assistant", "tool"}
    mistral = read_format(MISTRAL, NAMES, SPECIALS)
    assert (mistral.begin, mistral.openings) == ("<s>", {"user": "[INST] ", "assistant": ""})
    with pytest.raises(BadInput, match=r"no system message .* \(it has user, assistant\)"):
        mistral.text([("system", "Be kind."), ("user", "Hi")])


THINKING = CHATML.replace(
    "'<|im_start|>' + message['role'] + '\n' +", "('<|im_start|>' + message['role'] + '\n') +"
).replace(
    " + message['content']",
    " + ('<think></think>' if loop.last and message['role'] == 'assistant' else '') + message['content']",
)
REFUSED = {
    "no template": ("{% for", "is no Jinja template"),
    "no messages": ("{{ 'Hello' }}", "does not write a question"),
    "twice": ("{% for m in messages %}{{ m.content + m.content }}{% endfor %}", "does not write a question"),
    "the day": ("{{ strftime_now('%Y') }}" + CHATML, "writes the day"),
    "no stop": (CHATML.replace("<|im_end|>", "###"), "ends a reply with no special token"),
    "thinking": (THINKING, "asks for a reply otherwise than it writes one"),
    "letters changed": (
        CHATML.replace("message['content'] +", "message['content'] | replace('a', 'b') +"),
        "does not write a reply",
    ),
    "trimmed on one side": (
        CHATML.replace("message['content'] +", "message['content'].lstrip() +"),
        "otherwise than piece by piece",
    ),
    "the first question apart": (
        CHATML.replace("message['content'] +", "('1. ' if loop.first else '') + message['content'] +"),
        "writes the first question otherwise than a later one",
    ),
    "code of Python": ("{{ ''.__class__.__mro__ }}" + CHATML, "does not write a question"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_pieces_is_refused_with_the_reason(name):
    source, reason = REFUSED[name]
    with pytest.raises(BadInput, match=reason) as caught:
        read_format(source, NAMES, SPECIALS)
    assert "\n" not in str(caught.value)
