"""Every key of the format is documented, and exercised by a test."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from prunebench.checks.cells import Extreme, Selection
from prunebench.checks.claims import Claim
from prunebench.checks.grammar import Check
from prunebench.checks.reported import Reported
from prunebench.host.form import Form
from prunebench.suite.schema import Matrix, SuiteTable

OF_FILES = ("prunebench.suite.", "prunebench.checks.", "prunebench.baselines")
HERE = Path(__file__).parent
DOCS = HERE.parent.parent / "docs" / "suites.md"


def models(annotation: Any) -> list[type[BaseModel]]:
    """Return the models of suite files in an annotation."""
    if isinstance(annotation, type) and not get_args(annotation):
        ours = issubclass(annotation, BaseModel) and annotation.__module__.startswith(OF_FILES)
        return [annotation] if ours else []
    return [found for part in get_args(annotation) for found in models(part)]


def keys(model: type[BaseModel], table: str, seen: frozenset[type] = frozenset()) -> dict[str, str]:
    """Return the keys of a model and of the tables in it: "table.key" → the key."""
    found = {}
    for name, info in model.model_fields.items():
        key = info.alias or name
        found[f"{table}.{key}"] = key
        for inner in models(info.annotation):
            if inner not in seen:
                found.update(keys(inner, f"{table}.{key}", seen | {model, inner}))
    return found


ALL = {
    **keys(SuiteTable, "suite"),
    **keys(Matrix, "matrix"),
    **keys(Check, "check"),
    **keys(Claim, "claim"),
    **keys(Reported, "reported"),
    **{f"form.{name}": name for name in Form.model_fields},
}

EXERCISED = {
    "suite.schema": "test_bad_keys_of_the_file_are_refused",
    "suite.name": "test_a_suite_by_path_has_its_path",
    "suite.version": "test_a_suite_by_path_has_its_path",
    "suite.plugins": "test_plugin_files_are_beside_the_suites_file",
    "suite.description": "test_shipped_suites_say_how_large_they_are",
    "suite.matrix": "test_a_suite_needs_matrices",
    "suite.check": "test_the_grammar_of_checks",
    "suite.claim": "test_claims_are_kept_and_checks_name_them",
    "suite.baselines": "test_baselines_and_leaderboard_are_kept",
    "suite.baselines.after": "test_baselines_and_leaderboard_are_kept",
    "suite.baselines.random": "test_bad_baselines_are_refused",
    "suite.baselines.none": "test_bad_baselines_are_refused",
    "suite.leaderboard": "test_baselines_and_leaderboard_are_kept",
    "suite.leaderboard.title": "test_baselines_and_leaderboard_are_kept",
    "suite.leaderboard.margin": "test_baselines_and_leaderboard_are_kept",
    "matrix.for": "test_a_family_of_matrices_is_the_matrices_written_out",
    "matrix.name": "test_matrices_have_names_of_their_own",
    "matrix.architecture": "test_what_a_cell_holds",
    "matrix.architecture.name": "test_presets_are_only_other_names",
    "matrix.architecture.as": "test_what_a_cell_holds",
    "matrix.dataset.name": "test_a_data_set_is_spelled_by_name_and_what_differs_from_its_defaults",
    "matrix.dataset.as": "test_labels_are_the_table_or_the_name_chosen_for_it",
    "matrix.dataset": "test_product_order_is_the_files",
    "matrix.recipe": "test_what_a_cell_holds",
    "matrix.recipe.name": "test_what_a_cell_holds",
    "matrix.recipe.as": "test_a_label_means_one_thing_in_a_suite",
    "matrix.find": "test_find_comes_from_the_axis_over_the_methods_own",
    "matrix.find.as": "test_a_find_has_a_label_of_its_own",
    "matrix.score_at": "test_the_pruning_step_replaces_the_methods_own",
    "matrix.methods": "test_changes_to_a_method_keep_the_rest",
    "matrix.methods.method": "test_changes_to_a_method_keep_the_rest",
    "matrix.methods.as": "test_a_label_means_one_thing_in_a_suite",
    "matrix.ablations": "test_ablations_resolve_into_the_form",
    "matrix.sparsities": "test_formula_and_list_of_the_same_sparsities_are_the_same_cells",
    "matrix.sparsities.keep": "test_formula_and_list_of_the_same_sparsities_are_the_same_cells",
    "matrix.sparsities.count": "test_formula_and_list_of_the_same_sparsities_are_the_same_cells",
    "matrix.densities": "test_formula_and_list_of_the_same_sparsities_are_the_same_cells",
    "matrix.seeds": "test_product_order_is_the_files",
    "matrix.dense": "test_dense_cells_can_be_left_out",
    "matrix.overrides": "test_what_a_cell_holds",
    "matrix.overrides.recipe": "test_what_a_cell_holds",
    "matrix.overrides.architecture": "test_what_a_cell_holds",
    "matrix.overrides.scorer": "test_shared_parameters_reach_the_scorers_that_have_them",
    "matrix.only": "test_only_keeps_and_exclude_drops_what_an_entry_names",
    "matrix.exclude": "test_only_keeps_and_exclude_drops_what_an_entry_names",
    **{
        f"matrix.{table}.{key}": "test_only_keeps_and_exclude_drops_what_an_entry_names"
        for table in ("only", "exclude")
        for key in (
            "architecture",
            "dataset",
            "recipe",
            "find",
            "score_at",
            "method",
            "ablation",
            "sparsity",
            "density",
            "seed",
        )
    },
    "matrix.measures": "test_what_a_cell_holds",
    "matrix.split": "test_what_a_cell_holds",
    **{
        f"check.{key}": "test_the_grammar_of_checks"
        for key in (
            "name",
            "quantity",
            "of",
            "against",
            "where",
            "where.matrix",
            "where.architecture",
            "where.dataset",
            "where.recipe",
            "where.split",
            "range",
            "range.paper",
            "claim",
            "expect",
            "margin",
            "quantity.name",
        )
    },
    **{
        f"check.{side}{of}.{key}": "test_the_grammar_of_selections"
        for side in ("of", "against")
        for of in ("", *(f".{key}" for key in Extreme.model_fields))
        for key in (*Selection.model_fields, "quantity.name")
    },
    **{f"claim.{key}": "test_claims_are_kept_and_checks_name_them" for key in Claim.model_fields},
    **{
        f"check.{side}.{key}": "test_the_grammar_of_selections"
        for side in ("of", "against")
        for key in Extreme.model_fields
    },
    **{f"check.beside{key}": "test_the_grammar_of_checks" for key in ("", ".paper", ".from", ".to")},
    "check.for": "test_a_family_is_the_checks_written_out",
    "check.each": "test_each_is_the_checks_written_out",
    "suite.sets": "test_a_family_is_the_checks_written_out",
    "check.all": "test_a_check_of_other_checks",
    "check.any": "test_a_check_of_other_checks",
    **{f"form.{name}": "test_a_whole_form" for name in Form.model_fields},
    "check.by": "test_the_grammar_of_checks",
    "check.compare": "test_the_grammar_of_checks",
    "check.over": "test_the_grammar_of_checks",
    "check.range.from": "test_the_grammar_of_checks",
    "check.range.to": "test_the_grammar_of_checks",
    "check.settings": "test_the_grammar_of_checks",
    "reported.ablations": "test_reported_numbers_are_of_the_cells_they_select",
    "reported.architecture": "test_reported_numbers_are_of_the_cells_they_select",
    "reported.dataset": "test_reported_numbers_are_of_the_cells_they_select",
    "reported.find": "test_reported_numbers_are_of_the_cells_they_select",
    "reported.method": "test_reported_numbers_become_rows_of_the_settings_they_are_of",
    "reported.quantity": "test_reported_numbers_are_of_the_cells_they_select",
    "reported.recipe": "test_reported_numbers_are_of_the_cells_they_select",
    "reported.runs": "test_reported_numbers_become_rows_of_the_settings_they_are_of",
    "reported.score_at": "test_reported_numbers_are_of_the_cells_they_select",
    "reported.source": "test_reported_numbers_become_rows_of_the_settings_they_are_of",
    "reported.sparsities": "test_reported_numbers_become_rows_of_the_settings_they_are_of",
    "reported.values": "test_reported_numbers_become_rows_of_the_settings_they_are_of",
    "reported.where": "test_reported_numbers_of_nothing_are_refused",
    "reported.where.architecture": "test_reported_numbers_are_of_the_cells_they_select",
    "reported.where.dataset": "test_reported_numbers_are_of_the_cells_they_select",
    "reported.where.matrix": "test_reported_numbers_are_of_the_cells_they_select",
    "reported.where.recipe": "test_reported_numbers_are_of_the_cells_they_select",
    "reported.where.split": "test_reported_numbers_are_of_the_cells_they_select",
    "reported.agrees": "test_a_reported_number_that_should_agree_is_a_check",
    "reported.claim": "test_a_reported_number_that_should_agree_is_a_check",
    "reported.name": "test_names_of_reported_checks",
    "reported.for": "test_families_of_reported_numbers",
    "reported.each": "test_each_reported_number_is_written_out",
    "reported.compare": "test_reported_ratios_and_range_ends",
    "reported.quantity.name": "test_reported_ratios_and_range_ends",
    "reported.range": "test_reported_ratios_and_range_ends",
    **{f"reported.range.{key}": "test_reported_ratios_and_range_ends" for key in ("paper", "from", "to")},
    "reported.against": "test_reported_ratios_and_range_ends",
    **{
        f"reported.against.{key}": "test_reported_ratios_and_range_ends"
        for key in (*Selection.model_fields, "quantity.name")
    },
    "suite.reported": "test_reported_numbers_become_rows_of_the_settings_they_are_of",
}


def documented() -> set[str]:
    """Return the keys that a table of the docs begins a row with, and those said to be keys in a row."""
    rows = [line for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    first = {match[1] for row in rows if (match := re.match(r"\| `([a-z_]+)` \|", row))}
    within = {key for row in rows if "keys `" in row for key in re.findall(r"`([a-z_]+)`", row)}
    return first | within


@pytest.mark.parametrize("key", sorted(set(ALL.values())))
def test_every_key_is_documented(key: str) -> None:
    """A key that the models take has a row in a table of docs/suites.md."""
    assert key in documented()


def test_no_key_is_documented_that_is_not_there() -> None:
    """Every row of the docs' tables is a key of the models."""
    rows = DOCS.read_text(encoding="utf-8").splitlines()
    first = {match[1] for row in rows if (match := re.match(r"\| `([a-z_]+)` \|", row))}
    assert first <= set(ALL.values())


def test_every_key_is_exercised() -> None:
    """Each key, in each table where it can stand, is named with a test that exists."""
    assert sorted(EXERCISED) == sorted(ALL)
    there = {
        name
        for path in (*HERE.glob("test_*.py"), *(HERE.parent / "checks").glob("test_*.py"))
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    }
    assert set(EXERCISED.values()) <= there
