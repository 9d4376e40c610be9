"""Settings as command line options and environment variables: the fields are the one source."""

from __future__ import annotations

import difflib
import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeVar, get_args, get_origin

import click
from click.core import ParameterSource
from pydantic import BaseModel, ValidationError

from pawsight_serving.addresses import Address
from pawsight_serving.settings import (
    DEFAULT_REPOSITORY,
    ExplainerSettings,
    GatewaySettings,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pydantic.fields import FieldInfo

PREFIX: Final = "PAWSIGHT_"
_METAVARS: Final[dict[object, str]] = {
    int: "N",
    float: "SECONDS",
    str: "NAME",
    Path: "FILE",
    Address: "HOST:PORT",
}
# Of fields whose type does not say it.
_NAMED_METAVARS: Final = {"repository": "DIR", "trace_endpoint": "URL", "cors_origins": "ORIGINS"}
# The client's own variables may stand in the same environment.
CLIENT_VARIABLES: Final = frozenset({"PAWSIGHT_API_KEY", "PAWSIGHT_CA", "PAWSIGHT_SERVER"})

S = TypeVar("S", bound=BaseModel)

REPOSITORY_OPTION: Final = click.option(
    "--repository",
    type=click.Path(path_type=Path),
    envvar="PAWSIGHT_REPOSITORY",
    show_envvar=True,
    default=DEFAULT_REPOSITORY,
    show_default=True,
    metavar="DIR",
    help="Folder of the model repository.",
)
"""For commands that look at a repository and take no other settings."""


def with_settings(
    settings: type[S],
) -> Callable[[Callable[[S], None]], Callable[..., None]]:
    """Give a click command one option for each field, and call it with the settings read.

    A flag goes before its `PAWSIGHT_*` variable, the variable before the default. What does not
    fit, and a `PAWSIGHT_*` variable that nothing reads, ends the program with one sentence and
    exit status 2.
    """

    def decorate(command: Callable[[S], None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(**values: str | None) -> None:
            refuse_unknown(os.environ)
            given = {name: value for name, value in values.items() if value is not None}
            try:
                read = settings.model_validate(given)
            except ValidationError as error:
                raise click.UsageError(_sentence(error)) from None
            command(read)

        decorated: Callable[..., None] = run
        for name, field in reversed(settings.model_fields.items()):
            decorated = _option(name, field)(decorated)
        return decorated

    return decorate


def refuse_unknown(environment: Iterable[str]) -> None:
    """Raise a usage error for a `PAWSIGHT_*` variable that nothing reads."""
    known = CLIENT_VARIABLES | {
        _variable(name)
        for settings in (GatewaySettings, ExplainerSettings)
        for name in settings.model_fields
    }
    for variable in sorted(environment):
        if variable.startswith(PREFIX) and variable not in known:
            # All share the prefix, which would make any two of them near.
            names = [name.removeprefix(PREFIX) for name in sorted(known)]
            near = difflib.get_close_matches(variable.removeprefix(PREFIX), names, n=1)
            hint = f"did you mean {PREFIX}{near[0]}?" if near else "unset it, or see --help."
            raise click.UsageError(f"The environment variable {variable} is unknown; {hint}")


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _option(name: str, field: FieldInfo) -> Callable[[Callable[..., None]], Callable[..., None]]:
    default = None if field.default_factory else field.default
    return click.option(
        _flag(name),
        envvar=_variable(name),
        show_envvar=True,
        default=None if default in {None, ""} else str(default),
        show_default=True,
        metavar=_NAMED_METAVARS.get(name) or _metavar(field),
        help=field.description,
    )


def _metavar(field: FieldInfo) -> str:
    given = field.annotation
    if type(None) in get_args(given):  # may be left out
        given = next(each for each in get_args(given) if each is not type(None))
    if get_origin(given) is Literal:
        return f"[{'|'.join(get_args(given))}]"
    if get_origin(given) is Annotated:
        given = get_args(given)[0]
    return _METAVARS[given]


def _given_by(name: str) -> str:
    """Return where a setting's value came from: its variable or its flag."""
    context = click.get_current_context(silent=True)
    source = None if context is None else context.get_parameter_source(name)
    return _variable(name) if source is ParameterSource.ENVIRONMENT else _flag(name)


def _sentence(error: ValidationError) -> str:
    problem = error.errors()[0]
    given = [_given_by(str(name)) for name in problem["loc"][:1]]
    what = "it must be a number above zero"
    if problem["type"] == "value_error":
        what = str(problem["ctx"]["error"])
    elif problem["type"] == "finite_number":
        what = "it must be a finite number above zero"
    elif problem["type"] in {"int_parsing", "int_from_float"}:
        what = "it must be a whole number above zero"
    elif problem["type"] == "less_than_equal":
        what = f"it must be at most {problem['ctx']['le']}"
    elif problem["type"] == "literal_error":
        what = f"it must be {problem['ctx']['expected']}"
    return f"{': '.join([*given, what])}."
