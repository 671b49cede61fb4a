"""What the pages of the site need beyond Jupyter Book: assets, buttons, exercises without answers."""


def setup(app):
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
