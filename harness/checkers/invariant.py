"""
Invariants: one .sql file each, whose query returns what must not be; each row is a witness.

A file begins with comment lines `-- name: text` (see `harness.checkers.header`). The names:

    claim     what holds if the query returns nothing: a sentence
    examined  SQL for one number: how many things the query looked at; 0 makes the finding UNKNOWN
    witness   a sentence about one row, with its columns in braces (see `harness.checkers.telling`)
    needs     evidence that not every run offers (see `harness.checkers.offers`), separated by commas; without it the
              invariant is not applicable
    workflows the workflows that it is about, separated by commas; in a run with no instance of them it is not
              applicable
    severity  `violated` (if left out), or `unknown`: a row shows that the evidence, not the system, is wrong
    layer     who is to blame where the row has no column `layer`: client, app, SDK, engine, store or `not decided`
    catches   planted defects that it must catch, separated by commas
    plants    changes of the evidence that it must catch, as SQL (see `harness.checkers.plants`)
    source    where the rule comes from, for the reader alone
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from harness import plugins
from harness.checkers import header, offers, plants, telling
from harness.checkers.defects import DEFECTS
from harness.checkers.offers import Offer, Offered
from harness.checkers.plants import Plant
from harness.errors import UsageError
from harness.model import Target
from harness.planning.yamlfile import did_you_mean
from harness.runtime import shipped

GENERAL = files(__package__).joinpath("invariants")
"""The folder of the invariants that hold for every target."""

_MOST_NAMES = 10
_NAMES = {"claim", "examined", "witness", "needs", "workflows", "severity", "layer", "catches", "plants", "source"}
_SEVERITIES = {"violated", "unknown"}
_LAYERS = ("client", "app", "SDK", "engine", "store", "not decided")


@dataclass(frozen=True)
class Invariant:
    """
    One file, read. `query` is its SQL.
    """

    claim: str
    examined: str
    witness: str
    query: str
    severity: str = "violated"
    layer: str = "not decided"
    catches: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    workflows: tuple[str, ...] = ()
    plants: tuple[Plant, ...] = ()


def load(folder: Traversable | Path, *, strict: bool = False) -> dict[str, str]:
    """
    The text of every .sql file of `folder` by its name without the ending, in order of name.

    Raises OSError if the folder cannot be read. What is not UTF-8 becomes U+FFFD, so that a stranger's run is judged
    all the same; with `strict` it raises UnicodeDecodeError.
    """
    found = {file.name: file for file in folder.iterdir() if file.name.endswith(".sql")}
    wrong = "strict" if strict else "replace"
    return {name.removesuffix(".sql"): found[name].read_bytes().decode("utf-8", wrong) for name in sorted(found)}


def load_own(folder: Path, taken: Collection[str], defects: Collection[str]) -> dict[str, str]:
    """
    The same of a user's folder, for a target with these `defects`. Raises UsageError if there is none, if it has a file
    that is no invariant, one whose name is `taken`, or one that catches a defect that nobody plants.
    """
    found = _of_target(folder, taken, defects)
    if not found:
        raise UsageError(f"{folder}: there is no .sql file, so no invariant")
    return found


def _of_target(folder: Path, taken: Collection[str], defects: Collection[str]) -> dict[str, str]:
    try:
        found = load(folder, strict=True)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{folder}: the invariants cannot be read: {why}") from error
    for name, text in found.items():
        file = folder / f"{name}.sql"
        if name in taken:
            raise UsageError(f"{file}: there is an invariant {name} already; give it another name")
        try:
            refuse_unusable(text, defects)
        except ValueError as error:
            raise UsageError(f"{file}: {error}") from error
    return found


def refuse_unusable(text: str, defects: Collection[str] | None) -> None:
    """
    Raise ValueError if `text` describes no invariant, or one that catches a defect that nobody plants: neither the
    self-test nor the target, which has `defects` (None: any).
    """
    catches = parse(text).catches
    if defects is None:
        return
    known = {name.partition("/")[0] for name in DEFECTS}.union(defects)
    for name in catches:
        if name not in known:
            raise ValueError(f'catches: nobody plants the defect "{name}"; {did_you_mean(name, known)}')


def besides_general(target: Target) -> dict[str, str]:
    """
    The invariants that a run of a target is judged by besides the general ones: the target's own, and those of
    installed packages.

    Raises UsageError if one of them cannot be read, is no invariant, catches a defect that nobody plants, or has a name
    that is taken.
    """
    general = load(GENERAL)
    found = {} if target.invariants is None else _of_target(target.invariants, general, target.defects)
    taken = dict.fromkeys(general, "the harness") | dict.fromkeys(found, "the target")
    for plugin in plugins.found(plugins.INVARIANTS):
        texts = _of_package(plugin, taken, target.defects)
        found |= texts
        taken |= dict.fromkeys(texts, plugin.package)
    return found


def _of_package(
    plugin: plugins.Plugin, taken: Mapping[str, str], defects: Collection[str] | None = None
) -> dict[str, str]:
    """
    The invariants of a package; `taken` is name -> whose invariant has it. Raises UsageError as `besides_general` does.
    Without the `defects` of a target, any may be caught.
    """
    try:
        texts = load(plugin.folder(), strict=True)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"invariants {plugin.words} cannot be read: {error}") from error
    for name, text in texts.items():
        if name in taken:
            raise UsageError(f"invariants {plugin.words}: {name}.sql has the name of an invariant of {taken[name]}")
        try:
            refuse_unusable(text, defects)
        except ValueError as error:
            raise UsageError(f"invariants {plugin.words}: {name}.sql: {error}") from error
    return texts


def foreign(invariants: Path, known: Path) -> tuple[str, ...]:
    """
    Say which SQL files that a run brought, in these two folders, are not those of this installation: a reader must not
    take a stranger's rules for ours. One sentence for each folder that has any; their SHA-256 are in the manifest.
    """
    ours = set(load(shipped.TARGET.parent / "invariants").values())
    for plugin in plugins.found(plugins.INVARIANTS):
        with suppress(UsageError):
            ours |= set(_of_package(plugin, {}).values())
    told = []
    for folder, what in ((invariants, "invariants"), (known, "known findings")):
        names = [name for name, text in (load(folder) if folder.is_dir() else {}).items() if text not in ours]
        if names:
            more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
            told.append(f"{what} that the run brought, not this installation's: {', '.join(names[:_MOST_NAMES])}{more}")
    return tuple(told)


def problem(plugin: plugins.Plugin) -> str | None:
    """
    Why the invariants of a package cannot be used; None if they can.
    """
    try:
        _of_package(plugin, dict.fromkeys(load(GENERAL), "the harness"))
    except UsageError as error:
        return str(error)
    return None


@lru_cache(maxsize=512)
def parse(text: str) -> Invariant:
    """
    The invariant that `text` describes. Raises ValueError if its header is not as this module says.
    """
    found = header.read(text, _NAMES, ("claim", "examined", "witness"))
    if found.get("severity", "violated") not in _SEVERITIES:
        raise ValueError(f"severity is violated or unknown, not {found['severity']!r}")
    if (layer := found.get("layer", "not decided")) not in _LAYERS:
        raise ValueError(f"layer is one of {', '.join(_LAYERS)}, not {layer!r}")
    telling.refuse(found["witness"])
    needs = header.listed(found.get("needs", ""))
    if unknown := [name for name in needs if name not in offers.OFFERS]:
        raise ValueError(f"needs names evidence: {', '.join(offers.OFFERS)}; not {unknown[0]!r}")
    return Invariant(
        claim=found["claim"],
        examined=found["examined"],
        witness=found["witness"],
        query=text,
        severity=found.get("severity", "violated"),
        layer=layer,
        catches=header.listed(found.get("catches", "")),
        needs=needs,
        workflows=header.listed(found.get("workflows", "")),
        plants=plants.parse(found.get("plants", "")),
    )


def unoffered(text: str, offered: Offered) -> tuple[Offer, ...]:
    """
    What an invariant needs and a run does not offer; nothing if `text` describes no invariant.
    """
    try:
        each = parse(text)
    except ValueError:
        return ()
    return offered.lacking(each.needs, each.workflows)
