package gate

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/lab/certtest"
	"github.com/goodgate/goodgate/internal/logging"
	"github.com/goodgate/goodgate/internal/metrics"
)

// naming is a configuration in which every key that names a file has one, written
// <key>.
const naming = `
listeners:
  - address: "unix:<listeners.address>"
    tls:
      certificates: [{cert: "<listeners.tls.certificates.cert>", key: "<listeners.tls.certificates.key>", ocsp: "<listeners.tls.certificates.ocsp>"}]
      client_ca: "<listeners.tls.client_ca>"
      client_crl: "<listeners.tls.client_crl>"
      acme: {hosts: [a.example], accept_terms: true, directory: "https://127.0.0.1:1/", challenge: tls-alpn, cache: "<listeners.tls.acme.cache>", ca: "<listeners.tls.acme.ca>", dns: {exec: "<listeners.tls.acme.dns.exec.program>"}}
admin: "unix:<admin.address>"
log:
  output: "<log.output>"
  outputs:
    - {output: "<log.outputs.output>"}
    - {output: "syslog+tls://127.0.0.1:1", records: requests, tls: {ca: "<log.outputs.tls.ca>", cert: "<log.outputs.tls.cert>", key: "<log.outputs.tls.key>"}}
tracing: {endpoint: "https://127.0.0.1:1/", tls: {ca: "<tracing.tls.ca>", cert: "<tracing.tls.cert>", key: "<tracing.tls.key>"}}
metrics: {endpoint: "https://127.0.0.1:1/", tls: {ca: "<metrics.tls.ca>", cert: "<metrics.tls.cert>", key: "<metrics.tls.key>"}}
errors: {html: "<errors.html>", json: "<errors.json>", dir: "<errors.dir>"}
state: {file: "<state.file>"}
zone: {file: "<zone.file>"}
shutdown: {lame_duck: 0s, grace: 0s}
routes:
  - pool: app
    access:
      basic: {file: "<routes.access.basic.file>"}
      forward: {url: "https://127.0.0.1:1/", tls: {ca: "<routes.access.forward.tls.ca>", cert: "<routes.access.forward.tls.cert>", key: "<routes.access.forward.tls.key>"}}
pools:
  app:
    upstreams:
      - {file: "<pools.upstreams.file>"}
      - "https://127.0.0.1:1"
      - {http: {url: "https://127.0.0.1:1/", token_file: "<pools.upstreams.http.token_file>", tls: {ca: "<pools.upstreams.http.tls.ca>", cert: "<pools.upstreams.http.tls.cert>", key: "<pools.upstreams.http.tls.key>"}}}
      - {docker: {label: a, address: "https://127.0.0.1:1", tls: {ca: "<pools.upstreams.docker.tls.ca>", cert: "<pools.upstreams.docker.tls.cert>", key: "<pools.upstreams.docker.tls.key>"}}}
      - {consul: {service: a, address: "https://127.0.0.1:1", token_file: "<pools.upstreams.consul.token_file>", tls: {ca: "<pools.upstreams.consul.tls.ca>", cert: "<pools.upstreams.consul.tls.cert>", key: "<pools.upstreams.consul.tls.key>"}}}
      - {nomad: {service: a, address: "https://127.0.0.1:1", token_file: "<pools.upstreams.nomad.token_file>", tls: {ca: "<pools.upstreams.nomad.tls.ca>", cert: "<pools.upstreams.nomad.tls.cert>", key: "<pools.upstreams.nomad.tls.key>"}}}
      - {etcd: {prefix: /a/, endpoints: "https://127.0.0.1:1", username: a, password_file: "<pools.upstreams.etcd.password_file>", tls: {ca: "<pools.upstreams.etcd.tls.ca>", cert: "<pools.upstreams.etcd.tls.cert>", key: "<pools.upstreams.etcd.tls.key>"}}}
      - {kubernetes: {service: a, kubeconfig: "<pools.upstreams.kubernetes.kubeconfig>"}}
    health: {type: none}
    maintenance: {page: "<pools.maintenance.page>"}
    tls: {ca: "<pools.tls.ca>", cert: "<pools.tls.cert>", key: "<pools.tls.key>"}
`

// namingFleet is added for its own keys only: an instance whose store is away waits for it
// when it starts.
const namingFleet = `fleet: {addresses: "127.0.0.1:1", secret: "a secret of the test", tls: {ca: "<fleet.tls.ca>", cert: "<fleet.tls.cert>", key: "<fleet.tls.key>"}}`

// namingLogTLS has the keys of TLS with the log's main output, which is a file otherwise.
const namingLogTLS = `  output: "syslog+tls://127.0.0.1:1"
  records: requests
  tls: {ca: "<log.tls.ca>", cert: "<log.tls.cert>", key: "<log.tls.key>"}
`

// fileKeys returns every key of the configuration that names a file. above has the structs
// around t: conditions nest.
func fileKeys(t reflect.Type, path string, above ...reflect.Type) (keys []string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || slices.Contains(above, t) {
		return nil
	}
	above = append(slices.Clone(above), t)
	for f := range t.Fields() {
		key := f.Tag.Get("yaml")
		if key == "" {
			continue
		}
		at := strings.TrimPrefix(path+"."+key, ".")
		format := f.Tag.Get("format")
		if slices.Contains(strings.Split(f.Tag.Get("opt"), ","), "file") || format == "listen" || format == "output" {
			keys = append(keys, at)
		}
		keys = append(keys, fileKeys(f.Type, at, above...)...)
	}
	return keys
}

// plain is a path without indices and names of pools, as fileKeys has them.
func plain(path string) string {
	return strings.Replace(regexp.MustCompile(`\[\d+\]`).ReplaceAllString(path, ""), "pools.app.", "pools.", 1)
}

// goodFiles creates the files that naming names.
func goodFiles(t *testing.T, dir string) map[string]string {
	ca := certtest.NewAuthority(t, "authority")
	cert, key := ca.Files(dir, "one", ca.Issue("one.example"))
	authority := ca.File(dir)
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	pages := filepath.Join(dir, "pages")
	if err := os.Mkdir(pages, 0o700); err != nil {
		t.Fatal(err)
	}
	write("pages/404.html", "nothing here")
	files := map[string]string{
		"listeners.address":               filepath.Join(dir, "listener"),
		"listeners.tls.certificates.cert": cert, "listeners.tls.certificates.key": key,
		"listeners.tls.certificates.ocsp": write("ocsp", "anything"),
		"listeners.tls.client_ca":         authority, "listeners.tls.acme.ca": authority,
		"listeners.tls.client_crl": ca.Revoke(dir, time.Hour),
		"listeners.tls.acme.cache": filepath.Join(dir, "acme"), "listeners.tls.acme.dns.exec.program": "/bin/sh",
		"admin.address": filepath.Join(dir, "admin"),
		"log.output":    filepath.Join(dir, "log"), "log.outputs.output": filepath.Join(dir, "more"),
		"log.tls.ca": authority, "log.tls.cert": cert, "log.tls.key": key,
		"tracing.tls.ca": authority, "tracing.tls.cert": cert, "tracing.tls.key": key,
		"metrics.tls.ca": authority, "metrics.tls.cert": cert, "metrics.tls.key": key,
		"log.outputs.tls.ca": authority, "log.outputs.tls.cert": cert, "log.outputs.tls.key": key,
		"zone.file":   write("zone", "eu-1a"),
		"state.file":  filepath.Join(dir, "state"),
		"errors.html": write("html", "{{.Status}}"), "errors.json": write("json", "{}"),
		"pools.maintenance.page": write("page", "<p>sorry"),
		"pools.upstreams.file":   write("list", "[http://127.0.0.1:2]"),
		"pools.tls.ca":           authority, "pools.tls.cert": cert, "pools.tls.key": key,
		"routes.access.forward.tls.ca": authority, "routes.access.forward.tls.cert": cert, "routes.access.forward.tls.key": key,
		"fleet.tls.ca": authority, "fleet.tls.cert": cert, "fleet.tls.key": key,
		"errors.dir":                            pages,
		"routes.access.basic.file":              write("users", "a:$2a$04$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy\n"),
		"pools.upstreams.kubernetes.kubeconfig": write("kubeconfig", "{current-context: a, contexts: [{name: a, context: {cluster: a}}], clusters: [{name: a, cluster: {server: http://127.0.0.1:1}}]}"),
	}
	token := write("token", "anything")
	for _, source := range []string{"http", "docker", "consul", "nomad", "etcd"} {
		at := "pools.upstreams." + source
		files[at+".tls.ca"], files[at+".tls.cert"], files[at+".tls.key"] = authority, cert, key
		switch source {
		case "docker": // has none
		case "etcd":
			files[at+".password_file"] = token
		default:
			files[at+".token_file"] = token
		}
	}
	return files
}

func fill(names map[string]string, key string) string {
	text := naming
	if strings.HasPrefix(key, "fleet.") {
		text += namingFleet
	}
	if strings.HasPrefix(key, "log.tls.") {
		text = strings.Replace(text, "  output: \"<log.output>\"\n", namingLogTLS, 1)
	}
	for of, name := range names {
		text = strings.ReplaceAll(text, "<"+of+">", name)
	}
	return text
}

// startFails returns the error of a start; nil if it serves.
func startFails(t *testing.T, c *config.Config) error {
	o, err := assemble.Log(c)
	if err != nil {
		return err
	}
	log, err := logging.Open(o)
	if err != nil {
		return err
	}
	defer log.Close()
	g, err := New(c, Options{Logger: log.Logger, Metrics: metrics.New(metrics.Build{})})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	return g.Run(ctx, nil, func([]string) { stop() })
}

// TestFilesByKey breaks each key of the configuration that names a file in three ways.
// The check of files rejects exactly the files that a start rejects, at the right key.
func TestFilesByKey(t *testing.T) {
	t.Parallel()
	keys := fileKeys(reflect.TypeFor[config.Config](), "")
	if got, want := slices.Sorted(slices.Values(keys)), slices.Sorted(maps.Keys(goodFiles(t, t.TempDir()))); !slices.Equal(got, want) {
		t.Fatalf("the keys that name files are\n%q\nand the test has\n%q", got, want)
	}
	refused, warned := 0, 0
	for _, key := range keys {
		for _, way := range []string{"good", "missing", "garbage", "folder", "below a file"} {
			dir := t.TempDir()
			names := goodFiles(t, dir)
			garbage := filepath.Join(dir, "garbage")
			if err := os.WriteFile(garbage, []byte("{{.Nope}}"), 0o600); err != nil {
				t.Fatal(err)
			}
			switch way {
			case "missing":
				names[key] = filepath.Join(dir, "none", "none")
			case "garbage":
				names[key] = garbage
			case "folder":
				names[key] = dir
			case "below a file":
				names[key] = filepath.Join(garbage, "below")
			}
			c, _, err := config.Parse("test.yaml", []byte(fill(names, key)), nil)
			if err != nil {
				t.Fatal(err)
			}
			before := listing(t, dir)
			errs, warnings := assemble.Files(c, time.Now())
			if after := listing(t, dir); after != before {
				t.Errorf("%s, %s: the look has changed files:\n%s\nwere\n%s", key, way, after, before)
			}
			for _, e := range errs {
				if plain(e.Path) != key && !strings.HasSuffix(key, ".cert") || e.Line < 2 {
					t.Errorf("%s, %s: the error is at %q, line %d: %v", key, way, plain(e.Path), e.Line, e)
				}
			}
			failed := startFails(t, c)
			if (failed != nil) != (len(errs) > 0) {
				t.Errorf("%s, %s: the look found %v, a start %v", key, way, errs, failed)
			}
			refused += len(errs)
			for _, w := range warnings {
				if plain(w.Path) == key {
					warned++
				}
			}
		}
	}
	t.Logf("%d keys: %d errors, %d warnings", len(keys), refused, warned)
	if refused < 2*len(keys) || warned < 4 {
		t.Errorf("%d errors and %d warnings of %d keys", refused, warned, len(keys))
	}
}

// listing describes every file in a folder.
func listing(t *testing.T, dir string) string {
	var b strings.Builder
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil {
			b.WriteString(path + " " + info.Mode().String() + " " + info.ModTime().String() + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
