"""nshot: which way of adapting a model is worth it on your task, measured on your own examples.

>>> import nshot
>>> result = nshot.compare("tickets.csv", shots=(4,), methods=("majority", "linear_probe"))
>>> result.pick
>>> nshot.load(result.folder).predict(["Where is my parcel?"])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["align", "compare", "distil", "load", "quantise", "serve"]

if TYPE_CHECKING:
    from nshot.bench.align import align
    from nshot.bench.compare import compare
    from nshot.bench.distilling import distil
    from nshot.bench.quantising import quantise
    from nshot.use.many import load
    from nshot.use.serve.server import serve


def __getattr__(name: str) -> Any:
    """Late imports: ``import nshot`` loads neither torch nor transformers."""
    if name == "align":
        from nshot.bench.align import align

        return align
    if name == "compare":
        from nshot.bench.compare import compare

        return compare
    if name == "distil":
        from nshot.bench.distilling import distil

        return distil
    if name == "load":
        from nshot.use.many import load

        return load
    if name == "quantise":
        from nshot.bench.quantising import quantise

        return quantise
    if name == "serve":
        from nshot.use.serve.server import serve

        return serve
    raise AttributeError(f"module 'nshot' has no attribute '{name}'")
