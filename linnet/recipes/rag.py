"""Ask documents: what an index finds, an answer from it with its sources, and how well it finds."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from linnet.core.config import OptionalInt, Positional
from linnet.core.errors import BadInput
from linnet.infer.config import SamplingConfig
from linnet.recipes.generate import say
from linnet.retrieve.config import By, Form

if TYPE_CHECKING:
    from linnet.retrieve.asking import Answer, Model
    from linnet.retrieve.index import Index


class RagConfig(SamplingConfig):
    """Choices of `linnet rag`."""

    index: Annotated[Path, Positional()]
    """Folder of an index, made by `linnet index`."""
    question: Annotated[str | None, Positional()] = None
    """What to ask; without it a question a line is read from standard input."""
    run: Path | None = None
    """Run of a model that was taught to reply; without one the best sentence of the best source is the answer."""
    form: Form = "numbered"
    """Show the model all sources at once, numbered, with an instruction to cite them; or one after another, as linnet's
    own tasks ask, and take the first reply that stands in its source, else quote one: for small models."""
    sources: int = Field(default=4, ge=1, le=100)
    """Most sources to answer from."""
    by: By = "fused"
    """Search by words (BM25), by meaning (vectors), or by both, fused."""
    anyway: bool = False
    """Answer also from weak evidence, instead of saying that it is not in the documents."""
    measure: Path | None = None
    """Rows of questions with their contexts (SQuAD's columns), or `world`: measure how well the index finds."""
    calibrate: bool = False
    """With --measure: keep what half of these questions give: what tells that a source answers, the threshold of weak
    evidence, and the weight of meaning beside words; the other half is measured."""
    questions: OptionalInt = Field(default=None, ge=2)
    """Most questions to measure with."""
    engine: Literal["faiss", "numpy", "qdrant"] = "numpy"
    """What looks for the nearest vectors; all find the same. `faiss` and `qdrant` are extras."""
    qdrant_url: str = ""
    """URL of a Qdrant server; without it Qdrant works in memory."""
    temperature: float = Field(default=0.0, ge=0, le=100)
    """Divides the logits: below 1 is bolder on likely tokens, 0 always takes the likeliest (greedy)."""
    max_tokens: int = Field(default=64, ge=1)
    """Most tokens of an answer."""
    json_output: bool = Field(default=False, alias="json")
    """Print answers and sources as JSON, a line each."""
    device: str = "auto"
    """Where to compute: auto, cpu, cuda, cuda:1, mps."""
    threads: OptionalInt = Field(default=None, ge=1)
    """CPU threads; none leaves the choice to torch."""


def main(cfg: RagConfig) -> dict[str, Any] | None:
    """Answer questions, or measure; answers go to stdout, all else to stderr."""
    from linnet.core.device import set_threads
    from linnet.recipes.index import on_device
    from linnet.retrieve.asking import answer
    from linnet.retrieve.index import Index

    set_threads(cfg.threads)
    index = Index.open(cfg.index, on_device(cfg.device), cfg.engine, cfg.qdrant_url)
    if cfg.measure is not None:
        return measured(cfg, index)
    model = model_of(cfg)
    for question in [cfg.question] if cfg.question is not None else asked():
        show(cfg, question, answer(index, question, model, k=cfg.sources, by=cfg.by, form=cfg.form, anyway=cfg.anyway))
    return None


def model_of(cfg: RagConfig) -> "Model | None":
    """Return the model of a run that was taught to reply, None where no run was named."""
    from linnet.artifacts import load_model
    from linnet.core.device import pick_device
    from linnet.infer.chatting import replies
    from linnet.retrieve.asking import Model
    from linnet.text.chat import Message, chats, render

    if (run := cfg.run) is None:
        return None
    if not chats(run):
        raise BadInput(f"{run}: was not taught to reply (no chat_template.jinja); first: linnet sft {run}")
    model, tokenizer = load_model(run, pick_device(cfg.device))

    def reply(text: str) -> str:
        return replies(model, tokenizer, [[Message("user", text)]], cfg)[0].text

    def tokens(text: str) -> int:
        return len(render(tokenizer, [Message("user", text)], reply=True).ids)

    context = model.config.context_length
    return Model(reply, tokens, context - min(cfg.max_tokens, context // 2))


def measured(cfg: RagConfig, index: "Index") -> dict[str, Any]:
    """Measure how well the index finds, what weak evidence tells, how often answers and refusals are right."""
    from functools import partial

    from linnet.evals import retrieval
    from linnet.retrieve.asking import answer_from
    from linnet.retrieve.folder import encoder_of, save_index

    questions = retrieval.questions_of(index, retrieval.rows_of(str(cfg.measure), index), cfg.questions)
    better, rest, evidence = retrieval.calibrate(index, questions, cfg.by)
    if cfg.calibrate:
        save_index(better, cfg.index, encoder_of(cfg.index))
        questions, index = rest, better  # measured on what neither weight nor threshold was found on
    answers = partial(answer_from, index, model=model_of(cfg), form=cfg.form, anyway=cfg.anyway)
    right = retrieval.says if cfg.run else retrieval.quotes
    return {
        "questions": len(questions),
        **retrieval.compare_ways(index, questions),
        "evidence": evidence,
        "answers": retrieval.right_sources(index, questions, answers, right, cfg.by, cfg.sources),
    }


def asked() -> Iterator[str]:
    """Yield the questions of standard input, a line each."""
    for line in sys.stdin:
        if line.strip():
            yield line.strip()


def show(cfg: RagConfig, question: str, answer: "Answer") -> None:
    """Print an answer and the sources it names, or all as JSON."""
    from dataclasses import asdict

    if cfg.json_output:
        print(json.dumps({"question": question, **asdict(answer)}, ensure_ascii=False), flush=True)
        return
    say(f"{answer.text}\n")
    for number in answer.cited:
        one = answer.sources[number - 1]
        say(f"  [{number}] {one.document}, characters {one.start}-{one.end}: {' '.join(one.text.split())[:160]}\n")
