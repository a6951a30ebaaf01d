package registry

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/discovery"
)

const secret = "s3cr3t"

// askers are one source of each kind, at an address.
func askers(address string) map[string]discovery.Asker {
	a := Access{Address: address, Token: secret}
	list := a
	list.TokenHeader, list.TokenPrefix = "Authorization", "Bearer "
	h, err := NewHTTP(HTTPOptions{URL: address + "/list?key=" + secret, Access: list, Every: time.Second})
	if err != nil {
		panic(err)
	}
	return map[string]discovery.Asker{
		"http":       h,
		"consul":     NewConsul(ConsulOptions{Access: a, Service: "web", Wait: time.Minute}),
		"nomad":      NewNomad(NomadOptions{Access: a, Service: "web", Wait: time.Minute}),
		"etcd":       NewEtcd(EtcdOptions{Endpoints: []string{address}, Prefix: "/web/", Wait: time.Minute, Timeout: time.Minute}),
		"kubernetes": NewKubernetes(KubernetesOptions{Service: "web", Wait: time.Minute, Connect: func() (Cluster, error) { return Cluster{a, "shop"}, nil }}),
		"docker":     NewDocker(DockerOptions{Access: Access{Address: address}, Label: "app", Wait: time.Minute}),
	}
}

// faults are faulty servers. Those with ends end only when the client leaves.
var faults = map[string]struct {
	serve http.HandlerFunc
	ends  bool
}{
	"400": {serve: func(w http.ResponseWriter, _ *http.Request) { http.Error(w, `{"message": "bad"}`, 400) }},
	"401": {serve: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }},
	"403": {serve: func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "Permission denied", http.StatusForbidden) }},
	"404": {serve: http.NotFound},
	"500": {serve: func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, strings.Repeat("No cluster leader ", 1000), 500)
	}},
	"503": {serve: func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "<html>sorry</html>", http.StatusServiceUnavailable)
	}},
	"204": {serve: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }},
	"redirect": {serve: func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://192.0.2.1/elsewhere", http.StatusFound)
	}},
	"nothing": {serve: func(w http.ResponseWriter, _ *http.Request) { indexed(w) }},
	"null":    {serve: func(w http.ResponseWriter, _ *http.Request) { indexed(w); io.WriteString(w, "null") }},
	"text":    {serve: func(w http.ResponseWriter, _ *http.Request) { indexed(w); io.WriteString(w, "it works!") }},
	"number":  {serve: func(w http.ResponseWriter, _ *http.Request) { indexed(w); io.WriteString(w, "17") }},
	"object":  {serve: func(w http.ResponseWriter, _ *http.Request) { indexed(w); io.WriteString(w, `{"a": 1}`) }},
	"page": {serve: func(w http.ResponseWriter, _ *http.Request) {
		indexed(w)
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<!doctype html><p>Log in")
	}},
	"endless": {serve: func(w http.ResponseWriter, r *http.Request) {
		indexed(w)
		io.WriteString(w, "[")
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, strings.Repeat(" ", 64<<10)); err != nil {
				return
			}
		}
	}},
	"half": {serve: func(w http.ResponseWriter, _ *http.Request) {
		indexed(w)
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, `[{"Service": {"ID": "a", "Por`)
	}},
	"cut off": {serve: func(w http.ResponseWriter, _ *http.Request) {
		indexed(w)
		io.WriteString(w, `["http://10.0.0.1:80"`)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}},
	"hangs up": {serve: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
	"hangs": {ends: true, serve: func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // else the server does not see that the client leaves
		<-r.Context().Done()
	}},
	"drips": {ends: true, serve: func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		indexed(w)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			io.WriteString(w, " ")
			w.(http.Flusher).Flush()
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
		}
	}},
}

func indexed(w http.ResponseWriter) {
	w.Header().Set("X-Consul-Index", "7")
	w.Header().Set("X-Nomad-Index", "7")
}

// TestFaults runs each kind of source against each faulty server. It returns no set,
// ends with its context, and reveals no secret.
func TestFaults(t *testing.T) {
	t.Parallel()
	for fault, f := range faults {
		server := httptest.NewServer(f.serve)
		t.Cleanup(server.Close)
		for kind, asker := range askers(server.URL) {
			t.Run(kind+"/"+fault, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				if f.ends {
					ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
				}
				defer cancel()
				found, err := asker.Ask(ctx, true)
				if err == nil {
					t.Fatalf("got %+v, want an error", found)
				}
				if text := err.Error(); strings.Contains(text, secret) || len(text) > 500 || strings.ContainsAny(text, "\n\r") {
					t.Errorf("got %q", text)
				}
				if want := "the connection ended before an answer came"; fault == "hangs up" && !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %s", err, want)
				}
				closeAsker(t, asker)
			})
		}
	}
}

func closeAsker(t *testing.T, a discovery.Asker) {
	if err := a.(io.Closer).Close(); err != nil {
		t.Error(err)
	}
}

// TestUnreachable runs each kind of source against an unused address, and against a
// server of another kind.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := l.Addr().String()
	l.Close()
	smtp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := smtp.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(c, "220 mail\r\n")
			c.Close()
		}
	}()
	t.Cleanup(func() { smtp.Close(); <-done })
	for _, address := range []string{gone, smtp.Addr().String()} {
		for kind, asker := range askers("http://" + address) {
			if found, err := asker.Ask(t.Context(), true); err == nil || strings.Contains(err.Error(), secret) {
				t.Errorf("%s: got %+v, %v", kind, found, err)
			}
			closeAsker(t, asker)
		}
	}
}
