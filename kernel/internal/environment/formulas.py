"""Turns formulas in TeX into MathML: a JSON list of them on standard input, and again on standard output."""

import json
import re
import sys

from latex2mathml.converter import convert

# What the package doesn't know, or sets in the wrong type, by what it knows.
MEND = [
    (r"\\(begin|end)\{(aligned|align\*|align|gathered)\}", r"\\\1{split}"),  # without numbers
    (r"\\mathrm\{([A-Za-z])\}", r"{\\mathrm \1}"),  # else italic
    (r"\\(?:mathrm|operatorname)\{([A-Za-z0-9 ]{2,})\}", r"\\text{\1}"),
]

formulas = json.load(sys.stdin)
for formula in formulas:
    tex = formula["tex"]
    for pattern, mended in MEND:
        tex = re.sub(pattern, mended, tex)
    try:
        mathml = convert(tex, display="block" if formula["display"] else "inline")
    except Exception as e:  # one class for each mistake
        formula["problem"] = f"{type(e).__name__} {e}".strip()
        continue
    unknown = re.search(r"<m[a-z]+[^>]*>\\([a-zA-Z]+)", mathml)
    if unknown:
        formula["problem"] = f"the command \\{unknown[1]} is unknown"
    formula["mathml"] = mathml.replace("<mi>&#x0007E;</mi>", "<mo>&#x0223C;</mo>")  # \sim is a relation
json.dump(formulas, sys.stdout)
