"""Draw the life cycle of a gallery for README.md, as SVG for light and dark pages.

Example:
    python tools/renderers/life_cycle.py docs/images
"""

from __future__ import annotations

import argparse
from pathlib import Path
from xml.sax.saxutils import escape

SIZE = (960, 420)
TITLE = 'The life cycle of a gallery'
DESCRIPTION = (
    '1. The gallery: the old model and a side-information model make a vector each of every image, and both are '
    'stored. 2. A new model arrives: from a sample of images that both models have seen, a transformation h is '
    'learned that turns old vectors and side-information into new vectors. 3. Upgrade: h turns the stored gallery '
    'into one of the new model without reading an image, and queries of the new model search it.'
)
# What belongs to a model has its colour everywhere; they can be told apart without colour vision.
_COLORS = dict(old='#0173B2', side='#CC78BC', new='#DE8F05', h='#029E73')
_INK = dict(old='white', side='#111111', new='#111111', h='#111111')  # on these
_THEMES = {
    'light': dict(text='#1F2328', quiet='#59636E', panel='#F6F8FA', border='#D1D9E0', card='#FFFFFF'),
    'dark': dict(text='#F0F6FC', quiet='#9198A1', panel='#151B23', border='#3D444D', card='#0D1117'),
}


class Picture:
    """An SVG picture that is made part by part; lengths are in pixels.

    Args:
        theme: Name of the colours, ``'light'`` or ``'dark'``.
    """

    def __init__(self, theme: str) -> None:
        self.colors = _THEMES[theme]
        self.parts: list[str] = []

    def text(self, x: float, y: float, words: str, *, size: int = 14, color: str = 'text', bold: bool = False) -> None:
        """Write words, centred at ``x``; ``color`` is a name of the theme, or a colour."""
        weight = ' font-weight="600"' if bold else ''
        fill = self.colors.get(color, color)
        self.parts.append(f'<text x="{x:g}" y="{y:g}" font-size="{size}"{weight} fill="{fill}">{escape(words)}</text>')

    def box(
        self, x: float, y: float, width: float, height: float, *, fill: str, border: str, round: float = 8
    ) -> None:
        """Draw a rectangle; colours are names of the theme, or colours."""
        fill, border = (self.colors.get(color, color) for color in (fill, border))
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{round:g}" fill="{fill}" '
            f'stroke="{border}"/>'
        )

    def model(self, x: float, y: float, role: str, words: str, *, width: float = 104, height: float = 36) -> None:
        """Draw a model, or vectors of it, centred at a point, in its colour."""
        color = _COLORS[role]
        self.box(x - width / 2, y - height / 2, width, height, fill=color, border=color)
        self.text(x, y + 5, words, color=_INK[role], bold=True)

    def images(self, x: float, y: float, words: str) -> None:
        """Draw a stack of photographs, centred at a point, with words below."""
        for shift in (8, 4, 0):
            self.box(x - 24 + shift, y - 18 - shift, 44, 34, fill='card', border='quiet', round=3)
        self.parts.append(
            f'<path d="M{x - 22:g} {y + 14:g} l13 -17 9 10 6 -7 12 14 z" fill="{self.colors["quiet"]}"/>'
            f'<circle cx="{x + 10:g}" cy="{y - 9:g}" r="4" fill="{self.colors["quiet"]}"/>'
        )
        self.text(x, y + 35, words, size=13, color='quiet')

    def gallery(self, x: float, y: float, columns: dict[str, str], words: str) -> None:
        """Draw stored vectors, four items with a bar per column (role -> label), centred at a point."""
        width = 66 * len(columns) + 18
        self.box(x - width / 2, y - 46, width, 92, fill='card', border='border')
        for place, (role, label) in enumerate(columns.items()):
            left = x - width / 2 + 12 + 66 * place
            for row in range(4):
                color = _COLORS[role]
                self.box(left, y - 18 + 15 * row, 60, 9, fill=color, border=color, round=2)
            self.text(left + 30, y - 27, label, size=13)
        self.text(x, y + 65, words, size=13, color='quiet')

    def arrow(self, *points: tuple[float, float], color: str = 'quiet') -> None:
        """Draw an arrow along points."""
        color = self.colors.get(color, color)
        line = ' '.join(f'{x:g},{y:g}' for x, y in points)
        (x, y), (x_end, y_end) = points[-2:]
        if x == x_end:
            sign = 1 if y_end > y else -1
            wings = f'{x - 5:g},{y_end - 8 * sign:g} {x + 5:g},{y_end - 8 * sign:g}'
        else:
            sign = 1 if x_end > x else -1
            wings = f'{x_end - 8 * sign:g},{y_end - 5:g} {x_end - 8 * sign:g},{y_end + 5:g}'
        self.parts.append(
            f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="1.8"/>'
            f'<polygon points="{x_end:g},{y_end:g} {wings}" fill="{color}"/>'
        )

    def panel(self, number: int, title: str, subtitle: str) -> float:
        """Draw the frame of a step, and return its middle."""
        left = 8 + 318 * (number - 1)
        self.box(left, 8, 308, SIZE[1] - 16, fill='panel', border='border', round=12)
        self.text(left + 154, 42, f'{number}. {title}', size=18, bold=True)
        self.text(left + 154, 64, subtitle, color='quiet')
        return left + 154

    def svg(self) -> str:
        """Return the file."""
        width, height = SIZE
        font = 'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif" text-anchor="middle"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" {font}>'
        words = [f'<title>{escape(TITLE)}</title>', f'<desc>{escape(DESCRIPTION)}</desc>']
        return '\n'.join([head, *words, *self.parts, '</svg>', ''])


def life_cycle(theme: str) -> str:
    """Return the picture as SVG, for a ``'light'`` or ``'dark'`` page."""
    picture = Picture(theme)
    both = dict(old='old', side='side')

    x = picture.panel(1, 'Store', 'an old vector and side-information each')
    picture.images(x, 116, 'all images')
    for sign, role, column in ((-1, 'old', -33), (1, 'side', 33)):
        picture.arrow((x + 34 * sign, 114), (x + 62 * sign, 114), (x + 62 * sign, 172))
        picture.model(x + 62 * sign, 192, role, f'{role} model')
        picture.arrow((x + column, 212), (x + column, 272))
    picture.gallery(x, 322, both, 'gallery')

    x = picture.panel(2, 'Learn', 'a new model arrives; a sample is enough')
    picture.images(x, 116, 'sample of the images')
    picture.arrow((x + 34, 114), (x + 88, 114), (x + 88, 172))
    picture.model(x + 88, 192, 'new', 'new model')
    picture.arrow((x + 88, 212), (x + 88, 272))
    picture.gallery(x - 64, 322, both, 'stored vectors')
    picture.gallery(x + 88, 322, dict(new='new'), 'new vectors')
    picture.model(x - 64, 220, 'h', 'learn h', width=84)
    picture.arrow((x - 64, 274), (x - 64, 240))
    picture.arrow((x + 44, 302), (x + 30, 302), (x + 30, 220), (x - 20, 220))

    x = picture.panel(3, 'Upgrade', 'no image is read')
    picture.gallery(x - 64, 142, both, 'gallery')
    picture.arrow((x + 13, 142), (x + 44, 142))
    picture.model(x + 88, 142, 'h', 'h', width=84)
    picture.arrow((x + 88, 162), (x + 88, 272))
    picture.gallery(x + 88, 322, dict(new='h(old)'), 'upgraded gallery')
    picture.images(x - 84, 264, 'queries')
    picture.arrow((x - 84, 306), (x - 84, 328))
    picture.model(x - 84, 348, 'new', 'new model')
    picture.arrow((x - 30, 348), (x + 44, 348))
    picture.text(x + 6, 339, 'search', size=13, color='quiet')
    return picture.svg()


def main() -> None:
    """Write both pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', type=Path, help='where life_cycle_light.svg and life_cycle_dark.svg go')
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for theme in _THEMES:
        (folder / f'life_cycle_{theme}.svg').write_text(life_cycle(theme))


if __name__ == '__main__':
    main()
