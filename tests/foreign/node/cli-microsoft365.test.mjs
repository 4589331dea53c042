// CLI for Microsoft 365, as an administrator runs it, against the simulated tenant.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const folder = process.env.EXOGATE_SIM_STATE;
const facts = JSON.parse(fs.readFileSync(`${folder}/sim.json`, "utf8"));
const here = path.dirname(fileURLToPath(import.meta.url));
const home = fs.mkdtempSync(path.join(os.tmpdir(), "m365-"));
test.after(() => fs.rmSync(home, { recursive: true, force: true }));

async function m365(...words) {
  const { stdout } = await run(path.join(here, "node_modules/.bin/m365"), [...words, "--output", "json"], {
    env: {
      ...process.env,
      HOME: home,
      CLIMICROSOFT365_NOUPDATE: "1",
      NODE_OPTIONS: `--require ${path.join(here, "redirect.cjs")}`,
    },
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout.trim() ? JSON.parse(stdout) : undefined;
}

const login = ["login", "--appId", facts.clientId, "--tenant", facts.tenantId];

test("signs in with a secret and lists users and groups", async () => {
  await m365(...login, "--authType", "secret", "--secret", fs.readFileSync(`${folder}/client.secret`, "utf8").trim());
  assert.equal((await m365("status")).connectedAs, "exogate");
  const users = await m365("entra", "user", "list");
  assert.ok(users.length > 100);
  assert.ok((await m365("entra", "group", "list")).length > 10);
});

test("signs in with a certificate and finds one user", async () => {
  await m365(...login, "--authType", "certificate", "--certificateFile", `${folder}/client.pem`);
  const user = await m365("entra", "user", "get", "--userName", "mark.taylor@contoso.com");
  assert.equal(user.displayName, "Mark Taylor");
});

test("makes a user, reads members and granted permissions", async () => {
  await m365(...login, "--authType", "certificate", "--certificateFile", `${folder}/client.pem`);
  const userName = `cli.${process.pid}@contoso.com`;
  const made = await m365("entra", "user", "add", "--displayName", "Cli", "--userName", userName, "--password", "Pa55word!x");
  assert.equal(made.userPrincipalName, userName);
  const groups = await m365("entra", "m365group", "list");
  const members = await m365("entra", "m365group", "user", "list", "--groupId", groups[0].id);
  assert.ok(members.every((member) => member.userPrincipalName));
  const granted = await m365("entra", "approleassignment", "list", "--appId", facts.clientId);
  assert.ok(granted.some((one) => one.roleName === "User.Read.All"));
});
