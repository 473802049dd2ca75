"""
Reading a YAML file into a model. Every problem is reported as `file:line: what is wrong, and what was expected`.
"""

from __future__ import annotations

import difflib
import errno
import pickle
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from harness import mapping
from harness.errors import UsageError
from harness.files import BY_HAND, is_there, read_up_to

_NOT_ITS_TAG = (ValueError, LookupError, AttributeError, TypeError)
"""What ruamel.yaml raises for a value that its tag cannot have: a date that is none, `!!bool x`, `!!float ''`."""
_DEEPEST = 50
_DIGITS = 6
"""Of an index: there are no more values than that."""
_MOST_VALUES = 100_000
_MOST_NAMES = 20

Model = TypeVar("Model", bound=BaseModel)
Location = tuple[int | str, ...]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """
    Return a hint for a word that is not known: the nearest known word, or the known words, at most the nearest 20.
    """
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if close:
        return f'did you mean "{close[0]}"?'
    if len(names) > _MOST_NAMES:
        nearest = difflib.get_close_matches(word, names, n=_MOST_NAMES, cutoff=0)
        return f"the nearest of {len(names)} names: " + ", ".join(nearest)
    return "expected one of: " + ", ".join(names) if names else "nothing is expected here"


def named(folder: Path) -> list[str]:
    """
    Return the names of the YAML files of a folder: the files' names without their ending, sorted.
    """
    return sorted(file.stem for file in folder.glob("*.yaml"))


def find(folder: Path, what: str, name: str) -> Path:
    """
    Return the YAML file of this name in `folder`, or else in the current folder. A path is returned as it is.

    Raises UsageError, which calls the file a `what`, if there is none; the message says which there are.
    """
    if name.endswith((".yaml", ".yml")) or "/" in name:
        return Path(name)
    if name not in named(folder) and is_there(Path(f"{name}.yaml")):
        return Path(f"{name}.yaml")
    if name not in named(folder):
        raise UsageError(f'there is no {what} "{name}"; {did_you_mean(name, named(folder))} (`harness list` shows all)')
    return folder / f"{name}.yaml"


def with_record(gate: object, folder: Path) -> object:
    """
    Return the values of a gate; the path of its recorded rates, which is relative to `folder`, is made absolute.
    """
    if isinstance(gate, Mapping) and isinstance(gate.get("recorded"), str):
        return {**gate, "recorded": str((folder / gate["recorded"]).resolve())}
    return gate


@dataclass
class Document:
    """
    A YAML mapping that remembers the line of each value, and which values `override` has replaced.
    """

    file: Path
    data: CommentedMap
    problems: list[tuple[int, str]] = field(default_factory=list)
    overridden: dict[Location, str] = field(default_factory=dict)

    def line(self, location: Location) -> int:
        """
        Return the line (from 1) of the deepest part of `location` that is in the file.

        Parts that are not in the file (names of union members, missing fields) are skipped.
        """
        node: Any = self.data
        line = 0
        for part in location:
            if isinstance(node, CommentedMap) and part in node:
                line = node.lc.key(part)[0] if part in (node.lc.data or {}) else line
                node = node[part]
            elif isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node):
                line = node.lc.item(part)[0] if part in (node.lc.data or {}) else line
                node = node[part]
        return line + 1

    def problem(self, location: Location, message: str) -> None:
        """
        Note a problem at `location`. `finish` reports all of them. If it is about values that are not the file's own,
        the message names these, and no line.
        """
        line = self.line(location)
        settings = [text for path, text in self.overridden.items() if not location or path == location[: len(path)]]
        at = f"{self.file} with {' and '.join(settings)}" if settings else f"{self.file}:{line}"
        self.problems.append((line, f"{at}: {message}"))

    def expression(self, location: Location, text: str) -> None:
        """
        Note a problem if a text at `location` is not a JMESPath expression.
        """
        try:
            mapping.refuse(text)
        except ValueError as error:
            self.problem(location, str(error))

    def finish(self, model: Model | None) -> Model:
        """
        Return what `validate` returned, if no problem was noted. Else raise UsageError with every problem, by line.
        """
        if self.problems:
            # One mistake can break several members of a union. Each message is given once.
            raise UsageError("\n".join(dict.fromkeys(message for _, message in sorted(self.problems))))
        if model is None:
            raise AssertionError(self.file)  # `validate` notes a problem whenever it returns None
        return model

    def validate(self, model: type[Model], data: Mapping[str, object], at: Location = ()) -> Model | None:
        """
        Return `data`, which is at `at` in the file, as a `model`. If it is not valid, note the problems; return None.
        """
        try:
            return model.model_validate(data)
        except ValidationError as error:
            for problem in error.errors(include_url=False):
                location = (*at, *problem["loc"])
                self.problem(location, _sentence(model, problem, data))
            return None


def _sentence(model: type[BaseModel], problem: Mapping[str, Any], data: object) -> str:
    where = _in_file(problem, data)
    match problem["type"]:
        case "extra_forbidden":
            return f'"{problem["loc"][-1]}" is not known here; ' + did_you_mean(
                str(problem["loc"][-1]), _fields_at(model, problem["loc"][:-1])
            )
        case "missing":
            return f'"{where}" is missing'
        case "value_error":
            return f"{where}: {problem['ctx']['error']}" if where else str(problem["ctx"]["error"])
        case _:
            shown = problem["input"]
            found = f", found {shown!r}" if isinstance(shown, str | int | float | bool | None) else ""
            return f"{where}: {problem['msg'][:1].lower()}{problem['msg'][1:]}{found}"


def _in_file(problem: Mapping[str, Any], data: object) -> str:
    """
    Return the location of a problem in the words of the file, so without the names of union members.
    """
    told, node = [], data
    for part in problem["loc"]:
        if (isinstance(node, Mapping) and part in node) or (
            isinstance(node, list | tuple) and isinstance(part, int) and part < len(node)
        ):
            told.append(str(part))
            node = node[part]
    if problem["type"] == "missing":
        told.append(str(problem["loc"][-1]))
    return ".".join(told)


def _fields_at(model: type[BaseModel], location: Location) -> list[str]:
    """
    Return the YAML names of the fields that are allowed at `location` inside `model`; empty if no model is.
    """
    current = [model]
    for part in location:
        fields = [each.model_fields[str(part)] for each in current if str(part) in each.model_fields]
        if fields:  # a part that is not a field is an index or the name of a member of a union
            current = [found for info in fields for found in _models(info.annotation)]
        else:
            current = [each for each in current if each.__name__ == part] or current
    return [info.alias or name for each in current for name, info in each.model_fields.items()]


def _models(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in _models(part)]


def read(file: Path) -> Document:
    """
    Parse `file`. Its top level must be a mapping.

    Raises UsageError if the file cannot be read, is not YAML, or has another top level.
    """
    text = _text(file)
    try:
        data = pickle.loads(_parsed(text))  # noqa: S301 - what this process has parsed
    except RecursionError as error:
        raise UsageError(f"{file}:1: nested too deep to be read") from error
    except YAMLError as error:
        marked = error if isinstance(error, MarkedYAMLError) else MarkedYAMLError(problem=_first_line(error))
        mark = marked.problem_mark or marked.context_mark
        told = f"{mark.line + 1 if mark else 1}: not valid YAML: {marked.problem or marked.context}"
        raise UsageError(f"{file}:{told}") from error
    except _NOT_ITS_TAG as error:
        raise UsageError(f"{file}:1: not valid YAML: {_first_line(error)}") from error
    if not isinstance(data, CommentedMap):
        raise UsageError(f"{file}:1: expected a mapping of settings, found {type(data).__name__}")
    document = Document(file, data)
    _refuse_unreadable(document)
    return document


@lru_cache(maxsize=8)
def _parsed(text: str) -> bytes:
    """
    Return what a text says, pickled: a fourth of a deep copy's time. A suite reads the same files for each of its runs.
    """
    return pickle.dumps(YAML(typ="rt").load(text))


def _text(file: Path) -> str:
    """
    Return the text of a YAML file. Raises UsageError if it cannot be read, is too large, or is no text in UTF-8.
    """
    try:
        if file.exists() and not file.is_file():
            raise UsageError(f"{file}: cannot be read: not a file")
        data = read_up_to(BY_HAND, file)
    except ValueError as error:  # a name that no file can have
        raise UsageError(f"{str(file)!r}: cannot be read: {error}") from error
    except OSError as error:
        if error.errno == errno.EFBIG:
            larger = f"{file}: larger than {BY_HAND:,} bytes; no scenario, target or suite is so large"
            raise UsageError(larger) from error
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}:{data[: error.start].count(10) + 1}: not a text in UTF-8: {error.reason}") from error


def _refuse_unreadable(document: Document) -> None:
    """
    Raise UsageError if a document is too deep, or has too many values where each alias counts as what it stands for (a
    few lines of aliases can stand for billions of values), or a text that no file, path or command can hold.
    """
    file = document.file
    left: list[tuple[Location, object]] = [((), document.data)]
    count = 0
    while left:
        location, node = left.pop()
        count += 1
        if len(location) >= _DEEPEST:
            raise UsageError(f"{file}:1: nested deeper than {_DEEPEST} levels")
        if count > _MOST_VALUES:
            raise UsageError(f"{file}:1: more than {_MOST_VALUES:,} values, counting what its aliases stand for")
        texts = [node, *node] if isinstance(node, Mapping) else [node]
        if any(isinstance(text, str) and _is_no_text(text) for text in texts):
            document.problem(
                location, "a text has a character that no file, path or command can hold: NUL or half a pair"
            )
            document.finish(None)
        if isinstance(node, Mapping):
            left += (((*location, name), value) for name, value in node.items())
        elif isinstance(node, list | tuple | set):
            left += (((*location, index), value) for index, value in enumerate(node))


def _is_no_text(text: str) -> bool:
    """
    Return whether a text has NUL, which no path can have, or half of a surrogate pair, which no encoding has.
    """
    return "\0" in text or any("\ud800" <= character <= "\udfff" for character in text)


def override(document: Document, settings: Iterable[str]) -> None:
    """
    Apply settings `path=value` (`load.rate=50`, `faults.0.at=3s`) to a document, before it is validated.

    Values are read as YAML. Raises UsageError for a setting without `=`, and for a path through a value that is neither
    a mapping nor a list.
    """
    yaml = YAML(typ="safe")
    for setting in settings:
        path, equals, text = setting.partition("=")
        if not equals or not path:
            raise UsageError(f'--set {setting}: expected path=value, like "load.rate=50"')
        *parents, last = path.split(".")
        node: Any = document.data
        for part in parents:
            node = _child(node, part, setting)
        try:
            value = yaml.load(text)
        except (YAMLError, *_NOT_ITS_TAG) as error:
            raise UsageError(f"--set {setting}: the value is not valid YAML: {_first_line(error)}") from error
        except RecursionError as error:
            raise UsageError(f"--set {setting[:200]}: the value is nested too deep to be read") from error
        if isinstance(node, CommentedSeq):
            node[_index(node, last, setting)] = value
        elif isinstance(node, CommentedMap):
            node[last] = value
        else:
            raise UsageError(f"--set {setting}: {'.'.join(parents)} has no parts")
        document.overridden[tuple(_place(part) for part in path.split("."))] = setting
    _refuse_unreadable(document)


def _first_line(error: Exception) -> str:
    problem = getattr(error, "problem", None) or str(error)
    return problem.splitlines()[0] if problem else type(error).__name__


def _child(node: object, part: str, setting: str) -> object:
    if isinstance(node, CommentedMap):
        return node.setdefault(part, CommentedMap())
    if isinstance(node, CommentedSeq):
        return node[_index(node, part, setting)]
    raise UsageError(f'--set {setting}: there is no "{part}" to set')


def _index(node: CommentedSeq, part: str, setting: str) -> int:
    index = _place(part)
    if not isinstance(index, int) or index >= len(node):
        raise UsageError(f"--set {setting}: expected an index below {len(node)}, found {part!r}")
    return index


def _place(part: str) -> int | str:
    """
    Return one part of a path: a number if it can be an index.
    """
    return int(part) if part.isdecimal() and len(part) <= _DIGITS else part
