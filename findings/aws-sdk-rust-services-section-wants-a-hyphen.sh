#!/usr/bin/env bash
# AWS SDK for Rust (aws-runtime 1.10.2, aws-config 1.13.0): a profile's services section is searched for a service whose name contains a
# space under another identifier than the one that Amazon documents, so that its endpoint is not found. Amazon's table says bedrock_runtime
# for "Bedrock Runtime" (acm_pca for "ACM PCA", and so on), and boto3 reads that; the Rust SDK looks for bedrock-runtime, which boto3 does
# not read. So one file cannot serve both, and there is no warning: requests, and their cost, go to the profile's common endpoint or to
# Amazon itself. Variables (AWS_ENDPOINT_URL_BEDROCK_RUNTIME) and services of one word (s3) are found.
#
# aws-runtime's format_service_id_for_profile puts a hyphen where format_service_id_for_env puts an underscore. A program can look the
# address up by itself, with the service's id written "Bedrock_Runtime": both forms then leave the underscore.
#
# Seen on 2026-11-29, for a profile with a common address and one of the service's own:
#   bedrock_runtime   boto3: the service's own   Rust: the common one
#   bedrock-runtime   boto3: the common one      Rust: the service's own
# Requires cargo and python3 with venv; takes some minutes. Exits non-zero if any of this changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet boto3==1.44.8
mkdir -p "$folder/ask/src"
cat >"$folder/ask/Cargo.toml" <<'TOML'
[package]
name = "ask"
version = "0.0.0"
edition = "2024"

[dependencies]
aws-config = { version = "=1.13.0", default-features = false, features = ["behavior-version-latest", "default-https-client", "rt-tokio"] }
aws-runtime = "=1.10.2"
aws-sdk-bedrockruntime = { version = "=1.153.0", default-features = false, features = ["default-https-client", "rt-tokio"] }
tokio = { version = "1", features = ["macros", "rt"] }

[workspace]
TOML
cat >"$folder/ask/src/main.rs" <<'RUST'
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let config = aws_config::load_from_env().await;
    let client = aws_sdk_bedrockruntime::Client::new(&config);
    let _ = client.get_async_invoke().invocation_arn("arn:x").send().await;
}
RUST
cargo build --quiet --manifest-path "$folder/ask/Cargo.toml" --target-dir "$folder/target"

"$folder/venv/bin/python" - "$folder" <<'EOF'
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

folder, asked = sys.argv[1], []


def server(name):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(name)
            self.send_response(400)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{made.server_port}"


common, own = server("common"), server("own")
BOTO3 = "import boto3\ntry: boto3.client('bedrock-runtime').get_async_invoke(invocationArn='arn:x')\nexcept Exception: pass"
clients = {"boto3": [sys.executable, "-c", BOTO3], "Rust": [f"{folder}/target/debug/ask"]}
found = {}
for identifier in ("bedrock_runtime", "bedrock-runtime"):
    with open(f"{folder}/config", "w") as config:
        config.write(f"[default]\nregion = us-east-1\nendpoint_url = {common}\nservices = local\n")
        config.write(f"[services local]\n{identifier} =\n  endpoint_url = {own}\n")
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_MAX_ATTEMPTS": "1"}
    env = {"PATH": os.environ["PATH"], "AWS_CONFIG_FILE": f"{folder}/config", "AWS_SHARED_CREDENTIALS_FILE": os.devnull, **keys}
    for name, command in clients.items():
        asked.clear()
        subprocess.run(command, env=env, check=True, timeout=60)
        found[identifier, name] = sorted(set(asked))
for (identifier, name), where in found.items():
    print(f"{identifier} {name}: {where}")
assert found == {
    ("bedrock_runtime", "boto3"): ["own"],
    ("bedrock_runtime", "Rust"): ["common"],
    ("bedrock-runtime", "boto3"): ["common"],
    ("bedrock-runtime", "Rust"): ["own"],
}, "this has changed"
EOF
