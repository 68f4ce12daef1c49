"""The variants of a comparison differ in what is compared and in nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from semreg.comparison.plan import INTERFACES, cnn_recipe, plan
from semreg.errors import SemregError
from semreg.training.recipe import Recipe, load_recipe

FOLDER, CNN = Path("/comparison"), Path("/comparison/cnn/model")


@pytest.fixture
def recipe(recipe_file: Path) -> Recipe:
    return load_recipe(recipe_file)


def test_all_variants_come_once_and_seed_by_seed(recipe: Recipe) -> None:
    variants = plan(recipe, FOLDER, CNN, seeds=2)
    assert len({variant.name for variant in variants}) == len(variants) == 16
    assert [variant.seed for variant in variants] == [0] * 8 + [1] * 8
    assert variants[0].name == "fine-tuned/input/seed-0"


def test_interfaces_of_a_way_differ_in_interface_and_name_alone(recipe: Recipe) -> None:
    for way in ("fine-tuned", "end-to-end"):
        same = set()
        for variant in plan(recipe, FOLDER, CNN, seeds=1, ways=[way]):
            settings = variant.recipe.model_dump()
            assert settings["decoder"].pop("interface") == variant.interface
            settings.pop("name")
            weights = [stage.pop("unary_weight", None) for stage in settings["stages"]]
            assert weights[0] == {"fine-tuned": None, "end-to-end": float(variant.interface == "semantic")}[way]
            same.add(repr(settings))
        assert len(same) == 1


def test_every_run_holds_out_the_same_pictures_and_none_looks_at_the_test(recipe: Recipe) -> None:
    runs = [cnn_recipe(recipe, FOLDER), *(variant.recipe for variant in plan(recipe, FOLDER, CNN))]
    assert {run.data.seed for run in runs} == {recipe.data.seed}
    assert {run.data.test for run in runs} == {None}
    assert {run.data.cache for run in runs} == {FOLDER / "features"}


def test_what_goes_beyond_the_paper_helps_none_of_them() -> None:
    ours = load_recipe(Path(__file__).parents[2] / "recipes" / "coco18.yaml")
    assert ours.consensus and ours.grounding and ours.captions.candidates and ours.captions.general
    for run in [cnn_recipe(ours, FOLDER), *(variant.recipe for variant in plan(ours, FOLDER, CNN, seeds=1))]:
        assert not any((run.beside, run.neighbours, run.consensus, run.grounding))
        assert run.captions.candidates is None and not run.captions.general
        assert run.captions.max_length == ours.captions.max_length


def test_the_shared_cnn_learns_concepts_and_the_variants_the_rest(recipe: Recipe) -> None:
    assert [stage.kind for stage in cnn_recipe(recipe, FOLDER).stages] == ["concepts"]
    fine, end = (plan(recipe, FOLDER, CNN, seeds=1, ways=[way])[0].recipe for way in ("fine-tuned", "end-to-end"))
    assert [stage.kind for stage in fine.stages] == ["relations", "joint"] and fine.init == CNN
    assert not fine.init_decoders  # the semantic interface would begin with one that has been taught
    assert [stage.kind for stage in end.stages] == ["joint"] and end.init is None
    first, whole = recipe.stages[0], end.stages[0]
    for name in ("epochs", "batch", "learning_rate", "trunk_learning_rate", "freeze", "augmentation", "average"):
        assert getattr(whole, name) == getattr(first, name)


@pytest.mark.parametrize(
    ("changes", "options", "sentence"),
    [
        ([], {"interfaces": ["semantic", "sematic"]}, r"interfaces must name some of input, state, fusion, semantic"),
        ([], {"interfaces": []}, r"interfaces must name some of .* are none"),
        ([], {"ways": ["fine-tuned", "fine-tuned"]}, r"ways must name some of fine-tuned, end-to-end, each once"),
        (["stages=[{kind: relations, epochs: 1}]"], {"ways": ["end-to-end"]}, "add one to the recipe"),
        (["stages=[{kind: concepts, epochs: 1}]"], {}, "needs a recipe with a stage that teaches decoders"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    recipe_file: Path, changes: list[str], options: dict[str, list[str]], sentence: str
) -> None:
    with pytest.raises(SemregError, match=sentence):
        plan(load_recipe(recipe_file, changes), FOLDER, CNN, **options)  # type: ignore[arg-type]


def test_a_recipe_without_concepts_stage_has_no_cnn_to_share(recipe_file: Path) -> None:
    with pytest.raises(SemregError, match="begins with a concepts stage"):
        cnn_recipe(load_recipe(recipe_file, ["stages=[{kind: relations, epochs: 1}]"]), FOLDER)


def test_the_interfaces_are_the_papers() -> None:
    assert INTERFACES == ("input", "state", "fusion", "semantic")
