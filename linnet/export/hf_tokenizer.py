"""A transformers folder's tokenizer and chat template, read into ours and written for transformers 4.57 and 5."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linnet.core.errors import BadInput
from linnet.core.files import json_text, read_json, write_atomic
from linnet.export.chat_template import read_format
from linnet.infer.decode import start_id
from linnet.text import chat
from linnet.text.chat_format import ChatFormat, plain_format
from linnet.text.tokenizer import PAD, TURN_END, TURN_START, Tokenizer

CONFIG = "tokenizer_config.json"
KEPT = "source_chat_template.jinja"  # a template that we cannot render: kept for the way back
_MOST_BYTES, _MOST_TEMPLATE_BYTES = 64 * 2**20, 2**20
# The pattern of Qwen2's published tokenizer.json.
_QWEN2_CUT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_NAMED = ("bos_token", "eos_token", "pad_token", "unk_token")


@dataclass(frozen=True)
class Texts:
    """A tokenizer as it was read; the model's chat template, if any, and why it is not used, if it is not."""

    tokenizer: Tokenizer
    template: str | None
    refused: str | None

    @property
    def chats(self) -> bool:
        """Say whether the model was taught to chat in a format that we can render."""
        return self.template is not None and self.refused is None


def read_texts(folder: Path, tokenizer_folder: Path | None = None) -> Texts:
    """Read the tokenizer of a folder (or of another one) and its chat template as a chat format.

    A vocabulary without tokens of turns gets the plain format, in which it can be taught to chat. Raises BadInput
    when there is no tokenizer that we can read.
    """
    place = tokenizer_folder or folder
    tokenizer = _tokenizer(place)
    about = read_json(place / CONFIG, _MOST_BYTES) if (place / CONFIG).is_file() else {}
    about = about if isinstance(about, dict) else {}
    template = _template(place, about)
    variables = {name: text for name in _NAMED if (text := _text(about.get(name))) is not None}
    if template is None or (template == chat.TEMPLATE and _has_turns(tokenizer)):
        return Texts(teachable(tokenizer), template, None)
    try:
        form = read_format(template, variables, list(tokenizer.specials))
    except BadInput as error:
        return Texts(teachable(tokenizer), template, f"its chat template {error}")
    return Texts(tokenizer.with_chat_format(form), template, None)


def teachable(tokenizer: Tokenizer) -> Tokenizer:
    """Return a tokenizer in whose format a base can be taught to chat: linnet's where it has its tokens, else plain."""
    if _has_turns(tokenizer) or tokenizer.metadata.end is None or tokenizer.metadata.end not in tokenizer.specials:
        return tokenizer
    return tokenizer.with_chat_format(plain_format(tokenizer.metadata.end))


def write_tokenizer(folder: Path, tokenizer: Tokenizer, template: str | None, context: int, chats: bool) -> None:
    """Write tokenizer.json as it is, and what `transformers` asks beside it, the chat template in both its places.

    The class is the one that versions 4 and 5 both know and that reads tokenizer.json without rebuilding it.
    """
    tokenizer.save(folder)
    (folder / "tokenizer_metadata.json").unlink()  # linnet's own
    (folder / "chat_format.json").unlink(missing_ok=True)
    special = names(tokenizer, chats)
    about: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        **special,
        "model_max_length": context,
        "clean_up_tokenization_spaces": False,
    }
    if template is not None:
        about["chat_template"] = template
        write_atomic(folder / chat.FILE, template)
    write_atomic(folder / CONFIG, json_text(about))
    write_atomic(folder / "special_tokens_map.json", json_text(special))


def ruled_out(tokenizer: Tokenizer) -> dict[str, str]:
    """Return the families whose tokenizer transformers makes anew by rules that are not this tokenizer's, and why."""
    if tokenizer.cuts_by(_QWEN2_CUT):
        return {}
    return {"qwen2": "transformers 5 cuts the texts of every qwen2 by Qwen's own rules, which are not this tokenizer's"}


def names(tokenizer: Tokenizer, chats: bool) -> dict[str, str]:
    """Return the special tokens of a model by the names that transformers calls them by."""
    form: ChatFormat | None = tokenizer.chat_format
    said: Mapping[str, str] = form.variables if form is not None and chats else {}
    end = chat.stop_name(tokenizer) if chats else tokenizer.metadata.end
    found = {"eos_token": end, "pad_token": PAD if PAD in tokenizer.specials else end}
    if tokenizer.metadata.end is not None:
        id = start_id(tokenizer)
        found["bos_token"] = next(name for name, other in tokenizer.specials.items() if other == id)
    return {name: text for name, text in {**found, **said}.items() if text is not None}


def token_ids(tokenizer: Tokenizer, chats: bool) -> dict[str, Any]:
    """Return the ids that begin, end and fill rows, as config.json and generation_config.json name them."""
    named = names(tokenizer, chats)
    ids: dict[str, Any] = {
        f"{name.removesuffix('_token')}_token_id": tokenizer.special(text)
        for name, text in named.items()
        if text in tokenizer.specials and name != "unk_token"
    }
    ends = chat.reply_ends(tokenizer) if chats else []
    return {**ids, "eos_token_id": ends} if len(ends) > 1 else ids


def _has_turns(tokenizer: Tokenizer) -> bool:
    return TURN_START in tokenizer.specials and TURN_END in tokenizer.specials


def _tokenizer(folder: Path) -> Tokenizer:
    if (folder / "tokenizer.json").is_file():
        return Tokenizer.load(folder)
    if all((folder / name).is_file() for name in ("vocab.json", "merges.txt")):
        return Tokenizer.gpt2(folder)
    if (folder / "tokenizer.model").is_file():
        raise BadInput(
            f"{folder}: has tokenizer.model only; let transformers write the tokenizer.json "
            "(AutoTokenizer.from_pretrained, then save_pretrained), and give that folder as --tokenizer"
        )
    raise BadInput(f"{folder}: has no tokenizer.json; give the folder of the model's tokenizer as --tokenizer")


def _template(folder: Path, about: Mapping[str, Any]) -> str | None:
    """Return the chat template of either place; of several by name the one that is the default."""
    path = folder / chat.FILE
    if path.is_file():
        if path.stat().st_size > _MOST_TEMPLATE_BYTES:
            raise BadInput(f"{path}: larger than the {_MOST_TEMPLATE_BYTES:,} bytes expected of a chat template")
        return path.read_text(encoding="utf-8")
    found = about.get("chat_template")
    if isinstance(found, list):
        named = {one.get("name"): one.get("template") for one in found if isinstance(one, dict)}
        found = named.get("default")
    return found if isinstance(found, str) else None


def _text(token: Any) -> str | None:
    """Return a special token's text, which is written as a string or as an object."""
    found = token.get("content") if isinstance(token, dict) else token
    return found if isinstance(found, str) else None
