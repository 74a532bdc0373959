"""Hook specifications, components, loading of plugins, identity (imports no torch)."""

from prunebench.host.components import KINDS, Component, Origin
from prunebench.host.registry import Host, Problem

__all__ = ["KINDS", "Component", "Host", "Origin", "Problem"]
