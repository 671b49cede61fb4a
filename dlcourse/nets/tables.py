"""Tables as text for the terminal and as HTML for notebooks and pages, from cells of text."""

import html


def text_table(caption, header, rows, footer="", left=(0,)):
    """Columns aligned with spaces.

    Args:
        caption: line above the table.
        header: names of the columns.
        rows: a sequence of texts for each row.
        footer: line below. Default none.
        left: columns that are set to the left; the others are numbers. Default the first.

    Returns:
        text of several lines.
    """
    cells = [header, *rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = [
        "  ".join(
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    rule = "-" * max(map(len, lines))
    return "\n".join(
        [caption, rule, lines[0], rule, *lines[1:], *([rule, footer] if footer else [])]
    )


def html_table(caption, header, rows):
    """The same as a table that a screen reader can walk through and a narrow screen can scroll.

    Args:
        caption: what the table shows.
        header: names of the columns.
        rows: a sequence of texts for each row; the first names the row.

    Returns:
        HTML with everything in it escaped.
    """
    columns = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in header)
    body = "".join(
        f'<tr><th scope="row">{html.escape(row[0])}</th>'
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    caption = html.escape(caption)
    return (
        f'<div style="overflow-x: auto" role="region" tabindex="0" aria-label="{caption}">'
        f"<table><caption>{caption}</caption>"
        f"<thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table></div>"
    )
