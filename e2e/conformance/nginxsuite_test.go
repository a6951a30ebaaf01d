package conformance_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// proxying are the files of nginx's test suite (github.com/nginx/nginx-tests) about
// features of goodgate: every proxy*.t and upstream*.t that needs only HTTP, TLS and
// the balancing modules, and is not about features of nginx alone, such as its cache,
// its log variables or its files.
const proxying = `proxy proxy_chunked_extra proxy_connection_headers proxy_cookie proxy_cookie_flags proxy_duplicate_headers
	proxy_if proxy_implicit proxy_intercept_errors proxy_method proxy_next_upstream proxy_next_upstream_tries proxy_noclose
	proxy_non_idempotent proxy_redirect proxy_request_buffering proxy_request_buffering_chunked
	proxy_request_buffering_keepalive proxy_ssl_certificate proxy_ssl_name proxy_ssl_verify proxy_ssl_keepalive proxy_unix
	proxy_websocket upstream upstream_hash upstream_ip_hash upstream_keepalive upstream_least_conn upstream_max_conns
	upstream_random upstream_zone`

// leastPassed is the number of tests that must pass. docs/conformance.md explains the
// others.
const leastPassed = 155

// TestNginxSuite runs files of nginx's own test suite with goodgate in nginx's place:
// goodgate convert converts the nginx.conf of each test. NGINX_TESTS is the suite's
// folder; NGINX_TEST_FILES names other files of it.
func TestNginxSuite(t *testing.T) {
	suite := os.Getenv("NGINX_TESTS")
	if suite == "" {
		t.Skip("NGINX_TESTS is not set: it is the folder of nginx-tests")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "nginx")
	text := fmt.Sprintf("#!/bin/sh\n%s=%s exec %s \"$@\"\n", asNginxVariable, binary, self)
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	files, least := os.Getenv("NGINX_TEST_FILES"), 0
	if files == "" {
		files, least = proxying, leastPassed
	}
	passed, total := 0, 0
	for file := range strings.FieldsSeq(files) {
		ok, all := suiteFile(t, suite, script, file)
		t.Logf("%-36s %3d of %3d", file, ok, all)
		passed, total = passed+ok, total+all
	}
	t.Logf("nginx-tests passes: %d of %d", passed, total)
	if passed < least {
		t.Errorf("%d pass, at least %d did", passed, least)
	}
}

var (
	plan     = regexp.MustCompile(`(?m)^1\.\.(\d+)`)
	okLine   = regexp.MustCompile(`(?m)^ok \d+(.*)$`)
	planned  = regexp.MustCompile(`plan\((?:tests => )?(\d+)`)
	constant = regexp.MustCompile(`- no (alerts|sanitizer errors)`) // which each file has in addition
)

// suiteFile runs one file and counts its subtests, without the two about nginx's log.
func suiteFile(t *testing.T, suite, nginx, file string) (passed, total int) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "timeout", "150", "perl", file+".t")
	c.Dir = suite
	c.Env = append(os.Environ(), "TEST_NGINX_BINARY="+nginx, "TMPDIR="+t.TempDir())
	out, _ := c.CombinedOutput() // it fails when a subtest does
	for _, m := range okLine.FindAllStringSubmatch(string(out), -1) {
		if !constant.MatchString(m[1]) {
			passed++
		}
	}
	if m := plan.FindSubmatch(out); m != nil {
		n, _ := strconv.Atoi(string(m[1]))
		return passed, max(n-2, 0)
	}
	source, err := os.ReadFile(filepath.Join(suite, file+".t"))
	if err != nil {
		t.Fatal(err)
	}
	if m := planned.FindSubmatch(source); m != nil {
		total, _ = strconv.Atoi(string(m[1]))
	}
	return passed, total
}
