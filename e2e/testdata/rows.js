// An application that says what it was asked, on argv[2]; its health on argv[3], for those
// that ask as they should; on argv[4] agents, of which the one at 127.0.0.1 wants no load.
const http = require('http'), net = require('net');
const [port, checks, agents] = process.argv.slice(2).map(Number);
let count = 0;
const app = (q, r) => {
  const u = new URL(q.url, 'http://x'), status = +u.searchParams.get('status') || 200;
  switch (u.pathname) {
    case '/in/moved':
      r.writeHead(302, { Location: 'http://app.internal/in/x', 'Set-Cookie': 'id=1; Path=/in; Domain=app.internal' });
      return r.end();
    case '/kept':
      r.writeHead(200, { 'Cache-Control': 'max-age=60' });
      return r.end(`count=${++count}`);
    case '/long':
      r.writeHead(200, { 'Content-Type': 'text/html', ETag: '"1"' });
      return r.end('text '.repeat(1000));
    case '/events':
      r.writeHead(200, { 'Content-Type': 'text/event-stream' });
      return r.end('data: one\n\n');
    case '/verify':
      r.writeHead(q.headers.cookie === 's=in' ? 200 : 401, { 'Remote-User': 'alice' });
      return r.end();
  }
  r.writeHead(status, { 'Content-Type': 'text/plain' });
  const lines = [];
  for (let i = 0; i < q.rawHeaders.length; i += 2) lines.push(`got ${q.rawHeaders[i].toLowerCase()}: ${q.rawHeaders[i + 1]}`);
  r.end(`got ${q.method} ${q.url} at ${q.socket.localAddress}\n${lines.join('\n')}\n`);
};
for (const at of ['127.0.0.1', '127.0.0.2']) http.createServer(app).listen(port, at);
http.createServer((q, r) => {
  const right = q.url === '/health' && q.headers.host === 'check.example.com' && q.headers['x-check'] === '1';
  r.writeHead(right ? 200 : 500, { 'X-Ready': '1' });
  r.end('{"state": "degraded", "db": {"lag": 70}}');
}).listen(checks, '127.0.0.1');
for (const [at, says] of [['127.0.0.1', 'drain\n'], ['127.0.0.2', 'up 50%\n']]) net.createServer((c) => { c.on('error', () => {}); c.end(says); }).listen(agents, at);
