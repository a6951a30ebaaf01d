package gate

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/config"
)

var firstYAML = regexp.MustCompile("(?ms)^```yaml[^\\n]*\\n(.*?)^```$")

// TestPagesServe starts the first complete configuration of each page, with free
// addresses and an upstream of the test, and sends a request.
func TestPagesServe(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("got pages %v, %v", pages, err)
	}
	upstream := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("served")) }))
	upstream.Config.Protocols = new(http.Protocols)
	upstream.Config.Protocols.SetHTTP1(true)
	upstream.Config.Protocols.SetUnencryptedHTTP2(true)
	upstream.Start()
	t.Cleanup(upstream.Close)
	served := 0
	for _, path := range pages {
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range firstYAML.FindAllStringSubmatch(string(page), -1) {
			if !strings.Contains(block[1], "listeners:") || !strings.Contains(block[1], "\npools:") {
				continue
			}
			served++
			t.Run(filepath.Base(path), func(t *testing.T) { servesPage(t, block[1], upstream.URL) })
			break
		}
	}
	if served < 25 {
		t.Errorf("started the configurations of %d pages, want at least 25", served)
	}
}

func servesPage(t *testing.T, text, upstream string) {
	t.Parallel()
	c, _, err := config.Parse("page.yaml", []byte(text), func(name string) (string, bool) { return "a secret of more than 16 bytes: " + name, true })
	if err != nil {
		t.Fatal(err)
	}
	here(c, upstream)
	r := start(t, c, Options{})
	if got := get(t, "http://"+r.addrs[len(r.addrs)-1]+"/"); got != "200 served" {
		t.Errorf("got %q, want the answer of the upstream", got)
	}
}

// here moves a configuration to free addresses and to an upstream, without the files and
// servers that only its owner has.
func here(c *config.Config, upstream string) {
	for i := range c.Listeners {
		l := &c.Listeners[i]
		l.Address, l.TLS = "127.0.0.1:0", nil
	}
	for name, p := range c.Pools {
		p.Upstreams = []config.Upstream{{URL: upstream, Weight: 1}}
		if p.Health.Type == "grpc" {
			p.Health.Type = "none"
		}
		p.Health.Path = ""
		c.Pools[name] = p
	}
	c.Routes = slices.DeleteFunc(c.Routes, func(r config.Route) bool { return r.Redirect != nil }) // to https, which is not there
	for i := range c.Routes {
		r := &c.Routes[i]
		r.Access, r.Match.Scheme = config.Access{}, ""
	}
	c.Admin, c.State, c.Fleet, c.Errors, c.Tracing = config.Admin{}, config.State{}, nil, config.ErrorPages{}, config.Tracing{}
}
