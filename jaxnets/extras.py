"""Optional dependencies: imported where they are used, with an error that says what to install."""

import importlib
from types import ModuleType


class MissingExtra(ImportError):
    """A package of an optional extra is not installed; the message is the remedy."""


def require(module: str, *, extra: str = "train") -> ModuleType:
    """Import an optional dependency.

    Args:
        module: dotted name to import, as `"sklearn.datasets"`.
        extra: the extra of jaxnets that installs it, as in `pip install "jaxnets[train]"`.

    Returns:
        The module.

    Raises:
        MissingExtra: the package is not installed. An `ImportError` *inside* an installed package is let through.

    >>> require("json").dumps([1])
    '[1]'
    >>> require("no_such_package")
    Traceback (most recent call last):
    jaxnets.extras.MissingExtra: this needs no_such_package, which is not installed: pip install "jaxnets[train]"
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        message = f'this needs {package}, which is not installed: pip install "jaxnets[{extra}]"'
        raise MissingExtra(message) from error
