package e2e_test

import (
	"fmt"
	"os"
	"syscall"
	"testing"
)

// nginx is a real nginx in front of goodgate. It keeps connections to it and
// hides nothing: what goodgate answers is what the client gets.
type nginx struct {
	*process
	dir     string
	address string
}

const nginxConfig = `
%[1]s
daemon off;
worker_processes 1;
pid %[2]s/nginx.pid;
error_log stderr;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path %[2]s/body;
  proxy_temp_path %[2]s/proxy;
  fastcgi_temp_path %[2]s/fastcgi;
  uwsgi_temp_path %[2]s/uwsgi;
  scgi_temp_path %[2]s/scgi;
  upstream goodgate {
    server %[4]s;
    keepalive 32;
  }
  server {
    listen %[3]s;
    location / {
      proxy_pass http://goodgate;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_next_upstream off;
    }
  }
}
`

func startNginx(t *testing.T, upstream string) *nginx {
	t.Helper()
	tool := need(t, "nginx")
	n := &nginx{dir: t.TempDir(), address: freeAddress(t)}
	n.configure(t, upstream)
	n.process = startProcess(t, "nginx", nil, tool, "-e", "stderr", "-p", n.dir, "-c", n.dir+"/nginx.conf")
	n.ready("tcp", n.address)
	return n
}

func (n *nginx) configure(t *testing.T, upstream string) {
	t.Helper()
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;" // its workers may write to the test's folder
	}
	writeFile(t, n.dir, "nginx.conf", fmt.Sprintf(nginxConfig, user, n.dir, n.address, upstream))
}

// reload sends new requests to another goodgate, as nginx -s reload does.
func (n *nginx) reload(upstream string) {
	n.t.Helper()
	n.configure(n.t, upstream)
	n.signal(syscall.SIGHUP)
}
