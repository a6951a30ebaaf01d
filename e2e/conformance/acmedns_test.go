package conformance_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// bind is a running named, with the zones example.com, which has to be updated with the key
// goodgate, and acme.example.net, with the key other.
type bind struct {
	t       *testing.T
	address string
	out     *output
}

const tsigSecret = "c2VjcmV0IG9mIHRoZSB0ZXN0IGZvciBhIHpvbmU="

// newBind starts one, or skips the test if BIND is not installed.
func newBind(t *testing.T) *bind {
	t.Helper()
	named, err := exec.LookPath("named")
	if err != nil {
		if named, err = exec.LookPath("/usr/sbin/named"); err != nil {
			t.Skip("named is not installed (Debian: bind9)")
		}
	}
	b := &bind{t: t, address: freeAddress(t), out: &output{}}
	dir := t.TempDir()
	_, port, _ := net.SplitHostPort(b.address)
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	soa := "$TTL 60\n@ IN SOA ns hostmaster 1 60 60 3600 60\n@ IN NS ns\nns IN A 127.0.0.1\n"
	write("example.com", soa+"_acme-challenge.delegated IN CNAME delegated.acme.example.net.\n")
	write("acme.example.net", soa)
	write("named.conf", fmt.Sprintf(`
options { directory %q; listen-on port %s { 127.0.0.1; }; listen-on-v6 { none; }; recursion yes; dnssec-validation no; pid-file none; session-keyfile none; managed-keys-directory %[1]q; };
controls { };
key "goodgate" { algorithm hmac-sha512; secret %[3]q; };
key "other" { algorithm hmac-sha256; secret %[3]q; };
zone "example.com" { type primary; file "example.com"; update-policy { grant goodgate zonesub TXT; }; };
zone "acme.example.net" { type primary; file "acme.example.net"; allow-update { key other; }; };
`, dir, port, tsigSecret))
	cmd := exec.Command(named, "-g", "-4", "-c", filepath.Join(dir, "named.conf"))
	cmd.Stdout, cmd.Stderr = b.out, b.out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("named:\n%s", b.out)
		}
	})
	eventually(t, "named listens", func() bool { return listens(b.address) && strings.Contains(b.out.String(), "running") })
	return b
}

// dns is for acme: updates by a key, checked at b alone.
func (b *bind) dns(key, algorithm, secret string) string {
	return fmt.Sprintf(", dns: {rfc2136: {server: %q, key_name: %s, key_secret: %q, algorithm: %s}, servers: %[1]q, resolvers: %[1]q}", b.address, key, secret, algorithm)
}

// updates returns how many records were added and removed.
func (b *bind) updates() (added, removed int) {
	return strings.Count(b.out.String(), "adding an RR at"), strings.Count(b.out.String(), "deleting an RR at")
}

// TestACMEByDNS has certificates of a real ACME server ordered by DNS-01 in the zones of a
// real name server.
func TestACMEByDNS(t *testing.T) {
	cases := []struct {
		name string
		run  func(*testing.T)
	}{
		{"a host and its wildcard", orderedByDNS}, {"delegated to another zone", delegated}, {"a wrong secret", wrongSecret}, {"by a program", orderedByProgram},
	}
	passed := 0
	for _, c := range cases {
		if t.Run(c.name, c.run) {
			passed++
		}
	}
	t.Logf("ACME by DNS against pebble and BIND: %d of %d cases", passed, len(cases))
}

// newPebbleAt prepares one that looks names up at b.
func (b *bind) newPebble(g *acmeGate) *pebble {
	return newPebble(b.t, pebbleOptions{http: freeAddress(b.t), tls: g.tls, life: 90 * 24 * time.Hour, nameserver: b.address}).start()
}

func orderedByDNS(t *testing.T) {
	g, b := newACMEGate(t), newBind(t)
	p := b.newPebble(g)
	g.configure(p, `[example.com, "*.example.com"]`, trusting(p)+b.dns("goodgate", "hmac-sha512", tsigSecret), "")
	g.start()
	for _, name := range []string{"example.com", "any.example.com"} {
		g.wantShown(name, p.roots())
	}
	wantOrders(t, p, 2)
	eventually(t, "the removal of both records", func() bool { added, removed := b.updates(); return added == 2 && removed == 2 })
}

func delegated(t *testing.T) {
	g, b := newACMEGate(t), newBind(t)
	p := b.newPebble(g)
	g.configure(p, `["*.delegated.example.com"]`, trusting(p)+b.dns("other", "hmac-sha256", tsigSecret), "")
	g.start()
	g.wantShown("x.delegated.example.com", p.roots())
	if !strings.Contains(b.out.String(), "adding an RR at 'delegated.acme.example.net' TXT") {
		t.Error("the record is not where the CNAME leads")
	}
}

func wrongSecret(t *testing.T) {
	g, b := newACMEGate(t), newBind(t)
	p := b.newPebble(g)
	wrong := b.dns("goodgate", "hmac-sha512", "c2VjcmV0IHRoYXQgaXMgd3Jvbmc=")
	g.configure(p, `["*.example.com"]`, trusting(p)+wrong, "")
	g.start()
	eventually(t, "a record of the failure", func() bool { return len(logged(g.out, "certificate not obtained")) > 0 })
	record := logged(g.out, "certificate not obtained")[0]
	if !strings.Contains(record, "has another secret for the key") || !strings.Contains(record, "BADSIG") || strings.Contains(g.out.String(), "c2VjcmV0") {
		t.Errorf("got %s", record)
	}
	g.configure(p, `["*.example.com"]`, trusting(p)+b.dns("unknown", "hmac-sha512", tsigSecret), "")
	g.signal(1, 1)
	eventually(t, "another record", func() bool { return len(logged(g.out, "certificate not obtained")) > 1 })
	if record := logged(g.out, "certificate not obtained")[1]; !strings.Contains(record, "BADKEY") || !strings.Contains(record, `does not know the key`) {
		t.Errorf("got %s", record)
	}
}

// The program is a script for lego's exec provider, with nsupdate.
func orderedByProgram(t *testing.T) {
	if _, err := exec.LookPath("nsupdate"); err != nil {
		t.Skip("nsupdate is not installed (Debian: bind9-dnsutils)")
	}
	g, b := newACMEGate(t), newBind(t)
	p := b.newPebble(g)
	script := filepath.Join(t.TempDir(), "hook")
	host, port, _ := net.SplitHostPort(b.address)
	err := os.WriteFile(script, fmt.Appendf(nil, `#!/bin/sh
case $1 in
present) change="update add $2 60 TXT $3" ;;
cleanup) change="update delete $2 TXT $3" ;;
esac
printf 'server %s %s\n%%s\nsend\n' "$change" | nsupdate -y "hmac-sha512:goodgate:$SECRET"
`, host, port), 0o700)
	if err != nil {
		t.Fatal(err)
	}
	g.configure(p, `["*.example.com"]`, trusting(p)+fmt.Sprintf(", dns: {exec: {program: %q, env: {SECRET: %q}}, servers: %q, resolvers: %[3]q}", script, tsigSecret, b.address), "")
	g.start()
	g.wantShown("any.example.com", p.roots())
	eventually(t, "the removal of the record", func() bool { added, removed := b.updates(); return added == 1 && removed == 1 })
}
