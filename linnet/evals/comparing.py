"""What a comparison measures of every model: scores of the same rows, forgetting on the base's own text, writing."""

import hashlib
import json
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from linnet.artifacts import load_model, weights_file
from linnet.batches.prepare import prepare
from linnet.batches.shards import Shard
from linnet.core.console import logger
from linnet.core.device import pick_device
from linnet.core.errors import BadInput
from linnet.core.files import file_hash, json_text, read_json, write_atomic
from linnet.data.sources import is_world, world_options
from linnet.evals import heldout
from linnet.evals.compare_config import CompareConfig
from linnet.evals.suite import Way, ask_task
from linnet.evals.suite_table import Material, reply_rows
from linnet.evals.training_text import lineage
from linnet.infer.config import SamplingConfig
from linnet.infer.decode import generate
from linnet.model.decoder import Decoder
from linnet.tasks import find, prompts
from linnet.tasks.prompts import Shots
from linnet.tasks.rows import measured_split, read
from linnet.tasks.task import Example, Task
from linnet.text.chat import chats
from linnet.text.tokenizer import Tokenizer

WRITTEN = 60  # tokens that each model writes after the beginning of a held-out text
OPENING = 12  # tokens of that beginning


@dataclass(frozen=True)
class Text:
    """The base's own held-out text, and whether its documents are read apart."""

    name: str
    shard: Shard
    apart: bool


@dataclass(frozen=True)
class Bench:
    """What all models of a comparison are put to: the same rows, the same text."""

    cfg: CompareConfig
    material: Material
    shots: Shots
    left_out: int
    """Rows that stood among those learned too, and are not asked."""
    text: Text | None

    @classmethod
    def open(cls, cfg: CompareConfig) -> "Bench":
        """Read the rows and the text; raises BadInput where there are none, or the same would be learned and asked."""
        task = find(cfg.task)
        if task.form == "text":
            raise BadInput(f"--task {cfg.task}: is measured on whole texts; choose a task with replies")
        learned, asked, left_out, where = _rows(cfg, task)
        material = Material.build(task, *where, learned, asked)
        shots = Shots(learned[: prompts.POOL], cfg.shots, 0) if cfg.shots else prompts.NONE
        return cls(cfg, material, shots, left_out, _own_text(cfg))

    @property
    def digest(self) -> str:
        """Return the hash of what is asked, so that a measurement of other rows is known as such."""
        asked = [one.prompt + one.answer for one in self.material.examples]
        text = None if self.text is None else [self.text.shard.header.data_hash, self.cfg.corpus_tokens]
        return hashlib.sha256(json.dumps([asked, self.cfg.shots, text]).encode("utf-8", "replace")).hexdigest()

    def measure(self, name: str, run: Path, shots: Shots = prompts.NONE, text: bool = True) -> dict[str, Any]:
        """Ask a run's model, or read what an earlier call wrote of the same weights and rows; `text` is forgetting too.

        Leaves `measured/NAME.json` and returns what is in it.
        """
        path = self.cfg.out / "measured" / f"{name}.json"
        made_of = {"weights": file_hash(weights_file(run)), "asked": self.digest}
        if path.is_file():
            found = read_json(path)
            if {key: found.get(key) for key in made_of} == made_of:
                return found
        model, tokenizer = load_model(run, pick_device(self.cfg.device))
        way = Way(chats(run), shots)
        asked = ask_task(model, tokenizer, self.material.task, self.material.examples, way)
        found: dict[str, Any] = {
            **made_of,
            "name": name,
            "scores": [answer.grade.score for answer in asked.answers],
            "replies": reply_rows(asked.answers, None),
            "protocol": asked.protocol,
            **(self._forgetting(model, tokenizer) if text and self.text is not None else {}),
        }
        write_atomic(path, json_text(found))
        logger.info("%s: %s %.4g", name, self.material.task.metric, float(np.mean(found["scores"])))
        return found

    def protocol(self) -> list[str]:
        """Say in sentences what was equal, how rows were asked, and what the numbers mean."""
        cfg, material = self.cfg, self.material
        rates = "Default learning rates of each method."
        if len(cfg.rates) > 1:
            tried = ", ".join(f"{factor:g}" for factor in cfg.rates)
            rates = f"Learning rates of each method: the best of the factors {tried} by held-out loss, another seed."
        left = f" ({self.left_out} that were learned too are left out)" if self.left_out else ""
        found = [
            f"{_equal(cfg)} {rates} {len(material.examples)} rows asked of {material.rows}{left}. Learned: {cfg.data}; "
            "of rows that are not the small world's a tenth is held out.",
            "Intervals of tuned methods are over questions and seeds together, of one seed and of baselines over "
            "questions; a verdict is given only where the interval of paired differences leaves out zero."
            + (f" Few-shot: {cfg.shots} of the learned rows, solved, stand before each question." if cfg.shots else ""),
            "Peak memory is the most of any seed's training process, program and libraries included; seconds are the "
            "mean of the steps alone.",
        ]
        if self.text is not None:
            found.append(
                f"Forgetting is what tuning adds to the bits per byte of held-out {self.text.name} (at most "
                f"{cfg.corpus_tokens:,} tokens), with adapters switched on; taken off, the base is as it was."
            )
        return found

    def _forgetting(self, model: Decoder, tokenizer: Tokenizer) -> dict[str, Any]:
        assert self.text is not None
        most = self.cfg.corpus_tokens
        cost = heldout.measure(model, self.text.shard, tokenizer, apart=self.text.apart, max_tokens=most)
        room = model.config.context_length
        opening = self.text.shard.ids[: min(OPENING, max(1, room // 2))].tolist()
        sampling = SamplingConfig(temperature=0, max_tokens=max(1, min(WRITTEN, room - len(opening))))
        return {
            "block_bits": (cost.block_nats / np.log(2)).tolist(),
            "block_bytes": cost.block_bytes.tolist(),
            "bits_per_byte": cost.bits_per_byte,
            "perplexity": cost.perplexity,
            "text_protocol": f"{self.text.name}: {cost.protocol.sentence()}",
            "opening": tokenizer.decode(opening),
            "wrote": generate(model, tokenizer, [opening], sampling)[0].text,
        }


def _equal(cfg: CompareConfig) -> str:
    """Say what is equal."""
    if cfg.budget == "time":
        return f"Equal time: {cfg.seconds:g} s of training, the steps that fit found by a short probe of each method."
    if cfg.budget == "memory":
        return (
            f"Equal memory: at most {cfg.memory_mib:g} MiB; {cfg.steps} steps of {cfg.batch_size} rows, as many rows "
            "at a time as fit by a line through two probes, the rest accumulated."
        )
    return f"Equal steps: {cfg.steps} of {cfg.batch_size} rows."


def _rows(cfg: CompareConfig, task: Task) -> tuple[list[Example], list[Example], int, tuple[str, str]]:
    """Return the rows to learn, those to ask, how many of these were left out as learned, and where they come from."""
    place = cfg.asked or cfg.source
    source = f"world:{cfg.texts}:{world_options(cfg.source)[2]}" if is_world(cfg.source) else cfg.source
    learned = list(islice(task.examples(read(task, source, "train")), cfg.texts))
    split = measured_split(task, place)
    known, asked, left_out = {one.question for one in learned}, list[Example](), 0
    for one in task.examples(read(task, place, split)):
        if one.question in known:
            left_out += 1
        elif len(asked) < cfg.rows:
            asked.append(one)
        else:
            break
    if len(asked) < 2:
        raise BadInput(
            f"{place}: {len(asked)} rows are left to ask that are not learned, and an interval needs two; "
            "name others by --asked, or learn fewer by --texts"
        )
    return learned, asked, left_out, (place, split)


def _own_text(cfg: CompareConfig) -> Text | None:
    """Return the text on which forgetting is measured, None (and a warning) where the base does not say its own."""
    choices: dict[str, Any] = {}
    try:
        found = (read_json(folder / "config.json") for folder in lineage(cfg.base))
        choices = next((one for one in found if isinstance(one, dict) and one.get("corpus")), {})
    except BadInput as error:
        if not cfg.corpus:
            logger.warning("forgetting is not measured: %s", error)
            return None
    corpus = cfg.corpus or choices.get("corpus")
    if not corpus:
        logger.warning("forgetting is not measured: %s does not say its text; name one by --corpus", cfg.base)
        return None
    _, tokenizer = load_model(cfg.base)
    own = () if cfg.corpus else ("column", "split", "held_out")
    shard = prepare(corpus, tokenizer, **{name: choices[name] for name in own if name in choices}).held_out
    if shard is None:
        raise BadInput(f"{corpus}: nothing of it is held out to measure forgetting on; name another --corpus")
    return Text(corpus, shard, choices.get("packing") is True)
