// Leads Microsoft's host names to the simulated tenant, as a hosts file would. The clients are unmodified.
const fs = require("node:fs");
const tls = require("node:tls");

const facts = JSON.parse(fs.readFileSync(`${process.env.EXOGATE_SIM_STATE}/sim.json`, "utf8"));
const [, host, port] = /^(.*):(\d+)$/.exec(facts.address);
const hosts = new Set([
  "login.microsoftonline.com",
  "login.windows.net",
  "login.microsoft.com",
  "sts.windows.net",
  "graph.microsoft.com",
  "outlook.office365.com",
  "outlook.office.com",
]);

const connect = tls.connect;
tls.connect = (...args) => {
  const options = args[0];
  if (options && typeof options === "object" && !options.socket) {
    const name = options.host || options.hostname;
    if (hosts.has(name)) {
      args[0] = { ...options, host, port: Number(port), servername: name };
    }
  }
  return connect(...args);
};
