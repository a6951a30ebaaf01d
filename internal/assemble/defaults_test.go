package assemble_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/health"
	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/proxy"
)

var update = flag.Bool("update", false, "write the library's defaults instead of comparing with them")

// unset is a configuration that sets nothing.
func unset(t *testing.T) *config.Config {
	t.Helper()
	c, _, err := config.Parse("goodgate.yaml", []byte("listeners: [\":8080\"]\npools: {app: {upstreams: [\"http://127.0.0.1:3000\"]}}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// fileDefaults are the options of an empty configuration.
func fileDefaults(t *testing.T) (b balancer.Options, pool proxy.PoolOptions, h health.Options, o proxy.Options) {
	t.Helper()
	c := unset(t)
	app := c.Pools["app"]
	h, err := assemble.Health(app, nil)
	if err != nil {
		t.Fatal(err)
	}
	o, err = assemble.Proxy(c, map[string]*proxy.Pool{}, proxy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o.Listener = assemble.Listener(c.Listeners[0])
	o.Listener.Name, o.Routes, o.Pages = "", nil, nil // nil pages are those that are built in
	return assemble.Balancer("app", app), assemble.Pool(app), h, o
}

// TestDefaults: the library's defaults are those of the file, to the last field. They
// are written from them: go test ./internal/assemble -run TestDefaults -update.
func TestDefaults(t *testing.T) {
	b, pool, h, o := fileDefaults(t)
	prober := h.Prober
	h.Prober = nil
	for file, text := range map[string]string{
		"balancer/defaults.go": source(t, "balancer", `
// DefaultOptions returns the options that a pool without settings has in goodgate's
// configuration file: the policy peak_ewma, a circuit breaker, outlier detection, slow
// start, and a concurrency limit while the pool is overloaded. The caller may change the
// value.
func DefaultOptions(name string) Options {`, b, `Name: name,`),
		"proxy/defaults.go": source(t, "proxy", `
// DefaultPoolOptions returns the default options of a pool in goodgate's configuration file:
// retries within a budget, hedges on evidence, a hold while no upstream is available, a
// queue, and limits on every wait. Each call returns a new value that the caller may change.
func DefaultPoolOptions() PoolOptions {`, pool, "") + function(t, "proxy", `
// DefaultOptions returns the default options of the configuration file: the request fields
// to trust or to remove, the Via field, and the limits on clients. It sets no routes, and
// trusts no proxies. Each call returns a new value that the caller may change.
func DefaultOptions() Options {`, o, "") + server(t),
		"health/defaults.go": source(t, "health", `
// DefaultOptions returns the options of the health check that a pool without settings has
// in goodgate's configuration file: any answer passes ([NewAlive]). The Prober is safe for
// concurrent use, so several checkers may share the options, or changed copies of them.
func DefaultOptions() Options {`, h, "Prober: NewAlive(AliveOptions{}),"),
	} {
		name := filepath.Join("..", "..", file)
		want, err := format.Source([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v\n%s", file, err, text)
		}
		if *update {
			if err := os.WriteFile(name, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the configuration's defaults make (%v): go test ./internal/assemble -run TestDefaults -update", file, err)
		}
	}
	if *update {
		return
	}
	equal(t, "balancer.DefaultOptions", balancer.DefaultOptions("app"), b)
	equal(t, "proxy.DefaultPoolOptions", proxy.DefaultPoolOptions(), pool)
	equal(t, "proxy.DefaultOptions", proxy.DefaultOptions(), o)
	library := health.DefaultOptions()
	if got, want := reflect.TypeOf(library.Prober), reflect.TypeOf(prober); got != want {
		t.Errorf("the library probes by %v, the file by %v", got, want)
	}
	library.Prober = nil
	equal(t, "health.DefaultOptions", library, h)
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s is\n%+v, the file has\n%+v", what, got, want)
	}
}

// source is a file in Go with one function that returns a value.
func source(t *testing.T, pkg, head string, value any, first string) string {
	t.Helper()
	body := function(t, pkg, head, value, first)
	imports := `"time"`
	if pkg == "proxy" {
		imports = "\"net/http\"\n" + imports
	}
	if strings.Contains(body, "balancer.") {
		imports += "\n\n\"github.com/goodgate/goodgate/balancer\""
	}
	return fmt.Sprintf("package %s\n\n// Code generated from the defaults of the configuration file by TestDefaults in\n// internal/assemble. DO NOT EDIT.\n\nimport (\n%s\n)\n%s", pkg, imports, body)
}

func function(t *testing.T, pkg, head string, value any, first string) string {
	t.Helper()
	return fmt.Sprintf("%s\nreturn %s\n}\n", head, strings.ReplaceAll(literal(t, reflect.ValueOf(value), first), pkg+".", ""))
}

// server is the server of a listener without settings.
func server(t *testing.T) string {
	t.Helper()
	c := unset(t)
	s := assemble.HTTP2(c.Listeners[0])
	return fmt.Sprintf(`
// defaultGrace is the time for requests in flight to end at shutdown.
const defaultGrace = %s

// defaultServer returns a server with the default limits of a listener in the configuration
// file.
func defaultServer() *http.Server {
	return &http.Server{ReadHeaderTimeout: %s, IdleTimeout: %s, MaxHeaderBytes: %d, DisableGeneralOptionsHandler: %t}
}
`, duration(c.Shutdown.Grace), duration(s.ReadHeaderTimeout), duration(s.IdleTimeout), s.MaxHeaderBytes, s.DisableGeneralOptionsHandler)
}

// literal returns a value as Go code. It leaves out fields that are zero, or that first
// sets.
func literal(t *testing.T, v reflect.Value, first string) string {
	t.Helper()
	if d, ok := v.Interface().(time.Duration); ok {
		return duration(d)
	}
	switch v.Kind() {
	case reflect.Struct:
		var b strings.Builder
		fmt.Fprintf(&b, "%s{\n%s\n", v.Type(), first)
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if v.Field(i).IsZero() || strings.HasPrefix(first, f.Name+":") {
				continue
			}
			fmt.Fprintf(&b, "%s: %s,\n", f.Name, literal(t, v.Field(i), ""))
		}
		return strings.ReplaceAll(b.String(), "\n\n", "\n") + "}"
	case reflect.Slice:
		var list []string
		for i := range v.Len() {
			list = append(list, literal(t, v.Index(i), ""))
		}
		return v.Type().String() + "{" + strings.Join(list, ", ") + "}"
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int64, reflect.Float64, reflect.Uint8:
		return fmt.Sprintf("%#v", v.Interface())
	}
	t.Fatalf("a default of type %s cannot be written", v.Type())
	return ""
}

func duration(d time.Duration) string {
	for _, u := range []struct {
		name string
		unit time.Duration
	}{{"time.Hour", time.Hour}, {"time.Minute", time.Minute}, {"time.Second", time.Second}} {
		if d%u.unit == 0 {
			return fmt.Sprintf("%d * %s", d/u.unit, u.name)
		}
	}
	return fmt.Sprintf("%d * time.Millisecond", d/time.Millisecond)
}
