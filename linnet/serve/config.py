"""What a server serves, to whom and how much, as a config without torch: the options of `linnet serve`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from linnet.core.config import ByCommas, Config, OptionalInt, Positional

KEY_VARIABLE = "LINNET_API_KEY"


class ServeConfig(Config):
    """Choices of `linnet serve`."""

    runs: Annotated[tuple[Path, ...], Positional()] = ()
    """Folders of finished runs: the models; each is called by its folder's name."""
    adapters: Annotated[tuple[str, ...], ByCommas] = ()
    """Adapters on these models, as name=FOLDER or FOLDER of a lora or dora run: asked for as the model RUN:name."""
    index: Path | None = None
    """Folder of an index of documents (`linnet index`): chats may ask for answers from it, with their sources."""
    host: str = "127.0.0.1"
    """Address to listen on; this machine alone can reach the default."""
    port: int = Field(default=8000, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    api_key_file: Path | None = None
    """File with an API key in each line; else the key is taken from LINNET_API_KEY; without either all may ask."""
    allow_host: Annotated[tuple[str, ...], ByCommas] = ()
    """Further names that requests may call this server by; addresses, localhost and --host always may."""
    allow_origin: Annotated[tuple[str, ...], ByCommas] = ()
    """Pages of other servers that may call this one from a browser, such as https://example.org."""
    page: bool = True
    """Show the web chat at /."""
    gradio: bool = False
    """Show a chat by Gradio instead, without an API: a demo, for those who know its pages."""
    slots: int = Field(default=32, ge=1, le=4096)
    """Replies written at once by each model; the others wait."""
    queue: int = Field(default=64, ge=0, le=1_000_000)
    """Replies that may wait for each model; more are refused with 429."""
    cache_bytes: OptionalInt = Field(default=None, ge=1)
    """Most bytes of each model's key-value cache; none is what the slots take."""
    prefill_tokens: int = Field(default=256, ge=1)
    """Prompt tokens read in a step: more reads long prompts quicker, fewer lets running replies flow evenly."""
    speculative: Literal["off", "lookup"] = "off"
    """lookup guesses ahead where a reply repeats its prompt and lets the model check: the same text, in fewer steps."""
    compile: bool = False
    """Let your C compiler build the pass that reads tokens on a CPU, in a few seconds: several times as fast, quickest
    for an int8-dynamic copy (linnet quantize). What it does not know is read as ever."""
    max_new_tokens: int = Field(default=1024, ge=1, le=2**22)
    """Most tokens of one reply."""
    max_prompt_tokens: OptionalInt = Field(default=None, ge=1)
    """Most tokens of a prompt; none is the model's context."""
    max_choices: int = Field(default=16, ge=1, le=1024)
    """Most replies (`n` times the prompts) of one request."""
    max_body_bytes: int = Field(default=2**20, ge=1024)
    """Most bytes of a request's body."""
    request_seconds: float = Field(default=300, gt=0, le=86_400)
    """Longest time from a request to the end of its reply, waiting included."""
    drain_seconds: float = Field(default=30, ge=0, le=86_400)
    """How long running replies may go on after SIGTERM or Ctrl-C; new ones get 503 meanwhile."""
    device: str = "auto"
    """Where to compute: auto, cpu, cuda, cuda:1, mps."""
    dtype: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Type of weights and products."""
    threads: OptionalInt = Field(default=None, ge=1)
    """CPU threads; none leaves the choice to torch."""
