// The connector package, built and run with SailPoint's own SDK, before a gateway over the simulated tenant.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import test, { after, before } from "node:test";
import { fileURLToPath } from "node:url";

const binary = process.env.EXOGATE_BINARY;
const state = process.env.EXOGATE_SIM_STATE;
const connector = fileURLToPath(new URL("../../../connectors/sailpoint", import.meta.url));
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "exogate-sailpoint-"));
const running = [];
let config;
let runner;

function exogate(...args) {
  const command = ["--json", "--config", path.join(folder, "exogate.toml"), ...args];
  return execFileSync(binary, command, { encoding: "utf8", maxBuffer: 1 << 28 });
}

/** Starts a program and waits for a line of its output. */
function start(command, args, options, wanted) {
  const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  running.push(child);
  return new Promise((resolve, reject) => {
    let seen = "";
    const look = (chunk) => {
      seen += chunk;
      const line = seen.split("\n").find((line) => wanted.test(line));
      if (line) resolve(line);
    };
    child.stdout.on("data", look);
    child.stderr.on("data", look);
    child.on("exit", (code) => reject(new Error(`${command} ended with ${code}:\n${seen}`)));
  });
}

async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function send(type, input = {}, used = config, to = runner) {
  const answer = await fetch(to, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ type, version: 1, config: used, input }),
  });
  const text = await answer.text();
  if (!answer.ok) return { status: answer.status, text };
  const lines = text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
  const of = (type) => lines.filter((line) => line.type === type).map((line) => line.data);
  return { status: answer.status, outputs: of("output"), states: of("state") };
}

const key = (id) => ({ identity: id, key: { simple: { id } } });

before(async () => {
  for (const name of fs.readdirSync(state).filter((name) => /^(exogate\.toml|ca\.pem|client\..*)$/.test(name))) {
    fs.copyFileSync(path.join(state, name), path.join(folder, name));
  }
  exogate("aggregate", "all");
  const token = JSON.parse(exogate("token", "create", "--name", "sailpoint", "--scope", "provision")).token;
  const serve = ["--json", "--config", path.join(folder, "exogate.toml"), "serve", "--listen", "127.0.0.1:0"];
  const { listening, sources } = JSON.parse(await start(binary, serve, {}, /listening/));
  config = { url: listening, token, source: sources[0] };
  // What an administrator does: the specification from the gateway, a build, a package.
  const spec = await fetch(`${listening}/sailpoint/${sources[0]}/connector-spec.json`, {
    headers: { authorization: `Bearer ${token}` },
  });
  fs.writeFileSync(path.join(connector, "connector-spec.json"), JSON.stringify(await spec.json(), null, 2));
  execFileSync("npm", ["run", "--silent", "pack-zip"], { cwd: connector, stdio: "inherit" });
  runner = await spcx("src/index.js", {});
});

async function spcx(file, more) {
  const port = await freePort();
  const options = { cwd: connector, env: { ...process.env, ...more } };
  await start(path.join(connector, "node_modules/.bin/spcx"), ["run", file, String(port)], options, /listening at/);
  return `http://127.0.0.1:${port}/command`;
}

after(() => {
  for (const child of running) child.kill("SIGINT");
  fs.rmSync(folder, { recursive: true, force: true });
});

test("the connector package holds the code and the specification", () => {
  const { name, version } = JSON.parse(fs.readFileSync(path.join(connector, "package.json"), "utf8"));
  const zip = fs.readFileSync(path.join(connector, "dist", `${name}-${version}.zip`));
  for (const file of ["index.js", "connector-spec.json"]) assert.ok(zip.includes(file), file);
});

test("the packaged code takes its configuration from the environment, as in the cloud", async () => {
  const encoded = Buffer.from(JSON.stringify(config)).toString("base64");
  const packaged = await spcx("dist/index.js", { CONNECTOR_CONFIG: encoded });
  const { outputs } = await send("std:entitlement:list", { type: "group" }, undefined, packaged);
  assert.ok(outputs.length > 10, JSON.stringify(outputs));
});

test("test-connection succeeds, and fails with an empty configuration", async () => {
  assert.deepEqual((await send("std:test-connection")).outputs, [{}]);
  const empty = await send("std:test-connection", {}, {});
  assert.equal(empty.status, 500);
  assert.match(empty.text, /^generic error: \n \+ .*lacks url, token, source/);
  const forged = await send("std:test-connection", {}, { ...config, token: "exg_forged" });
  assert.equal(forged.status, 500);
  const plain = await send("std:test-connection", {}, { ...config, url: "http://exogate.example.com" });
  assert.match(plain.text, /https/);
});

test("accounts and entitlements come through whole, and errors keep their kind", async () => {
  const { outputs } = await send("std:account:list");
  const mark = outputs.find((account) => account.attributes.userPrincipalName === "mark.taylor@contoso.com");
  assert.ok(mark.attributes.sharedMailbox.includes("O365Support: SendAs"), JSON.stringify(mark));
  assert.deepEqual((await send("std:account:read", key(mark.identity))).outputs, [mark]);
  for (const type of ["group", "sharedMailbox"]) {
    const listed = (await send("std:entitlement:list", { type })).outputs;
    assert.ok(listed.length > 10, type);
    const read = await send("std:entitlement:read", { type, ...key(listed[0].identity) });
    assert.deepEqual(read.outputs, [listed[0]]);
  }
  const missing = await send("std:account:read", key("00000000-0000-0000-0000-00000000dead"));
  assert.equal(missing.status, 500);
  assert.match(missing.text, /^notFound error/);
  assert.match((await send("std:account:unlock", key(mark.identity))).text, /unsupported command: std:account:unlock/);
});

test("a right is given and taken, and state tells of it", async () => {
  const first = await send("std:account:list", { stateful: true, state: {} });
  assert.equal(first.states.length, 1);
  const other = first.outputs.find((account) => account.attributes.EXO_PrimarySmtpAddress && !account.disabled
    && !(account.attributes.sharedMailbox ?? []).includes("O365Support: FullAccess"));
  const change = (op) => send("std:account:update", {
    ...key(other.identity),
    changes: [{ op, attribute: "sharedMailbox", value: "O365Support: FullAccess" }],
  });
  const given = await change("Add");
  assert.ok(given.outputs[0].attributes.sharedMailbox.includes("O365Support: FullAccess"), JSON.stringify(given));
  const changed = await send("std:account:list", { stateful: true, state: first.states[0] });
  assert.deepEqual(changed.outputs.map((account) => account.identity), [other.identity]);
  const taken = await change("Remove");
  assert.ok(!(taken.outputs[0].attributes.sharedMailbox ?? []).includes("O365Support: FullAccess"));
});

test("the specification and the schema agree", async () => {
  const [spec] = (await send("std:spec:read")).outputs;
  const [schema] = (await send("std:account:discover-schema")).outputs;
  assert.deepEqual(spec.specification.accountSchema, schema);
});
