package e2e_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestDoctorEnds: a signal ends the doctor at once, during any wait.
func TestDoctorEnds(t *testing.T) {
	t.Parallel()
	for _, signal := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		for name, begin := range map[string]func(p *plant, begun func()) (args []string){
			"a configuration that is a pipe": func(p *plant, begun func()) []string {
				pipe := p.path("nginx.conf")
				if err := syscall.Mkfifo(pipe, 0o600); err != nil {
					p.Fatal(err)
				}
				go func() {
					if f, err := os.OpenFile(pipe, os.O_WRONLY, 0); err == nil { // when the doctor opens it
						p.Cleanup(func() { f.Close() })
						begun()
					}
				}()
				return []string{"--nginx", pipe}
			},
			"a handshake": func(p *plant, begun func()) []string {
				return []string{"--nginx", writeFile(p.T, p.dir, "a.conf", proxied("https://"+p.silent(begun)))}
			},
			"an answer": func(p *plant, begun func()) []string {
				return []string{"--nginx", writeFile(p.T, p.dir, "a.conf", proxied("http://"+p.silent(begun)))}
			},
			"an answer of FastCGI": func(p *plant, begun func()) []string {
				return []string{"--nginx", writeFile(p.T, p.dir, "a.conf", passed("fastcgi_pass "+p.silent(begun)))}
			},
			"an idle connection": func(p *plant, begun func()) []string {
				to := p.raw(func(c net.Conn) {
					io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
					begun()
					io.Copy(io.Discard, c)
				})
				return []string{"--nginx", writeFile(p.T, p.dir, "a.conf", proxied("http://"+to)), "--wait", "10m"}
			},
			"a name": func(p *plant, begun func()) []string {
				ns, err := net.ListenPacket("udp", "127.0.0.1:0")
				if err != nil {
					p.Fatal(err)
				}
				p.Cleanup(func() { ns.Close() })
				go func() {
					if _, _, err := ns.ReadFrom(make([]byte, 512)); err == nil {
						begun()
					}
				}()
				return []string{"--nginx", writeFile(p.T, p.dir, "a.conf", proxied("http://$app:80", "set $app app.internal;", "resolver "+ns.LocalAddr().String()+";"))}
			},
		} {
			t.Run(fmt.Sprint(name, ", ", signal), func(t *testing.T) {
				t.Parallel()
				p := newPlant(t)
				began := make(chan struct{}, 100)
				args := begin(p, func() { began <- struct{}{} })
				d := startProcess(t, "doctor", nil, append([]string{built.goodgate, "doctor", "--max-wait", "10m"}, args...)...)
				select {
				case <-began:
				case <-d.exited:
					t.Fatalf("the doctor ended by itself: %s", d.out.String())
				}
				d.signal(signal)
				if code := d.wait(); code != 1 {
					t.Errorf("exit code %d, want 1", code)
				}
				wantIn(t, "what it writes", d.out.String(), "ended early")
			})
		}
	}
}

// silent runs a server that accepts connections and never answers.
func (p *plant) silent(begun func()) string {
	return p.raw(func(c net.Conn) {
		begun()
		io.Copy(io.Discard, c)
	})
}

// TestDoctorWithoutTargets: without an upstream to examine, the doctor does not say that
// nothing is wrong.
func TestDoctorWithoutTargets(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"static files": "events {}\nhttp { server { root /srv; } }",
		"nothing":      "# commented out: proxy_pass http://a;\n",
		"a variable":   "server { location / { proxy_pass $backend; } resolver 127.0.0.1; }",
		"stream":       "events {}\nstream { server { listen 1; proxy_pass a:1; } }",
	} {
		p := newPlant(t)
		d := p.doctor("--nginx", writeFile(t, p.dir, "a.conf", text))
		if d.code != 1 || len(d.Unknown) == 0 {
			t.Errorf("%s: exit code %d, not known %q; want 1 and why", name, d.code, d.Unknown)
		}
		wantIn(t, name, d.text, "no upstream to examine")
	}
}

// TestDoctorOfficialImage: the logs of nginx's images are not regular files. The doctor
// reports them as not known, wherever its own output goes.
func TestDoctorOfficialImage(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	for name, to := range map[string]string{"access.log": "/dev/stdout", "error.log": "/dev/stderr"} {
		if err := os.Symlink(to, filepath.Join(p.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	p.configure("", "", proxied("http://"+p.app(fine)))
	d := startProcess(t, "doctor", nil, "sh", "-c", built.goodgate+" doctor --nginx "+p.path("nginx.conf")+" >"+p.path("out")+" 2>&1")
	if code := d.wait(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	text, err := os.ReadFile(p.path("out"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"the error log: " + p.path("error.log") + " is not a file", "the access log: " + p.path("access.log"), "docker logs NAME", "nothing found"} {
		wantIn(t, "what it writes", string(text), want)
	}
}

// TestDoctorPage: the page is a self-contained file without private texts.
func TestDoctorPage(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	p.nginx(proxied("http://" + p.address()))
	p.ask(3, "GET", "/a?token=hunter2", "")
	p.doctorNginx("--html", p.path("page.html"))
	page, err := os.ReadFile(p.path("page.html"))
	if err != nil {
		t.Fatal(err)
	}
	wantIn(t, "the page", string(page), "nothing_listens")
	wantIn(t, "the page", string(page), "<svg")
}
