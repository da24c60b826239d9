// Has the real server keep copies of proofs on Arweave: by way of arlocal as the gateway, where the npm
// packages arweave and arbundles verify what it made, and by way of a bundler that arbundles stands
// behind. Asks nothing outside loopback.
//
// usage: node arweave.mjs --server BINARY

import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { chmod, copyFile, readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Bundle, DataItem } from "arbundles";
import Arweave from "arweave";

import { Report } from "../browser/report.mjs";
import { Avatar } from "./avatar.mjs";
import { Program, freePort, until } from "./processes.mjs";

const HERE = path.dirname(fileURLToPath(import.meta.url));
// Made for tests; it holds nothing.
const JWK = path.join(HERE, "../../crates/crypto/vectors/arweave-key.json");
const { values: options } = parseArgs({ options: { server: { type: "string" } } });
const BINARY = path.resolve(options.server ?? "target/debug/sealbook");
const MINTED = 10 ** 15;
const SILENT = "no copies of links are made";
const report = new Report();

// A directory with a key for Arweave and what it sends to.
class Directory extends Program {
  constructor(mode, upstream) {
    super("directory", { ready: "/readyz" });
    this.settings = [`arweave.mode=${mode}`, `upstreams.arweave=${upstream}`];
  }

  async begin() {
    await this.prepare();
    const key = path.join(this.folder, "key.json");
    await copyFile(JWK, key);
    await chmod(key, 0o600);
    this.settings.push(`arweave.key_file=${key}`);
    await this.again();
  }

  again() {
    // Without limits an upstream that failed is asked again at once.
    const settings = [`server.listen=127.0.0.1:${this.port}`, "limits.enabled=false", ...this.settings];
    return this.start(BINARY, ["serve", ...settings.flatMap((setting) => ["--set", setting])]);
  }

  // The chain of an avatar once all its links have an id.
  archived(avatar, meanwhile = () => {}) {
    return until("each link has an id", async () => {
      await meanwhile();
      const links = await avatar.chain(this.url);
      return links.every((link) => link.arweave_id) && links;
    });
  }
}

class Gateway extends Program {
  constructor() {
    super("arlocal", { ready: "/info" });
  }

  async begin() {
    await this.prepare();
    this.arweave = Arweave.init({ host: "127.0.0.1", port: this.port, protocol: "http" });
    await this.again();
    const jwk = JSON.parse(await readFile(JWK, "utf8"));
    this.address = await this.arweave.wallets.jwkToAddress(jwk);
    await this.text(`/mint/${this.address}/${MINTED}`);
  }

  again() {
    return this.start(process.execPath, [path.join(HERE, "arlocal.cjs"), String(this.port), this.folder]);
  }

  async text(below) {
    return (await fetch(`${this.url}${below}`)).text();
  }

  pending() {
    return this.text("/tx/pending").then(JSON.parse);
  }

  // Enough blocks for whatever waits for one. Too many at once would leave anchors behind.
  async mine() {
    await this.text((await this.pending()).length > 0 ? "/mine/12" : "/mine/1");
  }

  // The transactions that the wallet of the key has signed.
  async mined() {
    const query = `{ transactions(first: 100, owners: ["${this.address}"]) { edges { node { id } } } }`;
    const headers = { "content-type": "application/json" };
    const request = { method: "POST", headers, body: JSON.stringify({ query }) };
    const { data } = await (await fetch(`${this.url}/graphql`, request)).json();
    const found = [];
    for (const { node } of data.transactions.edges) {
      const answer = await fetch(`${this.url}/tx/${node.id}`);
      // Items have ids too, and are no transactions.
      if (answer.status === 200) found.push(await answer.json());
    }
    return found;
  }
}

const sha256 = (bytes) => createHash("sha256").update(bytes).digest();

// What a copy says, beside the link as the server answers it.
function compare(avatar, links, documents) {
  links.forEach((link, at) => {
    // Its place in the log is this server's own affair.
    const { arweave_id, log, ...said } = link;
    const before = links[at - 1];
    const expected = {
      avatar: avatar.key,
      ...said,
      previous_uuid: before?.uuid ?? "",
      previous_arweave_id: before?.arweave_id ?? "",
    };
    const found = documents[at];
    for (const member of new Set([...Object.keys(expected), ...Object.keys(found)])) {
      const [one, other] = [found[member], expected[member]].map((value) => JSON.stringify(value));
      report.equal(`link ${at + 1}: ${member}`, one, other);
    }
    report.check(`link ${at + 1}: its id`, /^[\w-]{43}$/.test(arweave_id), arweave_id);
  });
}

// An item as the link is to have it: signed, named by its signature, with its tags in order.
async function look(item, link, before) {
  report.equal("arbundles: an item is valid", await item.isValid(), true);
  report.equal("an item's id", item.id, link.arweave_id);
  const tags = [["ProofService-UUID", link.uuid]];
  if (before) {
    tags.push(["ProofService-PreviousUUID", before.uuid]);
    tags.push(["ProofService-PreviousArweaveID", before.arweave_id]);
  }
  tags.push(["Content-Type", "application/json"]);
  const found = item.tags.map(({ name, value }) => [name, value]);
  report.equal("an item's tags", JSON.stringify(found), JSON.stringify(tags));
}

// From a claim to its copy, and back.
async function roundTrip(gateway, directory, avatar) {
  for (let link = 0; link < 3; link += 1) report.equal("a claim", await avatar.claim(directory.url), 201);
  const fresh = await avatar.chain(directory.url);
  report.equal("ids before a block", fresh.map((link) => link.arweave_id).join(), ",,");
  report.equal("last id before a block", await avatar.lastId(directory.url), "");

  await until("a transaction", async () => (await gateway.pending()).length > 0);
  const links = await directory.archived(avatar, () => gateway.mine());
  report.equal("last id", await avatar.lastId(directory.url), links.at(-1).arweave_id);
  const documents = [];
  for (const link of links) documents.push(JSON.parse(await gateway.text(`/${link.arweave_id}`)));
  compare(avatar, links, documents);

  const items = [];
  let paid = 0;
  for (const raw of await gateway.mined()) {
    const { id } = raw;
    const transaction = gateway.arweave.transactions.fromRaw(raw);
    report.equal("arweave: a transaction is valid", await gateway.arweave.transactions.verify(transaction), true);
    const data = Buffer.from(await gateway.text(`/tx/${id}/data`), "base64url");
    const fromData = await gateway.arweave.createTransaction({ data, last_tx: "", reward: "0" });
    await fromData.prepareChunks(data);
    report.equal("arweave: the root of the data", fromData.data_root, transaction.data_root);
    const text = (tag, name) => tag.get(name, { decode: true, string: true });
    const tags = transaction.tags.map((tag) => [text(tag, "name"), text(tag, "value")]);
    report.equal("a bundle's tags", JSON.stringify(tags), '[["Bundle-Format","binary"],["Bundle-Version","2.0.0"]]');
    const bundle = new Bundle(data);
    report.equal("arbundles: a bundle is valid", await bundle.verify(), true);
    items.push(...bundle.items);
    paid += Number(transaction.reward);
  }
  const place = (item) => links.findIndex((link) => link.arweave_id === item.id);
  items.sort((one, other) => place(one) - place(other));
  report.equal("each link has one copy", items.map((item) => item.id).join(), links.map((link) => link.arweave_id).join());
  for (const [at, item] of items.entries()) await look(item, links[at], links[at - 1]);
  const left = Number(await gateway.text(`/wallet/${gateway.address}/balance`));
  report.equal("each copy is paid once", MINTED - left, paid);
  report.check("the key is nowhere in the log", !(await directory.log()).includes(await secret()));
}

async function secret() {
  return JSON.parse(await readFile(JWK, "utf8")).d.slice(0, 40);
}

// A gateway that is away holds nobody up, and gets what it missed when it is back.
async function away(gateway, directory, avatar) {
  await gateway.stop();
  report.equal("a claim without a gateway", await avatar.claim(directory.url), 201);
  await until("the server misses the gateway", async () => (await directory.log()).includes(SILENT));
  const links = await avatar.chain(directory.url);
  report.equal("the id without a gateway", links.at(-1).arweave_id, "");
  report.equal("the last id without a gateway", await avatar.lastId(directory.url), "");
  await gateway.again();
  await directory.archived(avatar, () => gateway.mine());
  report.check("it is said when it works again", (await directory.log()).includes("copies of links are made again"));
}

// What waits when the server stops is sent by the next one.
async function restart(gateway, directory, avatar) {
  await gateway.stop();
  const before = (await directory.log()).split(SILENT).length;
  report.equal("a claim before a restart", await avatar.claim(directory.url), 201);
  await until("the server misses the gateway", async () => (await directory.log()).split(SILENT).length > before);
  await directory.stop();
  await gateway.again();
  await directory.again();
  const links = await directory.archived(avatar, () => gateway.mine());
  const documents = [];
  for (const link of links) documents.push(JSON.parse(await gateway.text(`/${link.arweave_id}`)));
  compare(avatar, links, documents);
  report.equal("last id after a restart", await avatar.lastId(directory.url), links.at(-1).arweave_id);
}

// Takes items as bundlers do. It is away at first, then loses an answer.
async function bundler() {
  const taken = [];
  const service = createServer((request, answer) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      const isUpload = request.method === "POST" && request.url === "/v1/tx/arweave";
      report.check("a bundler is asked as it wants to be", isUpload, `${request.method} ${request.url}`);
      const item = new DataItem(Buffer.concat(parts));
      taken.push({ item, type: request.headers["content-type"] });
      if (taken.length === 1) return answer.writeHead(503).end();
      if (taken.length === 2) return request.socket.destroy();
      const receipt = { id: item.id, owner: item.owner, dataCaches: [], fastFinalityIndexes: [], winc: "0" };
      return answer.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(receipt));
    });
  });
  const port = await freePort();
  await new Promise((done) => service.listen(port, "127.0.0.1", done));
  const directory = new Directory("bundler", `http://127.0.0.1:${port}/v1`);
  const avatar = new Avatar();
  try {
    await directory.begin();
    report.equal("a claim", await avatar.claim(directory.url), 201);
    const [first] = await directory.archived(avatar);
    report.equal("one item, three times", new Set(taken.map(({ item }) => item.id)).size, 1);
    report.equal("how often it was sent", taken.length, 3);
    report.equal("another claim", await avatar.claim(directory.url), 201);
    const links = await directory.archived(avatar);
    report.equal("the first id stays", links[0].arweave_id, first.arweave_id);
    const items = taken.slice(2).map(({ item }) => item);
    report.equal("one item a link", items.length, 2);
    for (const [at, item] of items.entries()) await look(item, links[at], links[at - 1]);
    report.check("items are bytes", taken.every(({ type }) => type === "application/octet-stream"));
    report.check("an id is a hash of the signature", items.every((item) => sha256(item.rawSignature).toString("base64url") === item.id));
    compare(avatar, links, items.map((item) => JSON.parse(item.rawData.toString())));
    report.equal("last id", await avatar.lastId(directory.url), links.at(-1).arweave_id);
  } finally {
    await directory.remove();
    service.close();
  }
}

// Each check of signatures must be able to fail.
async function controls(gateway, directory, avatar) {
  const [link] = await avatar.chain(directory.url);
  const document = Buffer.from(await gateway.text(`/${link.arweave_id}`));
  report.check("control: a copy has text", document.length > 500);
  const pending = new Set();
  report.equal("a claim", await avatar.claim(directory.url), 201);
  await until("a transaction", async () => {
    (await gateway.pending()).forEach((id) => pending.add(id));
    return pending.size > 0;
  });
  for (const id of pending) {
    const answer = await fetch(`${gateway.url}/tx/${id}`);
    if (answer.status !== 200) continue;
    const raw = await answer.json();
    const changed = gateway.arweave.transactions.fromRaw({ ...raw, reward: String(Number(raw.reward) + 1) });
    const verified = await gateway.arweave.transactions.verify(changed).catch(() => false);
    report.equal("control: another reward is seen", verified, false);
    const data = Buffer.from(await gateway.text(`/tx/${id}/data`), "base64url");
    data[data.length - 3] ^= 1;
    report.equal("control: another byte is seen", await new Bundle(data).verify(), false);
  }
}

// A server that cannot sign says so at its start, and what to do.
async function badKey() {
  const directory = new Directory("gateway", "http://127.0.0.1:1");
  try {
    await directory.prepare();
    directory.settings.push("arweave.key_file=/nonexistent/key.json");
    const said = await directory.again().then(() => "nothing", (error) => error.message);
    for (const part of ["arweave.key_file: /nonexistent/key.json: cannot read it: ", "; name the JWK file"]) {
      report.check("what is said of a key that is not there", said.includes(part), said);
    }
    report.equal("the code of a start without a key", directory.process.exitCode, 1);
  } finally {
    await directory.remove();
  }
}

async function main() {
  const gateway = new Gateway();
  let directory;
  try {
    await gateway.begin();
    directory = new Directory("gateway", gateway.url);
    await directory.begin();
    const avatar = new Avatar();
    await report.run("round trip by a gateway", () => roundTrip(gateway, directory, avatar));
    await report.run("controls", () => controls(gateway, directory, avatar));
    await report.run("a gateway that was away", () => away(gateway, directory, avatar));
    await report.run("a restart with copies to be sent", () => restart(gateway, directory, avatar));
    await report.run("a bundler", bundler);
    await report.run("a key that cannot be used", badKey);
  } finally {
    if (directory && report.failed) console.log((await directory.log()).slice(-4000));
    await directory?.remove();
    await gateway.remove();
  }
  process.exitCode = report.close();
}

await main();
