"""Ship only the icons that the site shows.

The theme loads a script that holds every icon of Font Awesome, by far the heaviest file of a page.
Its style sheet can show the same icons from a font. So the script goes (see templates/layout.html),
and at the end of a build the font and its rules are cut down to the icons found on the pages.
"""

import logging
import re
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont
from sphinx.errors import ExtensionError

# It tells of every glyph otherwise.
logging.getLogger("fontTools").setLevel(logging.WARNING)

_SHEET = "styles/pydata-sphinx-theme.css"
_FONTS = "vendor/fontawesome/webfonts"
# .fa-bars:before,.fa-navicon:before{content:"\f0c9"}
_RULE = re.compile(r'(\.fa-[\w-]+::?before(?:,\.fa-[\w-]+::?before)*)\{content:"\\([0-9a-f]+)"\}')
_SOURCE = re.compile(
    r"url\(\.\./vendor/fontawesome/webfonts/(fa-[\w-]+)\.woff2\) format\(\"woff2\"\)"
    r",url\([^)]*\.ttf\) format\(\"truetype\"\)"
)
_CLASS = re.compile(
    r"""class=["']([^"']*\b(?:fa-solid|fa-regular|fa-brands|fas|far|fab)\b[^"']*)"""
)


def used_names(pages, scripts):
    """The ``fa-`` names in the class attributes of pages and in the strings of scripts."""
    names = {name for page in pages for found in _CLASS.findall(page) for name in found.split()}
    names |= {name for script in scripts for name in re.findall(r"\bfa-[a-z0-9-]+", script)}
    return {name for name in names if name.startswith("fa-")}


def cut_sheet(sheet, used):
    """Keep the icon rules of the names in `used`.

    Args:
        sheet: text of the theme's style sheet.
        used: names such as ``fa-bars``.

    Returns:
        (text of the smaller sheet, set of the code points that it can show).

    Raises:
        ExtensionError: if the sheet is not laid out as expected, or knows no icon of some name.
    """
    rules = _RULE.findall(sheet)
    if len(rules) < 500 or len(_SOURCE.findall(sheet)) != 3:
        raise ExtensionError(
            f"icons: expected {_SHEET} of the theme to hold over 500 rules like "
            f'.fa-bars:before{{content:"\\f0c9"}} and 3 fonts, found {len(rules)} and '
            f"{len(_SOURCE.findall(sheet))}; the theme has changed, so adapt dlbook_icons.py"
        )
    known = {name for names, _ in rules for name in re.findall(r"\.(fa-[\w-]+):", names)}
    unknown = {
        name for name in used - known if f".{name}{{" not in sheet and f".{name}," not in sheet
    }
    if unknown:
        raise ExtensionError(f"icons: the theme has no icon named {', '.join(sorted(unknown))}")

    def rule(match):
        if not used & set(re.findall(r"\.(fa-[\w-]+):", match[1])):
            return ""
        # The second declaration tells screen readers to say nothing; old browsers skip it.
        return f'{match[1]}{{content:"\\{match[2]}";content:"\\{match[2]}"/""}}'

    smaller = _RULE.sub(rule, sheet)
    smaller = _SOURCE.sub(rf'url(../{_FONTS}/\1.woff) format("woff")', smaller)
    return smaller, {int(code, 16) for code in re.findall(r'"\\([ef][0-9a-f]{3})"', smaller)} | {
        ord(sign) for sign in re.findall("[\ue000-\uf8ff]", smaller)
    }


def cut_font(source, target, codes):
    """Write the glyphs of `source` (.ttf) for `codes` to `target` (.woff)."""
    font = TTFont(source)
    options = subset.Options(flavor="woff", layout_features=[], notdef_outline=True)
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=codes & set(font.getBestCmap()))
    cutter.subset(font)
    subset.save_font(font, str(target), options)


def cut_icons(app, exception):
    """At the end of a build: replace the theme's icon files by smaller ones."""
    if exception or app.builder.format != "html":
        return
    out = Path(app.outdir)
    static = out / "_static"
    fonts = list((static / _FONTS).glob("*.ttf"))
    if not fonts:
        return  # No page was out of date, so the theme's files have not been copied again.
    pages = [path.read_text("utf8") for path in out.rglob("*.html")]
    scripts = [path.read_text("utf8") for path in static.glob("scripts/*theme.js")]
    sheets = "".join(path.read_text("utf8") for path in static.glob("*.css"))
    sheet, codes = cut_sheet((static / _SHEET).read_text("utf8"), used_names(pages, scripts))
    codes |= {int(code, 16) for code in re.findall(r'"\\([ef][0-9a-f]{3})"', sheets)}
    for font in fonts:
        cut_font(font, font.with_suffix(".woff"), codes)
        font.unlink()
        font.with_suffix(".woff2").unlink()
    (static / _SHEET).write_text(sheet, "utf8")
    for heavy in static.glob("scripts/fontawesome.js*"):
        heavy.unlink()
