package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// nginx is a real nginx in front of goodgate. It keeps connections to it and hides
// nothing: the client gets goodgate's answer.
type nginx struct {
	*process
	dir     string
	address string
}

const nginxConfig = `
events {}
http {
  upstream goodgate {
    server %s;
    keepalive 32;
  }
  server {
    listen %s;
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
	dir, address := t.TempDir(), freeAddress(t)
	writeFile(t, dir, "nginx.conf", fmt.Sprintf(nginxConfig, upstream, address))
	return startNginxFile(t, dir, "nginx.conf", address)
}

// startNginxFile runs nginx with a configuration that lets it listen on an address. Its
// output stays in the folder.
func startNginxFile(t *testing.T, dir, file, address string) *nginx {
	t.Helper()
	n := &nginx{dir: dir, address: address}
	n.keepWithin(t, file)
	global := "daemon off; error_log stderr; pid " + filepath.Join(dir, "nginx.pid") + ";"
	if os.Geteuid() == 0 {
		global += " user root;" // its workers may write to the test's folder
	}
	n.process = startProcess(t, "nginx", nil, need(t, "nginx"), "-e", "stderr", "-p", dir, "-g", global, "-c", filepath.Join(dir, file))
	n.ready("tcp", address)
	return n
}

// keepWithin makes nginx use the test's folder for its temporary files.
func (n *nginx) keepWithin(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(n.dir, file))
	if err != nil {
		t.Fatal(err)
	}
	var folders strings.Builder
	folders.WriteString("access_log off;\n")
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		folders.WriteString(kind + "_temp_path " + filepath.Join(n.dir, kind) + ";\n")
	}
	writeFile(t, n.dir, "folders.conf", folders.String())
	writeFile(t, n.dir, file, strings.Replace(string(text), "http {\n", "http {\n  include folders.conf;\n", 1))
}

// reload sends new requests to another goodgate, as nginx -s reload does.
func (n *nginx) reload(upstream string) {
	n.t.Helper()
	writeFile(n.t, n.dir, "nginx.conf", fmt.Sprintf(nginxConfig, upstream, n.address))
	n.keepWithin(n.t, "nginx.conf")
	n.signal(syscall.SIGHUP)
}
