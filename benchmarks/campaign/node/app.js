// The application of the case "killed-node": a plain Node.js server. It reports each
// request that it executes to the campaign.
"use strict";
const http = require("node:http");
const [host, port, work] = process.argv.slice(-3);

http
  .createServer((req, res) => {
    if (req.url === "/healthz") return res.end("fine\n");
    req.resume().on("end", () => {
      const id = req.headers["x-campaign-id"];
      const tell = (mark) => id && require("node:fs").writeSync(1, `${mark}${req.method} ${id}\n`);
      tell("");
      res.on("close", () => tell("end "));
      setTimeout(() => res.end("x".repeat(2048)), Number(work));
    });
  })
  .listen(Number(port), host, () => console.log("ready"));
