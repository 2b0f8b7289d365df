"""Create a bucket, waiting for the server: bucket.py ENDPOINT BUCKET KEY SECRET SECONDS.

One PUT signed by AWS Signature Version 4, repeated until it is accepted; a
bucket that is there already counts. After that one object is put, read back and
deleted, since a server may take buckets before it can store anything.
"""

import datetime
import hashlib
import hmac
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

REGION = "us-east-1"
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback, whatever http_proxy says


def send(endpoint, method, path, key, secret, body=b""):
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    host, digest = urllib.parse.urlsplit(endpoint).netloc, hashlib.sha256(body).hexdigest()
    headers = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": now}
    names = ";".join(sorted(headers))
    canonical = "\n".join([method, path, "", *(f"{name}:{headers[name]}" for name in sorted(headers)), "",
                           names, digest])
    scope = f"{now[:8]}/{REGION}/s3/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    signing_key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        signing_key = hmac.new(signing_key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(signing_key, to_sign.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={key}/{scope}, "
                                f"SignedHeaders={names}, Signature={signature}")
    request = urllib.request.Request(endpoint + path, data=body or None, method=method, headers=headers)
    with DIRECT.open(request, timeout=5) as reply:
        return reply.read()


def prepare(endpoint, bucket, key, secret):
    try:
        send(endpoint, "PUT", f"/{bucket}", key, secret)
    except urllib.error.HTTPError as error:
        if error.code != 409:  # 409: BucketAlreadyExists, BucketAlreadyOwnedByYou
            raise
    send(endpoint, "PUT", f"/{bucket}/.ready", key, secret, b"ready")
    if send(endpoint, "GET", f"/{bucket}/.ready", key, secret) != b"ready":
        raise OSError("the object read is not the one written")
    send(endpoint, "DELETE", f"/{bucket}/.ready", key, secret)


def main():
    endpoint, bucket, key, secret, seconds = sys.argv[1:]
    deadline = time.monotonic() + float(seconds)
    while True:
        try:
            return prepare(endpoint, bucket, key, secret)
        except OSError as error:  # HTTPError and refused connections alike
            if time.monotonic() > deadline:
                sys.exit(f"{endpoint}: {error}")
            time.sleep(0.2)


if __name__ == "__main__":
    main()
