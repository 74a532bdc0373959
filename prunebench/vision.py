"""The one door to torchvision: `from prunebench.vision import torchvision`.

torchvision describes its compiled operators to torch while it is imported. Where those operators cannot be
loaded (a torchvision built for CUDA beside a CPU-only torch, say) that alone makes the import fail, although
data sets, transforms and models need none of them. Their schemas are declared here first, when they are
missing; calling such an operator still fails, with torch's own message.
"""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path

import torch

from prunebench.errors import UsageError

__all__ = ["torchvision"]

_SCHEMAS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
"""The operators that torchvision describes at import whether it could load them or not."""


def _load_operators() -> None:
    """Load torchvision's compiled operators as its own import would, where that works."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        raise UsageError("torchvision is not installed; install the release that belongs to your torch")
    for folder in spec.submodule_search_locations:
        for library in sorted(Path(folder).glob("_C*")):
            if library.suffix in (".so", ".pyd", ".dylib"):
                try:
                    torch.ops.load_library(str(library))  # type: ignore[no-untyped-call]
                except (ImportError, OSError):
                    continue  # built for another torch: its operators stay unknown


def _declare_missing() -> torch.library.Library | None:
    """Declare the schemas that are still unknown; the declaration lasts as long as what is returned."""
    missing = [name for name in _SCHEMAS if not hasattr(torch.ops.torchvision, name)]
    if not missing:
        return None
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for name in missing:
        library.define(name + _SCHEMAS[name])  # type: ignore[no-untyped-call]
    return library


_load_operators()
_declared = _declare_missing()

with warnings.catch_warnings():
    # decoding image files needs a second compiled library, which nothing here uses
    warnings.filterwarnings("ignore", message="Failed to load image Python extension")
    import torchvision
    import torchvision.transforms.v2  # not imported by torchvision itself
