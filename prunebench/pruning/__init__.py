"""Masks, scores to masks, allocation, rounds, diagnostics: tensors only."""
