"""Takes away, while an answer runs, what the task asks to build, however its name is spelled.

`judging.forbidden` reads the code, and says which name is not to be used. What it cannot read, such
as `getattr(F, "layer_" + "norm")`, meets this: PyTorch's functions and classes of these names, and
modules, are out of reach as long as the answer runs. Only the first cell of a notebook may use the
modules, since it opens the weights. Whoever computes the same by functions of other names, or takes
pains to pass for that cell, is not found out: that is for whoever reads the answer.

It imports nothing of the course: the grader gives it to the processes of strangers.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import sys
from collections.abc import Collection, Iterator, Sequence
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType
from typing import Any, NoReturn

SETUP = "<setup"  # how the file names begin under which first cells are compiled
_INHERITED = object()


class WithheldError(Exception):
    """What was called is what the task asks to build."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"This task is to be written without `{name}`: that is what it asks you to build."
        )


def _called_by_setup() -> bool:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename.startswith(SETUP):
            return True
        frame = frame.f_back
    return False


class _Withheld:
    """Stands in the place of a function, a class or a module."""

    def __init__(self, name: str, real: Any) -> None:
        self.__dict__.update(name=name, real=real)

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise WithheldError(self.__dict__["name"])

    __call__ = __iter__ = __mro_entries__ = _refuse

    def __instancecheck__(self, _: object) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:
        if _called_by_setup():
            return getattr(self.__dict__["real"], name)
        if name.startswith("__"):  # of whoever looks through all modules, such as `inspect`
            raise AttributeError(name)
        return self._refuse()

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__dict__["real"], name, value)  # as an import does with what is below it


class _Finder(importlib.abc.MetaPathFinder):
    """Refuses to import modules of some names."""

    def __init__(self, names: Collection[str]) -> None:
        self.names = names

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """None: whoever is asked next may find it.

        Raises:
            WithheldError: nobody may.
        """
        named = _of(fullname, self.names)
        if named and not _called_by_setup():
            raise WithheldError(named)
        return None


def _of(module: str, names: Collection[str]) -> str:
    """The name among these that a module has, or one that it is in; "" if it has none."""
    return next((part for part in module.split(".") if part in names), "")


@contextlib.contextmanager
def withheld(names: Collection[str]) -> Iterator[None]:
    """Keep functions, classes and modules of these names out of reach of what runs in this block.

    Raises:
        WithheldError: from inside the block, where one of them is used.
    """
    names = frozenset(names)
    finder = _Finder(names)
    modules = {key: module for key, module in list(sys.modules.items()) if _of(key, names)}
    taken = [(holder, name) for holder in _holders() for name in names if hasattr(holder, name)]
    before = [vars(holder).get(name, _INHERITED) for holder, name in taken]
    try:
        for (holder, name), real in zip(taken, before, strict=True):
            setattr(holder, name, _Withheld(name, real))
        for key, module in modules.items():
            sys.modules[key] = _Withheld(_of(key, names), module)  # type: ignore[assignment]
        sys.meta_path.insert(0, finder)
        yield
    finally:
        sys.meta_path.remove(finder)
        sys.modules.update(modules)
        for (holder, name), real in zip(taken, before, strict=True):
            if real is _INHERITED:
                delattr(holder, name)
            else:
                setattr(holder, name, real)


def _holders() -> list[Any]:
    """What has PyTorch's functions and classes: its modules, tensors, and the list of operators."""
    torch = sys.modules.get("torch")
    if torch is None:
        return []
    named = [m for key, m in list(sys.modules.items()) if key.partition(".")[0] == "torch"]
    return [torch.Tensor, torch.ops.aten, *(m for m in named if isinstance(m, ModuleType))]
