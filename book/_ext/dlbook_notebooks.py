"""Write the notebooks that readers run, from the same manuscripts as the pages."""


def setup(app):
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
