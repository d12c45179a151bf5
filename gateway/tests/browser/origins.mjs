// Real browsers that trust a test authority, and pages of two origins: the listed one gets its
// session, the foreign one an error, with a cookie of the gateway's host in its hands.
//
//   node origins.mjs [--browsers chromium,firefox] [--binaries target/debug]
//
// Needs `cargo build --workspace --bins`, openssl, certutil (libnss3-tools) and the browsers: those
// on PATH, or $CHROMIUM and $FIREFOX. The authority is made for this run and imported into the
// store of a fresh profile alone; no flag makes a browser look away. No driver is needed: the pages
// say themselves what they saw. Exits 0 when all is well, 1 with a sentence when something is not,
// 2 when called wrongly.

import { execFileSync, spawn } from "node:child_process";
import {
  accessSync, constants, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync,
} from "node:fs";
import { createServer } from "node:https";
import { get } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");
const DEADLINE_MS = 60_000;
const COOKIE = "session=of-a-victim";
const NAMES = {
  chromium: [process.env.CHROMIUM, "chromium", "chromium-browser", "google-chrome"],
  firefox: [process.env.FIREFOX, "firefox-esr", "firefox"],
};
/** Firefox asks the network for much when it starts; none of it concerns certificates. */
const PREFERENCES = `
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("app.normandy.enabled", false);
user_pref("app.update.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("network.proxy.type", 0);
`;

class Wrong extends Error {}

/** What is to be undone at the end, last first. */
const undo = [];

function options() {
  const target = process.env.CARGO_TARGET_DIR ?? path.join(ROOT, "target");
  const known = { browsers: "chromium,firefox", binaries: path.join(target, "debug") };
  const given = process.argv.slice(2);
  for (let i = 0; i < given.length; i += 2) {
    const name = given[i].replace(/^--/, "");
    if (!(name in known) || given[i + 1] === undefined) usage(`unknown or incomplete: ${given[i]}`);
    known[name] = given[i + 1];
  }
  const browsers = known.browsers.split(",");
  for (const name of browsers) if (!(name in NAMES)) usage(`no browser ${name} is known`);
  return { ...known, browsers };
}

function usage(what) {
  console.error(what);
  console.error("usage: node origins.mjs [--browsers chromium,firefox] [--binaries FOLDER]");
  process.exit(2);
}

function find(names) {
  const known = (process.env.PATH ?? "").split(path.delimiter);
  for (const name of names.filter(Boolean)) {
    for (const folder of name.includes("/") ? [""] : known) {
      const file = path.join(folder, name);
      try {
        accessSync(file, constants.X_OK);
        return file;
      } catch {
        // Not in this folder.
      }
    }
  }
  return usage(`none of ${names.filter(Boolean).join(", ")} is installed`);
}

const QUIET = ["ignore", "pipe", "pipe"];
const quietly = (program, ...given) => execFileSync(program, given, { stdio: QUIET });

/** An authority, a certificate that it signed, and one that nobody signed. */
function papers(folder) {
  const at = (name) => path.join(folder, name);
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const names = "subjectAltName=DNS:localhost,IP:127.0.0.1";
  const make = (name, ...more) => quietly("openssl", "req", "-x509", ...curve, "-days", "30",
    "-keyout", at(`${name}.key`), "-out", at(`${name}.pem`), ...more);
  make("authority", "-subj", "/CN=test authority", "-addext", "keyUsage=critical,keyCertSign");
  make("stranger", "-subj", "/CN=localhost", "-addext", names);
  quietly("openssl", "req", ...curve, "-keyout", at("key.pem"), "-out", at("request.pem"),
    "-subj", "/CN=localhost");
  const uses = "extendedKeyUsage=serverAuth\nkeyUsage=digitalSignature\n";
  writeFileSync(at("names.txt"), `${names}\n${uses}`);
  quietly("openssl", "x509", "-req", "-in", at("request.pem"), "-CA", at("authority.pem"),
    "-CAkey", at("authority.key"), "-CAcreateserial", "-days", "30", "-extfile", at("names.txt"),
    "-out", at("cert.pem"));
}

/** A server of this one page, which posts what it saw to where it came from. */
function page(attempts) {
  return `<!doctype html><title>origins</title><script>
const attempt = (url) => new Promise((done) => {
  const saw = [];
  const socket = new WebSocket(url);
  const end = () => { done([...saw]); socket.close(); };
  socket.onopen = () => saw.push("open");
  socket.onerror = () => saw.push("error");
  socket.onmessage = (event) => { saw.push(JSON.parse(event.data).channel); end(); };
  socket.onclose = (event) => { saw.push("close " + event.code); end(); };
});
(async () => {
  const saw = {};
  const attempts = ${JSON.stringify(attempts)};
  for (const [name, url] of Object.entries(attempts)) saw[name] = await attempt(url);
  await fetch("/saw", { method: "POST", body: JSON.stringify(saw) });
})();
</script>`;
}

function listen(server) {
  undo.push(() => { server.close(); server.closeAllConnections(); });
  return new Promise((done) => server.listen(0, "127.0.0.1", () => done(server.address().port)));
}

/** Serves the page; `reports` gets what a browser says, with the cookies that it sent. */
async function origin(tls, attempts, reports) {
  const server = createServer(tls, (request, response) => {
    if (request.method !== "POST") {
      response.setHeader("Set-Cookie", `${COOKIE}; Secure; SameSite=None`);
      response.setHeader("Content-Type", "text/html; charset=utf-8");
      response.end(request.url === "/" ? page(attempts()) : "");
      return;
    }
    let text = "";
    request.on("data", (piece) => (text += piece));
    request.on("end", () => {
      response.end();
      reports.shift()?.({ saw: JSON.parse(text), cookie: request.headers.cookie ?? "" });
    });
  });
  return listen(server);
}

/** A gateway that lists one origin; its feed is nobody's, as sessions are all that is looked at. */
function gateway(folder, binaries, listed) {
  const config = path.join(folder, "gateway.toml");
  writeFileSync(config, `[door]
listen = "127.0.0.1:0"
cert_file = "cert.pem"
key_file = "key.pem"
origins = ["${listed}"]
[admin]
listen = "127.0.0.1:0"
[[ingest.feeds]]
name = "none"
dialect = "kraken"
url = "ws://127.0.0.1:1/v2"
symbols = "all"
`);
  const child = spawn(path.join(binaries, "gateway"), ["run", "--config", config]);
  undo.push(() => child.kill("SIGTERM"));
  return new Promise((done, failed) => {
    let log = "";
    child.stderr.on("data", (piece) => {
      log += piece;
      const found = /wss:\/\/127\.0\.0\.1:(\d+)\/v2.*admin: (http:\/\/[^/]+)\//.exec(log);
      if (found) done({ port: found[1], admin: found[2] });
    });
    child.on("error", () => failed(new Wrong(`no gateway in ${binaries}: build it`)));
    child.on("exit", () => failed(new Wrong(`the gateway ended:\n${log}`)));
  });
}

function counted(admin, sample) {
  return new Promise((done, failed) => {
    get(`${admin}/metrics`, (answer) => {
      let text = "";
      answer.on("data", (piece) => (text += piece));
      answer.on("end", () => {
        const line = text.split("\n").find((each) => each.startsWith(`${sample} `));
        done(Number(line?.split(" ").at(-1)));
      });
    }).on("error", failed);
  });
}

/** Starts a browser on a fresh profile that trusts the authority, and nothing else that is new. */
function start(name, folder, url) {
  const home = mkdtempSync(path.join(folder, `${name}-`));
  const trust = (store) => {
    mkdirSync(store, { recursive: true });
    quietly("certutil", "-d", `sql:${store}`, "-N", "--empty-password");
    quietly("certutil", "-d", `sql:${store}`, "-A", "-t", "C,,", "-n", "test authority",
      "-i", path.join(folder, "authority.pem"));
  };
  const given = [];
  if (name === "firefox") {
    trust(home);
    writeFileSync(path.join(home, "user.js"), PREFERENCES);
    given.push("--headless", "--no-remote", "--profile", home, url);
  } else {
    // Older ones look in the first, newer ones in the second where the first is not there.
    trust(path.join(home, ".pki/nssdb"));
    trust(path.join(home, ".local/share/pki/nssdb"));
    given.push("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
      "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
      "--no-proxy-server", "--remote-debugging-port=0", `--user-data-dir=${home}/profile`, url);
  }
  const env = { ...process.env, HOME: home, XDG_DATA_HOME: "", XDG_CONFIG_HOME: "" };
  delete env.XDG_DATA_HOME;
  delete env.XDG_CONFIG_HOME;
  // A group of its own, so that its helpers end with it.
  const child = spawn(find(NAMES[name]), given, { env, stdio: QUIET, detached: true });
  let log = "";
  for (const out of [child.stdout, child.stderr]) out.on("data", (piece) => (log += piece));
  const end = () => {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // It has ended already.
    }
  };
  undo.push(end);
  return { end, log: () => log.split("\n").slice(-20).join("\n") };
}

async function visit(name, folder, url, reports) {
  const report = new Promise((done) => reports.push(done));
  const browser = start(name, folder, url);
  let timer;
  const late = new Promise((_, failed) => {
    const words = `${name} said nothing of ${url} within ${DEADLINE_MS / 1000} s`;
    timer = setTimeout(() => failed(new Wrong(`${words}\n${browser.log()}`)), DEADLINE_MS);
  });
  try {
    return await Promise.race([report, late]);
  } finally {
    clearTimeout(timer);
    browser.end();
  }
}

function expect(what, found, wanted) {
  if (JSON.stringify(found) !== JSON.stringify(wanted)) {
    throw new Wrong(`${what}: ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`);
  }
}

async function main() {
  const chosen = options();
  find(["openssl"]);
  find(["certutil"]);
  const folder = mkdtempSync(path.join(tmpdir(), "gateway-origins-"));
  undo.push(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }));
  papers(folder);
  const read = (name) => readFileSync(path.join(folder, name));
  const trusted = { cert: read("cert.pem"), key: read("key.pem") };
  const reports = [];
  const attempts = {};
  const listedPort = await origin(trusted, () => attempts, reports);
  const foreignPort = await origin(trusted, () => attempts, reports);
  let untrustedUpgrades = 0;
  const untrusted = createServer({ cert: read("stranger.pem"), key: read("stranger.key") });
  untrusted.on("upgrade", () => (untrustedUpgrades += 1));
  const untrustedPort = await listen(untrusted);
  const listed = `https://localhost:${listedPort}`;
  const { port, admin } = await gateway(folder, chosen.binaries, listed);
  Object.assign(attempts, {
    gateway: `wss://localhost:${port}/v2`,
    untrusted: `wss://localhost:${untrustedPort}/v2`,
  });
  const refused = () => counted(admin, 'gateway_door_upgrades_refused_total{reason="origin"}');
  // What code the browser makes up for itself is its own affair.
  const fate = (saw) => saw.slice(0, saw[0] === "error" ? 1 : 2);
  const lost = ["error"];
  for (const name of chosen.browsers) {
    const good = await visit(name, folder, `${listed}/`, reports);
    expect(`${name}, listed origin`, fate(good.saw.gateway), ["open", "status"]);
    expect(`${name}, a certificate nobody signed`, fate(good.saw.untrusted), lost);
    const before = await refused();
    const bad = await visit(name, folder, `https://localhost:${foreignPort}/`, reports);
    expect(`${name}, foreign origin`, fate(bad.saw.gateway), lost);
    expect(`${name}, the cookie of this host`, bad.cookie, COOKIE);
    if ((await refused()) <= before) throw new Wrong(`${name}: no 403 was counted`);
    const seen = "the listed origin has its session, the foreign one 403, untrusted TLS nothing";
    console.log(`${name}: ${seen}`);
  }
  expect("upgrades over TLS nobody trusts", untrustedUpgrades, 0);
}

let code = 0;
try {
  await main();
} catch (error) {
  code = 1;
  console.error(error instanceof Wrong ? `wrong: ${error.message}` : error);
} finally {
  for (const step of undo.reverse()) {
    try {
      step();
    } catch {
      // The rest is still to be undone.
    }
  }
}
process.exit(code);
