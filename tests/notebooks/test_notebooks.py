"""The notebooks: executed on the small run, stored without outputs, and without logic of their own."""

import ast
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.small_run import SmallRun, environment

FOLDER = Path(__file__).parents[2] / "notebooks"
#: Each notebook and the least number of plots and tables that it shows.
SHOWN = {"explore_profiles": (4, 3), "explain_recommendations": (2, 4), "compare_models": (2, 4)}


def read(name: str) -> nbformat.NotebookNode:
    book = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    nbformat.validate(book)
    return book


def test_these_are_the_notebooks():
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(SHOWN)


@pytest.mark.parametrize("name", SHOWN)
def test_stored_without_outputs_and_told_its_place_in_one_cell(name):
    cells = [cell for cell in read(name).cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in cells)
    (parameters,) = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    assert 'os.environ.get("SHOPREC_TABLES", "../out/demo/lake")' in parameters.source


@pytest.mark.parametrize("name", SHOWN)
def test_it_loads_calls_and_plots_and_nothing_else(name):
    """Whatever needs a function, a class or a condition belongs into the library, where it has tests."""
    logic = (ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.While, ast.Try, ast.If)
    for cell in read(name).cells:
        if cell.cell_type == "code":
            assert not [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, logic)], cell.source


@pytest.mark.parametrize("name", SHOWN)
def test_it_runs_on_a_published_run(name, small_run: SmallRun):
    client = NotebookClient(read(name), timeout=300, kernel_name="python3")
    done = client.execute(cwd=str(FOLDER), env=environment(SHOPREC_TABLES=str(small_run.tables)))
    outputs = [output for cell in done.cells if cell.cell_type == "code" for output in cell.outputs]
    kinds = [kind for output in outputs for kind in output.get("data", {})]
    plots, tables = SHOWN[name]
    assert kinds.count("image/png") >= plots
    assert kinds.count("text/html") >= tables
    assert small_run.run_id in "".join(output.get("data", {}).get("text/plain", "") for output in outputs)
    assert not [output for output in outputs if output.output_type == "error"]
