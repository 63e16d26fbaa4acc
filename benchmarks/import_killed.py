"""Kill an import at random moments, many times, then let it finish: store and database must agree exactly.

    .venv/bin/python benchmarks/import_killed.py [kills, 50 by default]

Every round starts the real command in a process group of its own and sends SIGKILL to all of it. After the last round
one import runs to its end; what is then stored is compared, byte for byte once unpacked, with an import that was never
disturbed.
"""

import gzip
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
SCANS = 24


def command(data: Path, *words: str) -> list[str]:
    return [sys.executable, str(ROOT / "manage.py"), *words]


def environment(data: Path) -> dict[str, str]:
    return {**os.environ, "SIGHTLINE_DATA": str(data), "DEBUG": "1", "DATABASE_URL": f"sqlite:///{data}/db.sqlite3"}


def run(data: Path, *words: str) -> None:
    subprocess.run(command(data, *words), env=environment(data), check=True, capture_output=True)


def start(data: Path, rex: Path) -> subprocess.Popen[bytes]:
    words = command(data, "import_rexgroundingct", str(rex), "--workers", "2")
    return subprocess.Popen(
        words, env=environment(data), start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def files(data: Path) -> dict[str, bytes]:
    store = data / "store"
    return {str(path.relative_to(store)): unpacked(path) for path in sorted(store.rglob("*")) if path.is_file()}


def count(data: Path) -> int:
    """Files in the store, half-written ones included."""
    return sum(len(names) for *_, names in os.walk(data / "store"))


def wait_for(data: Path, number: int, child: subprocess.Popen[bytes]) -> None:
    """Until the store holds so many files, or the import is over: kills fall evenly over its work, however slow."""
    while count(data) < number and child.poll() is None:
        time.sleep(0.002)


def unpacked(path: Path) -> bytes:
    """What a file holds. Slices may be packed differently each time, and the list of them says how."""
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    return b"" if path.name == "complete.json" else path.read_bytes()


def rows(data: Path) -> str:
    script = (
        "from cases.models import *; from cases import ingest;"
        "print(sorted(Volume.objects.values_list('name', 'slices_key', 'source')));"
        "print(sorted(Finding.objects.values_list('volume__name', 'channel', 'truth_key', 'truth_version', 'voxels')));"
        "print(Instance.objects.count(), [p for v in Volume.objects.all() for p in ingest.problems(v)])"
    )
    done = subprocess.run(
        command(data, "shell", "-v0", "-c", script), env=environment(data), check=True, capture_output=True, text=True
    )
    return done.stdout


def main(kills: int) -> int:
    from tests import mini

    folder = Path(tempfile.mkdtemp())
    rex, calm, hurt = folder / "rex", folder / "calm", folder / "hurt"
    rex.mkdir()
    cases = [mini.plain(f"train_{9100 + n}_a_1.nii.gz") for n in range(SCANS)]
    for case in cases:
        mini.put(rex, case)
    mini.write_json(rex, "dataset.json", train=[case.entry() for case in cases])
    for data in (calm, hurt):
        data.mkdir()
        run(data, "migrate")
    run(calm, "import_rexgroundingct", str(rex), "--workers", "2")
    everything = count(calm)
    chance = random.Random(0)
    reached = []
    for n in range(kills):
        child = start(hurt, rex)
        wait_for(hurt, chance.randint(min(count(hurt), everything), everything), child)
        time.sleep(chance.uniform(0, 0.03))
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        done = sum("complete.json" in name for name in files(hurt))
        reached.append(done)
        if done == SCANS and n < kills - 1:  # all done: begin again, so that later kills have something to hit
            run(hurt, "flush", "--no-input")
            run(
                hurt,
                "shell",
                "-c",
                "from cases.ontology import *; from cases.models import *; put_categories(Category)",
            )
            for path in files(hurt):
                (hurt / "store" / path).unlink()
    run(hurt, "import_rexgroundingct", str(rex), "--workers", "2")
    same_files, same_rows = files(hurt) == files(calm), rows(hurt) == rows(calm)
    print(f"{kills} kills, volumes stored after each: {reached}")
    print(f"files agree: {same_files}; rows agree: {same_rows}")
    return 0 if same_files and same_rows else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 50))
