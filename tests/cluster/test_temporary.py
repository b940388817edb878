"""A rank's temporary files go with it, however it ends; those of the living stay."""

import subprocess
import sys
from pathlib import Path

from xpshpc.cluster.ranks.temporary import PREFIX, OwnFolder, remove_dead_folders

HOLD = """
import sys
from pathlib import Path
from xpshpc.cluster.ranks.temporary import OwnFolder
own = OwnFolder.claim(Path(sys.argv[1]))
(own.path / "traced.py").touch()
print(own.path, flush=True)
sys.stdin.read()
"""


def hold_folder(parent: Path) -> tuple[subprocess.Popen[str], Path]:
    command = [sys.executable, "-c", HOLD, str(parent)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_only_the_folders_of_the_dead_are_removed(tmp_path):
    (tmp_path / "xpshpc-other").mkdir()
    (tmp_path / f"{PREFIX}file").touch()
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / f"{PREFIX}link").symlink_to(outside)
    killed, dead = hold_folder(tmp_path)
    alive, kept = hold_folder(tmp_path)
    assert (dead / "traced.py").exists() and (kept.stat().st_mode & 0o777) == 0o700
    with killed, alive:
        killed.kill()
        killed.wait()
        remove_dead_folders(tmp_path)
        assert not dead.exists() and (kept / "traced.py").exists()
        assert {path.name for path in tmp_path.iterdir()} == {
            "xpshpc-other", f"{PREFIX}file", "outside", f"{PREFIX}link", kept.name
        }  # fmt: skip


def test_ranks_that_start_at_the_same_time_all_keep_their_folder(tmp_path):
    # Each sweeps while the others stand between making a folder and locking it.
    sweeping = (
        "import sys\nfrom pathlib import Path\nfrom xpshpc.cluster.ranks.temporary import *\np = Path(sys.argv[1])\n"
    )
    sweeping += "held = []\nfor _ in range(100):\n    remove_dead_folders(p)\n    held.append(OwnFolder.claim(p))\n"
    sweeping += "assert all(one.path.exists() for one in held)\n"
    racing = [subprocess.Popen([sys.executable, "-c", sweeping, str(tmp_path)]) for _ in range(4)]
    assert [process.wait() for process in racing] == [0] * 4
    remove_dead_folders(tmp_path)
    assert not any(tmp_path.iterdir())


def test_a_folder_is_removed_with_all_in_it(tmp_path):
    own = OwnFolder.claim(tmp_path)
    (own.path / "deep").mkdir()
    (own.path / "deep" / "file").touch()
    own.remove()
    assert not any(tmp_path.iterdir())
    own.remove()
