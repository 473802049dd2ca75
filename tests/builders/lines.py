"""Journals as a foreign program would write and read them: plain JSON lines."""

import json


class Writer:
    """Writes rows that are plain dictionaries, whole or not."""

    def __init__(self, file):
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file.open("a")

    def write(self, row):
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()


def read(file):
    """The rows of a journal that have their end; none if it is not there yet."""
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text().splitlines(keepends=True) if line.endswith("}\n")]
