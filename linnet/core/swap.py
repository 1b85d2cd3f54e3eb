"""One folder takes the place of another in one step, or in two that a killed process can be helped out of."""

import ctypes
import errno
import os
import shutil
import sys
from pathlib import Path

OLD = ".old"  # `.NAME.old` holds the folder's old self between the two renames of the slow way
_AT_FDCWD = -100
_SWAP = 2  # RENAME_EXCHANGE of Linux's renameat2(2), and by luck RENAME_SWAP of macOS's renamex_np(2) as well
_UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM)


def exchange(new: Path, folder: Path) -> None:
    """Put the folder `new` at the place of `folder`; what stood there is afterwards at `new` or gone."""
    if not folder.exists():
        os.rename(new, folder)
    elif not _swap(new, folder):
        _two_renames(new, folder)


def settle(folder: Path) -> None:
    """Finish a replacement that was cut between its two renames; needed only where swapping is unsupported."""
    aside = _aside(folder)
    if not aside.exists():
        return
    if folder.exists():
        shutil.rmtree(aside)
    else:
        os.rename(aside, folder)


def _aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}{OLD}")


def _two_renames(new: Path, folder: Path) -> None:
    aside = _aside(folder)
    os.rename(folder, aside)
    os.rename(new, folder)
    shutil.rmtree(aside)


def _swap(first: Path, second: Path) -> bool:
    """Exchange two names in one step of the file system; False where system or file system cannot."""
    libc = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(first), os.fsencode(second)
    try:
        if sys.platform == "darwin":
            failed = libc.renamex_np(*names, _SWAP)
        else:
            failed = libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _SWAP)
    except AttributeError:  # a C library without the call
        return False
    if not failed:
        return True
    code = ctypes.get_errno()
    if code in _UNSUPPORTED:
        return False
    raise OSError(code, os.strerror(code), str(first))
