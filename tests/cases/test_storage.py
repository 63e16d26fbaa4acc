"""What lies on disk: half-written files of the dead are swept, those of the living are not."""

import gzip

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

from cases import storage
from cases.imaging.slices import Encoded, checksum


@pytest.fixture
def folder(tmp_path):
    return storage.AtomicFileSystemStorage(location=tmp_path)


def test_a_file_that_is_being_written_is_not_swept(folder):
    file, temporary = folder._claimed()
    with file:
        assert folder.sweep() == 0
        assert temporary.exists()
    # Closed without a rename, as when its process is killed: nobody holds the lock any more.
    assert folder.sweep() == 1
    assert not temporary.exists()


def test_a_write_that_fails_leaves_nothing(folder, tmp_path):
    class Torn(ContentFile):
        def chunks(self, chunk_size=None):
            yield b"half"
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        folder.save("a/b.gz", Torn(b""))
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []


def packed(content: bytes, level: int) -> Encoded:
    data = gzip.compress(content, level, mtime=0)
    return Encoded(data, checksum(data))


def test_the_folder_of_slices_depends_on_what_they_hold_not_on_how_they_were_packed():
    content = bytes(range(200)) * 20
    fast, small = packed(content, 1), packed(content, 9)
    assert fast.data != small.data
    assert storage.slices_key("a", [fast]) == storage.slices_key("a", [small])
    assert storage.slices_key("a", [fast]) != storage.slices_key("a", [packed(content[::-1], 1)])


class Away(FileSystemStorage):
    """A store on the network that does not answer, with an error of its own kind."""

    def _save(self, name, content):
        raise RuntimeError("no route to the bucket")

    def exists(self, name):
        raise RuntimeError("no route to the bucket")

    def _open(self, name, mode="rb"):
        raise RuntimeError("no route to the bucket")


def put(settings, tmp_path, backend):
    options = {"location": str(tmp_path / "other")}
    settings.STORAGES = {**settings.STORAGES, "volumes": {"BACKEND": backend, "OPTIONS": options}}


@pytest.mark.parametrize(
    "use",
    [
        lambda: storage.save_truth("truth/a/0.mask", b"x"),
        lambda: storage.load_truth("truth/a/0.mask"),
        lambda: storage.has_truth("truth/a/0.mask"),
        lambda: storage.read_slice("volumes/a", 0),
    ],
)
def test_a_store_that_is_away_is_an_oserror_that_says_so(settings, tmp_path, use):
    put(settings, tmp_path, f"{__name__}.Away")
    with pytest.raises(OSError, match="RuntimeError: no route to the bucket"):
        use()


@pytest.mark.parametrize(
    "backend",
    ["cases.storage.AtomicFileSystemStorage", "django.core.files.storage.InMemoryStorage"],
    ids=["near", "far"],
)
def test_slices_come_in_the_order_they_were_asked_for(settings, tmp_path, backend, caplog):
    if backend.startswith("cases."):
        put(settings, tmp_path, backend)
    else:
        settings.STORAGES = {**settings.STORAGES, "volumes": {"BACKEND": backend}}
    storage.save_slices("volumes/a", [Encoded(bytes([65 + k]) * (9 - k), "") for k in range(9)])
    assert storage.read_slices("volumes/a", [3, 9, 8]) == [b"DDDDDD", b"", b"I"]
    assert "slice 9 below volumes/a" in caplog.text


def test_a_store_that_renames_is_refused_and_the_copy_removed(settings, tmp_path):
    put(settings, tmp_path, "django.core.files.storage.FileSystemStorage")  # gives a name that is taken a suffix
    storage.save_truth("truth/a/0.mask", b"first")
    with pytest.raises(OSError, match="file_overwrite"):
        storage.save_truth("truth/a/0.mask", b"second")
    assert [path.read_bytes() for path in (tmp_path / "other").rglob("*.mask")] == [b"first"]
