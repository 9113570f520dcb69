"""What notebooks differ in from the format, made right: JupyterLab opens them all the same."""

import itertools
import json
import re

KEPT = {  # what the format knows of a cell
    "code": {"cell_type", "execution_count", "id", "metadata", "outputs", "source"},
    "markdown": {"attachments", "cell_type", "id", "metadata", "source"},
    "raw": {"attachments", "cell_type", "id", "metadata", "source"},
}


def mend(nb):
    """Mends a notebook, as JSON gives it, in place, and returns what was left out of it.

    Outputs, counts and the state of widgets go without a word, as executing makes them anew.
    """
    left_out = []
    nb["metadata"] = a_dict(nb.get("metadata"))
    nb["metadata"].pop("widgets", None)
    for key in ("kernelspec", "language_info"):
        if "name" not in a_dict(nb["metadata"].get(key)):
            nb["metadata"].pop(key, None)
    for number, cell in enumerate(nb["cells"], 1):
        kind = cell["cell_type"]
        cell["source"] = joined(cell.get("source"))
        cell["metadata"] = a_dict(cell.get("metadata"))
        mend_tags(cell["metadata"])
        if kind == "code":
            cell["outputs"], cell["execution_count"] = [], None
            cell["metadata"].pop("execution", None)
        for key in sorted(cell.keys() - KEPT[kind]):
            if cell.pop(key):
                left_out.append(f"cell {number}: a {kind} cell has no {key}")
        if "attachments" in cell:
            cell["attachments"] = {name: a_dict(bundle) for name, bundle in a_dict(cell["attachments"]).items()}
    mend_ids(nb)
    return left_out


def a_dict(value):
    return value if isinstance(value, dict) else {}


def joined(source):
    return source if isinstance(source, str) else "".join(source or [])


def mend_tags(metadata):
    """Makes tags a list of different words without commas."""
    if "tags" in metadata:
        tags = metadata["tags"] or []
        words = (word.strip() for tag in ([tags] if isinstance(tags, str) else tags) for word in tag.split(","))
        metadata["tags"] = list(dict.fromkeys(word for word in words if word))


def mend_ids(nb):
    """Gives each cell an ID of its own, where the format has any, or the notebook does."""
    minor = nb.get("nbformat_minor")
    minor = minor if isinstance(minor, int) and minor >= 0 else 4
    if any("id" in cell for cell in nb["cells"]):
        minor = max(minor, 5)
    nb["nbformat_minor"] = minor
    if minor < 5:
        return
    used = set()
    free = (f"cell-{n}" for n in itertools.count(1))
    taken = {str(cell.get("id")) for cell in nb["cells"]}
    for cell in nb["cells"]:
        name = cell.get("id")
        if not isinstance(name, str) or not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name) or name in used:
            name = next(n for n in free if n not in taken)
        used.add(name)
        cell["id"] = name


def load(path):
    """Reads a notebook's JSON. Halves of characters, which can't be written again, become question marks."""
    nb = json.loads(path.read_text(encoding="utf-8-sig"))
    return json.loads(json.dumps(nb, ensure_ascii=False).encode("utf-8", "replace"))
