// MSAL for Node, @azure/identity and the JavaScript Graph client against the simulated tenant.
import assert from "node:assert/strict";
import fs from "node:fs";
import test from "node:test";

import { ClientCertificateCredential, ClientSecretCredential } from "@azure/identity";
import { ConfidentialClientApplication, PublicClientApplication } from "@azure/msal-node";
import { Client, PageIterator } from "@microsoft/microsoft-graph-client";
import { TokenCredentialAuthenticationProvider } from "@microsoft/microsoft-graph-client/authProviders/azureTokenCredentials/index.js";

const folder = process.env.EXOGATE_SIM_STATE;
const facts = JSON.parse(fs.readFileSync(`${folder}/sim.json`, "utf8"));
const tenant = {
  tenant_id: facts.tenantId,
  client_id: facts.clientId,
  client_secret: fs.readFileSync(`${folder}/client.secret`, "utf8").trim(),
  certificate_pem: `${folder}/client.pem`,
};
const scopes = ["https://graph.microsoft.com/.default"];
const authority = `https://login.microsoftonline.com/${tenant.tenant_id}`;

function graph() {
  const credential = new ClientSecretCredential(tenant.tenant_id, tenant.client_id, tenant.client_secret);
  return Client.initWithMiddleware({
    authProvider: new TokenCredentialAuthenticationProvider(credential, { scopes }),
  });
}

test("msal-node signs in with a secret", async () => {
  const app = new ConfidentialClientApplication({
    auth: { clientId: tenant.client_id, clientSecret: tenant.client_secret, authority },
  });
  const answer = await app.acquireTokenByClientCredential({ scopes });
  assert.equal(answer.accessToken.split(".").length, 3);
});

test("msal-node is told of a wrong secret", async () => {
  const app = new ConfidentialClientApplication({
    auth: { clientId: tenant.client_id, clientSecret: "wrong", authority },
  });
  await assert.rejects(app.acquireTokenByClientCredential({ scopes }), /7000215/);
});

test("@azure/identity signs in with a certificate", async () => {
  const credential = new ClientCertificateCredential(tenant.tenant_id, tenant.client_id, {
    certificatePath: tenant.certificate_pem,
  });
  const answer = await credential.getToken(scopes);
  assert.equal(answer.token.split(".").length, 3);
});

test("the Graph client iterates over all users", async () => {
  const client = graph();
  const first = await client.api("/users").top(50).select("id,userPrincipalName").get();
  const names = [];
  await new PageIterator(client, first, (user) => names.push(user.userPrincipalName.toLowerCase()) > 0).iterate();
  assert.ok(names.includes("mark.taylor@contoso.com"));
  assert.equal(new Set(names).size, names.length);
});

test("the Graph client counts, filters and batches", async () => {
  const client = graph();
  const counted = await client
    .api("/users")
    .header("ConsistencyLevel", "eventual")
    .count(true)
    .filter("startsWith(displayName,'Mark')")
    .get();
  assert.equal(counted["@odata.count"], counted.value.length);
  const batch = await client.api("/$batch").post({
    requests: [
      { id: "1", method: "GET", url: "/users/mark.taylor@contoso.com?$select=displayName" },
      { id: "2", method: "GET", url: "/users/nobody@contoso.com" },
    ],
  });
  const byId = Object.fromEntries(batch.responses.map((answer) => [answer.id, answer]));
  assert.equal(byId["1"].body.displayName, "Mark Taylor");
  assert.equal(byId["2"].status, 404);
});

test("the Graph client sees errors as Microsoft words them", async () => {
  await assert.rejects(graph().api("/users").top(1000).get(), (error) => {
    assert.equal(error.statusCode, 400);
    assert.match(error.message, /Invalid page size specified: '1000'/);
    return true;
  });
});

test("the Graph client writes a group and its members", async () => {
  const client = graph();
  const user = await client.api("/users/mark.taylor@contoso.com").select("id").get();
  const reference = { "@odata.id": `https://graph.microsoft.com/v1.0/directoryObjects/${user.id}` };
  const group = await client.api("/groups").post({
    displayName: "foreign node",
    mailEnabled: false,
    mailNickname: "foreignnode",
    securityEnabled: true,
  });
  await client.api(`/groups/${group.id}`).patch({ "members@odata.bind": [reference["@odata.id"]] });
  await assert.rejects(client.api(`/groups/${group.id}/members/$ref`).post(reference), /already exist/);
  const members = await client.api(`/groups/${group.id}/members`).select("id").get();
  assert.deepEqual(members.value.map((member) => member.id), [user.id]);
  await client.api(`/groups/${group.id}/members/${user.id}/$ref`).delete();
  await client.api(`/groups/${group.id}`).delete();
  const deleted = await client.api("/directory/deletedItems/microsoft.graph.group").get();
  assert.ok(deleted.value.some((item) => item.id === group.id));
});

test("msal-node signs a user in by name and password", async () => {
  const app = new PublicClientApplication({
    auth: { clientId: "14d82eec-204b-4c2f-b7e8-296a70dab67e", authority },
  });
  const answer = await app.acquireTokenByUsernamePassword({
    scopes,
    username: "mark.taylor@contoso.com",
    password: "Passw0rd!",
  });
  assert.equal(answer.account.username.toLowerCase(), "mark.taylor@contoso.com");
});

test("msal-node finds the token of short and full scopes in its cache", async (t) => {
  const sits = async (who) => {
    const answer = await fetch(`http://${facts.control}/_sim/scenario`, {
      method: "PATCH",
      body: JSON.stringify({ token: { interactive_user: who } }),
    });
    assert.equal(answer.status, 200);
  };
  await sits("mark.taylor@contoso.com");
  t.after(() => sits(null));
  for (const asked of [["User.Read"], ["https://graph.microsoft.com/User.Read"], scopes]) {
    const app = new PublicClientApplication({
      auth: { clientId: "14d82eec-204b-4c2f-b7e8-296a70dab67e", authority },
    });
    const first = await app.acquireTokenByDeviceCode({ scopes: asked, deviceCodeCallback: () => {} });
    const second = await app.acquireTokenSilent({ scopes: asked, account: first.account });
    assert.ok(second.fromCache, asked.join(" "));
    assert.equal(second.accessToken, first.accessToken);
  }
});
