package conformance_test

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/letsencrypt/challtestsrv"
)

// output collects a process' output.
type output struct {
	mu  sync.Mutex // protects buf
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// pebble is a running ACME server, Let's Encrypt's own for tests.
type pebble struct {
	t             *testing.T
	address, keys string // of ACME, of its root certificate
	options       pebbleOptions
	own           *keyPair // its own certificate
	out           *output
	cmd           *exec.Cmd
}

// pebbleOptions are pebble's addresses for hosts, which are all local.
type pebbleOptions struct {
	http, tls  string        // addresses; only the ports matter
	life       time.Duration // of certificates
	blocked    []string      // hosts
	slow       int           // longest delay before it asks a host, in seconds
	nameserver string        // that it asks; empty = one with which every host is 127.0.0.1
	mac        string        // of the account "kid", which accounts must belong to; empty = to none
}

// newPebble prepares one that does not run yet.
func newPebble(t *testing.T, o pebbleOptions) *pebble {
	t.Helper()
	return &pebble{t: t, address: freeAddress(t), keys: freeAddress(t), options: o, own: newKeyPair(t), out: &output{}}
}

func (p *pebble) directory() string { return "https://" + p.address + "/dir" }

// start runs it until the test ends.
func (p *pebble) start() *pebble {
	p.t.Helper()
	port := func(address string) int {
		_, text, _ := net.SplitHostPort(address)
		n, _ := strconv.Atoi(text)
		return n
	}
	known := map[string]string{}
	if p.options.mac != "" {
		known["kid"] = p.options.mac
	}
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"externalAccountBindingRequired": len(known) > 0, "externalAccountMACKeys": known,
		"listenAddress": p.address, "managementListenAddress": p.keys, "certificate": p.own.cert, "privateKey": p.own.key,
		"httpPort": port(p.options.http), "tlsPort": port(p.options.tls), "domainBlocklist": p.options.blocked,
		"retryAfter": map[string]int{"authz": 1, "order": 1}, "keyAlgorithm": "ecdsa",
		"profiles": map[string]any{"default": map[string]any{"description": "x", "validityPeriod": int(p.options.life.Seconds())}},
	}})
	if err != nil {
		p.t.Fatal(err)
	}
	file := filepath.Join(p.t.TempDir(), "pebble.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		p.t.Fatal(err)
	}
	path, err := exec.Command("go", "tool", "-n", "pebble").Output()
	if err != nil {
		p.t.Fatalf("go tool -n pebble: %v", err)
	}
	p.cmd = exec.Command(strings.TrimSpace(string(path)), "-config", file, "-dnsserver", cmp.Or(p.options.nameserver, nameserver(p.t)), "-strict")
	p.cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_AUTHZREUSE=0")
	if p.options.slow > 0 {
		p.cmd.Env = append(p.cmd.Env, "PEBBLE_VA_NOSLEEP=", fmt.Sprintf("PEBBLE_VA_SLEEPTIME=%d", p.options.slow))
	}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		p.cmd.Process.Kill()
		p.cmd.Wait()
		if p.t.Failed() {
			p.t.Logf("pebble:\n%s", p.out)
		}
	})
	eventually(p.t, "pebble listens", func() bool { return listens(p.address) && listens(p.keys) })
	return p
}

// orders returns how many orders pebble has had.
func (p *pebble) orders() int { return strings.Count(p.out.String(), "Added order") }

// roots returns what certificates that it has issued are verified by.
func (p *pebble) roots() *x509.CertPool {
	p.t.Helper()
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.own.roots}}
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr}).Get("https://" + p.keys + "/roots/0")
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	pem, _ := io.ReadAll(res.Body)
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		p.t.Fatalf("no root certificate: %s", pem)
	}
	return pool
}

// suggest sets the answer to the question when to renew a certificate.
func (p *pebble) suggest(c *x509.Certificate, answer string) {
	p.t.Helper()
	text, err := json.Marshal(map[string]string{"Certificate": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})), "ARIResponse": answer})
	if err != nil {
		p.t.Fatal(err)
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.own.roots}}
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr}).Post("https://"+p.keys+"/set-renewal-info/", "application/json", bytes.NewReader(text))
	if err != nil {
		p.t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		p.t.Fatalf("set-renewal-info: %s", res.Status)
	}
}

// nameserver answers that every host is 127.0.0.1.
func nameserver(t *testing.T) string {
	t.Helper()
	address := freeAddress(t)
	s, err := challtestsrv.New(challtestsrv.Config{DNSAddrs: []string{address}, Log: log.New(io.Discard, "", 0)})
	if err != nil {
		t.Fatal(err)
	}
	s.SetDefaultDNSIPv4("127.0.0.1")
	s.SetDefaultDNSIPv6("")
	go s.Run()
	t.Cleanup(s.Shutdown)
	eventually(t, "the name server listens", func() bool { return listens(address) })
	return address
}

func listens(address string) bool {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for range 1500 {
		if cond() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("waited 30s in vain: %s", what)
}

// logged returns the records of a message in goodgate's log.
func logged(out *output, message string) []string {
	return regexp.MustCompile(`(?m)^.*"msg":"`+regexp.QuoteMeta(message)+`.*$`).FindAllString(out.String(), -1)
}
