"""What is made once of a file, and kept in the cache folder until the file changes."""

from __future__ import annotations

import hashlib
import logging
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from vosbench.config import cache_path
from vosbench.errors import DatasetError

_log = logging.getLogger(__name__)


def derived(source: Path, kind: str, make: Callable[[Path, Path], None]) -> Path:
    """The folder of `kind` that `make(source, folder)` fills, made now if that was not done since
    `source` changed. It appears whole or not at all.

    Raises:
        DatasetError: the cache cannot be written; whatever `make` raises passes.
    """
    try:
        facts = source.stat()
        key = f"{source.resolve()}|{facts.st_size}|{facts.st_mtime_ns}"
        digest = hashlib.sha256(key.encode()).hexdigest()[:16]
        home = cache_path() / kind / f"{source.stem}-{digest}"
        if home.is_dir():
            return home
        _log.warning("decoding %s into %s, once", source, home.parent)
        home.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{home.name}-", dir=home.parent))
        try:
            make(source, part)
            part.chmod(0o755)
            part.rename(home)
        except OSError:
            if not home.is_dir():  # another process was faster: it made the same
                raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise DatasetError(f"{source} cannot be decoded into the cache: {error}") from None
    return home
