#!/bin/sh
# Starts the server to develop with, asks a model over REST, shows how, and ends the server.
# Usage: saved_models/ask.sh FOLDER_OF_MODELS MODEL JSON, with python in the PATH.
set -eu
folder=$1 model=$2 question=$3
log=$(mktemp)
python -m keras_bert.serving.server --model_base_path="$folder" --rest_port=0 --grpc_port=0 >"$log" 2>&1 &
server=$!
trap 'kill $server 2>/dev/null || true; wait $server 2>/dev/null || true; rm -f "$log"' EXIT

address=
while test -z "$address"; do
    kill -0 $server 2>/dev/null || { cat "$log" >&2; exit 1; }
    sleep 0.2
    address=$(sed -n 's/.*REST at \(.*\)/\1/p' "$log")
done

url="$address/v1/models/$model:predict"
echo "\$ curl $url -d '$question'"
if command -v curl >/dev/null; then
    curl --silent --show-error --fail-with-body "$url" -d "$question"
else # The same request, where there is no curl.
    python -c 'import sys, urllib.request
print(urllib.request.urlopen("http://" + sys.argv[1], sys.argv[2].encode()).read().decode())' "$url" "$question"
fi
echo
