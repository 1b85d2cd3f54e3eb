"""Serve models over HTTP: OpenAI's API for any client, and a chat page for people."""

import importlib.util

from linnet.core.errors import needs_extra
from linnet.serve.config import ServeConfig


def main(cfg: ServeConfig) -> None:
    """Serve until SIGTERM or Ctrl-C; where it listens goes to stderr."""
    for package in ("fastapi", "uvicorn"):
        if importlib.util.find_spec(package) is None:
            raise needs_extra(package, "serve", "linnet serve")
    if cfg.gradio and importlib.util.find_spec("gradio") is None:
        raise needs_extra("gradio", "gradio", "linnet serve --gradio")

    from linnet.core.device import set_threads
    from linnet.serve.gradio_demo import serve_gradio
    from linnet.serve.running import serve

    set_threads(cfg.threads)
    (serve_gradio if cfg.gradio else serve)(cfg)
