"""The command line: a file in recipes/ that is listed here is a command, its config's fields are the options."""

import errno
import importlib
import importlib.util
import inspect
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from linnet import __doc__ as about_linnet
from linnet import __version__
from linnet.core.errors import BadInput, Stopped, nearest

if TYPE_CHECKING:
    from cyclopts import App

    from linnet.core.config import Config

# In the order of a model's life. No recipe is imported before it is asked for, so that --help is quick.
COMMANDS = {
    "quickstart": "From nothing to a small model that answers, and a page about its life.",
    "world": "Show or export the built-in small world that models learn here.",
    "tokenizer": "Train a tokenizer on a text, or load GPT-2's.",
    "xray": "Look through a training set, token by token, before training on it.",
    "plan": "Say what a training will take of memory and time, or what would fit, before it starts.",
    "pretrain": "Train a language model from a text and a tokenizer.",
    "sft": "Teach a pretrained model to reply: fine-tuning on conversations.",
    "distill": "Train a smaller model to give the probabilities of a larger one.",
    "dpo": "Teach a model that chats which of two answers is better: DPO, IPO or SimPO.",
    "grpo": "Let a model that chats learn from its own replies, rewarded by a task's grader.",
    "verifier": "Teach a model to judge answers: how likely each is right.",
    "finetune": "Let a pretrained model go on with another text: a book, documents, sums.",
    "seq2seq": "Train an encoder-decoder to turn one text into another.",
    "summarize": "Teach a model to sum dialogues up; ROUGE beside what the lead gets.",
    "mlm": "Train an encoder to guess hidden tokens of a text from both sides.",
    "classify": "Teach a network to tell texts apart: sentiment, fake news, own labels.",
    "embed": "Teach a network to search: questions come near to the passages that answer them.",
    "import": "Take over a model from a transformers folder or the hub, proved equal to its source.",
    "export": "Write a model as a folder that transformers loads, proved equal to the run.",
    "compare": "Hold ways of tuning against each other: several methods and seeds, one honest table.",
    "merge": "Make one plain model of an adapter and its base.",
    "quantize": "Make a smaller, quicker copy of a model: int8 or int4 weights, measured beside it.",
    "generate": "Let a model write: from a prompt, or in turns with you.",
    "chat": "Talk with a model that was taught to reply.",
    "serve": "Serve models over HTTP: OpenAI's API for any client, and a chat page for people.",
    "index": "Index documents to search in and to answer from: text, Markdown, HTML, PDF, rows.",
    "rag": "Ask documents: an answer with its sources, or that it is not in them.",
    "evaluate": "Measure a model on text it has not seen, or at tasks.",
    "search": "Try each problem many times and choose: accuracy against compute.",
    "by-hand": "See the mathematics by hand: a token's way, checked gradients, a GPT trained in NumPy.",
    "prove": "Hold any model to what must be true of it: causality, loss, cache, resume and fifty more.",
    "replay": "Do one step of a training again and see the loss of each token.",
}
# Commands that take the options of another, which the next word names: `linnet plan sft RUN --batch-size 8`.
ABOUT_ANOTHER = {"plan": "linnet.explain.plan_config"}
# A command is a file in recipes/, but for the one that runs the others.
HOMES = {"quickstart": "linnet.pipeline"}
DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
USERS_TO_MEND = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.ENOENT,
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ENAMETOOLONG,
    }
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0 done, 1 failed, 2 bad input, 130 interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    try:
        _run(words)
        if sys.stdout is not None:  # it is None where it was closed (`>&-`)
            sys.stdout.flush()
        return DONE
    except BrokenPipeError:  # the reader of our output has left, as in `linnet generate RUN | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            traceback.print_exc()
        code, line = verdict(error)
        print(f"linnet: {line}", file=sys.stderr)
        return code


def verdict(error: BaseException) -> tuple[int, str]:
    """Return the exit code and the one line for an error that ended a command."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, "interrupted"
    line = " ".join(str(error).split())
    if isinstance(error, Stopped):
        return error.exit_code, line
    if isinstance(error, BadInput):
        return BAD_INPUT, line
    if isinstance(error, OSError) and error.errno in USERS_TO_MEND:
        where = f"{error.filename}: " if error.filename else ""
        return BAD_INPUT, f"{where}{error.strerror}"
    kind = "" if type(error).__module__.startswith("linnet.") else f"{type(error).__name__}: "
    return FAILED, f"{kind}{line} (run again with --debug for the traceback)"


def _run(words: list[str]) -> None:
    from cyclopts.exceptions import CycloptsError

    for word in words:
        if any("\ud800" <= letter <= "\udfff" for letter in word):
            raise BadInput(f"{word!r}: not UTF-8, and so no name that a run could record; rename the file")
    place = next((place for place, word in enumerate(words) if not word.startswith("-")), len(words))
    chosen, after = next(iter(words[place:]), None), next(iter(words[place + 1 :]), "-")
    try:
        _app(chosen, None if after.startswith("-") else after)(words or ["--help"])
    except CycloptsError as error:
        raise BadInput(_one_line(error)) from None


def _one_line(error: Any) -> str:
    """Return cyclopts' words without its panel."""
    from cyclopts.exceptions import UnusedCliTokensError

    if isinstance(error, UnusedCliTokensError):
        return f"too many words: {' '.join(error.unused_tokens or ())}"
    line = " ".join(str(error).split())
    return line[0].lower() + line[1:] if line else "the command line cannot be read"


def _app(chosen: str | None, another: str | None = None) -> "App":
    """Return the application; only the chosen command is real, the others are names and a line for --help."""
    from cyclopts import App

    app = App(
        name="linnet",
        help=about_linnet,
        version=__version__,
        help_format="plaintext",
        exit_on_error=False,
        print_error=False,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for place, (name, help_line) in enumerate(COMMANDS.items()):
        function = recipe_command(name, another) if name == chosen else _absent
        app.command(function, name=name, help=help_line, sort_key=place)
    return app


def _absent() -> None:
    """Stand in the list of commands."""


def recipe_command(name: str, another: str | None = None) -> Callable[..., None]:
    """Return a recipe as a function whose parameters are its config's fields and the options of every command.

    `another` is the command whose options are taken too, by those that are about one. Raises BadInput for a command
    whose recipe is not part of this version.
    """
    home = HOMES.get(name, f"linnet.recipes.{name.replace('-', '_')}")
    if importlib.util.find_spec(home) is None:
        raise BadInput(f"{name}: not part of linnet {__version__}")
    recipe = importlib.import_module(home)
    if name not in ABOUT_ANOTHER or another is None:
        return command(name, recipe.main)
    return command(name, recipe.main, importlib.import_module(ABOUT_ANOTHER[name]).options_of(another), another)


def command(
    name: str, recipe_main: Callable[[Any], Any], cls: "type[Config] | None" = None, preset_of: str = ""
) -> Callable[..., None]:
    """Return `recipe_main(cfg)` as a function of options; cyclopts hands it only those that were typed.

    `cls` is the config where it is more than what `recipe_main` asks for, `preset_of` whose presets are taken.
    """
    from linnet.core.options import nest, parameters

    cls = cls or config_of(recipe_main)
    fields, paths = parameters(cls)
    # A recipe that streams has a field of its own with the alias "json"; it then prints by itself and returns None.
    aliases = {field.alias: field_name for field_name, field in cls.model_fields.items()}
    shared = [option for option in _shared_options() if option.name not in aliases]

    def run(*values: Any, **typed: Any) -> None:
        from linnet.core.console import start_logging

        start_logging()
        typed |= dict(zip(paths, values, strict=False))
        as_json = bool(typed.pop("json", False) or typed.get(aliases.get("json", ""), False))
        config = resolve(
            cls, preset_of or name, typed.pop("preset", None), typed.pop("config", None) or (), nest(typed, paths)
        )
        show(recipe_main(config), as_json)

    run.__signature__ = inspect.Signature([*fields, *shared])  # type: ignore[attr-defined]
    run.__doc__ = COMMANDS.get(name) or inspect.getdoc(recipe_main)
    return run


def config_of(recipe_main: Callable[[Any], Any]) -> type["Config"]:
    """Return the class of a recipe's one argument."""
    return next(iter(inspect.signature(recipe_main, eval_str=True).parameters.values())).annotation


def resolve(
    cls: type["Config"], name: str, preset: str | None, files: Sequence[Path], typed: dict[str, Any]
) -> "Config":
    """Return the config of a command: what was typed over the files (a later one over an earlier) over the preset."""
    from linnet.core.layers import TYPED, Layer, build, read_layer

    below = [] if preset is None else [Layer(f"preset {preset}", _preset_values(preset, name))]
    return build(cls, [*below, *(read_layer(path) for path in files), Layer(TYPED, typed)])


def show(result: Any, as_json: bool) -> None:
    """Print what a recipe returned: a run folder as its path, or with its numbers as JSON; numbers a line each."""
    from linnet.core.run import Run

    if result is None:
        return
    if as_json:
        if isinstance(result, Path):
            result = {"run": str(result), **(Run.result(result) if Run.finished(result) else {})}
        print(json.dumps(result, indent=2, ensure_ascii=False, default=_as_json))
    elif isinstance(result, dict):
        width = max(map(len, result), default=0)
        for key, value in result.items():
            print(f"{key:{width}}  {value:.6g}" if isinstance(value, float) else f"{key:{width}}  {value}")
    else:
        print(result)


def _as_json(value: Any) -> Any:
    from linnet.core.config import Config

    return value.model_dump(mode="json") if isinstance(value, Config) else str(value)


def _shared_options() -> list[inspect.Parameter]:
    from cyclopts import Group, Parameter

    group = Group("Every command", sort_key=99)

    def option(name: str, kind: Any, default: Any, text: str) -> inspect.Parameter:
        about = Parameter(group=group, help=text, negative="", show_default=False)
        return inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, about]
        )

    return [
        option("config", tuple[Path, ...], (), "YAML or JSON file of choices, as a run's config.json; repeatable."),
        option("preset", str | None, None, "Named set of choices; files and options win over it."),
        option("json", bool, False, "Print the result as JSON on stdout."),
        option("debug", bool, False, "Show the traceback of an error."),
    ]


def _preset_values(preset: str, recipe: str) -> dict[str, Any]:
    if importlib.util.find_spec("linnet.presets") is None:
        raise BadInput(f"--preset {preset}: linnet {__version__} has no presets")
    presets = importlib.import_module("linnet.presets").PRESETS
    if preset not in presets:
        raise BadInput(f"--preset {preset}: not one of {', '.join(presets)}.{nearest(preset, presets)}")
    stages = presets[preset]()
    if recipe not in stages:
        raise BadInput(f"--preset {preset}: has nothing for {recipe}, only for {', '.join(stages)}")
    return stages[recipe]


if __name__ == "__main__":
    sys.exit(main())
