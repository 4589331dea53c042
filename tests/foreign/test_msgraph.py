"""msgraph-sdk: typed models, paging, errors and batches."""

import asyncio

import pytest
from azure.identity import ClientSecretCredential
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph import GraphServiceClient
from msgraph.generated.groups.delta.delta_request_builder import DeltaRequestBuilder
from msgraph.generated.models.group import Group
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.password_profile import PasswordProfile
from msgraph.generated.models.reference_create import ReferenceCreate
from msgraph.generated.models.user import User
from msgraph.generated.users.item.user_item_request_builder import UserItemRequestBuilder
from msgraph.generated.users.users_request_builder import UsersRequestBuilder


@pytest.fixture()
def graph(tenant):
    credential = ClientSecretCredential(tenant.tenant_id, tenant.client_id, tenant.client_secret)
    return GraphServiceClient(credential, ["https://graph.microsoft.com/.default"])


def run(work):
    return asyncio.run(work)


def test_users_are_typed_and_paged(graph):
    async def work():
        query = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(
            select=["id", "userPrincipalName", "displayName", "proxyAddresses"], top=50
        )
        page = await graph.users.get(request_configuration=RequestConfiguration(query_parameters=query))
        users = list(page.value)
        while page.odata_next_link:
            page = await graph.users.with_url(page.odata_next_link).get()
            users += page.value
        return users

    users = run(work())
    names = [user.user_principal_name for user in users]
    assert "mark.taylor@contoso.com" in [name.lower() for name in names]
    assert len(names) == len(set(names)) > 100


def test_one_user_by_name_and_one_that_is_not_there(graph):
    async def work():
        user = await graph.users.by_user_id("mark.taylor@contoso.com").get()
        with pytest.raises(ODataError) as missing:
            await graph.users.by_user_id("nobody@contoso.com").get()
        return user, missing.value

    user, missing = run(work())
    assert user.display_name == "Mark Taylor"
    assert missing.response_status_code == 404
    assert missing.error.code == "Request_ResourceNotFound"


def test_group_members_have_their_types(graph):
    async def work():
        groups = await graph.groups.get()
        kinds = set()
        for group in groups.value[:30]:
            members = await graph.groups.by_group_id(group.id).members.get()
            kinds |= {member.odata_type for member in members.value}
        return kinds

    assert "#microsoft.graph.user" in run(work())


def test_group_delta_ends_in_a_delta_link(graph):
    async def work():
        query = DeltaRequestBuilder.DeltaRequestBuilderGetQueryParameters(select=["id", "displayName", "members"])
        page = await graph.groups.delta.get(request_configuration=RequestConfiguration(query_parameters=query))
        seen = len(page.value)
        while page.odata_next_link:
            page = await graph.groups.delta.with_url(page.odata_next_link).get()
            seen += len(page.value)
        again = await graph.groups.delta.with_url(page.odata_delta_link).get()
        return seen, again

    seen, again = run(work())
    assert seen > 10
    assert again.value == []
    assert again.odata_delta_link


def test_a_refused_write_says_why(graph):
    async def work():
        groups = await graph.groups.get()
        listed = next(g for g in groups.value if g.mail_enabled and "Unified" not in (g.group_types or []))
        with pytest.raises(ODataError) as refused:
            await graph.groups.by_group_id(listed.id).delete()
        return refused.value

    assert run(work()).response_status_code in (400, 403)


def test_a_user_and_a_group_live_and_die(graph):
    async def work():
        made = await graph.users.post(
            User(
                account_enabled=True,
                display_name="Foreign User",
                mail_nickname="foreign.user",
                user_principal_name="foreign.user@contoso.com",
                password_profile=PasswordProfile(force_change_password_next_sign_in=True, password="x9!kkkkkK"),
            )
        )
        group = await graph.groups.post(
            Group(display_name="foreign", mail_enabled=False, mail_nickname="foreign", security_enabled=True)
        )
        reference = ReferenceCreate(odata_id=f"https://graph.microsoft.com/v1.0/directoryObjects/{made.id}")
        one = graph.groups.by_group_id(group.id)
        await one.members.ref.post(reference)
        with pytest.raises(ODataError) as twice:
            await one.members.ref.post(reference)
        members = await one.members.get()
        await graph.users.by_user_id(made.id).patch(User(department="Foreign affairs"))
        query = UserItemRequestBuilder.UserItemRequestBuilderGetQueryParameters(select=["department"])
        read = await graph.users.by_user_id(made.id).get(
            request_configuration=RequestConfiguration(query_parameters=query)
        )
        await one.members.by_directory_object_id(made.id).ref.delete()
        await one.delete()
        await graph.users.by_user_id(made.id).delete()
        deleted = await graph.directory.deleted_items.by_directory_object_id(made.id).get()
        back = await graph.directory.deleted_items.by_directory_object_id(made.id).restore.post()
        await graph.users.by_user_id(made.id).delete()
        return made, twice.value, members, read, deleted, back

    made, twice, members, read, deleted, back = run(work())
    assert "already exist" in twice.error.message
    assert [member.id for member in members.value] == [made.id]
    assert read.department == "Foreign affairs"
    assert deleted.id == back.id == made.id


def test_user_delta_tells_what_changed(graph):
    async def work():
        page = await graph.users.delta.get()
        while page.odata_next_link:
            page = await graph.users.delta.with_url(page.odata_next_link).get()
        await graph.users.by_user_id("mark.taylor@contoso.com").patch(User(job_title="Foreign envoy"))
        return await graph.users.delta.with_url(page.odata_delta_link).get()

    changed = run(work())
    assert [user.job_title for user in changed.value] == ["Foreign envoy"]
