"""A published client of the hosted services' REST API records a channel at a node: nothing but the address is another.

    api_client.py HOST:PORT NAME SECRET BUCKET

HTTPS; the certificate is to be trusted by REQUESTS_CA_BUNDLE. Prints what it got, as one object of JSON.
"""

import json
import sys
import time

from agora_rest_client.core.domain import Domain, EndpointRegion
from agora_rest_client.core.exceptions import ServiceResponseException
from agora_rest_client.services.cloud_recording.v1.mix_recording import api_start
from agora_rest_client.services.cloud_recording.v1.mix_recording.mix_recording_client import MixRecordingClient

CNAME, UID = "lobby", "527841"


class Address(Domain):
    """The client's own asks the name service for the hosted ones."""

    def __init__(self, address):
        super().__init__(EndpointRegion.US.value)
        self._domain_list = [address]

    def run(self, logger):
        self.set_logger(logger)


def main(address, name, secret, bucket):
    client = MixRecordingClient.new_builder().with_app_id("0b5e7c4a9d").with_credential_basic_auth(name, secret)
    client = client.with_domain(Address(address)).build()
    resource = client.acquire(CNAME, UID).resourceId
    storage = api_start.StorageConfig(
        vendor=1, region=0, bucket=bucket, accessKey="key", secretKey="secret", fileNamePrefix=["show"]
    )
    started = client.start(resource, CNAME, UID, "token", storage, api_start.RecordingConfig(maxIdleTime=30))
    sid = started.sid
    refusals, queried = [], None
    for _ in range(60):
        try:
            queried = client.query(resource, sid)
            if queried.serverResponse["fileList"]:
                break
        except ServiceResponseException as error:
            refusals.append([error.status_code, error.error_code])
        time.sleep(0.5)
    try:
        client.update_layout(resource, sid, CNAME, UID, mixed_video_layout=1)
        layout = "done"
    except ServiceResponseException as error:
        layout = [error.status_code, error.error_code, error.error_msg]
    stopped = client.stop(resource, sid, CNAME, UID)
    print(
        json.dumps(
            {
                "sid": sid,
                "refusals": refusals,
                "status": queried.serverResponse["status"],
                "queried": queried.serverResponse["fileList"],
                "layout": layout,
                "uploadingStatus": stopped.serverResponse["uploadingStatus"],
                "stopped": stopped.serverResponse["fileList"],
            }
        )
    )


main(*sys.argv[1:])
