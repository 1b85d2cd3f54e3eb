"""Compare ways of tuning: one base, one task, several methods and seeds under an equal budget, in one honest table."""

import json
from typing import Any

from linnet.core.errors import BadInput
from linnet.evals.compare_config import CompareConfig

TABLE = "table.json"
MAY_GROW = ("methods", "seeds", "samples")  # what a later call may add to; finished trainings stay as they are


def main(cfg: CompareConfig) -> None:
    """Train what is missing, each training in a process of its own; measure; write and print the table."""
    from linnet.core.device import set_threads
    from linnet.core.files import json_text, read_json, write_atomic
    from linnet.core.run import Run
    from linnet.evals.compare_cells import baselines, share_of, trained
    from linnet.evals.compare_table import flat, table_rows
    from linnet.evals.comparing import Bench
    from linnet.evals.table import csv_text
    from linnet.report.bars import write_picture
    from linnet.report.comparing import bars_of, write_comparison_page

    if begin(cfg):
        show(cfg, read_json(cfg.out / TABLE))
        return
    set_threads(cfg.threads)
    with Run.start(cfg.out, cfg, "compare", parents=[cfg.base], track="none") as run:
        bench = Bench.open(cfg)
        entries, left_out = baselines(bench), {}
        for method in cfg.methods:
            share, found = share_of(cfg, method)
            if share is None:
                left_out[method] = found["note"]
            else:
                entries.append(trained(bench, method, share, found))
        metric = bench.material.task.metric
        table = {
            "task": cfg.task,
            "metric": metric,
            "reference": cfg.reference,
            "protocol": bench.protocol(),
            "rows": table_rows(entries, metric, cfg.reference),
            "left_out": left_out,
            "trivial": {one.name: one.about for one in bench.material.trivial},
        }
        write_atomic(cfg.out / TABLE, json_text(table))
        write_atomic(cfg.out / "table.csv", csv_text([flat(row) for row in table["rows"]]))
        write_picture(cfg.out, bars_of(table))
        write_comparison_page(cfg.out, table, {entry.name: entry.measured[0] for entry in entries}, cfg.samples)
        run.finish(rows=table["rows"], left_out=left_out)
    show(cfg, table)


def begin(cfg: CompareConfig) -> bool:
    """Say whether all of it is finished; raises BadInput where the folder holds another comparison, or another base."""
    from linnet.core.console import logger
    from linnet.core.files import read_json
    from linnet.core.provenance import folder_hash
    from linnet.core.run import Run, differences
    from linnet.model.config import ModelConfig

    if not (cfg.base / "model.json").is_file():
        raise BadInput(f"{cfg.base}: no model folder (model.json is missing); give the folder of a finished run")
    kind = ModelConfig.build(read_json(cfg.base / "model.json"), where=cfg.base / "model.json").kind
    if kind != "decoder":
        raise BadInput(f"{cfg.base}: a network of the kind {kind}; decoders are compared here, by linnet sft")
    if not (cfg.out / "record.json").is_file():
        return False
    found = differences(cfg.out, cfg, "compare")
    foreign = [line for line in found if not line.startswith(MAY_GROW)]
    if not foreign and read_json(cfg.out / "record.json")["parents"].get(str(cfg.base)) != folder_hash(cfg.base):
        foreign = [f"{cfg.base} has changed since"]
    if foreign:
        raise BadInput(f"{cfg.out}: was made otherwise ({'; '.join(foreign[:3])}); choose another --out")
    if found:  # it grows: what is finished of it stays, the table is made anew
        (cfg.out / "result.json").unlink(missing_ok=True)
    done = Run.finished(cfg.out)
    if done:
        logger.info("%s is finished; nothing to do", cfg.out)
    return done


def show(cfg: CompareConfig, table: dict[str, Any]) -> None:
    """Print the table, and where the rest is."""
    from linnet.evals.compare_table import short
    from linnet.evals.table import text_table

    if cfg.json_output:
        print(json.dumps(table, indent=2, ensure_ascii=False))
        return
    print(text_table([short(row, table["reference"]) for row in table["rows"]]))
    print(*table["protocol"], *(f"{name}: {why}" for name, why in table["left_out"].items()), sep="\n")
    print(f"all of it: {cfg.out}")
