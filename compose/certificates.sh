#!/bin/sh
# A certificate authority for the tls overlay, in compose/tls/: made once, kept until the folder is removed.
#
# Dapr's sidecars take the trust anchor from their environment, so it must be there before anything starts.
set -eu
cd "$(dirname "$0")"
[ -d tls ] && exit 0
umask 077
made=$(mktemp -d tls.XXXXXX)
trap 'rm -rf "$made"' EXIT

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$made/$1"; }
key ca.key
openssl req -x509 -new -key "$made/ca.key" -sha256 -days 365 -subj "/O=durable-workflow-harness/CN=root" -out "$made/ca.crt" \
  -addext "keyUsage=critical,keyCertSign,cRLSign"
key issuer.key
openssl req -new -key "$made/issuer.key" -subj "/O=durable-workflow-harness/CN=issuer" -out "$made/issuer.csr"
printf 'basicConstraints=critical,CA:true,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n' >"$made/issuer.ext"
openssl x509 -req -in "$made/issuer.csr" -CA "$made/ca.crt" -CAkey "$made/ca.key" -CAcreateserial -sha256 -days 365 \
  -extfile "$made/issuer.ext" -out "$made/issuer.crt" 2>/dev/null

# The root's key signs nothing more. The issuer's is for Sentry alone, which runs as HARNESS_USER, by default 65532.
rm "$made/ca.key" "$made/issuer.csr" "$made/issuer.ext" "$made"/*.srl
printf 'DAPR_TRUST_ANCHORS="%s"\n' "$(cat "$made/ca.crt")" >"$made/trust.env"
chmod 755 "$made"
chmod 644 "$made"/*.crt "$made/trust.env"
if [ "$(id -u)" = 0 ]; then
  chown 65532:65532 "$made/issuer.key"
else
  echo "start with HARNESS_USER=$(id -u):$(id -g), so that Sentry may read compose/tls/issuer.key"
fi
mv "$made" tls
