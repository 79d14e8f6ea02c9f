"""What is known about a case, and how modules are imported only when a case asks for them."""
import importlib
from dataclasses import dataclass, field
from typing import Callable, Optional


class Lazy:
    """A module that is imported at the first use, so that a process loads one framework and not three."""

    def __init__(self, name):
        self.__dict__["_name"] = name

    def __getattr__(self, attribute):
        return getattr(importlib.import_module(self._name), attribute)


@dataclass
class Case:
    name: str
    make: Callable  # without arguments: the function of (prediction, target), or (target, prediction)
    framework: str  # torch | keras | jax | numpy: which probe asks it
    dialect: str  # whose it is, or as whose it is written
    kind: str  # the segloss kind that it is, or was meant to be
    options: dict = field(default_factory=dict)
    classes: int = 3
    layout: str = "channels_first"
    input: str = "logits"
    forms: tuple = ("indices",)
    ignored: Optional[int] = None
    order: str = "prediction, target"
    class_weights: Optional[list] = None  # that the function was made with
    # of wrong ones
    cause: str = ""
    source: str = ""
    expect: str = ""  # what its documentation says, where the numbers alone do not make it wrong
    shows: str = "both"  # both | answers | capture: where the fault can be seen
    capture_target: str = "labels"  # labels | 255: what the training hands in, where that is the fault
    truth: str = "right"
    part: str = "first"  # first: the search was written beside it; third: made without knowing what the search finds; fourth: newcomers'
    images: int = 2  # in the capture


TORCH = dict(framework="torch", layout="channels_first", order="prediction, target")
KERAS = dict(framework="keras", layout="channels_last", order="target, prediction", forms=("one_hot",))
JAX = dict(framework="jax", layout="channels_last", order="prediction, target", forms=("one_hot",))
NUMPY = dict(framework="numpy", layout="channels_first", order="prediction, target")
CHANNEL, ONE_HOT, INDICES = dict(forms=("channel",)), dict(forms=("one_hot",)), dict(forms=("indices",))
VOID = dict(ignored=255)
ONE = dict(classes=1, forms=("one_hot",))  # one channel; its target is a mask of 0.0 and 1.0
PROBABILITIES = dict(input="probabilities")


def merged(*settings):
    return {key: value for one in settings for key, value in one.items()}


def right_ones(part):
    """A list; `library(...)`, which adds a library's own function to it; `written(...)`, to stand above one that somebody wrote."""
    cases = []

    def library(name, dialect, settings, kind, make, class_weights=None, /, **options):
        cases.append(Case(name=name, make=make, dialect=dialect, kind=kind, options=options, class_weights=class_weights, part=part,
                          **settings))

    def written(dialect, settings, kind, class_weights=None, /, **options):
        def take(function):
            library(function.__name__, dialect, settings, kind, lambda: function, class_weights, **options)
            return function

        return take

    return cases, library, written


def wrong_ones(part):
    """The same for losses with a fault."""
    cases = []

    def library(name, cause, dialect, settings, kind, make, class_weights=None, source="", expect="", shows="both", capture_target="labels", /, **options):
        cases.append(Case(name=name, make=make, dialect=dialect, kind=kind, options=options, class_weights=class_weights, cause=cause, source=source,
                          expect=expect, shows=shows, capture_target=capture_target, truth="wrong", part=part, **settings))

    def written(cause, dialect, settings, kind, class_weights=None, *, source="", expect="", shows="both", capture_target="labels", **options):
        def take(function):
            library(function.__name__, cause, dialect, settings, kind, lambda: function, class_weights, source, expect, shows, capture_target,
                    **options)
            return function

        return take

    return cases, library, written
