"""exiftool reads back what was written, finds nothing wrong, and sees everything else as it was."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from metadata_samples import ENTRY, FILES, canon_exif, kind_of, packet, saved, srgb, subject, tiff

from semreg.metadata import Entry, new_sidecar, read, withdrawn, written

pytestmark = pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")

SUFFIX = {"jpeg": ".jpg", "png": ".png", "webp": ".webp", "tiff": ".tif", "xmp": ".xmp"}
OURS = ("XMP-dc:Subject", "XMP-lr:HierarchicalSubject", "XMP-dc:Description", "IPTC:Keywords", "IPTC:Caption-Abstract")
OF_A_PACKET = {  # that there is one now; a simple WebP became an extended one
    *("XMP-x:XMPToolkit", "IFD0:ApplicationNotes"),
    *("File:FileType", "RIFF:WebP_Flags", "RIFF:ImageWidth", "RIFF:ImageHeight"),
}
OF_THE_FILE = ("SourceFile", "System:", "ExifTool:", "File:CurrentIPTCDigest", "Photoshop:IPTCDigest", "XMP-semreg:")


def exiftool(*arguments: str | Path) -> str:
    done = subprocess.run(["exiftool", *map(str, arguments)], capture_output=True, text=True, check=False)
    return done.stdout


def tags_of(folder: Path) -> dict[str, dict[str, object]]:
    """All tags of all files in a folder, by file name."""
    output = exiftool("-j", "-G1", "-a", "-struct", "-charset", "iptc=utf8", folder)
    return {Path(str(entry["SourceFile"])).name: entry for entry in json.loads(output)}


def warnings_of(folder: Path) -> dict[str, object]:
    output = exiftool("-j", "-validate", "-warning", "-error", "-a", folder)
    return {Path(entry.pop("SourceFile")).name: entry for entry in json.loads(output)}


def listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def others(entry: dict[str, object]) -> dict[str, object]:
    """The tags that are not to change."""
    return {name: value for name, value in entry.items() if not name.startswith(OF_THE_FILE) and name not in OURS}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same files before and after."""
    before, after = tmp_path_factory.mktemp("before"), tmp_path_factory.mktemp("after")
    for index, (name, make) in enumerate(FILES.items()):
        file_name = f"{index}{SUFFIX[kind_of(name)]}"
        (before / file_name).write_bytes(make())
        (after / file_name).write_bytes(written(make(), ENTRY))
    (after / "sidecar.xmp").write_bytes(new_sidecar(ENTRY))
    other = packet(subject("Anna") + "<odd:x>1</odd:x>", attributes=' xmp:Rating="5"')
    (before / "other.xmp").write_bytes(other)
    (after / "other.xmp").write_bytes(written(other, ENTRY))
    return before, after


def test_exiftool_reads_back_what_was_written(folders: tuple[Path, Path]) -> None:
    found = tags_of(folders[1])
    assert len(found) == len(FILES) + 2
    for name, entry in found.items():
        human = ["Anna"] if name == "other.xmp" else []
        assert listed(entry["XMP-dc:Subject"]) == [*human, *ENTRY.tags], name
        assert listed(entry["XMP-lr:HierarchicalSubject"]) == list(ENTRY.hierarchy), name
        assert entry["XMP-dc:Description"] == ENTRY.caption, name
        assert entry["XMP-semreg:Model"] == ENTRY.model
        assert listed(entry["XMP-semreg:Tags"]) == list(ENTRY.tags)


def test_exiftool_sees_everything_else_as_it_was(folders: tuple[Path, Path]) -> None:
    before, after = map(tags_of, folders)
    for name, entry in before.items():
        old, new = others(entry), others(after[name])
        changed = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
        assert changed <= OF_A_PACKET, name


def test_exiftool_finds_no_new_fault(folders: tuple[Path, Path]) -> None:
    before, after = map(warnings_of, folders)
    for name, entry in after.items():
        assert entry == before.get(name, {"Validate": "OK"}), name


RICH = [
    *("-XMP-dc:Subject=Anna", "-XMP-dc:Title=A title", "-XMP-xmp:Rating=4", "-XMP-lr:HierarchicalSubject=people|Anna"),
    *("-XMP-mwg-rs:RegionName=Anna", "-XMP-mwg-rs:RegionType=Face", "-XMP-xmpMM:HistoryAction=saved"),
    *("-XMP-dc:Rights-de=Alle Rechte", "-XMP-photoshop:City=Graz", "-XMP-exif:LensModel=A lens"),
    *("-GPSLatitude=47.07", "-GPSLatitudeRef=N", "-GPSLongitude=15.44", "-GPSLongitudeRef=E"),
    *("-EXIF:ImageDescription=OLYMPUS DIGITAL CAMERA", "-EXIF:UserComment=a comment", "-EXIF:Artist=Anna"),
]
RICH_JPEG = [
    *("-IPTC:Keywords=Anna", "-IPTC:City=Graz", "-IPTC:CodedCharacterSet=UTF8", "-IPTC:By-line=Ännä"),
    *("-Photoshop:URL=https://example.org", "-Photoshop:IPTCDigest=new", "-Comment=a comment"),
]


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Files that exiftool filled with XMP, Exif, GPS, ICC, IPTC and a maker note; before and after."""
    before, after = tmp_path_factory.mktemp("rich"), tmp_path_factory.mktemp("rich_after")
    (before / "a.jpg").write_bytes(saved("jpeg", exif=canon_exif(), icc_profile=srgb(), progressive=True))
    (before / "a.png").write_bytes(saved("png", exif=canon_exif(), icc_profile=srgb()))
    (before / "a.webp").write_bytes(saved("webp", exif=canon_exif(), icc_profile=srgb()))
    (before / "a.tif").write_bytes(saved("tiff", icc_profile=srgb()))
    (before / "b.tif").write_bytes(tiff(">", pages=2))
    (before / "a.xmp").write_bytes(packet(subject("Anna")))
    exiftool("-q", "-overwrite_original", *RICH, before)
    exiftool("-q", "-overwrite_original", *RICH_JPEG, before / "a.jpg")
    for path in before.iterdir():
        (after / path.name).write_bytes(written(path.read_bytes(), ENTRY))
    return before, after


def test_a_file_that_has_everything_keeps_everything(rich: tuple[Path, Path]) -> None:
    before, after = map(tags_of, rich)
    assert before["a.jpg"]["Canon:FileNumber"] == "100-1234"
    kinds = {"GPS:GPSLatitude", "ICC-header:ProfileClass", "IPTC:City", "Photoshop:URL", "XMP-dc:Rights-de"}
    assert kinds <= before["a.jpg"].keys()
    assert len(before) == 6
    for name, entry in before.items():
        assert "XMP-mwg-rs:RegionInfo" in entry
        assert others(after[name]) == others(entry), name
        assert listed(after[name]["XMP-dc:Subject"]) == ["Anna", *ENTRY.tags]
        assert listed(after[name]["XMP-lr:HierarchicalSubject"]) == ["people|Anna", *ENTRY.hierarchy]
    jpeg = after["a.jpg"]
    assert listed(jpeg["IPTC:Keywords"]) == ["Anna", *ENTRY.tags]
    assert jpeg["IPTC:Caption-Abstract"] == ENTRY.caption
    assert jpeg["Photoshop:IPTCDigest"] == jpeg["File:CurrentIPTCDigest"] != before["a.jpg"]["Photoshop:IPTCDigest"]


def test_a_file_that_has_everything_has_no_new_fault(rich: tuple[Path, Path]) -> None:
    before, after = map(warnings_of, rich)
    assert after == before


def test_a_file_that_has_everything_is_as_before_when_ours_goes(rich: tuple[Path, Path], tmp_path: Path) -> None:
    for path in rich[1].iterdir():
        (tmp_path / path.name).write_bytes(withdrawn(path.read_bytes()))
    before, after = tags_of(rich[0]), tags_of(tmp_path)
    for name, entry in before.items():
        kept = {key: value for key, value in after[name].items() if not key.startswith(("SourceFile", "System:"))}
        old = {key: value for key, value in entry.items() if not key.startswith(("SourceFile", "System:"))}
        assert kept == old, name


def test_our_record_survives_exiftools_own_edits(rich: tuple[Path, Path], tmp_path: Path) -> None:
    for path in rich[1].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    edits = "-XMP-dc:Subject-=dog", "-XMP-dc:Subject+=Rex", "-XMP-dc:Description=Rex"
    exiftool("-q", "-overwrite_original", *edits, tmp_path)
    for path in tmp_path.iterdir():
        known = read(path.read_bytes())
        assert set(known.tags) == {"Anna", "café", "Rex"}, path.name
        assert known.caption == "Rex"
        assert known.machine == Entry(("café",), ENTRY.hierarchy, None, ENTRY.model, ENTRY.date)
        again = read(written(path.read_bytes(), Entry(("dog", "table"), model="model@2")))
        assert set(again.tags) == {"Anna", "Rex", "table"}
        assert set(read(withdrawn(path.read_bytes())).tags) == {"Anna", "Rex"}
