"""Holds a running installation to the description of its API: Schemathesis asks for all that is described, rightly and
wrongly, and every answer must be one that is described too, and none a failure of the server.

Reads {"url", "token", "other_token", "ingest_key", "read_key", "project"} from standard input, and fails with what it
found, each with a request that shows it.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

here = Path(__file__).resolve().parent
asked = json.load(sys.stdin)
url = asked.pop("url")
# It notes what it found in the folder it runs in, and would begin with that the next time.
with tempfile.TemporaryDirectory() as scratch:
    ran = subprocess.run(
        [here / "venv/bin/schemathesis", "--config-file", here / "schemathesis.toml", "run", f"{url}/api/v1/openapi.json"],
        cwd=scratch,
        env={**os.environ, **{name.upper(): value for name, value in asked.items()}},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
print(ran.stdout, file=sys.stdout if ran.returncode == 0 else sys.stderr)
sys.exit(ran.returncode)
