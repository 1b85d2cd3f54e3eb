"""The certificate of an import or export: the folder is opened by stock transformers and compared with our network.

Compared are logits and their KL divergence over fixed rows, greedy text, the ids and bytes of nasty texts, and nasty
conversations in the chat template. What differs raises Failed: without a certificate nothing is imported or exported.

R rows, T tokens, V vocabulary.
"""

import importlib.metadata
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from linnet.core.errors import BadInput, Failed, needs_extra
from linnet.export.nasty import TALKS, TEXTS
from linnet.infer.config import SamplingConfig
from linnet.infer.decode import generate
from linnet.model.decoder import Decoder
from linnet.text.chat import Message, Role, as_text, render
from linnet.text.tokenizer import Tokenizer

FILE = "certificate.json"
ROWS, TOKENS, PROMPTS, PROMPT_TOKENS, GREEDY_TOKENS = 4, 48, 3, 4, 64
LIMIT = 1e-5  # of a logit's difference, as a share of the largest logit (at least of 1): rounding of float32
KL_LIMIT = 1e-6  # nats a token
ROLES: dict[str, Role] = {"system": "system", "user": "user", "assistant": "assistant", "tool": "tool"}


@dataclass(frozen=True)
class Networks:
    """How far two networks are apart: over all rows, in logits, in nats a token, and in greedy tokens."""

    rows: int
    tokens: int
    largest_logit: float
    max_logit_difference: float
    limit: float
    mean_kl: float
    max_kl: float
    greedy_prompts: int
    greedy_tokens: int
    greedy_equal: int
    greedy_ties: int


@dataclass(frozen=True)
class Texts:
    """How much of tokenizer and chat template was compared, all of it equal.

    `talks_cut_otherwise` are conversations of the same bytes whose replies transformers does not cut apart from what
    stands before them; linnet does, so that a model is asked with the ids that it learned from.
    """

    texts: int
    texts_left_out: int
    talks: int
    talks_left_out: int
    talks_as_ids: int
    talks_cut_otherwise: int


def check_reader() -> str:
    """Return which reader certificates are made with; raises BadInput naming the extra that installs it."""
    try:
        return f"transformers {importlib.metadata.version('transformers')}"
    except importlib.metadata.PackageNotFoundError:
        raise needs_extra("transformers", "hf", "the certificate of an import or export") from None


def compare(folder: Path, model: Decoder, tokenizer: Tokenizer, chats: bool) -> dict[str, Any]:
    """Return the certificate of a transformers folder that was written of our network, tokenizer and chat format.

    Raises Failed naming the first difference.
    """
    networks = compare_networks(folder, model.float(), open_network(folder))
    return _certificate(networks, compare_texts(folder, tokenizer, chats))


def compare_source(
    folder: Path,
    model: Decoder,
    tokenizer: Tokenizer,
    chats: bool,
    texts_folder: Path | None = None,
    dtype: torch.dtype = torch.float32,
) -> dict[str, Any]:
    """Return the certificate of what was made of a transformers folder; `texts_folder` holds the tokenizer, if another.

    `dtype` is the type that the weights were brought to: those of the source are rounded to it as well.
    Some classes of transformers make a tokenizer anew by rules of their own instead of reading its tokenizer.json.
    Where that cuts otherwise, the file is followed as it is, and the certificate says so.
    """
    theirs = open_network(folder)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.copy_(parameter.to(dtype))
    networks = compare_networks(folder, model.float(), theirs)
    place, remark = texts_folder or folder, None
    try:
        texts = compare_texts(place, tokenizer, chats)
    except Failed as error:
        texts, remark = compare_texts(place, tokenizer, chats, as_stored=True), f"tokenizer.json is followed: {error}"
    return _certificate(networks, texts, remark)


def _certificate(networks: "Networks", texts: "Texts", remark: str | None = None) -> dict[str, Any]:
    protocol = (
        f"{networks.rows} rows of {networks.tokens} tokens in float32 on the CPU; greedy: {networks.greedy_tokens} "
        f"tokens after each of {networks.greedy_prompts} prompts, with each side's own cache; a tie is a first "
        "difference between two tokens whose logits differ by less than rounding"
    )
    found = {"reader": check_reader(), "protocol": protocol, "network": asdict(networks), "texts": asdict(texts)}
    return found if remark is None else {**found, "remark": remark}


def open_network(folder: Path) -> Any:
    """Return the model of a folder in float32, as stock transformers opens it; raises Failed when it does not.

    No code of the folder is run and no pickle is read.
    """
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    safe = {"local_files_only": True, "use_safetensors": True, "trust_remote_code": False}
    try:
        model, about = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True, **safe
        )
    except Exception as error:  # transformers raises whatever its parts raise
        raise Failed(f"{folder}: transformers cannot open it ({_line(error)})") from None
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if found := sorted(map(str, about.get(kind) or ())):
            raise Failed(f"{folder}: transformers finds {found[0]} among its {kind.replace('_', ' ')} ({len(found)})")
    return model.eval()


@torch.no_grad()
def compare_networks(folder: Path, ours: Decoder, theirs: Any) -> Networks:
    """Compare logits over fixed rows, then greedy texts; raises Failed for the first that is too far off."""
    theirs_size = theirs.get_input_embeddings().weight.shape[0]
    if theirs_size != ours.config.vocab_size:
        raise Failed(f"{folder}: {theirs_size} ids in transformers, {ours.config.vocab_size} in linnet")
    ids = fixed_rows(ours, ROWS, min(TOKENS, ours.config.context_length))
    mine, other = ours(ids).double(), theirs(input_ids=ids, use_cache=False).logits.double()
    largest = float(other.abs().max())
    difference, limit = float((mine - other).abs().max()), LIMIT * max(1.0, largest)
    kl = (other.softmax(-1) * (other.log_softmax(-1) - mine.log_softmax(-1))).sum(-1)
    # Written so that NaN on either side is no agreement.
    if not difference <= limit:
        raise Failed(
            f"{folder}: logits differ by {difference:.3g} (mean KL {float(kl.mean()):.3g} nats) between linnet and "
            f"transformers, where rounding makes at most {limit:.1g}"
        )
    if not float(kl.max()) <= KL_LIMIT:
        raise Failed(f"{folder}: KL divergence of {float(kl.max()):.3g} nats between linnet and transformers")
    prompts, tokens, equal, ties = _greedy(folder, ours, theirs, limit)
    numbers = (largest, difference, limit, float(kl.mean().clamp(min=0)), float(kl.max().clamp(min=0)))
    return Networks(ROWS, ids.shape[1], *numbers, prompts, tokens, equal, ties)


def fixed_rows(model: Decoder, rows: int, tokens: int) -> Tensor:
    """Draw the rows [R, T] that every certificate of a vocabulary asks: the same ids each time."""
    dice = np.random.Generator(np.random.PCG64(5))
    return torch.from_numpy(dice.integers(0, model.config.vocab_size, (rows, tokens)))


def _greedy(folder: Path, ours: Decoder, theirs: Any, limit: float) -> tuple[int, int, int, int]:
    """Return (prompts, tokens of each, equal tokens, ties); raises Failed where the two choose otherwise."""
    length = min(PROMPT_TOKENS, ours.config.context_length - 1)
    count = min(GREEDY_TOKENS, ours.config.context_length - length)
    if length < 1:
        return 0, 0, 0, 0
    prompts = fixed_rows(ours, PROMPTS, length)
    sampling = SamplingConfig(max_tokens=count, temperature=0)
    mine = [done.ids for done in generate(ours, None, prompts.tolist(), sampling, stop_ids=[])]
    other = _their_greedy(theirs, prompts, count)
    equal = ties = 0
    for row, (a, b) in enumerate(zip(mine, other, strict=True)):
        same = next((place for place in range(count) if a[place] != b[place]), count)
        equal += same
        if same == count:
            continue
        whole = torch.tensor([[*prompts[row].tolist(), *b[:same]]])
        logits = ours(whole)[0, -1]
        if abs(float(logits[a[same]] - logits[b[same]])) > 2 * limit:
            raise Failed(
                f"{folder}: greedy text differs at token {same + 1} of prompt {row + 1}: id {a[same]} in linnet, "
                f"{b[same]} in transformers"
            )
        ties += 1
    return PROMPTS, count, equal, ties


def _their_greedy(theirs: Any, prompts: Tensor, count: int) -> list[list[int]]:
    """Return the ids that transformers' own `generate` adds to each prompt, never ending early."""
    from transformers import GenerationConfig

    choices = GenerationConfig(max_new_tokens=count, do_sample=False, pad_token_id=0)
    choices.eos_token_id = None
    theirs.generation_config = choices
    mask = torch.ones_like(prompts)
    return theirs.generate(prompts, attention_mask=mask, generation_config=choices)[:, prompts.shape[1] :].tolist()


def compare_texts(folder: Path, tokenizer: Tokenizer, chats: bool, as_stored: bool = False) -> Texts:
    """Compare ids and bytes of nasty texts, special tokens, and conversations; raises Failed for the first difference.

    Texts that spell a special token are left out: transformers makes it one, linnet never does. `as_stored` reads
    tokenizer.json by the class that does nothing to it.
    """
    theirs = open_tokenizer(folder, as_stored)
    for name, id in tokenizer.specials.items():
        if (found := theirs.convert_tokens_to_ids(name)) != id:
            raise Failed(f"{folder}: special token {name} is id {found} in transformers, {id} in linnet")
    left_out = 0
    texts = [*TEXTS, tokenizer.decode(range(min(512, tokenizer.vocab_size)))]
    for text in texts:
        if _spells(tokenizer, text) or (ids := _ids(tokenizer, text)) is None:
            left_out += 1
            continue
        found = list(theirs(text, add_special_tokens=False)["input_ids"])
        if found != ids:
            raise Failed(f"{folder}: {text!r} is {found[:12]} in transformers' tokenizer, {ids[:12]} in linnet's")
        back = theirs.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        if back.encode() != tokenizer.decode(ids).encode():
            raise Failed(f"{folder}: the ids of {text!r} are {back!r} again in transformers")
    if left_out == len(texts):
        raise Failed(f"{folder}: not one text could be compared, so the tokenizer is not certified")
    told = _talks(folder, theirs, tokenizer) if chats else (0, 0, 0, 0)
    return Texts(len(texts) - left_out, left_out, *told)


def open_tokenizer(folder: Path, as_stored: bool = False) -> Any:
    """Return the tokenizer of a folder as stock transformers opens it; raises Failed when it does not."""
    import transformers

    transformers.utils.logging.set_verbosity_error()
    try:
        if not (folder / "tokenizer_config.json").is_file() and (folder / "tokenizer.json").is_file():
            return transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
        kind = transformers.PreTrainedTokenizerFast if as_stored else transformers.AutoTokenizer
        return kind.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # transformers raises whatever its parts raise
        raise Failed(f"{folder}: transformers cannot open its tokenizer ({_line(error)})") from None


def _talks(folder: Path, theirs: Any, tokenizer: Tokenizer) -> tuple[int, int, int, int]:
    """Return how many conversations were compared, were left out, have the same ids too, and are cut otherwise."""
    told = left_out = as_ids = otherwise = 0
    for turns in TALKS:
        messages = [Message(ROLES[role], content) for role, content in turns]
        rows = [{"role": role, "content": content} for role, content in turns]
        for reply in (False, True):
            try:
                text = as_text(tokenizer, messages, reply)
                expected = theirs.apply_chat_template(rows, tokenize=False, add_generation_prompt=reply)
            except Exception:  # a role that the format has not: ours says BadInput, templates raise what they like
                left_out += 1
                continue
            told += 1
            if text.encode() != expected.encode():
                raise Failed(f"{folder}: its chat template writes {expected!r}, linnet {text!r}")
            if any(_spells(tokenizer, content) for _, content in turns):
                continue
            try:
                ids = render(tokenizer, messages, reply).ids
            except BadInput:  # letters that this alphabet has not
                continue
            found = theirs.apply_chat_template(rows, add_generation_prompt=reply, return_dict=True)["input_ids"]
            if list(found) == ids:
                as_ids += 1
            elif any(role == "assistant" for role, _ in turns):
                otherwise += 1
            else:
                raise Failed(f"{folder}: {expected!r} is {list(found)[:16]} in transformers, {ids[:16]} in linnet")
    if not as_ids:
        raise Failed(f"{folder}: not one conversation could be compared, so the chat template is not certified")
    return told, left_out, as_ids, otherwise


def _ids(tokenizer: Tokenizer, text: str) -> list[int] | None:
    try:
        return tokenizer.encode(text)
    except BadInput:  # letters that this alphabet has not
        return None


def _spells(tokenizer: Tokenizer, text: str) -> bool:
    return any(name in text for name in tokenizer.specials)


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
