"""A Gradio demo of the same engines, a chat that streams: `linnet serve --gradio`."""

import os
import queue
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from linnet.core.console import logger
from linnet.core.errors import BadInput
from linnet.infer.requests import Event
from linnet.serve.asking import ask_chat
from linnet.serve.bodies import ChatBody, SaidMessage
from linnet.serve.config import ServeConfig
from linnet.serve.guard import open_to_others
from linnet.serve.hosting import Host, open_hosts
from linnet.serve.refusals import Refused
from linnet.serve.running import find_keys

Say = Callable[..., Iterator[str]]


def serve_gradio(cfg: ServeConfig) -> None:
    """Serve the demo until Ctrl-C; raises BadInput where keys or an index are wanted, which it does not know."""
    if find_keys(cfg) or cfg.index is not None:
        raise BadInput("--gradio knows neither API keys nor --index: leave them out, or serve the page of linnet's own")
    hosts = [host for host in open_hosts(cfg) if host.chats]
    if not hosts:
        raise BadInput("--gradio talks with models that were taught to reply; none of these runs was: linnet sft RUN")
    if open_to_others(cfg.host):
        logger.warning("listening on %s: whoever reaches this machine may ask", cfg.host)
    page = demo(hosts, cfg)
    for thread in {host.thread: None for host in hosts}:
        thread.start()
    logger.info("serving %s by Gradio on %s, port %d", ", ".join(host.name for host in hosts), cfg.host, cfg.port)
    page.launch(server_name=cfg.host, server_port=cfg.port or None, share=False, ssr_mode=False, quiet=True)


def demo(hosts: Sequence[Host], cfg: ServeConfig) -> Any:
    """Return Gradio's page (its `Blocks`) over models that chat; nothing is told to Gradio's makers."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    import gradio  # type: ignore[import-not-found]

    names = [host.name for host in hosts]
    page = gradio.ChatInterface(
        saying({host.name: host for host in hosts}, cfg),
        # What a model says is text: neither Markdown nor HTML is made of it.
        chatbot=gradio.Chatbot(render_markdown=False, sanitize_html=True),
        additional_inputs=[
            gradio.Dropdown(names, value=names[0], label="Model"),
            gradio.Slider(0, 2, value=0.7, step=0.05, label="Temperature"),
            gradio.Slider(8, cfg.max_new_tokens, value=min(200, cfg.max_new_tokens), step=8, label="Longest reply"),
            gradio.Checkbox(True, label="Calculator"),
        ],
        title="linnet",
        analytics_enabled=False,
        api_name="chat",
        flagging_mode="never",
        concurrency_limit=cfg.slots,
    )
    page.queue(max_size=max(1, cfg.queue))
    return page


def saying(hosts: Mapping[str, Host], cfg: ServeConfig) -> Say:
    """Return Gradio's function of a chat: it yields the reply as far as it has come; closed, it frees the slot."""

    def say(
        message: str, history: list[Any], model: str, temperature: float, most: int, calculator: bool
    ) -> Iterator[str]:
        said = [SaidMessage(role=one["role"], content=text_of(one["content"])) for one in history]
        body = ChatBody(
            model=model,
            messages=[*said, SaidMessage(role="user", content=message)],
            temperature=float(temperature),
            max_tokens=int(most),
            calculator=calculator,
            truncation="auto",
        )
        try:
            asked = ask_chat(hosts[model], body, cfg)
        except Refused as refusal:
            yield f"({refusal.detail})"
            return
        yield from written(hosts[model], asked.requests[0])

    return say


def written(host: Host, request: Any) -> Iterator[str]:
    """Yield the text of a request as far as it has come."""
    heard: queue.Queue[Event] = queue.Queue()
    number, text = host.thread.submit(request, heard.put), ""
    try:
        while True:
            event = heard.get()
            text += event.text
            if event.text or event.finish:
                yield text
            if event.finish:
                return
    finally:  # also where nobody listens any more
        host.thread.cancel(number)


def text_of(content: Any) -> str:
    """Return the text of a message as Gradio keeps it: as it is, or in parts."""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content if isinstance(part, dict))
