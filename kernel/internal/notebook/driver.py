"""Executes one notebook cell by cell.

The job is a JSON object on standard input. Events go to standard output, one JSON object a line.
"""

import json
import os
import pathlib
import sys
import time

# jsonschema, if it finds this module, builds a grammar of internationalised addresses: that
# takes a second, and no notebook has any.
sys.modules["rfc3987_syntax"] = None

import mend
import nbformat
import page
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

# What libraries print must not get between the events.
events = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)


def say(event, **more):
    print(json.dumps({"event": event, **more}), file=events, flush=True)


def inject(nb, cells):
    """Puts cells below those tagged "parameters", in place of earlier ones of ours."""
    nb.cells = [c for c in nb.cells if "injected-parameters" not in c.metadata.get("tags", [])]
    tagged = [i for i, c in enumerate(nb.cells) if c.cell_type == "code" and "parameters" in c.metadata.get("tags", [])]
    for number, one in reversed(list(enumerate(cells, 1))):
        cell = nbformat.v4.new_code_cell(one["source"], id=f"injected-parameters-{number}", metadata={"tags": ["injected-parameters"]})
        if nb.nbformat_minor < 5:
            del cell["id"]
        nb.cells.insert(tagged[one["after"]] + 1, cell)


def said(cell):
    """What a cell left behind that can explain its failure."""
    stderr = "".join(o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stderr")
    trace = [part for o in cell.outputs if o.output_type == "error" for part in (o.traceback or [o.evalue])]
    folded = [o.data.get("text/plain", "") for o in cell.outputs if o.output_type == "display_data" and o.metadata.get("nami", {}).get("folded")]
    return {"stderr": stderr, "trace": trace, "folded": "\n".join(folded), "source": cell.source}


def execute(nb, job):
    """Executes the cells until one fails, and returns whether none did."""
    cells = [(i, c) for i, c in enumerate(nb.cells) if c.cell_type == "code" and c.source.strip()]
    client = NotebookClient(
        nb,
        kernel_name=job["kernel"],
        timeout_func=lambda cell: job["timeout"],
        startup_timeout=120,
        record_timing=False,
        resources={"metadata": {"path": job["folder"]}},
    )
    number, cell, start = 0, None, time.monotonic()
    try:
        with client.setup_kernel():
            pid = getattr(client.km.provisioner, "pid", None)
            say("kernel", pid=pid or 0, cells=len(cells))
            for number, (index, cell) in enumerate(cells, 1):
                start = time.monotonic()
                say("start", cell=number)
                client.execute_cell(cell, index, execution_count=number)
                say("done", cell=number, seconds=time.monotonic() - start)
        return True
    except CellTimeoutError:
        kind = "timeout"
    except CellExecutionError:
        kind = "error"
    except DeadKernelError:
        kind = "died"
    except KeyboardInterrupt:
        kind = "interrupted"
    if cell is None:
        cell = nbformat.v4.new_code_cell("")
    say("failed", cell=number, seconds=time.monotonic() - start, kind=kind, **said(cell))
    return False


def save(nb, job, passed):
    """Writes the notebook as far as it got, and a page of it."""
    nb.metadata["kernelspec"] = {"display_name": job["display"], "language": "go", "name": job["kernel"]}
    info = nb.metadata.setdefault("language_info", {"name": "go", "file_extension": ".go", "mimetype": "text/x-go"})
    info["pygments_lexer"] = "go"  # GoNB leaves it empty, and pages would colour Go as Python
    executed = pathlib.Path(job["executed"])
    executed.parent.mkdir(parents=True, exist_ok=True)
    replace(executed, nbformat.writes(nb) + "\n")
    if job["rewrite"] and passed:
        replace(pathlib.Path(job["notebook"]), nbformat.writes(nb) + "\n")
    say("written", pageless=not make_page(nb, job, executed.stem))


def make_page(nb, job, name):
    """Writes a page of the notebook, and returns whether there is one."""
    try:
        body, lacks = page.make(nb, name)
    except Exception as e:  # whatever nbconvert dislikes: the cells passed all the same
        say("warning", text=f"there is no page of it, as nbconvert failed: {type(e).__name__}: {e}")
        return False
    for lack in lacks:
        say("warning", text=lack)
    replace(pathlib.Path(job["page"]), body)
    return True


def replace(path, text):
    """Writes a file whole or not at all, whoever else writes it."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text, encoding="utf-8")
    if path.exists():
        beside.chmod(path.stat().st_mode)
    os.replace(beside, path)


def mend_metadata(nb, part, name, ref):
    """Leaves out what the format's schema forbids of the metadata of a cell or the notebook."""
    while True:
        try:
            return nbformat.validate(part, ref=ref, version=4, version_minor=nb.nbformat_minor)
        except nbformat.ValidationError as e:
            path = list(e.relative_path)
            if path[:1] != ["metadata"] or len(path) < 2:
                return say("warning", text=f"{name} isn't as the format says, but runs: {e.message}")
            holder = part
            for key in path[:-1]:
                holder = holder[key]
            del holder[path[-1]]
            say("warning", text=f"{name}: its {' '.join(map(str, path))} is left out: {e.message}")


def main():
    job = json.load(sys.stdin)
    raw = mend.load(pathlib.Path(job["notebook"]))
    for left_out in mend.mend(raw):
        say("warning", text=f"{left_out}: left out")
    nb = nbformat.v4.reads(json.dumps(raw))
    for number, cell in enumerate(nb.cells, 1):
        mend_metadata(nb, cell, f"cell {number}", cell.cell_type + "_cell")
    mend_metadata(nb, nb, "the notebook", None)
    if job["inject"]:
        inject(nb, job["inject"])
    passed = execute(nb, job)
    save(nb, job, passed)
    return 0 if passed else 1


sys.exit(main())
