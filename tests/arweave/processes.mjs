// Starts programs in folders of their own, and stops them.

import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

const READY_MS = 60_000;

export async function freePort() {
  const listener = createServer();
  await new Promise((done) => listener.listen(0, "127.0.0.1", done));
  const { port } = listener.address();
  await new Promise((done) => listener.close(done));
  return port;
}

export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// Looks every 200 ms until there is an answer that counts.
export async function until(what, look, patience = 120_000) {
  const end = Date.now() + patience;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`in ${patience / 1000} s not seen: ${what}`);
    await pause(200);
  }
}

export class Program {
  // `ready` is a path that answers 200 when it is.
  constructor(name, { ready }) {
    Object.assign(this, { name, ready });
  }

  // A folder that stays until the end, so that it can be started again.
  async prepare() {
    this.folder = await mkdtemp(path.join(tmpdir(), `sealbook-${this.name}-`));
    this.port = await freePort();
    this.url = `http://127.0.0.1:${this.port}`;
    this.logPath = path.join(this.folder, "log");
  }

  async start(binary, words) {
    const log = await open(this.logPath, "a");
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !name.startsWith("SEALBOOK")),
    );
    this.process = spawn(binary, words, { cwd: this.folder, env, stdio: ["ignore", log.fd, log.fd] });
    this.ended = new Promise((done) => this.process.on("exit", done));
    await log.close();
    const isUp = async () => {
      if (this.process.exitCode !== null) throw new Error(`${this.name} ended:\n${await this.log()}`);
      return (await fetch(`${this.url}${this.ready}`).catch(() => null))?.status === 200;
    };
    await until(`${this.name} is ready`, isUp, READY_MS);
  }

  log() {
    return readFile(this.logPath, "utf8");
  }

  async stop() {
    if (!this.process) return;
    if (this.process.exitCode === null) this.process.kill("SIGTERM");
    await this.ended;
  }

  async remove() {
    await this.stop();
    if (this.folder) await rm(this.folder, { recursive: true, force: true });
  }
}
