package conformance_test

import (
	"encoding/xml"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// report is h2spec's output with -j.
type report struct {
	Suites []struct {
		ID    string `xml:"id,attr"`
		Cases []struct {
			Package string    `xml:"package,attr"`
			Name    string    `xml:"classname,attr"`
			Failure *struct{} `xml:"failure"`
			Error   *struct{} `xml:"error"`
			Skipped *struct{} `xml:"skipped"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

// h2spec returns how many cases a server passed, and those that it failed.
func h2spec(t *testing.T, address string, secure bool) (passed int, failed []string) {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "report.xml")
	args := []string{"tool", "h2spec", "-h", host, "-p", port, "-o", "2", "-j", file}
	if secure {
		args = append(args, "-t", "-k")
	}
	out, runErr := exec.Command("go", args...).CombinedOutput()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("h2spec: %v\n%s", runErr, out)
	}
	var r report
	if err := xml.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	for _, s := range r.Suites {
		for _, c := range s.Cases {
			switch {
			case c.Failure != nil || c.Error != nil:
				failed = append(failed, c.Package+" "+c.Name)
			case c.Skipped == nil:
				passed++
			}
		}
	}
	return passed, failed
}

// TestH2spec checks that goodgate fails only the cases that net/http's own server,
// which implements HTTP/2 for it, fails.
func TestH2spec(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "hello")
	})
	app := httptest.NewServer(handler)
	defer app.Close()
	p := newKeyPair(t)
	g := startGate(t, p, `{upstreams: ["`+app.URL+`"]}`)
	for _, over := range []string{"h2c", "TLS"} {
		t.Run(over, func(t *testing.T) {
			plain := httptest.NewUnstartedServer(handler)
			plain.Config.ErrorLog = log.New(io.Discard, "", 0)
			plain.Config.Protocols = new(http.Protocols)
			plain.Config.Protocols.SetHTTP1(true)
			address := g.clear
			if over == "TLS" {
				address = g.tls
				plain.EnableHTTP2 = true
				plain.Config.Protocols.SetHTTP2(true)
				plain.StartTLS()
			} else {
				plain.Config.Protocols.SetUnencryptedHTTP2(true)
				plain.Start()
			}
			defer plain.Close()
			wantPassed, wantFailed := h2spec(t, plain.Listener.Addr().String(), over == "TLS")
			passed, failed := h2spec(t, address, over == "TLS")
			t.Logf("h2spec over %s: goodgate passes %d of %d, net/http %d", over, passed, passed+len(failed), wantPassed)
			if passed+len(failed) < 140 {
				t.Errorf("only %d cases ran", passed+len(failed))
			}
			for _, name := range failed {
				t.Logf("fails: %s", name)
				if !slices.Contains(wantFailed, name) {
					t.Errorf("net/http passes: %s", name)
				}
			}
		})
	}
}
