"""PDF files for tests, drawn by pypdf: one line of text after another, in Helvetica."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from pypdf import PageObject, PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject


def writer_of(pages: Sequence[Sequence[str]], about: Mapping[str, str] | None = None) -> PdfWriter:
    """A document of these pages, each given as its lines; an empty line leaves a gap. `about` is its metadata."""
    writer = PdfWriter()
    font = DictionaryObject(
        {NameObject(f"/{key}"): NameObject(f"/{value}") for key, value in FONT.items()},
    )
    for lines in pages:
        page = writer.add_blank_page(595, 842)
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})}
        )
        draw(writer, page, b"BT /F1 11 Tf 14 TL 50 800 Td\n" + b"".join(map(_shown, lines)) + b"ET")
    writer.add_metadata(dict(about or {}))
    return writer


FONT = {"Type": "Font", "Subtype": "Type1", "BaseFont": "Helvetica", "Encoding": "WinAnsiEncoding"}


def draw(writer: PdfWriter, page: PageObject, content: bytes) -> None:
    """Give a page its drawing."""
    stream = DecodedStreamObject()
    stream.set_data(content)
    page[NameObject("/Contents")] = writer._add_object(stream.flate_encode())


def pdf(pages: Sequence[Sequence[str]], about: Mapping[str, str] | None = None) -> bytes:
    """As `writer_of`, written."""
    return written(writer_of(pages, about))


def written(writer: PdfWriter) -> bytes:
    """The document as a file's bytes."""
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def _shown(line: str) -> bytes:
    escaped = line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return b"(" + escaped.encode("cp1252") + b") Tj T*\n" if line else b"T*\n"
