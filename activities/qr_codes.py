"""QR codes of addresses, black on white: for a page, as a drawing for print, and as a picture."""

import struct
import zlib
from io import BytesIO

import qrcode
from qrcode.image.svg import SvgPathImage

PIXELS = 16  # of a module in a picture: some 600 in all, 5 cm at 300 dots an inch
QUIET_ZONE = 4  # modules around it, as ISO/IEC 18004 requires


def svg_code(text: str) -> str:
    """A QR code as an SVG element; no other markup is in it."""
    svg = svg_file(text).decode()
    return svg[svg.index("<svg") :]


def svg_file(text: str) -> bytes:
    """A QR code as an SVG file, sharp at any size."""
    code = qrcode.make(text, image_factory=SvgPathImage, box_size=10, border=QUIET_ZONE)
    buffer = BytesIO()
    code.save(buffer)
    return buffer.getvalue()


def png_file(text: str) -> bytes:
    """A QR code as a PNG file, large enough for print: one bit a pixel (the library's own need Pillow or PyPNG)."""
    code = qrcode.QRCode(border=QUIET_ZONE)
    code.add_data(text)
    code.make(fit=True)
    matrix = code.get_matrix()
    width = len(matrix) * PIXELS
    lines = []
    for row in matrix:
        bits = "".join(("0" if is_black else "1") * PIXELS for is_black in row)
        lines += [b"\0" + int(bits, 2).to_bytes(width // 8, "big")] * PIXELS
    head = struct.pack(">IIBBBBB", width, width, 1, 0, 0, 0, 0)  # one bit of grey, no filter, not interlaced
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(b"".join(lines), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
