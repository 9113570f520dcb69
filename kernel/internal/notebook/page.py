"""A page of an executed notebook, with the pictures that its texts attach.

nbconvert shows an attachment only if Markdown names it as the notebook does: with its name
percent-encoded, or in HTML, it gives up the whole page. So they are put into the page here.
"""

import base64
import copy
import html
import re
import unicodedata
import urllib.parse

from nbconvert import HTMLExporter

SCHEME = "nami-attachment-"
IN_TAGS = re.compile(rf"""(\b(?:src|href)\s*=\s*)(?:"{SCHEME}(\d+):([^"]*)"|'{SCHEME}(\d+):([^']*)'|{SCHEME}(\d+):([^\s>"']+))""", re.IGNORECASE)
IN_TEXT = re.compile(rf"{SCHEME}\d+:")


def make(nb, name):
    """Returns the page, and what it lacks."""
    nb = copy.deepcopy(nb)
    attached, lacks = {}, []
    for number, cell in enumerate(nb.cells, 1):
        attached[number] = cell.pop("attachments", {})
        if cell.cell_type == "markdown":
            cell.source = re.sub("attachment:", f"{SCHEME}{number}:", cell.source, flags=re.IGNORECASE)
    body, _ = HTMLExporter().from_notebook_node(nb, resources={"metadata": {"name": name}})

    def shown(match):
        number, wanted = next((int(n), w) for n, w in zip(match.groups()[1::2], match.groups()[2::2]) if n)
        wanted = urllib.parse.unquote(html.unescape(wanted))
        data = address(find(attached[number], wanted))
        if data is None:
            lacks.append(f"cell {number} shows the attachment {wanted}, which it doesn't have")
            data = "attachment:" + urllib.parse.quote(wanted)
        return f'{match[1]}"{data}"'

    return IN_TEXT.sub("attachment:", IN_TAGS.sub(shown, body)), lacks


def find(attachments, wanted):
    """The contents of an attachment by media type, None if there is none of that name."""

    def plain(name):
        return unicodedata.normalize("NFC", name)

    for name, bundle in attachments.items():
        if plain(wanted) in (plain(name), plain(urllib.parse.unquote(name))):
            return bundle
    return None


def address(bundle):
    """An address that holds the content, None if it holds none that can be shown."""
    for kind, data in sorted((bundle or {}).items(), key=lambda item: item[0] != "image/png"):
        data = data if isinstance(data, str) else "".join(data)
        if data.lstrip().startswith("<"):  # a drawing as text
            data = base64.b64encode(data.encode()).decode()
        data = "".join(data.split())
        if re.fullmatch(r"[\w.+-]+/[\w.+-]+", kind) and re.fullmatch(r"[A-Za-z0-9+/]+=*", data):
            return f"data:{kind};base64,{data}"
    return None
