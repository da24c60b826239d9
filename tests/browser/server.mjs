// Starts the real server in a folder of its own, and talks to it as a plain client.

import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

const READY_MS = 60_000;

async function freePort() {
  const listener = createServer();
  await new Promise((done) => listener.listen(0, "127.0.0.1", done));
  const { port } = listener.address();
  await new Promise((done) => listener.close(done));
  return port;
}

export class Server {
  // Settings are `section.key=value`; the store is in memory.
  static async start(binary, settings = []) {
    const server = new Server();
    server.folder = await mkdtemp(path.join(tmpdir(), "sealbook-pages-"));
    const port = await freePort();
    server.url = `http://127.0.0.1:${port}`;
    server.logPath = path.join(server.folder, "server.log");
    const log = await open(server.logPath, "w");
    const all = [`server.listen=127.0.0.1:${port}`, "store.url=memory:", ...settings];
    const words = ["serve", ...all.flatMap((setting) => ["--set", setting])];
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !name.startsWith("SEALBOOK")),
    );
    env.RUST_LOG = "debug";
    server.process = spawn(binary, words, { cwd: server.folder, env, stdio: ["ignore", log.fd, log.fd] });
    server.ended = new Promise((done) => server.process.on("exit", done));
    await log.close();
    await server.waitReady();
    return server;
  }

  async waitReady() {
    const end = Date.now() + READY_MS;
    while (Date.now() < end && this.process.exitCode === null) {
      const answer = await fetch(`${this.url}/readyz`).catch(() => null);
      if (answer?.status === 200) return;
      await new Promise((done) => setTimeout(done, 50));
    }
    const log = await this.log();
    await this.stop();
    throw new Error(`the server did not become ready; it said:\n${log.slice(-4000)}`);
  }

  log() {
    return readFile(this.logPath, "utf8");
  }

  async stop() {
    if (this.process.exitCode === null) this.process.kill("SIGTERM");
    await this.ended;
    await rm(this.folder, { recursive: true, force: true });
  }

  // The cookie and the field of a form's token.
  async token(form) {
    const answer = await fetch(`${this.url}${form}`);
    const [cookie] = answer.headers.get("set-cookie").split(";");
    const [, token] = (await answer.text()).match(/name="csrf" value="([0-9a-f]+)"/);
    return { cookie, token };
  }

  // Sends a form as multipart/form-data.
  async post(form, fields, { cookie, token }) {
    const body = new FormData();
    for (const [name, value] of Object.entries({ csrf: token, ...fields })) body.set(name, value);
    return fetch(`${this.url}${form}`, { method: "POST", body, headers: { cookie }, redirect: "manual" });
  }
}

// A Tox ID whose key begins with this number, with a valid checksum.
export function toxId(number) {
  const bytes = new Uint8Array(38);
  // Spread over the key, so that pictures and hues differ.
  for (let at = 0; at < 32; at += 1) bytes[at] = (number * 37 + at * 11 + ((number * at) >> 2)) & 255;
  bytes.set([1, 2, 3, 4], 32);
  for (let at = 0; at < 36; at += 1) bytes[36 + (at % 2)] ^= bytes[at];
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("").toUpperCase();
}
