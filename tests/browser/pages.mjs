// Walks every page of the real server in Chromium: the forms without JavaScript, then each page at 360
// and 1280 pixels, light and dark. Needs chromium and zbarimg; asks nothing outside loopback.
//
// usage: node pages.mjs --server BINARY [--screenshots DIR]

import { execFile } from "node:child_process";
import { createServer } from "node:http";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs, promisify } from "node:util";
import puppeteer from "puppeteer-core";

import { Elsewhere, useAccounts } from "./accounts.mjs";
import { WEIGHT_MAX, complaints, invalid, overflow, strangers, tab, violations } from "./look.mjs";
import { Report } from "./report.mjs";
import { Server, toxId } from "./server.mjs";

const { values: options } = parseArgs({
  options: { server: { type: "string" }, screenshots: { type: "string" } },
});
const BINARY = path.resolve(options.server ?? "target/debug/sealbook");
const SHOTS = options.screenshots && path.resolve(options.screenshots);
const HOSTILE = `<script>alert(1)</script>`;
const report = new Report();
const run = promisify(execFile);
const passwords = [];

// The records that the pages show: each adds what a page has to cope with.
async function populate(server) {
  const token = await server.token("/add_ui");
  const add = async (number, name, bio, extra = {}) => {
    const answer = await server.post("/add_ui", { name, tox_id: toxId(number), bio, ...extra }, token);
    report.equal(`adding ${name}`, answer.status, 200);
    passwords.push((await answer.text()).match(/class="secret"><code>([^<]+)/)[1]);
  };
  for (let number = 0; number < 31; number += 1) {
    await add(100 + number, `person${number}`, number % 3 ? `Number ${number} of a long list.` : "");
  }
  await add(2, "hidden", "You know my name.", { privacy: "on" });
  await add(3, "<b>&amp$x", `${HOSTILE} "><img src=http://192.0.2.1/x> 'quoted'`);
  await add(4, "w".repeat(63), "x".repeat(1372));
  await add(5, "דוגמה", "\u202eשלום, אני כותב מימין לשמאל.");
  await pushByKey(server, "keyed", "My own client registered this name, so it is proven.");
  await add(6, "zoë.müller", "Translator, cyclist, night owl. Write to me in German, French or English; I answer within a day or two.");
}

// A name whose key sealed the record, by the command line.
async function pushByKey(server, name, bio) {
  const key = path.join(server.folder, "profile.json");
  await run(BINARY, ["key", "new", "--out", key]);
  await run(BINARY, ["push", name, "--bio", bio, "--privacy", "listed", "--key", key, "--url", server.url]);
}

// Fills in the forms as somebody without JavaScript.
async function useForms(browser, server) {
  const { page, seen, close } = await tab(browser, { scripts: false });
  const press = (selector) => Promise.all([page.waitForNavigation(), page.click(selector)]);
  const text = (selector) => page.$eval(selector, (element) => element.textContent.trim());
  const go = (address) => page.goto(`${server.url}${address}`);

  await go("/add_ui");
  report.check("a new record is hidden unless its owner says otherwise",
    await page.$eval("#privacy", (box) => box.checked));
  await page.type("#name", "Alice");
  await page.type("#tox_id", toxId(1).slice(0, 75) + "0");
  await page.type("#bio", "Hello from a form");
  await page.click("#privacy");
  await press("main form button");
  report.check("a typing error in the Tox ID is told", (await text(".wrong")).includes("(-3)"));
  report.equal("the field is marked", await page.$eval("#tox_id", (it) => it.getAttribute("aria-invalid")), "true");
  report.equal("what was typed stays", await page.$eval("#bio", (it) => it.value), "Hello from a form");
  report.check("the box stays as it was", !(await page.$eval("#privacy", (box) => box.checked)));
  await page.$eval("#tox_id", (field) => (field.value = ""));
  await page.type("#tox_id", toxId(1).toLowerCase());
  await press("main form button");
  report.equal("the name is registered", await text("h1"), "Your name is registered");
  const password = await text(".secret");
  report.check("the password is one", /^([bcdfghjklmnpqrstvwxyz][aeiou][bcdfghjklmnpqrstvwxyz]-){5}/.test(`${password}-`), password);
  if (SHOTS) await shoot(page, "added");

  await go("/u/ALICE");
  report.check("the profile is shown", (await text("h1")).startsWith("alice@"));
  report.check("it is unproven, in words", (await text(".unproven")).startsWith("Unproven"));
  report.equal("the link opens a client", await page.$eval(".button", (it) => it.getAttribute("href")), `tox:${toxId(1)}`);
  report.equal("the ID can be copied whole", await text(".key"), toxId(1));

  await press('.card a[href^="/edit_ui"]');
  report.equal("the form is filled in", await page.$eval("#bio", (it) => it.value), "Hello from a form");
  await page.type("#password", "not-the-password");
  await press('button[value="Update"]');
  report.check("a wrong password is told", (await text(".wrong")).includes("(-28)"));
  report.check("and never sent back", !(await page.content()).includes("not-the-password"));
  await page.$eval("#bio", (field) => (field.value = ""));
  await page.type("#bio", "Hello from a form, edited");
  await page.type("#password", password);
  await press('button[value="Update"]');
  report.check("the change is shown", page.url().endsWith("/u/alice"), page.url());
  report.equal("with the new bio", await text(".bio"), "Hello from a form, edited");
  report.check("and told", (await text(".done")).startsWith("Saved."));
  await page.reload();
  report.equal("once", await page.$(".done"), null);
  await go("/u/alice?done=saved");
  report.equal("and by no link", await page.$(".done"), null);

  await go("/");
  await page.type("#q", "alice@localhost");
  await press(".hero button");
  report.check("search finds the name", (await text(".one")).startsWith("alice@localhost"));
  await go(`/search?q=${toxId(1)}`);
  report.equal("an unproven key finds nobody", await text(".notice h2"), "Nobody found");
  await go("/search?q=hidden");
  report.check("a hidden name is found by itself", (await text(".one")).startsWith("hidden@"));
  await go("/search?q=hidde");
  report.equal("and not by a part of it", await page.$(".one, .people"), null);
  await go("/search?q=bob@example.org");
  report.equal("a name elsewhere is asked for there",
    await page.$eval(".notice a", (it) => it.href), "https://example.org/u/bob");

  await go("/edit_ui?name=alice");
  await page.type("#delete-password", password);
  await page.click("#sure");
  await press('button[value="Delete"]');
  report.check("the record is deleted", (await text(".done")).startsWith("Deleted"));
  report.equal("and gone", (await go("/u/alice")).status(), 404);
  report.equal("nothing went elsewhere", strangers(seen, server.url).join(" "), "");
  const log = await server.log();
  passwords.push(password, "not-the-password");
  report.check("no password is in the log", passwords.every((it) => !log.includes(it)) && log.length > 0);
  await close();
}

// A page of another origin sends our form, with the visitor's own cookie and the token that fits it: all
// that is wrong is where it comes from. The same form from our own page is taken.
async function forge(browser, server) {
  const { page, close } = await tab(browser, { scripts: false });
  const text = (selector) => page.$eval(selector, (element) => element.textContent.trim());
  await page.goto(`${server.url}/add_ui`);
  const token = await page.$eval('[name="csrf"]', (field) => field.value);
  const jar = () => page.browserContext().cookies();
  const own = (cookies) => cookies.some(({ name, value }) => name === "csrf" && value === token);
  report.check("the browser has the form's cookie", own(await jar()));
  const fields = { csrf: token, name: "forged", tox_id: toxId(50), bio: "" };
  const inputs = Object.entries(fields).map(([name, value]) => `<input name="${name}" value="${value}">`);
  const html = `<form method=post action="${server.url}/add_ui">${inputs.join("")}<button>go</button></form>`;
  const evil = createServer((_, answer) => answer.setHeader("content-type", "text/html").end(html));
  await new Promise((done) => evil.listen(0, "127.0.0.1", done));
  const sent = [];
  const wire = await page.createCDPSession();
  await wire.send("Network.enable");
  wire.on("Network.requestWillBeSentExtraInfo", ({ headers }) =>
    sent.push(Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))));
  await page.goto(`http://127.0.0.1:${evil.address().port}/`);
  const [answer] = await Promise.all([page.waitForNavigation(), page.click("button")]);
  report.equal("another site's form is refused", answer.status(), 403);
  // Another host name would keep the cookie back; another port does not, so this is the harder case.
  const isForged = (headers) => headers.cookie?.includes(token) && headers["sec-fetch-site"] === "same-site";
  report.check("although it came with the cookie", sent.some(isForged), JSON.stringify(sent));
  report.check("for where it came from", (await text("main")).includes("another site sent this form"));
  report.equal("and changes nothing", (await fetch(`${server.url}/u/forged`)).status, 404);
  report.check("the cookie is still there", own(await jar()));

  await page.goto(`${server.url}/add_ui`);
  report.equal("our own form has the same token", await page.$eval('[name="csrf"]', (field) => field.value), token);
  for (const field of ["name", "tox_id"]) await page.type(`#${field}`, fields[field]);
  const [taken] = await Promise.all([page.waitForNavigation(), page.click("main form button")]);
  report.equal("control: the same from our own page is taken", taken.status(), 200);
  report.equal("control: and does something", (await fetch(`${server.url}/u/forged`)).status, 200);
  await close();
  evil.close();
}

const PAGES = [
  ["home", "/", 200],
  ["search", "/search?q=person1", 200],
  ["search-exact", "/search?q=hidden", 200],
  ["search-none", "/search?q=nobody-of-this-name", 200],
  ["search-elsewhere", "/search?q=bob@example.org", 200],
  ["people", "/friends/0", 200],
  ["people-last", "/friends/1", 200],
  ["profile", `/u/${encodeURIComponent("zoë.müller")}`, 200],
  ["profile-proven", "/u/keyed", 200],
  ["profile-saved", "/u/person1", 200, "saved.1.person1"],
  ["profile-behind", "/u/person1", 200, "saved.2.person1"],
  ["home-deleted", "/", 200, "deleted"],
  ["profile-hostile", `/u/${encodeURIComponent("<b>&amp$x")}`, 200],
  ["profile-long", `/u/${"w".repeat(63)}`, 200],
  ["profile-rtl", `/u/${encodeURIComponent("דוגמה")}`, 200],
  ["add", "/add_ui", 200],
  ["edit-ask", "/edit_ui", 200],
  ["edit-unknown", "/edit_ui?name=nobody", 404],
  ["edit", `/edit_ui?name=${encodeURIComponent("zoë.müller")}`, 200],
  ["error-400", "/search?q=a&page=x", 400],
  ["error-404", "/nowhere", 404],
  ["error-404-name", "/u/nobody", 404],
];

async function walk(browser, server, pages) {
  const { page, seen, forget, close } = await tab(browser, { scripts: true });
  for (const [name, address, status, done] of pages) {
    await page.setViewport({ width: 1280, height: 900 });
    forget();
    const context = page.browserContext();
    await context.deleteCookie(...(await context.cookies()));
    if (done) await context.setCookie({ name: "done", value: done, domain: "127.0.0.1", path: "/" });
    const answer = await page.goto(`${server.url}${address}`, { waitUntil: "networkidle0" });
    report.equal(`${name}: status`, answer.status(), status);
    report.equal(`${name}: says what was done`, (await page.$(".notice.done")) !== null, Boolean(done));
    report.equal(`${name}: requests elsewhere`, strangers(seen, server.url).join(" "), "");
    report.equal(`${name}: complaints`, complaints(seen, status).join("; "), "");
    report.check(`${name}: weight`, seen.bytes > 0 && seen.bytes <= WEIGHT_MAX, `${seen.bytes} bytes`);
    const own = seen.requests.filter((request) => !request.includes("/static/icon.svg"));
    report.check(`${name}: requests`, own.length <= 3, own.join(" "));
    report.equal(`${name}: HTML`, invalid(await answer.text()).join("; "), "");
    report.equal(`${name}: scripts`, await page.$("script, [onclick], [style]"), null);
    await inspect(page, name);
  }
  await close();
}

// The same page in every size and both themes.
async function inspect(page, name) {
  for (const scheme of ["light", "dark"]) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    for (const width of [320, 360, 1280]) {
      await page.setViewport({ width, height: 900 });
      const wide = await overflow(page);
      report.check(`${name}: fits ${width} pixels`, wide <= 0, `${wide} pixels too wide`);
      if (width === 320) continue;
      report.equal(`${name}: axe, ${width} ${scheme}`, (await violations(page)).join("\n"), "");
      if (SHOTS) await page.screenshot({ path: path.join(SHOTS, `${name}-${width}-${scheme}.png`), fullPage: true });
    }
  }
}

// A page that cannot be loaded again, as it stands.
async function shoot(page, name) {
  for (const scheme of ["light", "dark"]) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    for (const width of [360, 1280]) {
      await page.setViewport({ width, height: 900 });
      await page.screenshot({ path: path.join(SHOTS, `${name}-${width}-${scheme}.png`), fullPage: true });
    }
  }
}

// The picture of a name's barcode, and of the page in the dark, as a telephone would see them.
async function scan(browser, server) {
  const { page, close } = await tab(browser, { scripts: false });
  const folder = await mkdtemp(path.join(tmpdir(), "sealbook-codes-"));
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
  for (const address of ["/barcode/person1.svg", "/u/person1"]) {
    await page.goto(`${server.url}${address}`);
    const picture = path.join(folder, "code.png");
    await page.screenshot({ path: picture, fullPage: address.startsWith("/u/") });
    const { stdout } = await run("zbarimg", ["-q", "--nodbus", "--raw", picture]);
    report.equal(`the code of ${address}`, stdout.trim(), `tox:${toxId(101).toLowerCase()}`);
  }
  await rm(folder, { recursive: true });
  await close();
}

// A server that has had enough of us, and one where nobody is.
async function limits(browser) {
  const server = await Server.start(BINARY, ["web.title=A quiet place", "web.contact=mailto:admin@names.example"]);
  try {
    await walk(browser, server, [["home-empty", "/", 200], ["people-empty", "/friends/0", 404]]);
    const token = await server.token("/add_ui");
    const fields = { name: "too many", tox_id: toxId(1), bio: "" };
    let answer;
    for (let count = 0; count < 14; count += 1) answer = await server.post("/add_ui", fields, token);
    report.equal("the 14th attempt is one too many", answer.status, 429);
    report.check("and says for how long", Number(answer.headers.get("retry-after")) > 0);
    const { page, close } = await tab(browser, { scripts: false });
    await page.goto(`${server.url}/add_ui`);
    await page.type("#name", "quiet");
    await page.type("#tox_id", toxId(1));
    const [refused] = await Promise.all([page.waitForNavigation(), page.click("main form button")]);
    report.equal("in the browser, too", refused.status(), 429);
    report.check("in words", /Try again in \d/.test(await page.$eval("main", (it) => it.textContent)));
    if (SHOTS) await shoot(page, "error-429");
    await close();
  } finally {
    await server.stop();
  }
}

// Each check must be able to fail: a page with every fault it looks for.
async function controls(browser, server) {
  const { page, seen, close } = await tab(browser, { scripts: true });
  const faulty = `<!doctype html><html><title>x</title><body><p style="color:#999;width:2000px">faint<div>
    <input><img src="http://192.0.2.1/x.png"></p></html>`;
  await page.setContent(faulty, { waitUntil: "domcontentloaded" });
  const found = (await violations(page)).join("\n");
  for (const rule of ["html-has-lang", "image-alt", "label", "color-contrast"]) {
    report.check(`control: axe finds ${rule}`, found.includes(`${rule}:`), found);
  }
  report.check("control: a request elsewhere is seen", strangers(seen, server.url).includes("http://192.0.2.1/x.png"));
  report.check("control: a page too wide is seen", (await overflow(page)) > 0);
  report.check("control: broken HTML is seen", invalid(faulty).length > 0);
  await page.goto(`${server.url}/`);
  await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "document.title = 'run'";
    document.head.append(script);
    document.body.style.cssText = "color: red";
    const image = new Image();
    image.src = "http://192.0.2.1/y.png";
    document.body.append(image);
  });
  await new Promise((done) => setTimeout(done, 500));
  const said = complaints(seen, 200).join("\n");
  report.check("control: the policy stops a script, and it is seen", said.includes("script") && (await page.title()) !== "run", said);
  report.check("control: the policy stops a picture from elsewhere", said.includes("192.0.2.1/y.png"), said);
  await close();
}

async function main() {
  if (SHOTS) await mkdir(SHOTS, { recursive: true });
  const server = await Server.start(BINARY, ["limits.enabled=false"]);
  const elsewhere = await Elsewhere.start(BINARY);
  const browser = await puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  });
  try {
    // Some of the claims grow old meanwhile.
    await report.run("claims of accounts", () => elsewhere.populate(report));
    await report.run("records", () => populate(server));
    await report.run("forms without JavaScript", () => useForms(browser, server));
    await report.run("accounts without JavaScript", () => useAccounts(browser, elsewhere, report));
    await report.run("a forged form", () => forge(browser, server));
    await report.run("every page", () => walk(browser, server, PAGES));
    await report.run("claims that aged", () => elsewhere.settle(report));
    await report.run("every page of accounts", () => walk(browser, elsewhere.server, elsewhere.pages()));
    await report.run("barcodes", () => scan(browser, server));
    await report.run("limits", () => limits(browser));
    await report.run("controls", () => controls(browser, server));
  } finally {
    await browser.close();
    await elsewhere.stop();
    await server.stop();
  }
  process.exitCode = report.close();
}

await main();
