"""Files that are whole or not there: atomic writes, folders that appear at once, hashes, bounded reads."""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from linnet.core.errors import BadInput
from linnet.core.swap import exchange, settle

TEMPORARY = ".tmp"  # `.NAME.RANDOM.tmp`, beside the target so that the rename stays within one file system
JSON_MAX_BYTES = 64 * 2**20


def write_atomic(path: str | Path, data: bytes | str | Sequence[bytes | memoryview]) -> None:
    """Write a file that readers see either not at all, or old, or new: temporary file, fsync, rename, fsync.

    The data may come in pieces, so that large ones need not be copied into one.

    Raises BadInput when the disk is full; nothing half-written stays then.
    """
    path = Path(path)
    with says_when_full(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_stale(path)
        temporary = _temporary_beside(path)
        try:
            with open(temporary, "xb") as file:
                fcntl.flock(file, fcntl.LOCK_EX)  # let go by the kernel when we are killed: then it is stale
                pieces = [data.encode()] if isinstance(data, str) else [data] if isinstance(data, bytes) else data
                file.writelines(pieces)
                file.flush()
                os.fsync(file.fileno())
                os.rename(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _fsync_folder(path.parent)


@contextlib.contextmanager
def replace_folder(folder: str | Path) -> Generator[Path]:
    """Yield an empty folder to fill; on leaving, it takes the place of `folder` at once, synced to the disk.

    Readers find the old folder or the new one, also when the process is killed at any moment; on an exception
    the old one stays. Raises BadInput when the disk is full.
    """
    folder = Path(folder)
    with says_when_full(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
        settle(folder)
        remove_stale(folder)
        temporary = _temporary_beside(folder)
        temporary.mkdir()
        with _locked(temporary):
            try:
                yield temporary
                _fsync_tree(temporary)
                exchange(temporary, folder)
                _fsync_folder(folder.parent)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)  # what was old, or what was not finished


def remove_stale(path: Path) -> None:
    """Remove what killed processes left beside `path`; what a living process holds locked is left alone."""
    for left in path.parent.glob(f".{_escaped(path.name)}.*{TEMPORARY}"):
        with contextlib.suppress(OSError), _locked(left):
            shutil.rmtree(left) if left.is_dir() else left.unlink()


@contextlib.contextmanager
def says_when_full(folder: str | Path) -> Generator[None]:
    """Turn "no space left" anywhere inside into one BadInput line that names the folder and the remedy."""
    try:
        yield
    except Exception as error:
        if not _is_full(error):
            raise
        free = _free_space(Path(folder))
        raise BadInput(f"{folder}: the disk is full ({free}); free some space or write elsewhere (--out)") from error


def _is_full(error: Exception) -> bool:
    """Say whether an error is "no space left"; safetensors passes the system's number on in words only."""
    codes = (errno.ENOSPC, errno.EDQUOT)
    if isinstance(error, OSError):
        return error.errno in codes
    return any(f"(os error {code})" in str(error) for code in codes)


def file_hash(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes in hex, read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_json(path: str | Path, max_bytes: int = JSON_MAX_BYTES) -> Any:
    """Read a JSON file of at most `max_bytes`; raises BadInput naming the file when missing, broken or larger."""
    path = Path(path)
    try:
        with open(path, "rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from None
    if len(data) > max_bytes:
        raise BadInput(f"{path}: larger than the {max_bytes:,} bytes expected of it")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}: not valid JSON ({error})") from None


def json_text(value: Any) -> str:
    """Return readable JSON with a final newline, the way all of linnet writes its JSON files."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _temporary_beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(6)}{TEMPORARY}")


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


@contextlib.contextmanager
def _locked(path: Path) -> Generator[None]:
    """Hold the lock of a file or folder; raises BlockingIOError when another process holds it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _fsync_tree(folder: Path) -> None:
    for root, _, names in os.walk(folder):
        for name in names:
            with open(Path(root, name), "rb") as file:
                os.fsync(file.fileno())
        _fsync_folder(Path(root))


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _free_space(folder: Path) -> str:
    try:
        return f"{shutil.disk_usage(folder).free / 2**20:,.1f} MiB free"
    except OSError:
        return "free space unknown"
