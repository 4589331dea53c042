"""Suites of others over the SCIM door.

They make, change and delete groups, and read everything. The tester sees a source without Exchange: it tries every attribute
that the schema calls writable with random values, and a random text is no right on a mailbox.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from gateway import served

GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
# The tester adds, replaces and removes an extension as a whole and expects nothing else in it afterwards. Ours always
# holds read-only attributes, which stay.
WHOLE_EXTENSION = "'urn:ietf:params:scim:schemas:extension:exogate:2.0:Group'"


@pytest.fixture(scope="module")
def directory_alone(tmp_path_factory):
    with served(tmp_path_factory.mktemp("scim"), options="manage_exchange_online = false") as address:
        yield f"{address}/scim/v2"


@pytest.fixture(scope="module")
def with_exchange(tmp_path_factory):
    attributes = 'account_attributes = ["EXO_Alias", "EXO_EmailAddresses", "EXO_HiddenFromAddressListsEnabled"]'
    with served(tmp_path_factory.mktemp("scim"), source=attributes) as address:
        yield f"{address}/scim/v2"


def _checked(base, **only):
    from httpx2 import Client
    from scim2_client.engines.httpx2 import SyncSCIMClient
    from scim2_tester import Status, check_server

    with Client(base_url=base, headers={"Accept": "application/scim+json"}, timeout=120, trust_env=False) as http:
        results = check_server(SyncSCIMClient(http), **only)
    bad = [
        result
        for result in results
        if result.status in (Status.ERROR, Status.CRITICAL) and WHOLE_EXTENSION not in (result.reason or "")
    ]
    assert not bad, "\n".join(f"{result.resource_type} {result.title}: {result.reason}" for result in bad)
    return [result for result in results if result.status == Status.SUCCESS]


def test_scim2_tester_finds_no_error_in_groups(directory_alone):
    assert len(_checked(directory_alone, resource_types=["Group"])) > 40


def test_scim2_tester_finds_no_error_in_what_is_published(with_exchange):
    assert len(_checked(with_exchange, include_tags={"discovery"})) > 30


@pytest.mark.parametrize("source", ["directory_alone", "with_exchange"])
def test_scim_sanity_finds_no_failure(source, request):
    base = request.getfixturevalue(source)
    # The probe adds a member of this name; names are as good as ids here.
    named = {"schemas": [GROUP], "displayName": "fake-member-id"}
    made = requests.post(f"{base}/Groups", json=named, timeout=120)
    assert made.status_code == 201, made.text
    probe = subprocess.run(
        [
            str(Path(sys.executable).parent / "scim-sanity"),
            *("probe", base, "--strict", "--resource", "Group", "--i-accept-side-effects", "--json-output"),
            *("--timeout", "120"),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "NO_PROXY": "*"},
        check=False,
    )
    report = json.loads(probe.stdout)
    bad = [one for one in report["results"] if one["status"] in ("FAIL", "ERROR", "WARN")]
    assert not bad and probe.returncode == 0, bad or probe.stderr
    assert len(report["results"]) > 15
