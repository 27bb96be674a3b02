"""
The guard against formulas in text cells: one more apostrophe in front, taken off by the import.

The rule stands twice, in Python and in SQL for files that never pass through Python; a test
holds the two together.
"""

import re
from typing import Final

# What counts as white space is written out: PostgreSQL's idea of it differs by version.
_SPACES: Final = (
    r" \t\n\v\f\r\u001c-\u001f\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
)
RULE: Final = rf"^'*[{_SPACES}]*[=+\-@\t\r\n]"

_PATTERN = re.compile(RULE)

# Most texts begin with a plain letter and need no look by the pattern. An empty text is no
# value: null, which CSV writes as nothing.
GUARDED_SQL: Final = (
    """(CASE WHEN {text} = '' THEN NULL"""
    """ WHEN {text} COLLATE "C" >= 'A' AND {text} COLLATE "C" < '{' THEN {text}"""
    f""" WHEN {{text}} ~ '{RULE.replace("'", "''")}' THEN '''' || {{text}}"""
    """ ELSE {text} END)"""
)


def guarded(text: str) -> str:
    """Return the text as a cell that a spreadsheet takes for text."""
    return f"'{text}" if _PATTERN.match(text) else text


def unguarded(cell: str) -> str:
    """Return the text of a guarded cell; any other cell as it is."""
    return cell[1:] if cell.startswith("'") and _PATTERN.match(cell) else cell
