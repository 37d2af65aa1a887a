"""A property-based client (schemathesis) against the server's own OpenAPI document."""

import json
import subprocess
import sys
import tempfile
import urllib.request

from findings import Findings

# What must hold of every answer to every generated request, valid or not.
CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")


def run(findings: Findings, url: str, examples: int, headers: dict[str, str]) -> None:
    document = f"{url}/api/v1/openapi.json"
    with urllib.request.urlopen(urllib.request.Request(document, headers=headers), timeout=60) as answer:
        found = json.load(answer)
    findings.check(found.get("openapi", "").startswith("3.1"), "openapi.json is OpenAPI 3.1", found.get("openapi"))
    operations = sum(len(set(path) & {"get", "post", "put", "patch", "delete"}) for path in found["paths"].values())
    base = url + found["servers"][0]["url"]
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", document, "--url", base, "--phases", "examples,coverage,fuzzing",
        "--max-examples", str(examples), "--checks", ",".join(CHECKS), "--seed", "1", "--no-color",
        "--exclude-path-regex", "events",
    ]  # fmt: skip
    for name, value in headers.items():
        command += ["--header", f"{name}: {value}"]
    # It leaves its findings in a folder where it runs.
    with tempfile.TemporaryDirectory(prefix="pawl-schemathesis-") as folder:
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    if not findings.check(done.returncode == 0, "schemathesis", done.stdout[-6000:] + done.stderr[-2000:]):
        return
    summary = [line.strip() for line in done.stdout.splitlines() if "generated" in line or "tested" in line.lower()]
    findings.say(f"{operations} operations; {'; '.join(summary)}")
