"""Small images as users send them, and Pillow's result: `exif_transpose`, then `convert("RGB")` and `convert("L")`.

Writes crates/generation/tests/golden/pictures_in.json: for each image its file, the pixels of both results, and the exception if Pillow
raises one (then the pixels are those of the same image without the broken block). Files are assembled here byte by byte, so that each
differs from a valid one only as its name says. JPEG and lossy WebP are flat over whole blocks, where decoders agree exactly.
"""

import base64
import io
import json
import struct
import sys
import warnings
import zlib
from pathlib import Path

import PIL
from PIL import Image, ImageOps

OUT = Path(__file__).resolve().parents[2] / "crates" / "generation" / "tests" / "golden" / "pictures_in.json"
SHORT, LONG, BYTE, ASCII, RATIONAL, SBYTE, UNDEFINED, SSHORT, SLONG, SRATIONAL, FLOAT, DOUBLE, IFD, LONG8 = (
    3,
    4,
    1,
    2,
    5,
    6,
    7,
    8,
    9,
    10,
    11,
    12,
    13,
    16,
)
PREFIX = b"Exif\0\0"

# Six colours, different in every channel, three across and two down.
COLOURS = [(230, 100, 60), (20, 200, 90), (45, 30, 250), (255, 255, 255), (0, 0, 0), (128, 64, 32)]


def block(side: int) -> Image.Image:
    """The six colours as squares."""
    small = Image.new("RGB", (3, 2))
    small.putdata(COLOURS)
    return small.resize((3 * side, 2 * side), Image.Resampling.NEAREST)


# Exif -----------------------------------------------------------------------------------------------------------------------------------


def entry(order: str, tag: int, kind: int, count: int, value: bytes) -> bytes:
    return struct.pack(order + "HHI", tag, kind, count) + value.ljust(4, b"\0")


def tiff(entries: list[bytes], order: str = "<", tail: bytes = b"", head: bytes | None = None, offset: int = 8) -> bytes:
    """A TIFF file with one directory, followed by `tail`."""
    head = head or (b"II\x2a\0" if order == "<" else b"MM\0\x2a")
    return (
        head
        + struct.pack(order + "I", offset)
        + b"\0" * (offset - 8)
        + struct.pack(order + "H", len(entries))
        + b"".join(entries)
        + b"\0\0\0\0"
        + tail
    )


def oriented(value: int, order: str = "<", **other) -> bytes:
    return tiff([entry(order, 0x112, SHORT, 1, struct.pack(order + "H", value))], order, **other)


def of_kind(kind: int, value: bytes, count: int = 1, order: str = "<") -> bytes:
    """An orientation of another type; long values follow the directory."""
    if len(value) <= 4:
        return tiff([entry(order, 0x112, kind, count, value)], order)
    return tiff([entry(order, 0x112, kind, count, struct.pack(order + "I", 8 + 2 + 12 + 4))], order, tail=value)


def xmp(body: str) -> bytes:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description'
        f' xmlns:tiff="http://ns.adobe.com/tiff/1.0/"{body}</rdf:RDF></x:xmpmeta>'
    ).encode()


def xmp_attribute(value: int) -> bytes:
    return xmp(f' tiff:Orientation="{value}"/>')


def xmp_element(value: int) -> bytes:
    return xmp(f"><tiff:Orientation>{value}</tiff:Orientation></rdf:Description>")


def raw_profile(block: bytes, name: str = "exif", blanks: bool = False) -> bytes:
    text = block.hex()
    lines = [text[start : start + 72] for start in range(0, len(text), 72)]
    if blanks:
        lines = [" ".join(line[start : start + 2] for start in range(0, len(line), 2)) for line in lines]
    return f"\n{name}\n{len(block):8}\n{chr(10).join(lines)}\n".encode()


# PNG ------------------------------------------------------------------------------------------------------------------------------------


def chunk(kind: bytes, data: bytes, sum_off: int = 0) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", (zlib.crc32(kind + data) + sum_off) & 0xFFFFFFFF)


def png(before: bytes = b"", behind: bytes = b"", size=(3, 2), depth=8, kind=2, rows: list[bytes] | None = None) -> bytes:
    if rows is None:
        rows = [bytes(sum(COLOURS[row * 3 : row * 3 + 3], ())) for row in range(2)]
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    head = struct.pack(">IIBBBBB", *size, depth, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + before + chunk(b"IDAT", pixels) + behind + chunk(b"IEND", b"")


def text(key: str, value: bytes) -> bytes:
    return chunk(b"tEXt", key.encode() + b"\0" + value)


def packed_text(key: str, value: bytes, method: int = 0) -> bytes:
    return chunk(b"zTXt", key.encode() + b"\0" + bytes([method]) + zlib.compress(value, 9))


def world_text(key: str, value: bytes, packed: bool = False, method: int = 0, language: bytes = b"") -> bytes:
    body = zlib.compress(value, 9) if packed else value
    return chunk(b"iTXt", key.encode() + b"\0" + bytes([packed, method]) + language + b"\0\0" + body)


# JPEG -----------------------------------------------------------------------------------------------------------------------------------


def jpeg(*segments: bytes, picture: Image.Image | None = None, **options) -> bytes:
    """A JPEG with these segments after its first marker."""
    out = io.BytesIO()
    (picture or block(8)).save(out, "JPEG", quality=100, subsampling=0, **options)
    return out.getvalue()[:2] + b"".join(segments) + out.getvalue()[2:]


def app(number: int, data: bytes) -> bytes:
    return bytes([0xFF, 0xE0 + number]) + struct.pack(">H", len(data) + 2) + data


def app1(data: bytes) -> bytes:
    return app(1, PREFIX + data)


def app1_xmp(packet: bytes) -> bytes:
    return app(1, b"http://ns.adobe.com/xap/1.0/\0" + packet)


def without(file: bytes, marker: int) -> bytes:
    """A JPEG without its segments with this marker."""
    out, at = file[:2], 2
    while file[at + 1] != 0xDA:
        length = struct.unpack(">H", file[at + 2 : at + 4])[0] + 2
        if file[at + 1] != marker:
            out += file[at : at + length]
        at += length
    return out + file[at:]


def four_colours(seed: int) -> Image.Image:
    """A CMYK image of six squares."""
    small = Image.new("CMYK", (3, 2))
    small.putdata([tuple((seed + 37 * place + 71 * band) % 256 for band in range(4)) for place in range(6)])
    return small.resize((24, 16), Image.Resampling.NEAREST)


def as_ycck(file: bytes) -> bytes:
    """The same four channels, declared as YCCK."""
    return without(file, 0xEE).replace(b"\xff\xd8", b"\xff\xd8" + app(14, b"Adobe\0\x64\0\0\0\0\x02"), 1)


# WebP -----------------------------------------------------------------------------------------------------------------------------------


def riff(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def webp(*blocks: bytes, flags: int | None = None, lossless: bool = True, picture: Image.Image | None = None, before: bytes = b"") -> bytes:
    """A WebP with an extended header and these blocks after its pixels."""
    out = io.BytesIO()
    picture = picture or block(16 if not lossless else 1)
    picture.save(out, "WEBP", lossless=lossless, quality=100, exact=True)
    pixels = out.getvalue()[12:]
    if pixels[:4] == b"VP8X":
        pixels = pixels[18:]
    if flags is None:
        flags = sum({b"EXIF": 8, b"XMP ": 4}.get(kind, 0) for kind in {block[:4] for block in blocks})
        flags |= 0x10 if picture.mode == "RGBA" else 0
    size = b"".join(struct.pack("<I", side - 1)[:3] for side in picture.size)
    body = b"WEBP" + riff(b"VP8X", bytes([flags, 0, 0, 0]) + size) + before + pixels + b"".join(blocks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


# The cases ------------------------------------------------------------------------------------------------------------------------------

CASES: dict[str, tuple[bytes, bytes | None]] = {}


def case(name: str, file: bytes, clean: bytes | None = None) -> None:
    """`clean` is the image without the block on which Pillow raises."""
    assert name not in CASES, name
    CASES[name] = (file, clean)


def exif_cases() -> None:
    for value in (1, 2, 3, 4, 5, 6, 7, 8):
        case(f"jpeg, exif little-endian, {value}", jpeg(app1(oriented(value))))
        case(f"png, eXIf big-endian, {value}", png(chunk(b"eXIf", oriented(value, ">"))))
    for value in (0, 9, 255, 256 + 6, 65535):
        case(f"jpeg, exif of {value}", jpeg(app1(oriented(value))))
    blocks = {
        "LONG little-endian": of_kind(LONG, struct.pack("<I", 6)),
        "LONG big-endian": of_kind(LONG, struct.pack(">I", 6), order=">"),
        "LONG of 65536 and 6": of_kind(LONG, struct.pack("<I", 65536 + 6)),
        "BYTE, no number to Pillow": of_kind(BYTE, b"\x06"),
        "BYTE of four": of_kind(BYTE, b"\x06\0\0\0", 4),
        "ASCII": of_kind(ASCII, b"6\0", 2),
        "UNDEFINED": of_kind(UNDEFINED, b"\x06"),
        "SBYTE": of_kind(SBYTE, b"\x06"),
        "SSHORT": of_kind(SSHORT, struct.pack("<h", 8)),
        "SSHORT of -6": of_kind(SSHORT, struct.pack("<h", -6)),
        "SLONG": of_kind(SLONG, struct.pack(">i", 3), order=">"),
        "RATIONAL of 12/2": of_kind(RATIONAL, struct.pack("<II", 12, 2)),
        "RATIONAL of 6/0": of_kind(RATIONAL, struct.pack("<II", 6, 0)),
        "RATIONAL of 13/2": of_kind(RATIONAL, struct.pack("<II", 13, 2)),
        "SRATIONAL of -6/-1": of_kind(SRATIONAL, struct.pack("<ii", -6, -1)),
        "FLOAT": of_kind(FLOAT, struct.pack("<f", 6.0)),
        "FLOAT of 6.5": of_kind(FLOAT, struct.pack("<f", 6.5)),
        "DOUBLE": of_kind(DOUBLE, struct.pack("<d", 6.0)),
        "IFD": of_kind(IFD, struct.pack("<I", 6)),
        "LONG8": of_kind(LONG8, struct.pack("<Q", 6)),
        "an unknown type": of_kind(200, struct.pack("<I", 6)),
        "no value": of_kind(SHORT, b"", 0),
        "two values": of_kind(SHORT, struct.pack("<HH", 6, 3), 2),
        "three values": of_kind(SHORT, struct.pack("<HHH", 6, 3, 1), 3),
        "stated twice": tiff([entry("<", 0x112, SHORT, 1, b"\x06\0"), entry("<", 0x112, SHORT, 1, b"\x03\0")]),
        "behind other tags": tiff([entry("<", 0x10F, ASCII, 4, b"abc\0"), entry("<", 0x112, SHORT, 1, b"\x06\0")]),
        "behind a value outside": tiff([entry("<", 0x10F, ASCII, 9, b"\x10\x27\0\0"), entry("<", 0x112, SHORT, 1, b"\x06\0")]),
        "behind a value longer than the block": tiff(
            [entry("<", 0x927C, 7, 0xFFFFFFF, b"\x1a\0\0\0"), entry("<", 0x112, SHORT, 1, b"\x06\0")]
        ),
        "a directory further on": oriented(6, offset=40),
        "a directory outside": b"II\x2a\0\xff\xff\0\0",
        "fewer entries than stated": b"II\x2a\0\x08\0\0\0\x09\0" + entry("<", 0x112, SHORT, 1, b"\x06\0"),
        "cut in the entry": oriented(6)[:20],
        "cut behind the entry": oriented(6)[:22],
        "42 the wrong way round": oriented(6, head=b"II\0\x2a"),
        "nothing": b"",
    }
    for name, exif in blocks.items():
        case(f"webp, exif with {name}" if exif else "jpeg, exif of nothing", webp(riff(b"EXIF", exif)) if exif else jpeg(app1(b"")))
    for name, exif in {
        "a head that is no TIFF's": b"JUNK" + oriented(6)[4:],
        "BigTIFF's head": b"II\x2b\0\x08\0\0\0" + b"\0" * 8,
        "a head that breaks off": b"II\x2a\0\x08",
        "three prefixes": PREFIX * 2 + oriented(6),
    }.items():
        case(f"png, eXIf with {name}", png(chunk(b"eXIf", exif)), png())
        case(f"jpeg, exif with {name}, and XMP", jpeg(app1(exif), app1_xmp(xmp_attribute(6))), jpeg())


def jpeg_cases() -> None:
    whole = oriented(6, tail=b"x" * 40)
    case("jpeg, exif over two segments", jpeg(app1(whole[:15]), app1(whole[15:])))
    case("jpeg, exif twice", jpeg(app1(oriented(6)), app1(oriented(3))))
    case("jpeg, two prefixes", jpeg(app1(PREFIX + oriented(6))))
    case("jpeg, exif in APP2", jpeg(app(2, PREFIX + oriented(6))))
    case("jpeg, exif behind XMP and a comment", jpeg(app1_xmp(xmp_attribute(3)), b"\xff\xfe\0\x05abc", app1(oriented(6))))
    case("jpeg, fill bytes before the segment", jpeg(b"\xff\xff\xff" + app1(oriented(6))[1:]))
    case("jpeg, XMP as attribute", jpeg(app1_xmp(xmp_attribute(8))))
    case("jpeg, XMP as element", jpeg(app1_xmp(xmp_element(5))))
    case("jpeg, XMP of 0", jpeg(app1_xmp(xmp_attribute(0))))
    case("jpeg, XMP of 9", jpeg(app1_xmp(xmp_attribute(9))))
    case("jpeg, XMP of 61, of which Pillow reads the 6", jpeg(app1_xmp(xmp_attribute(61))))
    case("jpeg, XMP in single quotes", jpeg(app1_xmp(xmp(" tiff:Orientation='6'/>"))))
    case("jpeg, XMP with blanks", jpeg(app1_xmp(xmp(' tiff:Orientation = "6"/>'))))
    case("jpeg, XMP under another prefix", jpeg(app1_xmp(xmp(' t:Orientation="6"/>'))))
    case("jpeg, XMP with an rdf prefix of its own", jpeg(app1_xmp(xmp_attribute(6).replace(b"rdf:", b"r:"))))
    case(
        "jpeg, XMP that states nothing and then something",
        jpeg(app1_xmp(xmp("><tiff:Orientation/><tiff:Orientation>7</tiff:Orientation></rdf:Description>"))),
    )
    case("jpeg, XMP twice", jpeg(app1_xmp(xmp_attribute(6)), app1_xmp(xmp_attribute(3))))
    case(
        "jpeg, XMP extended",
        jpeg(app(1, b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 32 + struct.pack(">II", 300, 0) + xmp_attribute(6))),
    )
    case("jpeg, exif before XMP", jpeg(app1(oriented(6)), app1_xmp(xmp_attribute(3))))
    case("jpeg, exif without orientation, and XMP", jpeg(app1(tiff([entry("<", 0x10F, ASCII, 2, b"a\0")])), app1_xmp(xmp_attribute(6))))
    case("jpeg, exif of 0, and XMP", jpeg(app1(oriented(0)), app1_xmp(xmp_attribute(6))))
    case("jpeg, exif as BYTE, and XMP", jpeg(app1(of_kind(BYTE, b"\x06")), app1_xmp(xmp_attribute(6))))
    case("jpeg, exif that breaks off, and XMP", jpeg(app1(oriented(6)[:20]), app1_xmp(xmp_attribute(3))))
    case("jpeg, exif behind the pixels", jpeg() + app1(oriented(6)))
    case("jpeg, progressive", jpeg(app1(oriented(6)), progressive=True))
    case("jpeg, no JFIF segment", without(jpeg(app1(oriented(6))), 0xE0))
    case("jpeg, grey", jpeg(app1(oriented(6)), picture=block(8).convert("L")))
    case("jpeg, a density and exif that is junk", jpeg(app1(b"junk" * 5), dpi=(72, 72)), jpeg())
    case("jpeg, RGB by Adobe's marker", jpeg(keep_rgb=True))
    case("jpeg, CMYK", jpeg(app1(oriented(8)), picture=four_colours(9)))
    case("jpeg, CMYK without Adobe's marker", without(jpeg(picture=four_colours(90)), 0xEE))
    case("jpeg, YCCK", as_ycck(jpeg(picture=four_colours(60))))


def png_cases() -> None:
    exif = oriented(6)
    case("png, eXIf with a prefix", png(chunk(b"eXIf", PREFIX + exif)))
    case("png, eXIf behind the pixels", png(behind=chunk(b"eXIf", exif)))
    case("png, eXIf behind the pixels with a wrong sum", png(behind=chunk(b"eXIf", exif, 1)))
    case("png, eXIf with a wrong sum", png(chunk(b"eXIf", exif, 1)), png())
    case("png, eXIf twice", png(chunk(b"eXIf", oriented(3)), chunk(b"eXIf", exif)))
    case("png, eXIf twice before the pixels", png(chunk(b"eXIf", oriented(3)) + chunk(b"eXIf", exif)))
    for name, made in {"tEXt": text, "zTXt": packed_text, "iTXt": world_text}.items():
        case(f"png, raw profile in {name}", png(made("Raw profile type exif", raw_profile(PREFIX + exif))))
        case(f"png, XMP in {name}", png(made("XML:com.adobe.xmp", xmp_attribute(8))))
    case("png, raw profile in packed iTXt", png(world_text("Raw profile type exif", raw_profile(exif), packed=True)))
    case("png, XMP in packed iTXt behind the pixels", png(behind=world_text("XML:com.adobe.xmp", xmp_element(5), packed=True)))
    case("png, raw profile type APP1", png(packed_text("Raw profile type APP1", raw_profile(PREFIX + exif, "generic profile"))))
    case("png, raw profile with blanks", png(text("Raw profile type exif", raw_profile(exif, blanks=True))))
    case(
        "png, raw profile in odd lines",
        png(text("Raw profile type exif", b"\nexif\n      26\n" + b"\n".join(exif.hex().encode()[at : at + 7] for at in range(0, 52, 7)))),
    )
    case("png, raw profile in capitals", png(text("Raw profile type exif", raw_profile(exif).upper())))
    case("png, raw profile of three lines", png(text("Raw profile type exif", b"\nexif\n26")))
    case("png, raw profile behind eXIf", png(chunk(b"eXIf", oriented(3)) + text("Raw profile type exif", raw_profile(exif))))
    case(
        "png, raw profile twice",
        png(text("Raw profile type exif", raw_profile(oriented(3))) + packed_text("Raw profile type exif", raw_profile(exif))),
    )
    case(
        "png, raw profile that is not packed as said, and XMP",
        png(chunk(b"zTXt", b"Raw profile type exif\0\0junk") + world_text("XML:com.adobe.xmp", xmp_attribute(6))),
    )
    case(
        "png, raw profile of which the end is missing",
        png(chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw_profile(exif) + b" " * 60)[:-9])),
    )
    case("png, exif as a text of that name", png(text("exif", exif)))
    case("png, XMP of 1 before exif of 6", png(world_text("XML:com.adobe.xmp", xmp_attribute(1)) + chunk(b"eXIf", exif)))
    case("png, XMP in another language", png(world_text("XML:com.adobe.xmp", xmp_attribute(6), language=b"de")))
    case("png, XMP that is no UTF-8", png(world_text("XML:com.adobe.xmp", xmp_attribute(6) + b"\xff")))
    case("png, XMP packed by a method that there is not", png(world_text("XML:com.adobe.xmp", xmp_attribute(6), packed=True, method=9)))
    case("png, eXIf behind the end", png() + chunk(b"eXIf", exif))
    case("png, raw profile with another digit", png(text("Raw profile type exif", raw_profile(exif).replace(b"49", b"4x", 1))), png())
    case("png, raw profile with half a byte", png(text("Raw profile type exif", raw_profile(exif)[:-2])), png())
    case(
        "png, raw profile packed by a method that there is not",
        png(packed_text("Raw profile type exif", raw_profile(exif), method=3)),
        png(),
    )
    case("png, raw profile that grows to 8 MiB", png(packed_text("Raw profile type exif", raw_profile(exif) + b" " * (8 << 20))), png())
    case("png, a time that is too short", png(chunk(b"tIME", b"short"), behind=chunk(b"eXIf", exif)))


def webp_cases() -> None:
    exif = riff(b"EXIF", oriented(6))
    case("webp, exif", webp(exif))
    case("webp, exif with a prefix", webp(riff(b"EXIF", PREFIX + oriented(6))))
    case("webp, exif big-endian", webp(riff(b"EXIF", oriented(8, ">"))))
    case("webp, exif twice", webp(exif, riff(b"EXIF", oriented(3))))
    case("webp, exif that the head does not announce", webp(exif, flags=0))
    case("webp, exif that the head announces and is not there", webp(flags=8))
    case("webp, XMP that the head announces and is not there", webp(exif, flags=12))
    case("webp, exif before the pixels", webp(before=exif, flags=8))
    case("webp, exif of odd length", webp(riff(b"EXIF", oriented(6) + b"x"), riff(b"XMP ", xmp_attribute(3))))
    case("webp, XMP", webp(riff(b"XMP ", xmp_attribute(6))))
    case("webp, XMP as element", webp(riff(b"XMP ", xmp_element(7))))
    case("webp, exif without orientation, and XMP", webp(riff(b"EXIF", tiff([])), riff(b"XMP ", xmp_attribute(6))))
    case("webp, exif of nothing, and XMP", webp(riff(b"EXIF", b""), riff(b"XMP ", xmp_attribute(6))))
    case("webp, exif of junk", webp(riff(b"EXIF", b"junk" * 5)), webp())
    case("webp, lossy, exif", webp(exif, lossless=False))
    case("webp, plain", plain_webp())
    clear = block(1).convert("RGBA")
    clear.putalpha(Image.frombytes("L", (3, 2), bytes([0, 1, 127, 128, 254, 255])))
    case("webp, alpha", webp(exif, picture=clear))
    case("webp, alpha that is announced and not there", webp(exif, flags=0x18, lossless=False))
    frames = io.BytesIO()
    block(1).save(frames, "WEBP", save_all=True, append_images=[block(1).rotate(180)], duration=100, lossless=True)
    case("webp, animated", frames.getvalue())


def plain_webp() -> bytes:
    out = io.BytesIO()
    block(1).save(out, "WEBP", lossless=True, exact=True)
    return out.getvalue()


def colour_cases() -> None:
    """Colour modes, with Pillow's names for PNG's colour types."""
    grey16 = [0, 1, 127, 128, 254, 255, 256, 257, 4660, 32767, 40000, 65535]
    rows = lambda values: [struct.pack(">4H", *values[at : at + 4]) for at in (0, 4, 8)]
    turned = chunk(b"eXIf", oriented(6))
    case("png, 16-bit grey", png(turned, size=(4, 3), depth=16, kind=0, rows=rows(grey16)))
    case(
        "png, 16-bit grey, one of them clear",
        png(chunk(b"tRNS", struct.pack(">H", 40000)) + turned, size=(4, 3), depth=16, kind=0, rows=rows(grey16)),
    )
    case("png, 16-bit grey with alpha", png(turned, size=(2, 3), depth=16, kind=4, rows=rows(grey16)))
    case("png, 16-bit colour", png(turned, size=(2, 2), depth=16, kind=2, rows=[struct.pack(">6H", *grey16[at : at + 6]) for at in (0, 6)]))
    case(
        "png, 16-bit colour, one of them clear",
        png(
            chunk(b"tRNS", struct.pack(">3H", *grey16[:3])),
            size=(2, 2),
            depth=16,
            kind=2,
            rows=[struct.pack(">6H", *grey16[at : at + 6]) for at in (0, 6)],
        ),
    )
    case("png, 16-bit colour with alpha", png(size=(1, 3), depth=16, kind=6, rows=rows(grey16)))
    case("png, 8-bit grey", png(size=(4, 2), kind=0, rows=[bytes([0, 1, 2, 127]), bytes([128, 200, 254, 255])]))
    case(
        "png, 8-bit grey, one of them clear",
        png(chunk(b"tRNS", struct.pack(">H", 127)), size=(4, 2), kind=0, rows=[bytes([0, 1, 2, 127]), bytes([128, 200, 254, 255])]),
    )
    case("png, 8-bit grey with alpha", png(size=(2, 2), kind=4, rows=[bytes([255, 0, 100, 128]), bytes([7, 255, 0, 0])]))
    case("png, 4-bit grey", png(size=(4, 2), depth=4, kind=0, rows=[b"\x01\x7f", b"\x8e\xa5"]))
    case("png, 2-bit grey, one of them clear", png(chunk(b"tRNS", struct.pack(">H", 2)), size=(4, 1), depth=2, kind=0, rows=[b"\x1b"]))
    case("png, 1 bit", png(turned, size=(9, 2), depth=1, kind=0, rows=[b"\xa5\x80", b"\x5a\x00"]))
    case(
        "png, 1 bit, one of them clear",
        png(chunk(b"tRNS", struct.pack(">H", 1)), size=(9, 2), depth=1, kind=0, rows=[b"\xa5\x80", b"\x5a\x00"]),
    )
    palette = chunk(b"PLTE", bytes(sum(COLOURS, ())))
    indexed = [bytes([0, 1, 2]), bytes([3, 4, 5])]
    case("png, palette", png(palette + turned, kind=3, rows=indexed))
    case("png, palette of 4 bits", png(palette, size=(2, 3), depth=4, kind=3, rows=[b"\x01", b"\x23", b"\x45"]))
    case("png, palette of 1 bit", png(palette, size=(4, 1), depth=1, kind=3, rows=[b"\xa0"]))
    case("png, palette with one colour clear", png(palette + chunk(b"tRNS", bytes([255, 0])), kind=3, rows=indexed))
    case("png, palette with alpha", png(palette + chunk(b"tRNS", bytes([0, 60, 127, 128, 255])), kind=3, rows=indexed))
    case("png, palette with colours that it has not", png(palette, kind=3, rows=[bytes([0, 6, 2]), bytes([255, 4, 5])]))
    case(
        "png, palette with alpha and colours that it has not",
        png(palette + chunk(b"tRNS", bytes([9, 8])), kind=3, rows=[bytes([0, 6, 2]), bytes([255, 4, 5])]),
    )
    clear = [b"".join(bytes(colour) + bytes([alpha]) for colour, alpha in zip(COLOURS[at : at + 3], (0, 127, 255))) for at in (0, 3)]
    case("png, colour with alpha", png(turned, kind=6, rows=clear))
    case("png, colour, one of them clear", png(chunk(b"tRNS", struct.pack(">3H", *COLOURS[1]))))
    white = b"".join(bytes([255, 255, 255, alpha]) for alpha in (0, 127, 255))
    case("png, white with a shape in its alpha", png(kind=6, rows=[white, white[::-1]]))
    every = [
        bytes(sum(((level, (level * 7) % 256, (level * 31) % 256) for level in range(start, start + 16)), ()))
        for start in range(0, 256, 16)
    ]
    case("png, 256 colours", png(size=(16, 16), rows=every))
    case(
        "png, gamma and chromaticities",
        png(
            chunk(b"gAMA", struct.pack(">I", 100000))
            + chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 70800, 29200, 17000, 79700, 13100, 4600))
        ),
    )
    still = chunk(b"acTL", struct.pack(">II", 2, 0)) + chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 3, 2, 0, 0, 1, 10, 0, 0))
    second = chunk(b"fcTL", struct.pack(">IIIIIHHBB", 1, 3, 2, 0, 0, 1, 10, 0, 0))
    frame = chunk(b"fdAT", struct.pack(">I", 2) + zlib.compress(b"".join(b"\0" + bytes(9) for _ in range(2))))
    case("png, animated", png(still + turned, second + frame))
    case("png, animated, eXIf behind the second frame", png(still, second + frame + turned))


def pixels(file: bytes) -> tuple[dict, Image.Image]:
    with Image.open(io.BytesIO(file)) as picture:
        upright = ImageOps.exif_transpose(picture)
    colour, grey = upright.convert("RGB"), upright.convert("L")
    # Like diffusers: load_image returns RGB, and the mask processor converts that to grey.
    assert colour.convert("L").tobytes() == grey.tobytes()
    pack = lambda data: base64.b64encode(zlib.compress(data, 9)).decode()
    return {"width": colour.width, "height": colour.height, "rgb": pack(colour.tobytes()), "grey": pack(grey.tobytes())}, colour


def main() -> None:
    warnings.simplefilter("ignore")
    for make in (exif_cases, jpeg_cases, png_cases, webp_cases, colour_cases):
        make()
    found = []
    for name, (file, clean) in CASES.items():
        written = {"name": name, "file": base64.b64encode(file).decode()}
        try:
            expected, _ = pixels(file)
            assert clean is None or expected == pixels(clean)[0], name
        except AssertionError:
            raise
        except Exception as error:
            if clean is None:
                sys.exit(f"{name}: Pillow raises {error!r}")
            expected, _ = pixels(clean)
            written["pillow_raises"] = type(error).__name__
        found.append(written | expected)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(one) for one in found)
    OUT.write_text(f'{{"pillow": "{PIL.__version__}", "pictures": [\n{lines}\n]}}\n')
    raised = sum("pillow_raises" in one for one in found)
    print(f"{OUT.name}: {len(found)} images, Pillow {PIL.__version__} raises on {raised}; {OUT.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
