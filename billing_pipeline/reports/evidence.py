"""The evidence of a release as one ZIP for the auditor: what it was made of, what came out, who decided, every hash."""

import json
import zipfile
from collections.abc import Mapping
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

_DATED = (1980, 1, 1, 0, 0, 0)  # the same release gives the same bytes whenever it is packed
_BLOCK = 1 << 20


def write_pack(out: Path, files: Mapping[str, Path], record: Mapping[str, Any]) -> int:
    """Write `files` (name to place), `release.json` with `record`, and SHA256SUMS; how many files those are.

    The pack appears complete or not at all. OSError when it cannot be written.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.part")
    release = json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False).encode()
    sums = [f"{sha256(release).hexdigest()}  release.json"]
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as pack:
            _add(pack, "release.json", release)
            for name, path in sorted(files.items()):
                with path.open("rb") as source, pack.open(_entry(name), "w", force_zip64=True) as target:
                    while block := source.read(_BLOCK):
                        target.write(block)
                with path.open("rb") as source:
                    sums.append(f"{file_digest(source, 'sha256').hexdigest()}  {name}")
            _add(pack, "SHA256SUMS", "".join(f"{line}\n" for line in sums).encode())
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)
    return len(files) + 2


def _add(pack: zipfile.ZipFile, name: str, content: bytes) -> None:
    pack.writestr(_entry(name), content)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _DATED)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry
