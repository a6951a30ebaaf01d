// An application that speaks HTTP/2 only: in the clear on argv[2], by TLS on
// argv[3] with the certificate and the key of argv[4] and argv[5].
const http2 = require('http2'), fs = require('fs');
const serve = (stream, header) => {
  let n = 0;
  stream.on('data', (d) => { n += d.length; });
  stream.on('end', () => {
    stream.respond({ ':status': 200 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-trailer': 'end' }));
    stream.end(`${header[':scheme']} ${header[':method']} ${n}`);
  });
};
const clear = http2.createServer();
const secure = http2.createSecureServer({ cert: fs.readFileSync(process.argv[4]), key: fs.readFileSync(process.argv[5]) });
clear.on('stream', serve);
secure.on('stream', serve);
clear.listen(+process.argv[2], '127.0.0.1');
secure.listen(+process.argv[3], '127.0.0.1');
