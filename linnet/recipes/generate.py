"""Let a model write: from prompts, many at once, with a beam, or in turns with you."""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from linnet.core.config import OptionalInt, Positional
from linnet.core.errors import BadInput
from linnet.infer.config import SamplingConfig

if TYPE_CHECKING:
    from linnet.infer.decode import Completion
    from linnet.infer.turns import Turns
    from linnet.text.tokenizer import Tokenizer

MOST_PROMPT_BYTES = 16 * 2**20


class GenerateConfig(SamplingConfig):
    """Choices of `linnet generate`."""

    run: Annotated[Path, Positional()]
    """Folder of a finished run: the model."""
    prompt: tuple[str, ...] = ()
    """Text to go on from; repeatable. Without one the model begins a document."""
    prompts: Path | None = None
    """File with a prompt in each line."""
    interactive: bool = False
    """Write in turns: type a line, the model goes on; an empty line lets it go on, Ctrl-D ends."""
    count: int = Field(default=1, ge=1, le=1_000_000)
    """Texts for each prompt."""
    batch_size: int = Field(default=64, ge=1)
    """Texts written at once."""
    beam: int = Field(default=0, ge=0, le=1024)
    """Beam search of this width instead of sampling; prints the best --count of each prompt."""
    length_penalty: float = 1.0
    """Beam scores are divided by length to this power; 0 ranks by probability."""
    begin: Literal["auto", "yes", "no"] = "auto"
    """Begin each prompt as a document, after the end token; auto does unless the training text was one document."""
    logprobs: bool = False
    """Show each token with its log-probability (natural logarithm)."""
    device: str = "auto"
    """Where to compute: auto, cpu, cuda, cuda:1, mps."""
    dtype: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Type of weights and products."""
    threads: OptionalInt = Field(default=None, ge=1)
    """CPU threads; none leaves the choice to torch."""
    json_output: bool = Field(default=False, alias="json")
    """Print all texts as JSON, with ids and log-probabilities."""


def main(cfg: GenerateConfig) -> None:
    """Write to stdout: a single text as it comes, of several each when it is whole."""
    from linnet.artifacts import load_model
    from linnet.core.device import pick_device, pick_dtype, set_threads
    from linnet.infer.beam import beam_texts
    from linnet.infer.decode import completions, stream
    from linnet.infer.turns import Turns

    set_threads(cfg.threads)
    device = pick_device(cfg.device)
    model, tokenizer = load_model(cfg.run, device, pick_dtype(cfg.dtype, device))
    begin = begins_documents(cfg)
    if cfg.interactive:
        return talk(Turns(model, tokenizer, cfg, begin))
    prompts = read_prompts(cfg, begin)
    copies = [prompt for prompt in prompts for _ in range(cfg.count)]
    if cfg.beam:
        found = (beam_texts(model, tokenizer, p, cfg, cfg.beam, cfg.count, cfg.length_penalty, begin) for p in prompts)
        return show(cfg, zip(copies, (text for texts in found for text in texts), strict=True), tokenizer)
    events = stream(model, tokenizer, copies, cfg, begin=begin, batch_size=cfg.batch_size)
    if len(copies) > 1 or cfg.json_output or cfg.logprobs:
        return show(cfg, zip(copies, completions(events), strict=True), tokenizer)
    say(prompts[0])
    for event in events:
        say(event.text)
    say("\n")


def talk(turns: "Turns") -> None:
    """Write in turns until the input ends."""
    print("Type how a text begins; the model goes on. An empty line: go on. Ctrl-D: end.", file=sys.stderr)
    while True:
        print("> ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            return
        for piece in turns.write(line.rstrip("\n")):
            say(piece)
        say("\n")


def read_prompts(cfg: GenerateConfig, begin: bool) -> list[str]:
    """Return the prompts of the options and of the file; without any the beginning of a document, or a new line."""
    prompts = list(cfg.prompt)
    if cfg.prompts is not None:
        size = cfg.prompts.stat().st_size
        if size > MOST_PROMPT_BYTES:
            raise BadInput(f"{cfg.prompts}: {size:,} bytes of prompts, at most {MOST_PROMPT_BYTES:,} are read")
        try:
            prompts += cfg.prompts.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            raise BadInput(f"{cfg.prompts}: not UTF-8 text; give a file with a prompt in each line") from None
        if not prompts:
            raise BadInput(f"{cfg.prompts}: empty; give a file with a prompt in each line")
    return prompts or ["" if begin else "\n"]


def begins_documents(cfg: GenerateConfig) -> bool:
    """Say whether prompts come after the end token: a model of one long text has never seen it."""
    from linnet.core.run import Run

    if cfg.begin == "auto":
        return not (Run.finished(cfg.run) and Run.result(cfg.run).get("train_documents") == 1)
    return cfg.begin == "yes"


def show(cfg: GenerateConfig, texts: Iterable[tuple[str, "Completion"]], tokenizer: "Tokenizer") -> None:
    """Print finished texts, each under a line of its own, or all as JSON."""
    from dataclasses import asdict

    if cfg.json_output:
        print(json.dumps([{"prompt": prompt, **asdict(done)} for prompt, done in texts], indent=2, ensure_ascii=False))
        return
    for number, (prompt, done) in enumerate(texts, start=1):
        say(f"--- {number}\n{prompt}{done.text}\n")
        for line in token_lines(done, tokenizer) if cfg.logprobs else ():
            say(line + "\n")


def token_lines(done: "Completion", tokenizer: "Tokenizer") -> Iterator[str]:
    """Yield a line for each token: ln p, the token, and the likeliest with theirs where they were asked for."""
    for place, (id, logprob) in enumerate(zip(done.ids, done.logprobs, strict=True)):
        top = done.top[place] if done.top else ()
        others = "  ".join(f"{tokenizer.decode([other], specials=True)!r} {value:.3f}" for other, value in top)
        yield f"{logprob:9.4f}  {tokenizer.decode([id], specials=True)!r:16}  {others}".rstrip()


def say(text: str) -> None:
    """Print at once; on a terminal without control characters, which a raw model may well produce."""
    if sys.stdout.isatty():
        text = "".join(
            letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in text
        )
    print(text, end="", flush=True)
