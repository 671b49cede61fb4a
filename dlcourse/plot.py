"""One look for every figure of the book, printed or interactive.

The palette is Okabe and Ito's (2008), which stays distinct for readers with any of the common forms
of color blindness. It stands here and nowhere else: Matplotlib takes it from `style`, the pages and
the interactive figures from `css_variables`.
"""

PALETTE = {
    "blue": "#0072B2",
    "orange": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "amber": "#E69F00",
    "yellow": "#F0E442",
    "ink": "#1F2933",
}
"""Name of each color and its hex code, in the order in which lines take them."""

DARK_PALETTE = {
    "blue": "#5DB4EE",
    "orange": "#FF8F47",
    "green": "#3DD0A4",
    "purple": "#E7A3C6",
    "sky": "#8FD0F7",
    "amber": "#F6BE4A",
    "yellow": "#F5EC7A",
    "ink": "#E4E7EB",
}
"""The same colors, lightened for a dark page."""

# Color is never the only carrier: each line has its own dashes as well.
_DASHES = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 2))]


def style():
    """Set Matplotlib's defaults to the look of the book: call it once, at the top of a notebook.

    Colors and dashes vary together. The background is transparent, so that a page can show the
    figure on light and on dark.
    """
    import matplotlib.pyplot as plt
    from matplotlib import cycler

    colors = [code for name, code in PALETTE.items() if name not in ("yellow", "ink")]
    plt.rcParams.update(
        {
            "axes.prop_cycle": cycler(color=colors, linestyle=_DASHES[: len(colors)]),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.edgecolor": "#52606D",
            "axes.labelcolor": PALETTE["ink"],
            "text.color": PALETTE["ink"],
            "xtick.color": "#3E4C59",
            "ytick.color": "#3E4C59",
            "grid.color": "#9AA5B1",
            "grid.alpha": 0.3,
            "grid.linewidth": 0.6,
            "lines.linewidth": 2.0,
            "font.size": 11,
            "axes.titlesize": 11,
            "axes.titlelocation": "left",
            "legend.frameon": False,
            "figure.figsize": (6.4, 3.4),
            "figure.dpi": 110,
            "figure.facecolor": "none",
            "axes.facecolor": "none",
            "savefig.facecolor": "none",
            "figure.constrained_layout.use": True,
        }
    )


def css_variables():
    """The palette as CSS custom properties (``--dl-blue`` ...), for light and for dark pages."""
    light = "".join(f"--dl-{name}:{code};" for name, code in PALETTE.items())
    dark = "".join(f"--dl-{name}:{code};" for name, code in DARK_PALETTE.items())
    return f":root{{{light}}}\nhtml[data-theme=dark]{{{dark}}}\n"
