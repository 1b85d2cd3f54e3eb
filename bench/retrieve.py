"""How well documents are searched and asked: recall by words, meaning and both, engines, right sources, refusals.

`python -m bench retrieve --encoder RUN --world-encoder RUN --run RUN`: SQuAD's documents by one encoder, several small
worlds by another, whose questions a model that chats answers too. Both encoders come from `linnet embed`; either may be
a folder of sentence-transformers.
"""

import argparse
import json
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from linnet.artifacts import load_network
from linnet.core.device import set_threads
from linnet.core.machine import describe
from linnet.evals import retrieval
from linnet.evals.table import text_table
from linnet.recipes.index import taken_over
from linnet.recipes.rag import RagConfig, model_of
from linnet.retrieve.asking import answer_from
from linnet.retrieve.config import By, ChunkConfig
from linnet.retrieve.dense import Embedder
from linnet.retrieve.documents import documents
from linnet.retrieve.folder import encoder_hash
from linnet.retrieve.index import Index
from linnet.retrieve.making import make
from linnet.retrieve.nearest import Engine

ENGINES: tuple[Engine, ...] = ("faiss", "qdrant")
DIFFER = "rankings that differ from NumPy's"
ASKED = ("right source", "right answer", "quoted", "false refusals", "false answers")


def main(arguments: list[str]) -> None:
    """Measure, print tables, and write every number as JSON where asked to."""
    parser = argparse.ArgumentParser(prog="python -m bench retrieve", description=__doc__)
    parser.add_argument("--squad", type=Path, default=Path("../shared/data/squad"))
    parser.add_argument("--encoder", type=Path, help="encoder for SQuAD; without one it is searched by words alone")
    parser.add_argument("--world-encoder", type=Path, help="encoder for the small world")
    parser.add_argument("--run", type=Path, help="a model that chats: also its answers on the small world")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="small worlds, by their seeds")
    parser.add_argument("--questions", type=int, default=200, help="questions of each small world")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", type=Path, help="also write every number to this file")
    asked = parser.parse_args(arguments)
    set_threads(asked.threads)
    found: dict[str, Any] = {"machine": describe()}
    if (asked.squad / "documents.jsonl.gz").is_file():
        found["squad"] = squad(asked.squad, asked.encoder)
    found["world"] = {str(seed): world(seed, asked.questions, asked.world_encoder, asked.run) for seed in asked.seeds}
    print("\nsmall worlds, all seeds", text_table(pooled(found["world"])), sep="\n", flush=True)
    if asked.json is not None:
        asked.json.write_text(json.dumps(found, indent=1))


def index_of(place: str, encoder: Path | None) -> Index:
    """Return an index of documents, in chunks that the encoder can read."""
    if encoder is None:
        return make(documents([place]), ChunkConfig(), None)
    with tempfile.TemporaryDirectory() as made:
        run = taken_over(encoder, Path(made))
        embedder, mark = Embedder.open(run, load_network), encoder_hash(run)
    tokens = min(ChunkConfig().tokens, embedder.room)
    return make(documents([place]), ChunkConfig(tokens=tokens, overlap=min(40, tokens // 4)), embedder, mark)


def squad(folder: Path, encoder: Path | None) -> dict[str, Any]:
    """Measure how SQuAD's passages are found: by all questions as it comes, and by half with what the others gave."""
    index = index_of(str(folder / "documents.jsonl.gz"), encoder)
    questions = retrieval.questions_of(index, retrieval.rows_of(str(folder / "validation.jsonl.gz"), index))
    better, rest, evidence = retrieval.calibrate(index, questions)
    tables = {
        "as it comes": {"questions": len(questions), **retrieval.compare_ways(index, questions)},
        "calibrated": {"questions": len(rest), **retrieval.compare_ways(better, rest)},
    }
    for name, table in tables.items():
        print(f"\nSQuAD, {name}: {table['questions']} questions, {len(index.chunks)} chunks")
        print(text_table(rows(table)), flush=True)
    differ = engines(index, [one.text for one in questions])
    print(f"weight of meaning {evidence['meaning_weight']}; {DIFFER}: {differ}", flush=True)
    return {"chunks": len(index.chunks), **tables, "evidence": evidence, DIFFER: differ}


def world(seed: int, most: int, encoder: Path | None, run: Path | None) -> dict[str, Any]:
    """Measure a small world: found, answered and refused; threshold and weight are those of other questions."""
    index = index_of(f"world/documents:40:{seed}", encoder)
    questions = retrieval.questions_of(index, retrieval.rows_of(f"world:{most}:{seed}", index))
    found: dict[str, Any] = {DIFFER: engines(index, [one.text for one in questions])}
    ways: tuple[By, ...] = ("words",) if encoder is None else ("words", "meaning", "fused")
    found["ways"] = {"questions": len(questions), **retrieval.compare_ways(index, questions)}
    found["passages"] = {}
    for by in ways:
        better, rest, found[f"evidence, {by}"] = retrieval.calibrate(index, questions, by)
        quote = partial(answer_from, better)
        asked = {f"quoted, {by}": retrieval.answered(better, rest, quote, retrieval.quotes, by)}
        if run is not None:
            reply = partial(answer_from, better, model=model_of(RagConfig(index=run, run=run)), form="plain")
            asked[f"model, {by}"] = retrieval.answered(better, rest, reply, retrieval.says, by)
        for name, values in asked.items():
            groups = {measure: retrieval.by_passage(rest, each) for measure, each in values.items()}
            found[name] = retrieval.shares(groups)
            found["passages"][name] = {each: [part.tolist() for part in parts] for each, parts in groups.items()}
    print(f"\nsmall world {seed}: {len(questions)} questions", text_table(rows(found["ways"])), sep="\n", flush=True)
    answered = [name for name in found if name.startswith(("quoted", "model"))]
    print(text_table([{"answers": name, **numbers(found[name], ASKED)} for name in answered]), flush=True)
    return found


def engines(index: Index, texts: list[str]) -> dict[str, int]:
    """Return for each engine how many questions have another ranking of ten chunks than NumPy gives."""
    if index.embedder is None:
        return {}
    first = [places(index, text) for text in texts]
    others = {engine: replace(index, engine=engine) for engine in ENGINES}
    return {name: sum(places(one, text) != mine for text, mine in zip(texts, first, strict=True))
            for name, one in others.items()}  # fmt: skip


def places(index: Index, text: str) -> list[tuple[str, int, float]]:
    """Return the ten nearest chunks of a question: where they stand and how near they are."""
    return [(one.document, one.start, one.score) for one in index.search(text, 10, "meaning")]


def rows(table: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the table of ways to search, for people."""
    shown = []
    for by in ("words", "meaning", "fused"):
        if by in table:
            beside = {
                f"{name} beside words": table[by].get(f"{name} beside words", "") for name in ("recall@1", "recall@5")
            }
            shown.append({"by": by, **numbers(table[by], retrieval.MEASURES), **beside})
    return shown


def numbers(row: dict[str, Any], names: Iterable[str]) -> dict[str, str]:
    """Return measures with their intervals in words."""
    return {name: "{:.3f} ({:.3f}-{:.3f})".format(row[name], *row[f"{name} interval"]) for name in names}


def pooled(worlds: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each measure of answers over the questions of all worlds, with its interval over all their passages."""
    shown = []
    for kind in next(iter(worlds.values()))["passages"]:
        each = [one["passages"][kind] for one in worlds.values()]
        groups = {name: (np.concatenate([one[name][0] for one in each]), np.concatenate([one[name][1] for one in each]))
                  for name in ASKED}  # fmt: skip
        shown.append({"answers": kind, **numbers(retrieval.shares(groups), ASKED)})
    return shown
