package certs

import (
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/internal/lab/certtest"
)

// shown returns the names of the certificate that a client gets, and its stapled
// response.
func shown(t *testing.T, s *Store, name string) string {
	t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	server := tls.Server(a, &tls.Config{GetCertificate: s.Get})
	go server.Handshake()
	client := tls.Client(b, &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	st := client.ConnectionState()
	return strings.Join(st.PeerCertificates[0].DNSNames, ",") + " " + string(st.OCSPResponse)
}

func TestByName(t *testing.T) {
	ca, dir := certtest.NewAuthority(t, "authority"), t.TempDir()
	var files []File
	for i, name := range []string{"a.example", "*.b.example", "c.example"} {
		cert, key := ca.Files(dir, string(rune('a'+i)), ca.Issue(name))
		files = append(files, File{Cert: cert, Key: key})
	}
	files[2].OCSP = filepath.Join(dir, "ocsp")
	if err := os.WriteFile(files[2].OCSP, []byte("good"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Load(files, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"a.example": "a.example ", "x.b.example": "*.b.example ", "c.example": "c.example good",
		"": "a.example ", "stranger.example": "a.example ", "b.example": "a.example ",
	} {
		if got := shown(t, s, name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	until := s.Expiry()
	for _, f := range files {
		if left := time.Until(until[f.Cert]); left <= 0 {
			t.Errorf("%s: good for %v", f.Cert, left)
		}
	}
}

func TestReadAgain(t *testing.T) {
	dir := t.TempDir()
	ca := certtest.NewAuthority(t, "authority")
	cert, key := ca.Files(dir, "site", ca.Issue("old.example"))
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex // protects told
		var told []string
		s, err := Load([]File{{Cert: cert, Key: key}}, func(f File, err error) {
			text := "good"
			if err != nil {
				text = err.Error()
			}
			mu.Lock()
			defer mu.Unlock()
			told = append(told, text)
		})
		if err != nil {
			t.Fatal(err)
		}
		stop := s.Watch()
		defer stop()
		step := func(want string, notes int, change func()) {
			t.Helper()
			change()
			time.Sleep(2 * checkEvery)
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			leaf := (*s.live.Load())[0].Leaf
			if got := leaf.DNSNames[0]; got != want || len(told) != notes {
				t.Errorf("got %s and notes %q, want %s and %d", got, told, want, notes)
			}
		}
		step("old.example", 0, func() {})
		step("new.example", 1, func() { ca.Files(dir, "site", ca.Issue("new.example")) })
		step("new.example", 2, func() { os.WriteFile(cert, []byte("nonsense"), 0o600) })
		step("new.example", 2, func() { os.Remove(cert) })
		step("new.example", 3, func() { os.Mkdir(cert, 0o700) }) // stands for any file that cannot be read
		step("new.example", 3, func() { os.Remove(cert) })
		step("newer.example", 4, func() { ca.Files(dir, "site", ca.Issue("newer.example")) })
	})
}

func TestLoadSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	ca := certtest.NewAuthority(t, "authority")
	cert, _ := ca.Files(dir, "one", ca.Issue("one.example"))
	_, key := ca.Files(dir, "two", ca.Issue("two.example"))
	_, err := Load([]File{{Cert: cert, Key: key}, {Cert: filepath.Join(dir, "none.pem"), Key: key}, {Cert: cert, Key: "none.key"}}, nil)
	for _, want := range []string{"one.pem with key", "private key does not match", "none.pem", "key of ", "none.key"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to have %q", err, want)
		}
	}
}
