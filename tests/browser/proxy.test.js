// Tests the reverse proxies of docs/web.md as they stand there, with nginx: an agent's and a hub's
// screens by name over https, log-in, live news, members' websockets, who is slowed down.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { freePort } from './front.js';
import { PASSWORD } from './hubpages.js';
import { bin, charter, HAVEN, launch, reads, root } from './look.js';
import { Network } from './network.js';

const AGENT = 'plek.haven.example';
const HUB = 'hub.noord.example';
let lab, proxy, browser, context, page;
const port = {};

// The recipes, with this test's ports and certificate in the place of those of the page.
function recipes() {
  const found = readFileSync(join(root, 'docs/web.md'), 'utf8').match(/^ {4}(map .*|server \{[^]*?^ {4}\})$/gm);
  assert.equal(found.length, 3, 'the recipes on the page');
  return found.join('\n').replaceAll('listen 443 ssl', `listen 127.0.0.1:${port.https} ssl`)
    .replaceAll('127.0.0.1:7536', `127.0.0.1:${port.agent}`).replaceAll('127.0.0.1:7535', lab.hubAt)
    .replace(`server_name ${HUB}`, `server_name localhost ${HUB}`).replaceAll(/\/etc\/ssl\/\w+\./g, `${lab.dir}/cert.`);
}

async function certificate() {
  await promisify(execFile)('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=plek', '-addext', `subjectAltName=DNS:${AGENT},DNS:${HUB},DNS:localhost`, '-keyout', join(lab.dir, 'cert.key'), '-out', join(lab.dir, 'cert.pem')]);
}

async function answers() {
  for (const until = Date.now() + 60000; Date.now() < until;) {
    const open = await new Promise((resolve) => {
      const tried = net.connect(port.https, '127.0.0.1', () => { tried.destroy(); resolve(true); });
      tried.on('error', () => resolve(false));
    });
    if (open) return;
    await new Promise((resolve) => { setTimeout(resolve, 100); });
  }
  assert.fail(`nginx does not listen: ${readFileSync(join(lab.dir, 'nginx/error.log'), 'utf8')}`);
}

async function startProxy() {
  const dir = join(lab.dir, 'nginx');
  mkdirSync(dir);
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${dir}/${kind};`).join('\n');
  writeFileSync(join(dir, 'nginx.conf'), `daemon off;\nworker_processes 1;\npid ${dir}/pid;\nerror_log ${dir}/error.log;\nevents {}\nhttp {\naccess_log off;\nserver_names_hash_bucket_size 128;\n${temp}\n${recipes()}\n}\n`);
  proxy = spawn(process.env.PLEK_NGINX ?? 'nginx', ['-p', dir, '-c', join(dir, 'nginx.conf'), '-e', join(dir, 'error.log')], { stdio: 'inherit' });
  await answers();
}

before(async () => {
  lab = new Network(bin, charter);
  Object.assign(port, { https: await freePort(), agent: await freePort() });
  await certificate();
  await lab.makeHub('Noord');
  await lab.stop('hub');
  appendFileSync(join(lab.hubDir, 'hub.conf'), `\naddress = "wss://${HUB}:${port.https}"\nlimit.connections_per_address = 15000\n`);
  await lab.startHub();
  await startProxy();
  // Names of the recipes lead here in the browser alone; the agent takes "localhost".
  const dir = join(lab.dir, 'haven');
  lab.agents.set(HAVEN, { name: HAVEN, dir });
  await lab.at(HAVEN, ['init', '--unsealed']);
  appendFileSync(join(dir, 'agent.conf'), `\nca = "${join(lab.dir, 'cert.pem')}"\nweb.listen = "127.0.0.1:${port.agent}"\nweb.hosts = "${AGENT}"\n`);
  const uri = await lab.command('plek-hub', ['invite', '--dir', lab.hubDir, '--name', HAVEN, '--address', `wss://localhost:${port.https}`]);
  await lab.at(HAVEN, ['join', '-'], uri);
  await lab.startAgent(HAVEN);
  browser = await launch('--host-resolver-rules=MAP *.example 127.0.0.1');
  context = await browser.newContext({ ignoreHTTPSErrors: true, locale: 'nl-NL' });
  context.setDefaultTimeout(30000);
  page = await context.newPage();
});

after(async () => {
  await browser?.close();
  if (proxy) {
    const ended = new Promise((resolve) => { proxy.once('exit', resolve); });
    proxy.kill('SIGTERM');
    await ended;
  }
  await lab?.end();
});

async function enter(link) {
  await page.goto(link);
  for (const field of await page.locator('input[type=password]').all()) await field.fill(PASSWORD);
  await page.locator('form button').click();
}

test('a hub: members come through by websocket, screens by name, news without delay', async () => {
  const said = await lab.command('plek-hub', ['user', 'add', 'balie', '--role', 'admin', '--dir', lab.hubDir]);
  const link = /^https:\S+/m.exec(said)[0];
  assert.ok(link.startsWith(`https://${HUB}:${port.https}/#invite=`), link);
  await enter(link);
  const whole = page.locator('section.service tbody tr').first();
  await reads(whole, 'onbekend');
  const [cookie] = await context.cookies();
  assert.ok(cookie.secure && cookie.httpOnly && cookie.name.startsWith('__Host-'), JSON.stringify(cookie));
  await lab.policy(HAVEN, [{ name: 'hub', members: ['@hub'], services: ['*'], precision: 'exact' }]);
  await lab.at(HAVEN, ['set', 'night-shelter', 'free=7']);
  await reads(whole, '7');
});

test('the hub behind it is gone: the page says so, and goes on when it is back', async () => {
  await lab.stop('hub');
  await reads(page.locator('.banner'), 'Plek antwoordt niet.');
  await lab.startHub();
  await page.waitForFunction(() => document.querySelector('.banner').textContent === '');
  await lab.at(HAVEN, ['set', 'night-shelter', 'free=8']);
  await reads(page.locator('section.service tbody tr').first(), '8');
});

test('an agent: log-in over https, and what is changed elsewhere stands there', async () => {
  const said = await lab.at(HAVEN, ['user', 'add', 'beheer', '--role', 'admin']);
  await enter(`https://${AGENT}:${port.https}/${/#invite=[\w-]+/.exec(said)[0]}`);
  await reads(page.locator('main h1'), 'Plek nu');
  await page.goto(`https://${AGENT}:${port.https}/#/capacity`);
  await page.getByRole('heading', { name: 'Nachtopvang' }).first().waitFor();
  await lab.at(HAVEN, ['set', 'night-shelter', 'free=3', 'occupied=17']);
  await reads(page.locator('main'), '3 vrij');
});

// A request by the proxy, as from another address of this machine.
const ask = (name, from, path, body, host = `${name}:${port.https}`) => new Promise((resolve, reject) => {
  const text = JSON.stringify(body);
  const request = https.request({ host: '127.0.0.1', port: port.https, servername: name, localAddress: from, rejectUnauthorized: false, method: 'POST', path, headers: { host, origin: `https://${host}`, 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) } }, (answer) => {
    answer.resume();
    answer.on('end', () => resolve(answer.statusCode));
  });
  request.on('error', reject);
  request.end(text);
});

for (const [what, name] of [['a hub', HUB], ['an agent', AGENT]])
  test(`${what}: who guesses passwords is slowed down, others at the proxy are not`, async () => {
    const guess = (from, user) => ask(name, from, '/v1/login', { user, password: 'raden maar weer' });
    let last = 0;
    for (let i = 0; i < 20 && last !== 429; i++) last = await guess('127.0.0.2', `iemand${i}`);
    assert.equal(last, 429);
    assert.equal(await guess('127.0.0.3', 'iemand'), 401);
    assert.equal(await ask(name, '127.0.0.3', '/v1/login', { user: 'x', password: 'y' }, 'evil.example'), 421);
  });
