// Accounts elsewhere: a server whose services are on this machine, avatars that claim accounts there by
// the command line, and what somebody without JavaScript sees of that.

import { execFile } from "node:child_process";
import { createServer } from "node:http";
import path from "node:path";
import { promisify } from "node:util";

import { strangers, tab } from "./look.mjs";
import { Server } from "./server.mjs";

const run = promisify(execFile);
const HOSTILE = `<script>alert(1)</script>"\u202e\u200fx.bit`;
const LONG = `${"w".repeat(251)}.bit`;
// Long enough that a claim which is checked in time never passes for one that is not.
const RECHECK_AFTER_S = 30;
const PATIENCE_MS = 180_000;

// What services answer, in the shape of the real ones: bodies by the start of the path.
class Services {
  answers = new Map();
  isAway = new Set();

  static async start() {
    const services = new Services();
    services.listener = createServer(async (request, answer) => {
      let body = "";
      for await (const part of request) body += part;
      const about = request.url + body;
      const [start, found] = [...services.answers].find(([start]) => about.startsWith(start)) ?? [];
      const away = [...services.isAway].some((service) => request.url.startsWith(service));
      answer.statusCode = away ? 503 : start ? 200 : 404;
      answer.setHeader("content-type", "application/json").end(JSON.stringify(found ?? {}));
    });
    await new Promise((done) => services.listener.listen(0, "127.0.0.1", done));
    services.url = `http://127.0.0.1:${services.listener.address().port}`;
    return services;
  }

  // Posts a text where the account would; what `prove check` is told of the place.
  post(service, identity, avatar, text) {
    if (service === "github") {
      const file = { filename: `${avatar}.json`, truncated: false, content: text };
      const gist = `${identity.replaceAll("-", "")}1`;
      this.answers.set(`/github/gists/${gist}`, {
        owner: { login: identity, id: 7 }, files: { [file.filename]: file },
      });
      return ["--location", gist];
    }
    if (service === "dns") {
      const answer = { Status: 0, Answer: [{ type: 16, data: `"${text}"` }] };
      this.answers.set(`/dns?type=TXT&name=${identity}`, answer);
    } else {
      const records = [{ key: "nextid", type: "profile", value: text }];
      const asked = JSON.stringify({ account: identity });
      this.answers.set(`/dotbit/v1/account/records${asked}`, { err_no: 0, data: { records } });
    }
    return [];
  }
}

export class Elsewhere {
  static async start(binary) {
    const own = new Elsewhere();
    own.binary = binary;
    own.services = await Services.start();
    own.server = await Server.start(binary, [
      `upstreams.github_api=${own.services.url}/github`, `upstreams.github_gist_raw=${own.services.url}/raw`,
      `upstreams.dns_over_https=${own.services.url}/dns`, `upstreams.dotbit=${own.services.url}/dotbit`,
      `proofs.recheck_after=${RECHECK_AFTER_S}s`, "outbound.allow_private=true", "limits.enabled=false",
    ]);
    return own;
  }

  async stop() {
    await this.server.stop();
    this.services.listener.closeAllConnections();
    this.services.listener.close();
  }

  async command(words, person) {
    const { folder, url } = this.server;
    const where = ["--key", path.join(folder, `${person}.json`), "--url", url];
    const env = { ...process.env, XDG_STATE_HOME: folder };
    const { stdout } = await run(this.binary, ["--json", ...words, ...where], { env });
    return JSON.parse(stdout);
  }

  // An avatar claims an account.
  async claim(person, service, identity) {
    const { avatar, text } = await this.command(["prove", "start", service, identity], person);
    const place = this.services.post(service, identity, avatar, text);
    await this.command(["prove", "check", service, identity, ...place], person);
    return avatar;
  }

  async populate(report) {
    this.alice = await this.claim("alice", "github", "alice");
    await this.claim("alice", "dns", "alice.example");
    await this.claim("alice", "github", "old-name");
    await this.command(["prove", "delete", "github", "old-name"], "alice");
    this.mallory = await this.claim("mallory", "dotbit", HOSTILE);
    await this.claim("mallory", "dotbit", LONG);
    await this.claim("mallory", "github", "malice");
    this.aged = await this.claim("aged", "github", "gone");
    await this.claim("aged", "dns", "silent.example");
    const other = await this.command(["prove", "start", "nextid", this.alice], "aged");
    report.equal("the other avatar is asked", other.avatar, this.aged);
    const target = ["--target-key", path.join(this.server.folder, "alice.json")];
    await this.command(["prove", "check", "nextid", this.alice, ...target], "aged");
    // From now on one post is gone, and one service does not answer.
    this.services.answers.delete("/github/gists/gone1");
    this.services.isAway.add("/dns?type=TXT&name=silent.example");
  }

  // Waits until time has done its part.
  async settle(report) {
    const end = Date.now() + PATIENCE_MS;
    const isOld = (text) => text.includes("mark contradicted") && text.includes("mark unchecked");
    let text = "";
    while (this.aged && Date.now() < end && !isOld(text)) {
      await new Promise((done) => setTimeout(done, 500));
      text = await (await fetch(`${this.server.url}/avatars/${this.aged}`)).text();
    }
    report.check("one claim is contradicted, and one could not be checked", isOld(text), text);
    report.check("the one that was checked in time still holds", text.includes("mark holds"), text);
  }

  pages() {
    const unknown = `0x02${"0".repeat(63)}1`;
    return [
      ["accounts-home", "/", 200],
      ["accounts-search", "/search?q=alice", 200],
      ["accounts-search-part", "/search?q=o", 200],
      ["accounts-search-service", "/search?q=github/alice", 200],
      ["accounts-search-none", "/search?q=github/nobody-of-this-name", 200],
      ["accounts-search-nobody", "/search?q=nobody-of-this-name", 200],
      ["accounts-search-elsewhere", "/search?q=alice@social.example", 200],
      ["accounts-search-key", `/search?q=${this.alice}`, 200],
      ["accounts-search-hostile", `/search?q=${encodeURIComponent(HOSTILE)}`, 200],
      ["avatar", `/avatars/${this.alice}`, 200],
      ["avatar-states", `/avatars/${this.aged}`, 200],
      ["avatar-hostile", `/avatars/${this.mallory}`, 200],
      ["avatar-beyond", `/avatars/${this.alice}?page=2`, 200],
      ["error-404-avatar", `/avatars/${unknown}`, 404],
    ];
  }
}

// Looks for an account as somebody without JavaScript, and reads why to believe it.
export async function useAccounts(browser, elsewhere, report) {
  const { server, alice } = elsewhere;
  const { page, seen, close } = await tab(browser, { scripts: false });
  const press = (selector) => Promise.all([page.waitForNavigation(), page.click(selector)]);
  const text = (selector) => page.$eval(selector, (element) => element.textContent.trim());
  const go = (address) => page.goto(`${server.url}${address}`);

  await go("/");
  const healthz = await (await fetch(`${server.url}/healthz`)).json();
  const shown = await page.$$eval(".cards code", (all) => all.map((it) => it.textContent));
  report.check("the first page names what is checked", healthz.platforms.length > 5 &&
    healthz.platforms.every((platform) => shown.includes(platform)), shown.join(" "));
  report.check("and how to begin", shown.includes(`sealbook prove start github YOUR-NAME --url ${server.url}`));
  await page.type("#q", "Alice");
  await press(".hero button");
  report.check("search finds the account", (await text(".avatars .claims li")).includes("GitHub alice"));
  report.check("and that it holds", (await text(".avatars .mark")) === "holds");
  await press(".avatars .who a");
  report.check("its avatar has a page", page.url().endsWith(`/avatars/${alice}`), page.url());
  report.equal("with the key, to be copied whole", await text(".key"), alice);
  const claims = await page.$$eval(".facts .claims li", (all) => all.map((it) => it.textContent));
  report.equal("and its accounts", claims.length, 2);
  report.check("the newest first", claims[0].includes("alice.example") && claims[1].includes("GitHub"));
  report.equal("the account is linked", await page.$eval('.claims a[href*="github.com/alice"]', (it) => it.rel),
    "nofollow noopener noreferrer");
  report.equal("and its post", (await page.$$('.claims a[href="https://gist.github.com/alice1"]')).length, 1);
  report.equal("the chain is whole", (await page.$$(".chain > li")).length, 4);
  report.equal("a signature is short", await page.$eval(".chain details", (it) => it.open), false);
  await page.click(".chain summary");
  report.equal("until it is asked for", await page.$eval(".chain details", (it) => it.open), true);
  report.check("then it is whole", /^[A-Za-z0-9+/]{87}=$/.test(await text(".chain .whole")), await text(".chain .whole"));
  const proof = await page.$eval('.chain a[href^="/log/inclusion"]', (it) => it.href);
  report.check("each link has its proof", (await (await fetch(proof)).json()).audit_path.length > 0, proof);
  const command = (await text(".facts .command")).split(" ").slice(1);
  const state = ["--state", path.join(server.folder, "watched")];
  const { stdout } = await run(elsewhere.binary, ["--json", ...command, ...state]);
  report.equal("the command on the page checks all of it", JSON.parse(stdout).verified, true);
  await press('.aliases a[href^="/avatars/"]');
  report.check("its alias is linked", page.url().endsWith(elsewhere.aged), page.url());
  for (const form of [alice.slice(2), alice.toUpperCase()]) {
    await go(`/avatars/${form}`);
    report.check(`the key as ${form.slice(0, 4)} leads there too`, page.url().endsWith(`/avatars/${alice}`), page.url());
  }
  await go("/search?q=github:malice");
  report.check("a service is a filter", (await text(".avatars")).includes("GitHub malice"));
  await go("/search?q=dns:malice");
  report.equal("that finds nothing elsewhere", await text(".notice h2"), "No account found");
  report.equal("nothing went elsewhere", strangers(seen, server.url).join(" "), "");
  await close();
}
