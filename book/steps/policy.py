"""Which scripts stand in the pages themselves: a strict Content-Security-Policy names each by its hash.

`deploy/nginx.conf` holds the policy, and takes the hashes from the file that is written here.
"""

import base64
import hashlib
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser

NAME = "content-security-policy.conf"


def inline_scripts(page: str) -> set[str]:
    """The code of a page that is in no file: its scripts, and what its buttons do when they are clicked."""
    nodes = LexborHTMLParser(page).css("*")
    return ({node.text() for node in nodes if node.tag == "script" and not {"src", "type"} & set(node.attrs)}
            | {code for node in nodes for name, code in node.attrs.items() if name.startswith("on")})


def write_policy(site: Path) -> None:
    """Write the hashes of all scripts in the pages of a built site, as nginx reads them."""
    code = {script for path in site.rglob("*.html") for script in inline_scripts(path.read_text("utf-8"))}
    hashes = sorted(base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in code)
    (site / NAME).write_text('set $scripts_in_pages "' + " ".join(f"'sha256-{code}'" for code in hashes) + '";\n')
