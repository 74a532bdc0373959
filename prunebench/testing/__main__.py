"""Checks components of plugins in this process, which they may hang or end: `prunebench doctor` starts it.

Its argument is a JSON object: `plugins` (files), `third_party` and `only` as `Host.load` takes them, and
`components`, a list of [kind, name]. For each that was checked it writes a line: what is wrong, as JSON text.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from prunebench.host import Host
from prunebench.process import prepare_process
from prunebench.testing import check_component


def _problem(host: Host, kind: str, name: str) -> str:
    """Return what is wrong with a component in one line, "" where nothing is."""
    try:
        check_component(host.get(kind, name))
    except AssertionError as error:
        problem = str(error) or "its check fails"
    except Exception as error:  # whatever a component of others does
        problem = f"{type(error).__name__}: {error}"
    else:
        return ""
    return problem.strip().partition("\n")[0]


def _main() -> None:
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what components print
    asked = json.loads(sys.argv[1])
    prepare_process()
    files = [Path(file) for file in asked["plugins"]]
    host = Host.load(plugins=files, third_party=asked["third_party"], only=asked["only"])
    for kind, name in asked["components"]:
        print(json.dumps(_problem(host, kind, name)), file=out, flush=True)


if __name__ == "__main__":
    _main()
