// SCIMMY behind express, with users from a file kept in a map and an index of names: FILE PORT TOKEN.

import fs from "node:fs";
import readline from "node:readline";
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

const [file, port, token] = process.argv.slice(2);
const byId = new Map();
const byName = new Map();
for await (const line of readline.createInterface({ input: fs.createReadStream(file) })) {
  const user = JSON.parse(line);
  byId.set(user.id, user);
  byName.set(user.userName.toLowerCase(), user);
}
const all = [...byId.values()];
const equals = /^userName eq "([^"]*)"$/i;

SCIMMY.Resources.declare(SCIMMY.Resources.User)
  .extend(SCIMMY.Schemas.EnterpriseUser)
  .egress((resource) => {
    if (resource.id) {
      const user = byId.get(resource.id);
      if (!user) throw new SCIMMY.Types.Error(404, null, `Resource ${resource.id} not found`);
      return user;
    }
    const named = resource.filter && equals.exec(resource.filter.expression);
    if (named) return [byName.get(named[1].toLowerCase())].filter(Boolean);
    return resource.filter ? resource.filter.match(all) : all;
  });

const app = express();
const handler = (request) => {
  if (request.header("Authorization") !== `Bearer ${token}`) throw new Error("who is it?");
  return "bench";
};
app.use("/scim", new SCIMMYRouters({ type: "bearer", handler }));
const server = app.listen(Number(port), "127.0.0.1", () => {
  console.log(JSON.stringify({ origin: `http://127.0.0.1:${server.address().port}/scim` }));
});
