"""Records that people exchange: packs, published leaderboards, submissions, reruns (docs/trust.md)."""
