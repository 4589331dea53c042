#!/bin/sh
# Makes the certificate files of the tests. The passwords are known and the keys guard nothing.
# Run it again only to replace them all; OpenSSL 3 with its legacy provider is needed.
set -eu
cd "$(dirname "$0")"
new() { openssl req -x509 -newkey "$1" -nodes -keyout "$2.key.pem" -out "$2.cert.pem" -subj "/CN=$2" -days "$3" 2>/dev/null; }
new rsa:2048 exogate-test 36500
new rsa:2048 other 36500
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ec.key.pem -out ec.cert.pem -subj /CN=ec -days 36500 2>/dev/null
openssl req -x509 -newkey rsa:1024 -nodes -keyout small.key.pem -out small.cert.pem -subj /CN=small -days 36500 2>/dev/null

pfx() { out=$1; shift; openssl pkcs12 -export -out "$out" -inkey exogate-test.key.pem -in exogate-test.cert.pem -name exogate "$@"; }
pfx modern.pfx -passout pass:correct-horse
pfx empty-password.pfx -passout pass:
pfx legacy-rc2.pfx -legacy -passout pass:correct-horse
pfx windows-3des.pfx -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1 -passout pass:correct-horse
pfx with-issuer.pfx -certfile other.cert.pem -passout pass:correct-horse
openssl pkcs12 -export -out no-key.pfx -nokeys -in exogate-test.cert.pem -passout pass:correct-horse
openssl pkcs12 -export -out ec.pfx -inkey ec.key.pem -in ec.cert.pem -passout pass:correct-horse

openssl rsa -in exogate-test.key.pem -traditional -out exogate-test.pkcs1.pem 2>/dev/null
openssl pkcs8 -topk8 -in exogate-test.key.pem -out exogate-test.encrypted.pem -passout pass:correct-horse
cat exogate-test.cert.pem exogate-test.key.pem > exogate-test.both.pem
openssl x509 -in exogate-test.cert.pem -outform der -out exogate-test.cer
rm -f other.key.pem
# What OpenSSL says about it, to compare with.
b64url() { base64 -w0 | tr '+/' '-_' | tr -d '='; }
openssl x509 -in exogate-test.cert.pem -noout -fingerprint -sha1 | sed 's/.*=//; s/://g' > thumbprint.txt
openssl dgst -sha1 -binary exogate-test.cer | b64url > x5t.txt
openssl dgst -sha256 -binary exogate-test.cer | b64url > x5t-s256.txt
