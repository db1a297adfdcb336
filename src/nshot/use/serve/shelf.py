"""The folders that are served, by name: added and read again while the server runs."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from nshot.core.errors import Fault, InputError, collected
from nshot.core.files import RECORD
from nshot.core.types import Input, Prediction
from nshot.models.base import Models
from nshot.models.wrap.together import Together
from nshot.use.many import Many, unique_names
from nshot.use.ready import REQUEST, delivered
from nshot.use.wire.answerer import Answerer
from nshot.use.wire.refusal import Refusal, unknown_model


class Shelf:
    """Answerers by name, in the order in which they were named, over models they share."""

    def __init__(self, folders: Sequence[Path], models: Models, root: Path | None = None) -> None:
        """Open the folders. Raises `InputError` with the faults of all of them."""
        self.models = Together(models)
        self._root = root
        self._changing = threading.Lock()
        faults: list[Fault] = []
        opened = {
            name: collected(faults, partial(self._open, name, folder))
            for name, folder in unique_names(folders).items()
        }
        if faults:
            raise InputError(faults)
        self._show({name: one for name, one in opened.items() if one})

    def _open(self, name: str, folder: Path) -> Answerer:
        return Answerer.open(name, delivered(folder), self.models)

    def _show(self, answerers: Mapping[str, Answerer]) -> None:
        self.all = dict(answerers)
        self._many = Many({name: one.raw for name, one in answerers.items()}, self.models)

    def __getitem__(self, name: str) -> Answerer:
        """The folder of that name. Raises `Refusal` (404) for another."""
        if name not in self.all:
            raise unknown_model(name, self.all)
        return self.all[name]

    def predict(self, rows: Sequence[tuple[str, Input]]) -> list[Prediction]:
        """One raw prediction for each (name, input): rows of several folders on one base."""
        names, inputs = [name for name, _ in rows], [input for _, input in rows]
        return self._many.predict(inputs, names)

    def addable(self) -> dict[str, Path]:
        """What may be added, by name: the folders in `root` that were delivered or are runs."""
        if self._root is None:
            return {}
        folders = sorted(one for one in self._root.iterdir() if one.is_dir())
        return {
            one.name: one
            for one in folders
            if (one / RECORD).exists() or (one / REQUEST).exists() or (one / "winner").is_dir()
        }

    def put(self, name: str) -> Answerer:
        """Read a served folder again, or add one of `root` by its name; loaded before it is shown.

        The name is looked up, never opened as a path. Raises `Refusal` (404), or `InputError` for
        a folder that cannot be served: what was served stays.
        """
        with self._changing:
            places = {**self.addable(), **{known: one.place for known, one in self.all.items()}}
            if name not in places:
                names = ", ".join(places) or "none"
                raise Refusal(404, f"no folder '{name[:80]}' to add or read again (there: {names})")
            answerer = self._open(name, places[name])
            answerer.warm()
            self._show({**self.all, name: answerer})
        return answerer

    def remove(self, name: str) -> None:
        """Serve a folder no more. Raises `Refusal` (404; 400 for the last one)."""
        with self._changing:
            one = self[name]
            if len(self.all) == 1:
                raise Refusal(400, f"'{one.name}' is the only model that is served")
            self._show({known: other for known, other in self.all.items() if known != name})
