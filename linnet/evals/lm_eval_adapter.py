"""Any linnet model as a model of lm-eval, the public harness: its own tasks then measure what `linnet evaluate` does.

```python
from lm_eval import simple_evaluate
from linnet.evals.lm_eval_adapter import LinnetLM

simple_evaluate(model=LinnetLM.load("runs/mine"), tasks=["piqa", "gsm8k"], num_fewshot=0)
```
"""

from pathlib import Path
from typing import Any, Self

from linnet.artifacts import load_model
from linnet.core.errors import BadInput, needs_extra
from linnet.evals.asking import cut, reply_room
from linnet.evals.choices import log_likelihoods
from linnet.infer.config import SamplingConfig
from linnet.infer.decode import generate, start_id
from linnet.model.decoder import Decoder
from linnet.text.chat import Message, as_text, marks, stop_id
from linnet.text.chat_format import cut_at
from linnet.text.tokenizer import Tokenizer

try:
    from lm_eval.api.model import TemplateLM  # pyrefly: ignore[missing-import]
except ImportError:  # an optional package; making a LinnetLM says what to install
    TemplateLM = object

MAX_TOKENS = 256  # lm-eval's default length of a reply


class LinnetLM(TemplateLM):
    """A model and its tokenizer for lm-eval.

    `begin` lets each context begin a document. Sequences longer than the context lose their beginning. Chat templates
    (`apply_chat_template=True`) work for models with the tokens of turns.
    """

    def __init__(self, model: Decoder, tokenizer: Tokenizer, begin: bool = True, batch_size: int = 32):
        """Wrap a model; raises BadInput without the package lm-eval."""
        if TemplateLM is object:
            raise needs_extra("lm-eval", "eval", "the adapter for lm-eval")
        super().__init__()
        self.model, self.tokens, self.begin, self.batch_size = model, tokenizer, begin, batch_size
        self._turns = False

    @classmethod
    def load(cls, folder: str | Path, batch_size: int = 32) -> Self:
        """Return the model of a run folder; raises BadInput as `load_model` does."""
        model, tokenizer = load_model(folder)
        return cls(model, tokenizer, batch_size=batch_size)

    @property
    def max_length(self) -> int:
        """Tokens a model reads at once."""
        return self.model.config.context_length

    @property
    def max_gen_toks(self) -> int:
        """Tokens of a reply where a task does not say."""
        return reply_room(self.model, MAX_TOKENS)

    @property
    def eot_token_id(self) -> int:
        """Id that ends a document."""
        return self.tokens.end_id

    @property
    def prefix_token_id(self) -> int:
        """Id that stands before a document."""
        return start_id(self.tokens)

    @property
    def tokenizer_name(self) -> str:
        """Name for lm-eval's caches."""
        return self.tokens.hash

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
        """Return the ids of a text; of a rendered chat with its marks as the special tokens that they are."""
        begins = self.begin and not self._turns if add_special_tokens is None else add_special_tokens
        ids = [self.prefix_token_id] if begins else []
        parts = cut_at(marks(self.tokens), string) if self._turns else [string]
        for place, part in enumerate(parts):
            ids += [self.tokens.special(part)] if place % 2 else self.tokens.encode(part)
        return ids

    def chat_template(self, chat_template: bool | str = False) -> str:
        """Return the name of the one template."""
        return "chatml"

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """Return messages in the chat format of linnet.text.chat, as text."""
        self._turns = True
        talk = [Message(one["role"], one["content"]) for one in chat_history]  # type: ignore[arg-type]
        return as_text(self.tokens, talk, add_generation_prompt)

    def loglikelihood_rolling(self, requests: list, disable_tqdm: bool = False) -> list[float]:
        """Return ln p of whole texts, windows of the context side by side."""
        texts = [self.tokens.encode(request.args[0]) for request in requests]
        scores = iter(
            log_likelihoods(self.model, [([self.prefix_token_id], ids) for ids in texts if ids], self.batch_size)
        )
        return [next(scores).total if ids else 0.0 for ids in texts]

    def generate_until(self, requests: list, disable_tqdm: bool = False) -> list[str]:
        """Return what the model writes after each context, up to a stop string, an end token or the length asked."""
        replies = [""] * len(requests)
        by_choices: dict[SamplingConfig, list[int]] = {}
        for place, request in enumerate(requests):
            by_choices.setdefault(self._sampling(request.args[1]), []).append(place)
        stops = [self.eot_token_id, *([stop_id(self.tokens)] if self._turns else [])]
        for sampling, places in by_choices.items():
            prompts = [
                cut(self.model, self.tok_encode(requests[place].args[0]), sampling.max_tokens) for place in places
            ]
            written = generate(self.model, self.tokens, prompts, sampling, stop_ids=stops, batch_size=self.batch_size)
            for place, completion in zip(places, written, strict=True):
                replies[place] = completion.text
        return replies

    def _loglikelihood_tokens(self, requests: list, **_: Any) -> list[tuple[float, bool]]:
        pairs = [(list(context), list(continuation)) for _, context, continuation in requests]
        return [(score.total, score.is_greedy) for score in log_likelihoods(self.model, pairs, self.batch_size)]

    def _sampling(self, choices: dict[str, Any]) -> SamplingConfig:
        """Return a task's generation_kwargs as ours; raises BadInput for one that has no equal here."""
        chosen = dict(choices)
        until = chosen.pop("until", [])
        names = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
        lengths = [chosen.pop(name) for name in names if name in chosen]
        sample = chosen.pop("do_sample", None)
        temperature = float(chosen.pop("temperature", 1.0 if sample else 0.0))
        filters = {
            name: chosen.pop(name) for name in ("top_k", "top_p", "min_p", "repetition_penalty") if name in chosen
        }
        if chosen:
            raise BadInput(f"lm-eval's generation_kwargs {', '.join(chosen)} are not known to linnet; leave them out")
        return SamplingConfig(
            temperature=temperature if sample is not False else 0.0,
            max_tokens=reply_room(self.model, lengths[0] if lengths else MAX_TOKENS),
            stop=tuple(stop for stop in ([until] if isinstance(until, str) else until) if stop),
            **filters,
        )
