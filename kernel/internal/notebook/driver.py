"""Executes one notebook, cell by cell, and says on standard output what happens, one JSON object a line.

The argument is a JSON object: notebook, executed, html, timeout (seconds), parameters (name to text), rewrite.
"""
import json
import os
import pathlib
import re
import sys
import time

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter

ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
DECLARATION = re.compile(r"^\s*var\s+(\w+)\s*(?:\w+\s*)?=\s*(.+?)\s*(?://.*)?$", re.M)


class Refused(Exception):
    """What the notebook or the parameters lack."""


def say(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


def inject(nb, parameters):
    """Adds a cell that sets parameters, below the one tagged so, as papermill does."""
    if not parameters:
        return
    tagged = [i for i, c in enumerate(nb.cells) if "parameters" in c.metadata.get("tags", [])]
    if not tagged:
        raise Refused("no cell is tagged `parameters`: tag the one that declares them, each as var name = value")
    declared = dict(DECLARATION.findall(nb.cells[tagged[0]].source))
    lines = []
    for name, value in parameters.items():
        if name not in declared:
            raise Refused(f"there is no parameter {name}: the tagged cell declares {', '.join(declared) or 'none'}")
        if declared[name][0] in "\"`":
            value = json.dumps(value)
        lines.append(f"var {name} = {value}")
    cell = nbformat.v4.new_code_cell("\n".join(lines), metadata={"tags": ["injected-parameters"]})
    nb.cells = [c for c in nb.cells if "injected-parameters" not in c.metadata.get("tags", [])]
    nb.cells.insert(tagged[0] + 1, cell)


def text_of(cell):
    """The words of a failed cell, in plain text."""
    outputs = cell.get("outputs", [])
    text = "".join(o.text for o in outputs if o.output_type == "stream" and o.name == "stderr")
    for out in outputs:
        if out.output_type == "error" and out.evalue.strip() not in text:
            text += "\n" + "\n".join(out.traceback or [out.evalue])
    return ANSI.sub("", text).strip()


def failed_command(cell):
    """A shell line that failed leaves only this; GoNB reports no error."""
    for out in cell.get("outputs", []):
        if out.output_type == "stream" and out.name == "stderr":
            found = re.search(r"(?m)^(exit status \d+|signal: [\w ]+)$", ANSI.sub("", out.text))
            if found:
                return found.group(1)
    return None


def line_of(cell, words):
    """The line of the cell that the words speak of: its number, and its text."""
    lines = cell.source.splitlines()
    for pattern in (r"Cell\[\d+\]: Line (\d+)", r"cell\[\d+\]\D{0,10}(\d+)", r"(?i)\bline (\d+)"):
        for found in re.findall(pattern, words):
            if 1 <= int(found) <= len(lines):
                return int(found), lines[int(found) - 1].strip()
    for i, line in enumerate(lines):  # a panic's words name no line of the cell
        if re.search(r"^\s*!|panic\(|os\.Exit|log\.Fatal", line):
            return i + 1, line.strip()
    return 1, lines[0].strip() if lines else ""


def run(job):
    source = pathlib.Path(job["notebook"])
    try:
        nb = nbformat.read(source, as_version=4)
    except Exception as e:
        raise Refused(f"it is no notebook: {type(e).__name__}: {e}".splitlines()[0]) from e
    cells = [(i, c) for i, c in enumerate(nb.cells) if c.cell_type == "code" and c.source.strip()]
    if not cells:
        raise Refused("it has no code cells")
    inject(nb, job["parameters"])
    cells = [(i, c) for i, c in enumerate(nb.cells) if c.cell_type == "code" and c.source.strip()]
    say("cells", total=len(cells))
    client = NotebookClient(nb, kernel_name="nami", timeout=job["timeout"], startup_timeout=120, record_timing=False,
                            resources={"metadata": {"path": str(source.parent)}})
    for _, cell in cells:
        cell.outputs, cell.execution_count = [], None
    failure, current = None, None
    try:
        with client.setup_kernel():
            for number, (index, cell) in enumerate(cells, 1):
                current = (number, cell)
                say("start", cell=number)
                start = time.monotonic()
                client.execute_cell(cell, index, execution_count=number)
                command = failed_command(cell)
                if command:
                    raise RuntimeError(command)
                say("end", cell=number, seconds=time.monotonic() - start)
    except CellTimeoutError:
        failure = f"it ran longer than {job['timeout']:g} s (--timeout)"
    except (CellExecutionError, RuntimeError) as e:
        failure = text_of(current[1]) if current else str(e)
        failure = failure or ANSI.sub("", str(e))
    except DeadKernelError:
        failure = "the kernel died"
    finally:
        nb.metadata["kernelspec"] = {"display_name": "Go (nami)", "language": "go", "name": "nami"}
        nb.metadata["language_info"] = {"file_extension": ".go", "mimetype": "text/x-go", "name": "go", "pygments_lexer": "go"}
        save(nb, job)
    if failure:
        number, cell = current if current else (0, None)
        line, code = line_of(cell, failure) if cell else (0, "")
        say("failed", cell=number, line=line, code=code, message=failure)
        return 1
    return 0


def save(nb, job):
    """Writes the notebook as far as it ran, and a page of it."""
    executed = pathlib.Path(job["executed"])
    executed.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nb, executed)
    body, _ = HTMLExporter().from_notebook_node(nb, resources={"metadata": {"name": executed.stem}})
    pathlib.Path(job["html"]).write_text(body, encoding="utf-8")
    if job["rewrite"]:
        beside = pathlib.Path(job["notebook"] + ".new")
        nbformat.write(nb, beside)
        os.replace(beside, job["notebook"])
    say("written")


try:
    sys.exit(run(json.loads(sys.argv[1])))
except Refused as e:
    say("refused", message=str(e))
    sys.exit(1)
except KeyboardInterrupt:
    sys.exit(130)
