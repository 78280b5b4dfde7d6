"""The contact sheet: one row a page, one picture a variant, with what was found on it."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

STYLE = """body{font:14px system-ui;margin:24px;background:#eee}h2{margin:32px 0 8px;font-size:16px}
.row{display:flex;gap:12px;flex-wrap:wrap;align-items:flex-start}figure{margin:0;background:#fff;padding:6px}
img{display:block;height:320px;max-width:420px;object-fit:cover;object-position:top;border:1px solid #ccc}
figcaption{font-size:12px;max-width:420px}li{color:#a30}"""
Photographs = Mapping[str, Sequence[tuple[str, Path, Sequence[str]]]]  # by page: variant, picture, findings


def write_sheet(folder: Path, photographs: Photographs) -> Path:
    """Write `index.html` into `folder`; the pictures are named relative to it."""
    parts = [f"<!doctype html><meta charset=utf-8><title>Pages</title><style>{STYLE}</style><h1>Pages</h1>"]
    for page, variants in photographs.items():
        parts.append(f"<h2>{escape(page)}</h2><div class=row>")
        for variant, picture, findings in variants:
            said = "".join(f"<li>{escape(finding)}</li>" for finding in findings)
            source = escape(str(picture.relative_to(folder)))
            parts.append(
                f'<figure><a href="{source}"><img loading=lazy src="{source}" alt=""></a>'
                f"<figcaption>{escape(variant)}<ul>{said}</ul></figcaption></figure>"
            )
        parts.append("</div>")
    sheet = folder / "index.html"
    sheet.write_text("\n".join(parts), encoding="utf-8")
    return sheet
