package streamtest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// start runs a program until the test ends, and waits for its sockets. It skips the
// test if the program is not installed.
func start(t testing.TB, sockets []string, name string, args ...string) {
	path, err := exec.LookPath(name)
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/" + name); err != nil {
			t.Skipf("%s is not installed", name)
		}
	}
	const untilEnd = `"$@" & cat >/dev/null; kill $!; wait` // also if the test is killed, because that closes the pipe
	cmd := exec.Command("sh", append([]string{"-c", untilEnd, "sh", path}, args...)...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	for _, socket := range sockets {
		if !listens(socket) {
			t.Fatalf("%s does not listen on %s", name, socket)
		}
	}
}

// listens waits for a socket.
func listens(socket string) bool {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		if c, err := net.Dial("unix", socket); err == nil {
			c.Close()
			return true
		}
		<-tick.C
	}
	return false
}

// Ask sends a stream to a server on a socket, in parts of these sizes, and returns its
// complete output.
func Ask(socket, stream string, sizes []int) (string, error) {
	nc, err := net.Dial("unix", socket)
	if err != nil {
		return "", err
	}
	defer nc.Close()
	c := nc.(*net.UnixConn)
	c.SetDeadline(time.Now().Add(10 * time.Second))
	go func() {
		s := NewSizes(sizes)
		for rest := []byte(stream); len(rest) > 0; {
			n, err := c.Write(s.bound(rest))
			if err != nil {
				return
			}
			rest = rest[n:]
		}
		c.CloseWrite()
	}()
	out, err := io.ReadAll(c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return string(out), err
	}
	return string(out), nil
}

// Node is a process of Node.js.
type Node struct {
	Socket string // socket of a server that describes the requests it has read
	ask    string // socket of a server that sends requests
}

// nodeScript has both servers.
const nodeScript = `
const http = require('http'), net = require('net'), dir = process.argv[1];
const server = http.createServer((q, s) => {
  const parts = [];
  q.on('data', d => parts.push(d));
  q.on('end', () => {
    const sum = q.trailers['x-sum'];
    const target = Buffer.from(q.url.replace(/^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^\/?#]*/, '') || '/', 'latin1').toString('hex');
    s.writeHead(204, {'X-Saw': q.method + ' ' + target + ' ' + Buffer.concat(parts).toString('hex') + (sum === undefined ? '' : ' ' + sum)});
    s.end();
  });
});
server.httpAllowHalfOpen = true;
server.listen(dir + '/saw');
net.createServer({allowHalfOpen: true}, c => {
  c.on('error', () => {});
  c.once('data', line => {
    const [method, path] = line.toString().trim().split(' ');
    const tell = o => c.end(JSON.stringify(o) + '\n');
    const q = http.request({socketPath: path, method: method, agent: false, path: '/'}, r => {
      const parts = [];
      r.on('data', d => parts.push(d));
      r.on('error', () => tell({}));
      r.on('end', () => tell({whole: r.complete, status: r.statusCode, body: Buffer.concat(parts).toString('base64'), sum: r.trailers['x-sum'] || ''}));
    });
    q.on('upgrade', (r, s) => { s.destroy(); tell({}); });
    q.on('error', () => tell({}));
    q.end();
  });
}).listen(dir + '/ask');
`

// StartNode starts a Node.js process.
func StartNode(t testing.TB) *Node {
	dir := t.TempDir()
	n := &Node{filepath.Join(dir, "saw"), filepath.Join(dir, "ask")}
	start(t, []string{n.Socket, n.ask}, "node", "-e", nodeScript, dir)
	return n
}

// Get sends a request to an upstream, and returns how Node's client interprets the
// answer.
func (n *Node) Get(method string, up *Upstream) (Outcome, error) {
	out, err := Ask(n.ask, method+" "+up.Path+"\n", nil)
	if err != nil {
		return Outcome{}, err
	}
	var saw struct {
		Whole  bool
		Status int
		Body   []byte
		Sum    string
	}
	err = json.Unmarshal([]byte(out), &saw)
	return Outcome{Whole: saw.Whole, Status: saw.Status, Body: string(saw.Body), Sum: saw.Sum}, err
}

// Nginx is a process of nginx.
type Nginx struct {
	Socket string // socket of a server whose application describes the requests it has received
	ask    string // socket of a proxy with an upstream
}

const nginxConf = `
daemon off; master_process off; pid %[1]s/pid; error_log /dev/null crit;
events { worker_connections 512; }
http {
  access_log off; client_body_temp_path %[1]s/1; proxy_temp_path %[1]s/2; fastcgi_temp_path %[1]s/3; uwsgi_temp_path %[1]s/4; scgi_temp_path %[1]s/5;
  proxy_http_version 1.1; proxy_next_upstream off; proxy_ignore_client_abort on;
  server { listen unix:%[1]s/saw; location / { proxy_pass http://unix:%[1]s/tell:; proxy_set_header Host h; } }
  server { listen unix:%[1]s/ask; location / { proxy_pass http://unix:%[2]s:; } }
}`

// StartNginx starts nginx, with an upstream behind its proxy.
func StartNginx(t testing.TB, up *Upstream) *Nginx {
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "tell"))
	if err != nil {
		t.Fatal(err)
	}
	tells := &http.Server{Handler: http.HandlerFunc(Tell), DisableGeneralOptionsHandler: true}
	go tells.Serve(l)
	t.Cleanup(func() { tells.Close() })
	conf := filepath.Join(dir, "conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, dir, up.Path), 0o600); err != nil {
		t.Fatal(err)
	}
	n := &Nginx{filepath.Join(dir, "saw"), filepath.Join(dir, "ask")}
	start(t, []string{n.Socket, n.ask}, "nginx", "-c", conf, "-e", "/dev/null", "-p", dir)
	return n
}

// Get sends a request through nginx to its upstream, and returns the result.
func (n *Nginx) Get(method string) (Outcome, error) {
	c, err := net.Dial("unix", n.ask)
	if err != nil {
		return Outcome{}, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(c, "%s / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", method)
	o := ReadAnswer(bufio.NewReader(c), method)
	o.Whole = o.Whole && o.Status != http.StatusBadGateway
	if errors.Is(o.Err, os.ErrDeadlineExceeded) {
		return o, o.Err
	}
	return o, nil
}
