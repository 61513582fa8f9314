"""Makes a virtual environment with a real dbt inside the current one, which the tests of OpenLineage clients use.

`make test` runs this program while other packages are installed, which leaves a core idle. It needs pip only. Where it
has not been run, the fixture of the test does the same.
"""

import hashlib
import shutil
import subprocess
import sys
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "data" / "dbt-requirements.txt"


def dbt_environment() -> Path:
    """Return the directory of dbt's programs; the environment is made once for each version of the requirements."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    place = Path(sys.prefix) / "dbt" / digest
    if not (place / "complete").exists():
        shutil.rmtree(place, ignore_errors=True)
        venv.create(place)
        pip = (sys.executable, "-m", "pip", "--python", str(place / "bin" / "python"), "--disable-pip-version-check")
        subprocess.run([*pip, "install", "-q", "-r", str(REQUIREMENTS)], check=True)
        (place / "complete").touch()
    return place / "bin"


if __name__ == "__main__":
    dbt_environment()
