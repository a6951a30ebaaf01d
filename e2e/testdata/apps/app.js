// The app server of the tests, in Node. All three say the same on the wire.
const fs = require("fs");
const http = require("http");

const [name, address] = process.argv.slice(2);

const server = http.createServer((req, res) => {
  const url = new URL(req.url, "http://app");
  if (url.pathname === "/healthz") {
    res.writeHead(Number(process.env.HEALTH_STATUS || 200)).end();
    return;
  }
  const parts = [];
  req.on("data", (part) => parts.push(part));
  req.on("end", () => {
    const wait = Number(url.searchParams.get("wait") || process.env.DELAY_MS || 0);
    setTimeout(() => {
      res.writeHead(Number(url.searchParams.get("status") || 200), {
        "Content-Type": "application/json",
        "X-App": name,
      });
      res.end(JSON.stringify({
        app: name, method: req.method, target: req.url, headers: req.headers,
        body: Buffer.concat(parts).toString(),
      }));
    }, wait);
  });
});

if (address.startsWith("unix:")) {
  const path = address.slice("unix:".length);
  fs.rmSync(path, { force: true }); // of the process before
  server.listen(path);
} else {
  const [host, port] = address.split(":");
  server.listen(Number(port), host);
}
