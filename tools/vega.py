"""Makes the runtime of Vega that reports carry, prunebench/report/page/vega.js, of what vl-convert has.

    python tools/vega.py            writes the file anew
    python tools/vega.py --check    says whether it is as vl-convert makes it; exits with 1 where it is not

The runtime is minified JavaScript of others: Vega, Vega-Lite, Vega-Embed and what they use. Their licences
stand beside it in vega.licenses.txt: read that again when the versions move.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import altair
import vl_convert

__all__ = ["FILE", "main", "runtime"]

FILE = Path(__file__).resolve().parents[1] / "prunebench" / "report" / "page" / "vega.js"


def runtime() -> str:
    """Return the runtime: a first line with its versions, then a script that sets the global vegaEmbed."""
    lite = ".".join(altair.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    versions = (
        f"/* Vega {vl_convert.get_vega_version()}, Vega-Lite {lite}, Vega-Embed "
        f"{vl_convert.get_vega_embed_version()}; licences in vega.licenses.txt */\n"
    )
    snippet = "window.vegaEmbed = vegaEmbed;"
    script = vl_convert.javascript_bundle(snippet, vl_version=lite)
    return versions + "(() => {\n" + script.rstrip() + "\n})();\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    made = runtime()
    if given == ["--check"]:
        same = FILE.read_text(encoding="utf-8") == made
        print(f"{FILE.name} is {'' if same else 'not '}as vl-convert {vl_convert.__version__} makes it")
        return 0 if same else 1
    FILE.write_text(made, encoding="utf-8", newline="\n")
    print(f"{FILE}: {FILE.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
