"""What a page's content may do: run the scripts and styles that are written into it, and nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

__all__ = ["policy"]


def policy(scripts: Sequence[str], styles: Sequence[str]) -> str:
    """Return the Content-Security-Policy of a page with these scripts and styles in elements of their own.

    Each is allowed by its hash. So nothing that a record says can run, whatever gets into the page's markup:
    no other script or style, no code made of texts, no request, no frame, no form, no plugin.
    Pictures are those that the page makes itself (data: and blob:).

    >>> policy(["1"], [])  # doctest: +ELLIPSIS
    "default-src 'none'; script-src 'sha256-a4ayc...'; style-src 'none'; img-src data: blob:; base-uri..."
    """
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {_hashes(scripts)}",
            f"style-src {_hashes(styles)}",
            "img-src data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _hashes(texts: Sequence[str]) -> str:
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts)
    return " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
