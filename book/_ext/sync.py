"""Keep the committed notebooks in `chapters/` in step with the manuscripts.

Building the site leaves a template of every notebook. A committed notebook is in step if it equals
its template, computed numbers aside; only one that is not gets written anew, so that a build on
another machine changes nothing in the repository.
"""

from pathlib import Path

from glued import fill, matches


def out_of_step(templates: Path, chapters: Path) -> dict[str, str]:
    """Notebooks that have to change: their path, and 'new', 'changed' or 'gone'."""
    fresh = {path.relative_to(templates).as_posix() for path in templates.rglob("*.ipynb")}
    committed = {path.relative_to(chapters).as_posix() for path in chapters.rglob("*.ipynb")}
    states = dict.fromkeys(fresh - committed, "new")
    states |= {name: "gone" for name in committed - fresh if ".ipynb_checkpoints" not in name}
    for name in fresh & committed:
        template = (templates / name).read_text("utf-8")
        if not matches(template, (chapters / name).read_text("utf-8")):
            states[name] = "changed"
    return dict(sorted(states.items()))


def bring_into_step(templates: Path, chapters: Path) -> dict[str, str]:
    """Write, rewrite and remove the notebooks that have to change; return which."""
    states = out_of_step(templates, chapters)
    for name, state in states.items():
        path = chapters / name
        if state == "gone":
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(fill((templates / name).read_text("utf-8")), encoding="utf-8")
    return states
