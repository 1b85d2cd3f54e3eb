"""What TARGET of `linnet prove` names: a linnet folder, a transformers folder, or `module:factory` of anyone's code."""

import importlib
import sys
from pathlib import Path

from linnet.core.errors import BadInput
from linnet.prove.subject import Subject


def find_subject(target: str, device: str = "auto") -> Subject:
    """Return what a target names; raises BadInput in one line when it names nothing that can be proved.

    `module:factory` imports the module, from the current folder or any installed one, and calls the factory: it runs
    the user's own code.
    """
    folder = Path(target)
    if (folder / "model.json").is_file():
        from linnet.prove import ours_networks

        return ours_networks.folder_subject(folder, device)
    if (folder / "config.json").is_file():
        from linnet.prove import transformers_folder

        return transformers_folder.folder_subject(folder, device)
    if folder.exists():
        raise BadInput(f"{target}: neither a linnet folder (model.json) nor one of transformers (config.json)")
    module, colon, factory = target.partition(":")
    if not colon or not module or not factory:
        raise BadInput(f"{target}: no such folder; give a model's folder, or module:factory for code of your own")
    return made_by(module, factory)


def made_by(module: str, factory: str) -> Subject:
    """Import a module and return what its factory makes; raises BadInput when that is not a Subject."""
    where = f"{module}:{factory}"
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise BadInput(f"{where}: {error}; is {module}.py in the current folder?") from None
    make = vars(found).get(factory)
    if not callable(make):
        raise BadInput(f"{where}: {found.__file__} has no function {factory}")
    subject = make()
    if not isinstance(subject, Subject):
        kind = type(subject).__name__
        raise BadInput(f"{where}: returns a {kind}; wrap the model: linnet.prove.subject.Subject(name, model, ...)")
    return subject
