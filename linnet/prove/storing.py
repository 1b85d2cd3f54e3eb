"""What comes back from a file, or in another form, is the same network.

B rows, T tokens.
"""

import torch

from linnet.prove.measuring import apart, equal_logits, random_ids
from linnet.prove.subject import Subject
from linnet.prove.verdict import Finding, broken, held, not_applicable


@torch.no_grad()
def saved_and_loaded_is_equal(subject: Subject, draw: torch.Generator) -> Finding:
    """Let a model that was saved and loaded be the one that was saved, weight by weight and in its logits.

    Why: weights that are saved under another name, rounded or left out come back as noise, or as nearly right.

    Measured: every parameter, to the bit, and the logits of random rows, before saving and after loading.
    """
    if subject.reloaded is None:
        return not_applicable("no saving and loading was given")
    loaded = subject.reloaded()
    loaded.model.eval()
    before, after = dict(subject.model.named_parameters()), dict(loaded.model.named_parameters())
    if type(loaded.model) is type(subject.model) and before.keys() != after.keys():
        return broken(f"{sorted(before.keys() ^ after.keys())[0]} is a parameter only before saving, or only after")
    differ = [name for name in before.keys() & after.keys() if apart(after[name], before[name]) > 0]
    if differ:
        worst = max(apart(after[name], before[name]) for name in differ)
        return broken(f"{len(differ)} of {len(before)} parameters differ, by up to {worst:.1e}: {sorted(differ)[0]}")
    ids = random_ids(subject, draw, 3)
    what = f"{len(before)} parameters equal to the bit, logits"
    return equal_logits(subject, loaded.logits(ids), subject.logits(ids), what)


def tied_weights_are_one(subject: Subject, draw: torch.Generator) -> Finding:
    """Let parameters that are tied be one parameter, also after loading.

    Why: a head that is only a copy of the embedding drifts away from it with the first step.

    Measured: whether both names are the same tensor, in the model and in the one that was saved and loaded.
    """
    if not subject.tied:
        return not_applicable("no weights are tied")
    found = [("", subject)]
    if subject.reloaded is not None:
        found.append((" after loading", subject.reloaded()))
    for when, one in found:
        named = dict(one.model.named_parameters(remove_duplicate=False))
        for first, second in subject.tied:
            if first not in named or second not in named:
                return broken(f"{first if first not in named else second} is no parameter{when}")
            if named[first] is not named[second]:
                return broken(f"{first} and {second} are two parameters{when}")
    pairs = ", ".join(" = ".join(pair) for pair in subject.tied)
    return held(f"{pairs}{', also after loading' if len(found) > 1 else ''}")


@torch.no_grad()
def converted_copy_is_equal(subject: Subject, draw: torch.Generator) -> Finding:
    """Let the same network in another form have the same logits.

    Why: an export or an import that transposes a square matrix, or splits heads in another order, loads without an
    error and talks nonsense.

    Measured: the logits of random rows in each form.
    """
    if not subject.converted:
        return not_applicable("no converted copies were given")
    ids = random_ids(subject, draw, 3)
    logits = subject.logits(ids)
    findings = [equal_logits(subject, other(ids), logits, name) for name, other in subject.converted.items()]
    return next((finding for finding in findings if finding.status == "broken"), findings[0])
