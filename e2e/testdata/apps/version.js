// A version of an application, good or broken, in Node.
const http = require("http");

const [name, address, kind] = process.argv.slice(2);
const usual = 5; // milliseconds
let answered = 0;

if (kind === "crashes") {
  console.error("Error: Cannot find module './settings'");
  process.exit(1);
}

function wait() {
  if (kind === "slow") return 10 * usual;
  if (kind === "leaks") return usual + answered ** 2 / 400; // as a heap that fills up
  return usual;
}

const server = http.createServer((req, res) => {
  if (req.url === "/healthz") return res.end("ok");
  const parts = [];
  req.on("data", (part) => parts.push(part));
  req.on("end", () => setTimeout(() => {
    answered++;
    if (kind === "leaks" && answered > 400) process.exit(137);
    const text = JSON.stringify({ app: name, method: req.method, target: req.url, headers: req.headers, body: Buffer.concat(parts).toString() });
    res.writeHead(kind === "errors" ? 500 : 200, { "Content-Type": "application/json", "X-App": name });
    res.end(text);
  }, wait()));
});

const [host, port] = address.split(":");
server.listen(Number(port), host);
