"""Draws docs/demo.svg: what `meshnode demo` printed, as it printed it. Run again when the demo's words change.

.venv/bin/python docs/tools/terminal_picture.py > docs/demo.svg
"""

from __future__ import annotations

import subprocess
import sys
from xml.sax.saxutils import escape

WIDTH, LINE, LEFT, TOP, SIZE = 8.43, 20, 20, 56, 14  # pixels; the first is one letter of the font at that size
HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img">
<title>meshnode demo in a terminal</title>
<rect width="100%" height="100%" rx="8" fill="#1b1f27"/>
<circle cx="22" cy="20" r="6" fill="#ff5f57"/><circle cx="42" cy="20" r="6" fill="#febc2e"/>
<circle cx="62" cy="20" r="6" fill="#28c840"/>
<g font-family="ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace" font-size="{size}" fill="#d7dae0"
 xml:space="preserve">
"""


def picture(lines: list[str]) -> str:
    """The lines as an SVG image."""
    width = 2 * LEFT + WIDTH * max(map(len, lines))
    head = HEAD.format(width=width, height=TOP + LINE * len(lines), size=SIZE)
    return head + "\n".join(_text(number, line) for number, line in enumerate(lines)) + "\n</g>\n</svg>\n"


def _text(number: int, line: str) -> str:
    colour = ' fill="#8be28b"' if line.startswith(("$", "Delivered")) else ""
    colour = ' fill="#ff8f8f"' if "LOSES POWER" in line else colour
    return f'<text x="{LEFT}" y="{TOP + LINE * number}"{colour}>{escape(line)}</text>'


def main() -> None:
    """Run the demo and print its picture."""
    ran = subprocess.run([sys.executable, "-m", "meshnode", "demo"], capture_output=True, text=True, check=True)
    print(picture(["$ make demo", *ran.stdout.rstrip().splitlines()]), end="")


if __name__ == "__main__":
    main()
