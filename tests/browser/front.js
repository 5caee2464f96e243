// Owns a way in for the browser's tests: the pages as files, the API from an agent's own socket, as
// a user of any role, and a connection that can be cut. Must not know any page.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { extname, join } from 'node:path';

const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.json': 'application/json', '.svg': 'image/svg+xml' };
// As the agent's own listener sends it: whatever needs more than this is a fault.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

export class Front {
  // me: { user, role, member, network }
  constructor(root, socket, me) {
    Object.assign(this, { root, socket, me, open: new Set(), cut: false });
    this.server = http.createServer((request, response) => this.serve(request, response));
    this.server.on('connection', (connection) => {
      if (this.cut) connection.destroy();
      this.open.add(connection);
      connection.on('close', () => this.open.delete(connection));
    });
  }

  async listen() {
    await new Promise((resolve) => { this.server.listen(0, '127.0.0.1', resolve); });
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  // The network cable, out and in again.
  pull() {
    this.cut = true;
    for (const connection of this.open) connection.destroy();
  }

  plug() { this.cut = false; }

  close() {
    this.pull();
    this.server.close();
  }

  json(response, value) {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(value));
  }

  serve(request, response) {
    const { pathname } = new URL(request.url, 'http://x');
    if (pathname === '/v1/me') this.json(response, { csrf: 'x', ...this.me });
    else if (pathname.startsWith('/v1/')) this.pass(request, response);
    else this.file(pathname, response);
  }

  pass(request, response) {
    const headers = { 'content-type': 'application/json' };
    if (request.headers['content-length']) headers['content-length'] = request.headers['content-length'];
    const up = http.request({ socketPath: this.socket, path: request.url, method: request.method, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    up.on('error', () => response.destroy());
    response.on('close', () => up.destroy());
    request.pipe(up);
  }

  file(pathname, response) {
    const name = pathname === '/' ? 'index.html' : pathname.slice(1);
    const path = name.startsWith('shared/') ? join(this.root, 'shared/web', name.slice(7)) : join(this.root, 'agent/web', name);
    try {
      const body = readFileSync(path);
      response.writeHead(200, { 'content-type': types[extname(path)], 'content-security-policy': policy, 'cache-control': 'no-store' });
      response.end(body);
    } catch {
      response.writeHead(404);
      response.end();
    }
  }
}
