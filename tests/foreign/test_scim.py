"""Suites of others over the SCIM door.

They make, change and delete users and groups, and read everything. The tester sees a source without Exchange: it tries every
attribute that the schema calls writable with random values, and a random text is no right on a mailbox.
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
# The probe makes users of this domain; the tester makes users without any.
FIXTURE = """
[tenant]
name = "Example"
domain = "example.com"
[[users]]
name = "Mark Taylor"
[[users]]
name = "Kim Akers"
[[mailboxes]]
name = "O365Support"
kind = "SharedMailbox"
[[groups]]
name = "Everybody"
kind = "security"
members = ["Mark Taylor"]
"""
USERS = """
manage_users = true
user_domain = "example.com"
delete_users = true
"""


@pytest.fixture(scope="module")
def directory_alone(tmp_path_factory):
    options = f"manage_exchange_online = false\n{USERS}"
    with served(tmp_path_factory.mktemp("scim"), options=options, fixture=FIXTURE) as address:
        yield f"{address}/scim/v2"


@pytest.fixture(scope="module")
def with_exchange(tmp_path_factory):
    attributes = 'account_attributes = ["EXO_Alias", "EXO_EmailAddresses", "EXO_HiddenFromAddressListsEnabled"]'
    folder = tmp_path_factory.mktemp("scim")
    with served(folder, source=attributes, options=USERS, fixture=FIXTURE) as address:
        yield f"{address}/scim/v2"


def _dumped(value):
    value = value.model_dump() if hasattr(value, "model_dump") else value
    return {name: part for name, part in (value or {}).items() if part is not None and name != "schemas"}


def _read_only_stays(result):
    """Whether nothing is wrong but that an extension, written or removed as a whole, keeps what nobody can write.

    The tester wants nothing else in it than what it wrote. RFC 7643 §7 has clients' values of read-only attributes passed
    over, so those of the server stay; everything else must be as it was written.
    """
    if not isinstance(result.data, dict) or not str(result.data.get("urn")).startswith("urn:"):
        return False
    left = _dumped(result.data.get("modify_actual", result.data.get("actual", result.data.get("actual_value"))))
    wanted = _dumped(result.data.get("expected"))
    if not left or any(left.get(name) != value for name, value in wanted.items()):
        return False
    model = type(result.data.get("modify_actual") or result.data.get("actual") or result.data.get("actual_value"))
    from scim2_models import Mutability

    writable = {
        field.serialization_alias or name
        for name, field in model.model_fields.items()
        if model.get_field_annotation(name, Mutability) == Mutability.read_write
    }
    return not (set(left) - set(wanted)) & writable


def _checked(base, **only):
    from httpx2 import Client
    from scim2_client.engines.httpx2 import SyncSCIMClient
    from scim2_tester import Status, check_server

    with Client(base_url=base, headers={"Accept": "application/scim+json"}, timeout=120, trust_env=False) as http:
        results = check_server(SyncSCIMClient(http), **only)
    bad = [
        result
        for result in results
        if result.status in (Status.ERROR, Status.CRITICAL) and not _read_only_stays(result)
    ]
    assert not bad, "\n".join(f"{result.resource_type} {result.title}: {result.reason}" for result in bad)
    return [result for result in results if result.status == Status.SUCCESS]


@pytest.mark.parametrize("kind", ["User", "Group"])
def test_scim2_tester_finds_no_error_in(kind, directory_alone):
    assert len(_checked(directory_alone, resource_types=[kind])) > 40


def test_scim2_tester_finds_no_error_in_what_is_published(with_exchange):
    assert len(_checked(with_exchange, include_tags={"discovery"})) > 30


@pytest.mark.parametrize("kind", ["User", "Group"])
@pytest.mark.parametrize("source", ["directory_alone", "with_exchange"])
def test_scim_sanity_finds_no_failure_in(kind, source, request):
    base = request.getfixturevalue(source)
    if kind == "Group":
        # The probe adds a member of this name; names are as good as ids here.
        named = {"schemas": [GROUP], "displayName": "fake-member-id"}
        made = requests.post(f"{base}/Groups", json=named, timeout=120)
        assert made.status_code == 201, made.text
    probe = subprocess.run(
        [
            str(Path(sys.executable).parent / "scim-sanity"),
            *("probe", base, "--strict", "--resource", kind, "--i-accept-side-effects", "--json-output"),
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
