"""The text of a PDF, read by pypdf in a process of its own that has so much time and memory and no more."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from linnet.core.errors import BadInput, needs_extra

MOST_SECONDS, MOST_MEMORY, MOST_PAGES = 120, 2**31, 5_000
# A PDF is a program for a stack machine with compressed parts: one of a few bytes may ask for hours or all memory.
CHILD = """
import json, logging, sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[2]), int(sys.argv[2])))
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[3]), int(sys.argv[3])))
except (ImportError, ValueError, OSError):
    pass
logging.disable(logging.CRITICAL)
from pypdf import PdfReader
try:
    reader = PdfReader(sys.argv[1], strict=False)
    if reader.is_encrypted and not reader.decrypt(""):
        raise ValueError("it wants a password")
    if len(reader.pages) > int(sys.argv[4]):
        raise ValueError(f"{len(reader.pages):,} pages")
    title = reader.metadata.title if reader.metadata else None
    pages, size = [], 0
    for page in reader.pages:
        pages.append(page.extract_text() or "")
        size += len(pages[-1])
        if size > int(sys.argv[5]):
            raise ValueError("too much text")
    out = {"title": title if isinstance(title, str) else "", "pages": pages}
except BaseException as error:
    out = {"error": f"{type(error).__name__}: {error}"[:300]}
sys.stdout.buffer.write(json.dumps(out).encode())
"""


def needs_reader(file: Path) -> None:
    """Raise BadInput naming the extra where what reads PDF is not installed."""
    if find_spec("pypdf") is None:
        raise needs_extra("pypdf", "rag", f"{file}: reading PDF")


def pdf_text(file: Path, most_characters: int) -> tuple[str, str]:
    """Return (title, text) of a PDF, an empty line between pages; raises BadInput for what cannot be read.

    Scanned pages have no text; a document of nothing else is refused.
    """
    needs_reader(file)
    limits = map(str, (MOST_SECONDS, MOST_MEMORY, MOST_PAGES, most_characters))
    try:
        done = subprocess.run(
            [sys.executable, "-c", CHILD, str(file), *limits],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=2 * MOST_SECONDS,
            check=False,
        )
        found = json.loads(done.stdout) if done.returncode == 0 else {"error": f"its reader ended ({done.returncode})"}
    except subprocess.TimeoutExpired:
        found = {"error": f"its reader took more than {2 * MOST_SECONDS} s"}
    except ValueError:
        found = {"error": "its reader said nothing"}
    if "error" in found:
        raise BadInput(f"{file}: cannot be read as a PDF ({' '.join(str(found['error']).split())})")
    text = "\n\n".join(page.strip() for page in found["pages"] if page.strip())
    if not text:
        raise BadInput(f"{file}: a PDF without text (scanned pages?); run a text recognition over it first")
    return found["title"].strip(), text
