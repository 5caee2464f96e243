// Owns a network of real processes for the browser's tests: a hub and agents on loopback, in a
// directory of their own. Ends only what it started.
import { execFile, spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './front.js';

const run = promisify(execFile);
const READY_MS = 20000;

export class Network {
  constructor(bin, charter) {
    this.bin = bin;
    this.charter = charter;
    this.dir = mkdtempSync(join(tmpdir(), 'plek-browser-'));
    this.agents = new Map();
    this.running = new Map();
  }

  async command(program, args, input) {
    const child = run(join(this.bin, program), args, { maxBuffer: 64 * 1024 * 1024 });
    if (input !== undefined) child.child.stdin.end(input);
    const { stdout } = await child;
    return stdout;
  }

  // A daemon until it says "ready"; gives that line.
  start(name, program, args) {
    const child = spawn(join(this.bin, program), args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.running.set(name, child);
    let said = '';
    let log = '';
    child.stderr.on('data', (data) => { log += data; });
    return new Promise((resolve, reject) => {
      const fail = (why) => reject(new Error(`${name} ${why}: ${said}${log}`));
      const timer = setTimeout(() => fail('is not ready in time'), READY_MS);
      child.once('exit', (code) => { clearTimeout(timer); fail(`ended with ${code}`); });
      child.stdout.on('data', (data) => {
        said += data;
        const ready = /^ready .*$/m.exec(said);
        if (!ready) return;
        clearTimeout(timer);
        resolve(ready[0]);
      });
    });
  }

  async stop(name, signal = 'SIGTERM') {
    const child = this.running.get(name);
    if (!child) return;
    this.running.delete(name);
    const ended = new Promise((resolve) => { child.once('exit', resolve); });
    child.kill(signal);
    await ended;
  }

  async startHub(...options) {
    this.hubDir ??= join(this.dir, 'hub');
    this.hubAt ??= `127.0.0.1:${await freePort()}`; // the same after a restart
    await this.start('hub', 'plek-hub', ['run', '--dir', this.hubDir, '--listen', this.hubAt, ...options]);
  }

  async makeHub(name) {
    this.hubDir = join(this.dir, 'hub');
    await this.command('plek-hub', ['init', '--dir', this.hubDir, '--name', name, '--charter', this.charter]);
    await this.startHub();
  }

  async add(name, role = 'provider') {
    const dir = join(this.dir, `agent-${this.agents.size}`);
    this.agents.set(name, { name, dir });
    await this.at(name, ['init', '--unsealed']);
    const uri = await this.command('plek-hub', ['invite', '--dir', this.hubDir, '--name', name, '--role', role, '--address', `ws://${this.hubAt}`]);
    await this.at(name, ['join', '-'], uri);
    await this.startAgent(name);
  }

  async startAgent(name) {
    const agent = this.agents.get(name);
    const ready = await this.start(name, 'plek-agent', ['run', '--dir', agent.dir, ...(agent.options ?? [])]);
    agent.web = /web=(\S+)/.exec(ready)?.[1] ?? null;
    return agent;
  }

  // Lines of agent.conf; the agent begins anew with them.
  async configure(name, ...lines) {
    appendFileSync(join(this.dirOf(name), 'agent.conf'), `${lines.join('\n')}\n`);
    await this.stop(name);
    return this.startAgent(name);
  }

  // The secret part of the link that a new user begins with.
  async invite(name, user, role) {
    return /#invite=([\w-]+)/.exec(await this.at(name, ['user', 'add', user, '--role', role]))[1];
  }

  // A new user with a password, logged in: the cookie { name, value, url } of the session.
  async logIn(name, user, role, password) {
    const token = await this.invite(name, user, role);
    const url = this.agents.get(name).web;
    const answer = await fetch(`${url}/v1/invite`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ token, password }) });
    if (!answer.ok) throw new Error(`${user} got ${answer.status}: ${await answer.text()}`);
    const [, key, value] = /^([\w-]+)=([^;]*)/.exec(answer.headers.get('set-cookie'));
    return { name: key, value, url };
  }

  dirOf(name) { return this.agents.get(name).dir; }

  at(name, args, input) {
    return this.command('plek-agent', [...args, '--dir', this.dirOf(name)], input);
  }

  async policy(name, audiences) {
    const file = join(this.dir, 'policy.json');
    writeFileSync(file, JSON.stringify({ audiences }));
    await this.at(name, ['policy', 'apply', file]);
  }

  async end() {
    for (const name of [...this.running.keys()]) await this.stop(name);
    rmSync(this.dir, { recursive: true, force: true });
  }
}
