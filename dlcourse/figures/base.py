"""What all interactive figures share: one state, shown by one JavaScript module, in two places.

In a live notebook a `Figure` is an anywidget whose traits are the state, so that Python and the
reader's hand move the same values. While the site is built it is a piece of HTML: the state as
JSON, and a picture that stands in until the module has drawn, or for good without JavaScript.
"""

import html
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dlcourse import plot

FOLDER = Path(__file__).parent
"""Where the modules (`*.mjs`), the site's host script and the shared style sheet lie."""

STATIC_VARIABLE = "DLCOURSE_STATIC"
"""Environment variable that the builder of the site sets to 1."""

# A live notebook tells light from dark in its own way: Colab, JupyterLab, VS Code.
_LIVE_DARK = (
    "html[theme=dark]",
    'body[data-jp-theme-light="false"]',
    "body.vscode-dark",
    "body.vscode-high-contrast:not(.vscode-high-contrast-light)",
)

_widget_classes: dict[str, type] = {}


class Figure:
    """An interactive figure: display it as the last line of a cell.

    The state can be read and set at any time, before and after it is shown::

        figure = graph_stepper("x * y + x", {"x": 3, "y": -2})
        figure                 # shows it
        figure.step            # where the reader is now
        figure.step = 4        # moves every view of the figure
        figure.state           # all of the state, as a dictionary
        figure.widget.observe(print, "step")   # called at each step the reader makes

    Args:
        module_name: name of the module, `<module_name>.mjs` beside this file.
        state: what the module shows; keys are names, values are plain data (JSON).
        alt: one sentence that says what is to be seen.
        fallback_svg: an `<svg>` that shows the same without JavaScript.
        check: called with a complete state before a change from Python; raises ValueError if bad.

    Raises:
        ValueError: there is no such module, or the state is not plain data.
    """

    def __init__(
        self,
        module_name: str,
        state: Mapping[str, Any],
        alt: str,
        fallback_svg: str,
        check: Callable[[dict], None] | None = None,
    ):
        module_path(module_name)
        _to_json(state)
        self.__dict__.update(
            module_name=module_name,
            alt=alt,
            fallback_svg=fallback_svg,
            _check=check or (lambda state: None),
            _state=dict(state),
            _widget=None,
        )

    @property
    def state(self) -> dict:
        """The state as it is now, in a live notebook with all that the reader has changed."""
        if self._widget is None:
            return dict(self._state)
        return {key: getattr(self._widget, key) for key in self._state}

    @property
    def widget(self):
        """The anywidget behind the figure in a live notebook; the state's keys are its traits."""
        if self._widget is None:
            self.__dict__["_widget"] = _widget_class(self.module_name, self._state)(**self._state)
        return self._widget

    def update(self, **changes):
        """Set several keys of the state at once; raises ValueError before anything has changed."""
        unknown = sorted(set(changes) - set(self._state))
        if unknown:
            raise ValueError(
                f"{self.module_name} has no state {unknown[0]!r}; "
                f"its state is {', '.join(self._state)}"
            )
        state = self.state | changes
        _to_json(state)
        self._check(state)
        if self._widget is None:
            self._state.update(changes)
        else:
            with self._widget.hold_sync():
                for key, value in changes.items():
                    setattr(self._widget, key, value)

    def __getattr__(self, name: str):
        if name in self.__dict__.get("_state", ()):
            return self.state[name]
        raise AttributeError(
            f"{type(self).__name__} has no attribute {name!r}; "
            f"its state is {', '.join(self.__dict__.get('_state', ()))}"
        )

    def __setattr__(self, name: str, value):
        if name not in self._state:
            raise AttributeError(
                f"{self.module_name} has no state {name!r}; its state is {', '.join(self._state)}"
            )
        self.update(**{name: value})

    def __dir__(self):
        return [*super().__dir__(), *self._state]

    def __repr__(self) -> str:
        return f"[interactive figure {self.module_name}: {self.alt}]"

    def to_html(self) -> str:
        """The figure for a static page: state, and the picture that stands in for it."""
        return (
            f'<div class="dl-figure" data-module="{html.escape(self.module_name)}" '
            f'role="group" aria-label="{html.escape(self.alt)}">'
            f'<script type="application/json" class="dl-state">{_to_script(self.state)}</script>'
            f'<div class="dl-fallback">{self.fallback_svg}</div>'
            "</div>"
        )

    def _repr_mimebundle_(self, include=None, exclude=None):
        if os.environ.get(STATIC_VARIABLE) == "1":
            return {"text/html": self.to_html(), "text/plain": repr(self)}
        bundle = self.widget._repr_mimebundle_(include=include, exclude=exclude)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        return {**data, "text/plain": repr(self)}, metadata


def module_path(module_name: str) -> Path:
    """The file of a figure's module; raises ValueError where there is none."""
    path = FOLDER / f"{module_name}.mjs"
    if not module_name.isidentifier() or not path.is_file():
        there = ", ".join(sorted(p.stem for p in FOLDER.glob("*.mjs"))) or "none"
        raise ValueError(f"no figure module {path.name!r} in {FOLDER}; there are: {there}")
    return path


_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./(\w+)\.mjs";$', re.MULTILINE)
_LATER = re.compile(r'\bimport\("\./(\w+)\.mjs"\)')
_EXPORT = re.compile(r"^export (?:const|(?:async )?function) (\w+)", re.MULTILINE)


def module_text(module_name: str, inside: str = "") -> str:
    """A figure's module as one text, with the modules beside it that it imports put in.

    A notebook sends the module's text to the browser, where no file lies beside it. On the site the
    same files are loaded as they are, and a browser keeps what several figures share. Understood is
    ``import { a, b } from "./kit.mjs";`` at the start of a line, of names that the other module
    exports where it declares them (``export const a``, ``export function b``); and
    ``import("./tools.mjs")``, with which the site fetches a part when a reader first needs it.

    Args:
        module_name: name of the module.
        inside: name of a module in whose text this one is put. What it imports from there is
            already in sight.

    Returns:
        JavaScript that imports nothing.

    Raises:
        ValueError: there is no such module.
    """

    def local(name, inside=""):
        return re.sub(r"^export (?!default)", "", module_text(name, inside), flags=re.MULTILINE)

    def put_in(match):
        if match[2] == inside:
            return ""
        names = ", ".join(name.strip() for name in match[1].split(",") if name.strip())
        return f"const {{ {names} }} = (() => {{\n{local(match[2])}\nreturn {{ {names} }};\n}})();"

    def put_in_later(match):
        names = ", ".join(_EXPORT.findall(module_path(match[1]).read_text("utf-8")))
        text = local(match[1], inside=module_name)
        return f"(async () => {{\n{text}\nreturn {{ {names} }};\n}})()"

    text = _IMPORT.sub(put_in, module_path(module_name).read_text("utf-8"))
    return _LATER.sub(put_in_later, text)


def style_sheets(module_name: str) -> list[Path]:
    """The style sheets of a figure: the one for all, those of what it imports, and its own.

    The last two are named as their modules, `<module>.css`, and may be missing.
    """
    imported = [match[2] for match in _IMPORT.finditer(module_path(module_name).read_text("utf-8"))]
    own = [FOLDER / f"{name}.css" for name in (*imported, module_name)]
    return [FOLDER / "figures.css", *(path for path in own if path.is_file())]


def live_css(module_name: str) -> str:
    """The style sheet of a figure in a live notebook: the palette, light and dark, and the look."""
    dark = "".join(f"--dl-{name}:{code};" for name, code in plot.DARK_PALETTE.items())
    look = "\n".join(path.read_text("utf-8") for path in style_sheets(module_name))
    return f"{plot.css_variables()}{','.join(_LIVE_DARK)}{{{dark}}}\n{look}"


def _widget_class(module_name: str, state: Mapping[str, Any]) -> type:
    """The anywidget class of a module, made once, with one synchronized trait for each key."""
    if module_name not in _widget_classes:
        import anywidget
        import traitlets

        members = {key: traitlets.Any().tag(sync=True) for key in state}
        members["_esm"] = module_text(module_name)
        members["_css"] = live_css(module_name)
        members["__module__"] = __name__
        _widget_classes[module_name] = type(module_name, (anywidget.AnyWidget,), members)
    return _widget_classes[module_name]


def _to_json(state: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(state), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"the state of a figure is plain data with finite numbers; {error}: {dict(state)!r}"
        ) from None


def _to_script(state: Mapping[str, Any]) -> str:
    """JSON that no text in it can break out of its `<script>`: `<`, `>` and `&` are escaped."""
    text = _to_json(state)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text
