// Owns the cable between a browser and a daemon's own listener in the browser's tests: it passes on
// what goes through, until it is pulled. Must not know any page, nor what goes through.
import net from 'node:net';

export class Front {
  // target: "127.0.0.1:7536"
  constructor(target) {
    const [host, port] = target.split(':');
    Object.assign(this, { open: new Set(), cut: false });
    this.server = net.createServer((connection) => {
      if (this.cut) {
        connection.destroy();
        return;
      }
      const up = net.connect(Number(port), host);
      for (const [end, other] of [[connection, up], [up, connection]]) {
        this.open.add(end);
        end.on('error', () => {});
        end.on('close', () => {
          this.open.delete(end);
          other.destroy();
        });
        end.pipe(other);
      }
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
}

// A port that nobody listens at, for a listener that has to come back at the same one: below those
// that a system gives out by itself, or somebody else may have it by then.
export async function freePort() {
  for (;;) {
    const port = 12000 + Math.floor(Math.random() * 18000);
    const server = net.createServer();
    const free = await new Promise((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (free) {
      await new Promise((resolve) => { server.close(resolve); });
      return port;
    }
  }
}
