"""The README.md of an exported model: licence, what it is, where it comes from, its figures with their protocols."""

import json
import re
from pathlib import Path
from typing import Any

from linnet import __version__
from linnet.core.files import read_json
from linnet.model.config import ModelConfig

_LICENSE = re.compile(r"^license:\s*['\"]?([\w.+-]+)", re.MULTILINE)
_MOST_BYTES = 2**20


def license_of(folder: Path) -> str | None:
    """Return the licence that the front matter of a folder's README.md names, None where it names none."""
    path = folder / "README.md"
    if not path.is_file():
        return None
    with open(path, "rb") as file:
        text = file.read(_MOST_BYTES).decode("utf-8", errors="replace")
    if not text.startswith("---"):
        return None
    found = _LICENSE.search(text.partition("\n---")[0])
    return found[1] if found else None


def card(run: Path, name: str, config: ModelConfig, family: str, license: str, certificate: dict[str, Any]) -> str:
    """Return the model card of a run's model; what the run folder does not say is left out."""
    record, result = _values(run / "record.json"), _values(run / "result.json")
    numbers = result.get("numbers") if isinstance(result.get("numbers"), dict) else {}
    chats = (run / "chat_template.jinja").is_file()
    front = [
        "---",
        f"license: {license}",
        "library_name: transformers",
        "pipeline_tag: text-generation",
        "tags:",
        "- linnet",
        f"- {family}",
        "---",
    ]
    parts = [
        "\n".join(front),
        f"# {name}",
        f"A {family} model with {config.num_layers} layers, width {config.hidden_size}, {config.vocab_size:,} ids and "
        f"a context of {config.context_length:,} tokens; exported by linnet {__version__}."
        + (" It was taught to chat; the chat template is in the folder." if chats else " It was not taught to chat."),
        _use(chats),
        _origin(record),
        _figures(numbers, _values(run / "evaluation.json")),
        _proof(certificate),
        "## Licence\n\n"
        + (f"`{license}`." if license != "unknown" else "Not stated. Whoever publishes this model should state it."),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _use(chats: bool) -> str:
    asked = (
        'ids = tokenizer.apply_chat_template([{"role": "user", "content": "Hello"}], add_generation_prompt=True,\n'
        '                                    return_tensors="pt", return_dict=True)'
        if chats
        else 'ids = tokenizer("Once", return_tensors="pt")'
    )
    return (
        "```python\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        'tokenizer, model = (kind.from_pretrained(".") for kind in (AutoTokenizer, AutoModelForCausalLM))\n'
        f"{asked}\nprint(tokenizer.decode(model.generate(**ids, max_new_tokens=64)[0]))\n```"
    )


def _origin(record: dict[str, Any]) -> str:
    """Say which stage made it, of what, with which code and when."""
    if not record:
        return ""
    code = record.get("code") if isinstance(record.get("code"), dict) else {}
    parents = record.get("parents") if isinstance(record.get("parents"), dict) else {}
    lines = [f"- stage: `{record.get('recipe')}`, seed {record.get('seed')}, started {record.get('started')}"]
    lines += [f"- from: `{Path(parent).name}` (sha256 {digest[:16]})" for parent, digest in parents.items()]
    lines.append(f"- code: linnet {code.get('linnet')}, commit {code.get('commit')}")
    return "## Where it comes from\n\n" + "\n".join(lines)


def _figures(numbers: dict[str, Any], evaluation: dict[str, Any]) -> str:
    """Return what was measured on held-out text with its protocol, then the run's own numbers."""
    held_out = evaluation.get("held_out") if isinstance(evaluation.get("held_out"), dict) else {}
    lines = []
    if held_out:
        figures = {name: value for name, value in held_out.items() if isinstance(value, int | float)}
        lines.append(f"Held-out text ({held_out.get('protocol')}):\n\n{_table(figures)}")
    plain = {name: value for name, value in numbers.items() if isinstance(value, int | float | str)}
    if plain:
        lines.append(f"The run's own numbers (result.json):\n\n{_table(plain)}")
    return "## Figures\n\n" + "\n\n".join(lines) if lines else ""


def _table(values: dict[str, Any]) -> str:
    rows = [
        f"| {name} | {value:.6g} |" if isinstance(value, float) else f"| {name} | {value} |"
        for name, value in values.items()
    ]
    return "\n".join(["| figure | value |", "|---|---|", *rows])


def _proof(certificate: dict[str, Any]) -> str:
    return (
        f"## Certificate\n\nThis folder was opened by {certificate['reader']} and compared with linnet's own network "
        f"before it was given its name (`certificate.json`):\n\n```json\n"
        f"{json.dumps(certificate['network'], indent=2)}\n```\n\nProtocol: {certificate['protocol']}."
    )


def _values(path: Path) -> dict[str, Any]:
    values = read_json(path) if path.is_file() else {}
    return values if isinstance(values, dict) else {}
