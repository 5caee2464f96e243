// Owns what all tests in a browser share: where things are, the browser, who takes part, and how a
// page is looked at.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const shots = process.env.PLEK_SHOTS; // a folder: write what the pages look like there

export const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
export const bin = process.env.PLEK_BIN_DIR ?? join(root, 'build/dev');
export const charter = join(root, 'docs/examples/charter-shelters-homes.json');

export const HAVEN = 'De Haven';
export const BAKEN = 'Het Baken';
export const START = 'Nieuwe Start';
// A member whose name is an attack; an ordinary one in pictures that people look at.
export const EVIL = shots ? 'Woonzorg West' : '<img src=x onerror="window.pwned=1">';

export const launch = (...args) => chromium.launch({ executablePath: process.env.PLEK_CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', ...args] });

export async function picture(page, name, fullPage) {
  if (!shots) return;
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`), fullPage });
}

export async function checkAccess(page, what) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  assert.deepEqual(found.violations.map((v) => `${what}: ${v.id}: ${v.nodes.slice(0, 3).map((n) => n.target).join(' ')}`), []);
}

// Waits until the text is there; says what stood there when it does not come.
export async function reads(locator, wanted, seconds = Number(process.env.PLEK_BROWSER_WAIT ?? 60)) {
  let text = '';
  for (const until = Date.now() + seconds * 1000; Date.now() < until;) {
    text = await locator.textContent({ timeout: 1000 }).catch(() => '');
    if (wanted instanceof RegExp ? wanted.test(text) : text.includes(wanted)) return text;
    await new Promise((resolve) => { setTimeout(resolve, 100); });
  }
  return assert.fail(`waited in vain for ${wanted}, found: ${text}`);
}
