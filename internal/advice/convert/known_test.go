package convert

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/advice/nginxconf"
)

// Every directive that is skipped has a reason, and none is both harmless and
// protecting.
func TestKnownDirectives(t *testing.T) {
	for name, why := range meaningless {
		if _, protects := protecting[name]; why == "" || protects || slices.Contains(readByName, name) {
			t.Errorf("%s: %q, or it is in another list too", name, why)
		}
	}
	for name, lost := range protecting {
		if lost == "" {
			t.Errorf("%s: it is not said what is lost", name)
		}
	}
}

// A protecting directive without an equivalent ends the conversion, in every context.
func TestProtectingDirectives(t *testing.T) {
	for name := range protecting {
		for _, where := range []string{
			"%s strange; server { listen 80; location / { proxy_pass http://a:1; } }",
			"server { listen 80; %s strange; location / { proxy_pass http://a:1; } }",
			"server { listen 80; location / { %s strange; proxy_pass http://a:1; } }",
			"server { listen 80; location / { proxy_pass http://a:1; location /b { %s strange; proxy_pass http://a:1; } } }",
			"server { listen 80; location ~ ^/(?!x)y { %s strange; proxy_pass http://a:1; } }",
			"server { listen 80; location / { try_files $uri @a; } location @a { %s strange; proxy_pass http://a:1; } }",
			"server { listen 80; location / { root /x; %s strange; } }",
			"server { listen 80; location / { if ($a) { %s strange; } proxy_pass http://a:1; } }",
		} {
			if name == "internal" || name == "limit_except" {
				continue // what they do is said
			}
			text := strings.Replace(where, "%s", name, 1)
			file := filepath.Join(t.TempDir(), "nginx.conf")
			if err := os.WriteFile(file, []byte("events {}\nhttp { "+text+" }\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			c, err := nginxconf.Load(file)
			if err != nil {
				t.Fatal(err)
			}
			r := Nginx(c)
			want := name
			if strings.Contains(text, "if (") {
				want = "if"
			}
			if !slices.ContainsFunc(r.Refused, func(n Note) bool { return n.What == want && n.Where == "nginx.conf:2" }) {
				t.Errorf("%s: refused %v, noted %v", text, r.Refused, r.Notes)
			}
		}
	}
}
