// Looks at one page: what it loads, what the browser complains of, whether it fits, and what axe says.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { parse } from "parse5";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
// All rules of WCAG 2.2 A and AA, and what axe holds for good practice.
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

export const WEIGHT_MAX = 100 * 1024;

// A tab that writes down everything it asks for and everything it is told.
export async function tab(browser, { scripts }) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await page.setJavaScriptEnabled(scripts);
  const seen = { requests: [], complaints: [], bytes: 0 };
  page.on("request", (request) => seen.requests.push(request.url()));
  page.on("console", (message) => seen.complaints.push(message.text()));
  page.on("pageerror", (error) => seen.complaints.push(String(error)));
  page.on("requestfailed", (request) =>
    seen.complaints.push(`${request.url()}: ${request.failure()?.errorText}`));
  const client = await page.createCDPSession();
  await client.send("Network.enable");
  await client.send("Log.enable");
  await client.send("Network.setCacheDisabled", { cacheDisabled: true });
  client.on("Log.entryAdded", ({ entry }) => seen.complaints.push(entry.text));
  client.on("Network.loadingFinished", ({ encodedDataLength }) => (seen.bytes += encodedDataLength));
  const forget = () => Object.assign(seen, { requests: [], complaints: [], bytes: 0 });
  return { page, seen, forget, close: () => context.close() };
}

// What the browser said, less that a page we meant to be an error is one.
export function complaints(seen, status) {
  const expected = `Failed to load resource: the server responded with a status of ${status}`;
  return seen.complaints.filter((text) => status < 400 || !text.startsWith(expected));
}

// Addresses that are not below the server's.
export function strangers(seen, url) {
  return seen.requests.filter((request) => !request.startsWith(`${url}/`));
}

// Pixels by which the content is wider than the window.
export function overflow(page) {
  return page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
}

// Violations of accessibility, as `rule: elements`.
export async function violations(page) {
  await page.evaluate(AXE);
  const found = await page.evaluate(
    (rules) => window.axe.run(document, { runOnly: { type: "tag", values: rules } }),
    RULES,
  );
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`);
}

const VOID = ["br", "img", "input", "link", "meta", "path", "wbr"];

// What a strict reader of HTML objects to: errors of the parser, and elements whose tags are not where
// they are meant to be, such as a `p` that a `div` inside it has ended.
export function invalid(html) {
  const found = [];
  const onParseError = ({ code, startLine }) => found.push(`${code} at line ${startLine}`);
  const open = [parse(html, { sourceCodeLocationInfo: true, onParseError })];
  while (open.length > 0) {
    const node = open.pop();
    open.push(...(node.childNodes ?? []));
    if (!node.tagName) continue;
    const place = node.sourceCodeLocation;
    const isWhole = place?.startTag && (place.endTag || VOID.includes(node.tagName));
    const isVoid = place && !place.startTag && VOID.includes(node.tagName);
    if (!isWhole && !isVoid) found.push(`${node.tagName} at line ${place?.startLine} is not whole`);
  }
  return found;
}
