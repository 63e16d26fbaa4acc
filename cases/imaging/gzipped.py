"""The bytes of a gzip file that cannot be trusted, unpacked as they are read.

ISA-L unpacks two to four times faster than zlib, and an import is bound by unpacking; a thread of its own unpacks a few
megabytes ahead of the reader, never more, so a file that unpacks to a thousand times its length costs no memory.
"""

import io
from pathlib import Path
from types import TracebackType

from isal import igzip_lib, igzip_threaded

IsalError: type[Exception] = igzip_lib.IsalError  # type: ignore[assignment] # its stubs call the class an instance

_AHEAD_BYTES = 1024 * 1024


class FileRefused(ValueError):
    """A file that cannot be read as what it should be. The message is a sentence for the person who imports."""


class GzipFile:
    """A context manager; every way in which a file can be damaged is a FileRefused that names it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream: io.BufferedIOBase | None = None

    def __enter__(self) -> "GzipFile":
        try:
            with self.path.open("rb") as file:
                start = file.read(2)
        except OSError as error:
            raise FileRefused(f"{self.path.name} cannot be opened: {error.strerror or error}.") from error
        if start in (b"ve", b"# ") or len(start) < 2:
            raise FileRefused(
                f"{self.path.name} is a pointer, not the file itself; download it again with its content."
            )
        if start != b"\x1f\x8b":
            raise FileRefused(f"{self.path.name} is not a gzip file; the download may have been cut or replaced.")
        self._stream = igzip_threaded.open(str(self.path), "rb", threads=1, block_size=_AHEAD_BYTES)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None:
            self._stream.close()

    def fill(self, buffer: memoryview) -> None:
        """Fill the whole buffer (of bytes)."""
        done = 0
        while done < len(buffer):
            got = self._readinto(buffer[done:])
            if not got:
                raise FileRefused(
                    f"{self.path.name} ends before its data does: {done:,} of {len(buffer):,} bytes of a part "
                    "were there; the download may have been cut short."
                )
            done += got

    def read(self, size: int) -> bytes:
        """Exactly ``size`` bytes."""
        data = bytearray(size)
        self.fill(memoryview(data))
        return bytes(data)

    def expect_end(self) -> None:
        """Nothing may follow: a header that says less than the file holds is not to be trusted."""
        if self._readinto(memoryview(bytearray(1))):
            raise FileRefused(f"{self.path.name} holds more data than its header says.")

    def _readinto(self, buffer: memoryview) -> int:
        assert self._stream is not None, "used outside its with block"
        try:
            return self._stream.readinto(buffer) or 0
        except (EOFError, OSError, IsalError) as error:
            raise FileRefused(f"{self.path.name} is damaged or cut short: {error}.") from error
