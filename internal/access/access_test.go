package access

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

func hashed(t testing.TB, password string) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(h)
}

// argon is the output of `echo -n secret | argon2 somesalt -id -m 10 -t 1 -p 1`.
const argon = "$argon2id$v=19$m=1024,t=1,p=1$c29tZXNhbHQ$"

func write(t testing.TB, file, text string, at int) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	stamp := time.Unix(int64(at), 0)
	if err := os.Chtimes(file, stamp, stamp); err != nil {
		t.Fatal(err)
	}
}

// A password is right only for its user. It is remembered after the first check, until
// the user's line changes.
func TestUsers(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "users")
	write(t, file, "# people\n\nalice:"+hashed(t, "a")+"\nbob:"+hashed(t, "b")+":more\n", 1)
	var told []error
	u, err := Open(file, func(err error) { told = append(told, err) })
	if err != nil {
		t.Fatal(err)
	}
	now, ctx := time.Now(), context.Background()
	for _, c := range []struct {
		name, password string
		want           Verdict
	}{{"alice", "a", Right}, {"alice", "b", Wrong}, {"bob", "b", Right}, {"carol", "a", Wrong}, {"", "", Wrong}, {"alice", strings.Repeat("a", 2000), Wrong}} {
		if got := u.Known(c.name, c.password, now); got != Wrong {
			t.Errorf("%s: known before it was checked", c.name)
		}
		if got := u.Verify(ctx, c.name, c.password); got != c.want {
			t.Errorf("%s, %q: got %v, want %v", c.name, c.password, got, c.want)
		}
		if got := u.Known(c.name, c.password, now); got != c.want {
			t.Errorf("%s, %q: known %v, want %v", c.name, c.password, got, c.want)
		}
	}
	// alice has a new password. The old one is forgotten within a second.
	write(t, file, "alice:"+hashed(t, "new")+"\n", 2)
	if got := u.Known("alice", "a", now); got != Right {
		t.Error("the file is looked at with each request")
	}
	now = now.Add(2 * lookEvery)
	if got := u.Known("alice", "a", now); got != Wrong {
		t.Error("the old password is still known")
	}
	if u.Verify(ctx, "alice", "a") != Wrong || u.Verify(ctx, "alice", "new") != Right || u.Verify(ctx, "bob", "b") != Wrong {
		t.Error("the file was not read again")
	}
	// Another file takes its place, with the same size and time.
	other := file + ".new"
	write(t, other, "alice:"+hashed(t, "b")+"\n", 2)
	if err := os.Rename(other, file); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * lookEvery)
	u.Known("alice", "b", now)
	if u.Verify(ctx, "alice", "b") != Right {
		t.Error("a replaced file of the same size and time was not read again")
	}
	write(t, file, "alice:"+hashed(t, "new")+"\n", 3)
	now = now.Add(2 * lookEvery)
	u.Known("alice", "new", now)
	// A broken file and a missing one change nothing, and are logged once.
	write(t, file, "alice\n", 4)
	for range 3 {
		now = now.Add(2 * lookEvery)
		u.Known("alice", "new", now)
	}
	os.Remove(file)
	for range 3 {
		now = now.Add(2 * lookEvery)
		u.Known("alice", "new", now)
	}
	if u.Verify(ctx, "alice", "new") != Right {
		t.Error("a broken file took the users away")
	}
	if len(told) != 5 || told[0] != nil || told[1] != nil || told[2] != nil || told[3] == nil || !strings.Contains(told[3].Error(), "line 1") || told[4] == nil {
		t.Errorf("told %v", told)
	}
}

// TestFileOfWindows: a byte order mark is not a part of the first name.
func TestFileOfWindows(t *testing.T) {
	t.Parallel()
	all, err := parse([]byte("\ufeffalice:" + hashed(t, "a") + "\r\nbob:" + hashed(t, "b") + "\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, password := range map[string]string{"alice": "a", "bob": "b"} {
		if e, ok := all.by[name]; !ok || !e.hash.matches(password) {
			t.Errorf("%s is not admitted", name)
		}
	}
}

func TestArgon2(t *testing.T) {
	t.Parallel()
	h, err := parseHash(argon + "UYUBxCBYzP2vS9hCYGWBpFDbqXXJHSzGHcWYZB3Mlfs")
	if err != nil {
		t.Fatal(err)
	}
	a := h.(argonHash)
	if h.matches("secret") {
		t.Error("a hash that is none of the password matches")
	}
	if len(a.key) != 32 || a.memory != 1024 || a.time != 1 || a.threads != 1 || !a.id || string(a.salt) != "somesalt" {
		t.Errorf("got %+v", a)
	}
	// RFC 9106 has no vector without secret and data. This one is from the reference
	// implementation.
	h, err = parseHash("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	if err != nil || !h.matches("password") || h.matches("Password") {
		t.Errorf("the reference's hash: %v", err)
	}
}

func TestBadFiles(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"alice":           "line 1: expected NAME:HASH",
		"\n:x":            "line 2: expected NAME:HASH",
		"a:$apr1$abc$def": "htpasswd -B",
		"a:{SHA}5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8=": "SHA-1",
		"a:plain":                             "not a bcrypt hash",
		"a:$2y$31$" + strings.Repeat("a", 53): "cost is 31",
		"a:$2y$05$short":                      "it is incomplete",
		"a:$argon2id$v=19$m=999999999,t=3,p=1$c29tZXNhbHQ$AA": "at most m=131072",
		"a:$argon2id$v=19$m=131072,t=99,p=1$c29tZXNhbHQ$AA":   "at most m=131072",
		"a:$argon2d$v=19$m=1024,t=3,p=1$c29tZXNhbHQ$AA":       "not an argon2 hash",
		"a:" + hashed(t, "a") + "\na:" + hashed(t, "b"):       "duplicate user",
		"a:" + argon: "salt or hash",
		"a:$argon2id$v=19$m=0,t=0,p=0$c29tZXNhbHQ$AAAAAAAAAAA": "parameters",
	} {
		if _, err := parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

// The first hash that is cheap to crack is named.
func TestWeakHashes(t *testing.T) {
	t.Parallel()
	strong, err := bcrypt.GenerateFromPassword([]byte("a"), minBcryptCost)
	if err != nil {
		t.Fatal(err)
	}
	const salt = "$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	file := filepath.Join(t.TempDir(), "users")
	for text, want := range map[string]string{
		"":                           "",
		"a:" + string(strong) + "\n": "",
		"a:" + string(strong) + "\n\nb:" + hashed(t, "b") + "\nc:" + hashed(t, "c"): "line 3: user b: a bcrypt hash of cost 4 is cheap",
		"a:$argon2id$v=19$m=19456,t=2,p=1" + salt:                                   "",
		"a:$argon2id$v=19$m=4096,t=3,p=1" + salt:                                    "line 1: user a: an Argon2 hash with m=4096,t=3 is cheap",
	} {
		write(t, file, text, 1)
		if n, got, err := Check(file); err != nil || n != strings.Count(text, ":") || !strings.HasPrefix(got, want) || got != "" && want == "" {
			t.Errorf("%q: got %d, %q, %v, want %q", text, n, got, err, want)
		}
	}
}

// slow is a hash whose check lasts until end is closed.
type slow struct{ begun, end chan struct{} }

func (slow) weakness() string { return "" }

func (s slow) matches(string) bool {
	s.begun <- struct{}{}
	<-s.end
	return true
}

// While all places are taken, a limited number of requests wait, and the others are
// refused at once. Remembered credentials need no place.
func TestBoundedPasswordChecks(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "users")
	write(t, file, "alice:"+hashed(t, "a")+"\n", 1)
	u, err := Open(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if u.Verify(context.Background(), "alice", "a") != Right {
		t.Fatal("alice is not let in")
	}
	h := slow{make(chan struct{}, 1000), make(chan struct{})}
	all := *u.live.Load()
	all.by = map[string]entry{"alice": all.by["alice"], "mallory": {h, "x"}}
	u.live.Store(&all)
	var wg sync.WaitGroup
	for range cap(u.places) {
		wg.Go(func() { u.Verify(context.Background(), "mallory", "x") })
		<-h.begun
	}
	ctx, cancel := context.WithCancel(context.Background())
	var queued sync.WaitGroup
	for range maxWaiting {
		queued.Go(func() {
			if got := u.Verify(ctx, "mallory", "x"); got != Busy {
				t.Errorf("one that left while it waited: got %v", got)
			}
		})
	}
	for u.wait.Load() < maxWaiting {
		time.Sleep(time.Millisecond) // bounded by the test's own timeout
	}
	if got := u.Verify(context.Background(), "mallory", "x"); got != Busy {
		t.Errorf("one too many: got %v", got)
	}
	if u.Known("alice", "a", time.Now()) != Right {
		t.Error("a user who is known has to wait")
	}
	cancel()
	queued.Wait()
	close(h.end)
	wg.Wait()
}

func TestNetworks(t *testing.T) {
	t.Parallel()
	p := func(list ...string) (all []netip.Prefix) {
		for _, s := range list {
			all = append(all, netip.MustParsePrefix(s))
		}
		return all
	}
	for _, c := range []struct {
		allow, deny []netip.Prefix
		in, out     []string
	}{
		{nil, p("10.0.0.0/8"), []string{"11.0.0.1", "::1", ""}, []string{"10.1.2.3"}},
		{p("10.0.0.0/8"), nil, []string{"10.0.0.0", "10.255.255.255"}, []string{"11.0.0.1", "9.255.255.255", "::1", ""}},
		{p("10.0.0.0/8", "10.1.1.1/32"), p("10.1.0.0/16"), []string{"10.2.0.1", "10.1.1.1"}, []string{"10.1.1.2", "1.1.1.1"}},
		{p("0.0.0.0/0"), p("192.0.2.0/24"), []string{"1.1.1.1"}, []string{"192.0.2.7", "2001:db8::1"}},
		{p("2001:db8::/32"), p("2001:db8:1::/48", "0.0.0.0/0"), []string{"2001:db8::1"}, []string{"2001:db8:1::1", "32.1.13.184"}},
	} {
		n, err := NewNetworks(c.allow, c.deny)
		if err != nil {
			t.Fatal(err)
		}
		for list, want := range map[*[]string]bool{&c.in: true, &c.out: false} {
			for _, s := range *list {
				addr, _ := netip.ParseAddr(s)
				if n.Allows(addr) != want {
					t.Errorf("allow %v, deny %v: %q: got %t", c.allow, c.deny, s, !want)
				}
			}
		}
	}
	if n, err := NewNetworks(nil, nil); n != nil || err != nil || !n.Allows(netip.Addr{}) {
		t.Error("without networks nobody is let in")
	}
	if _, err := NewNetworks(p("10.0.0.0/8"), p("10.0.0.0/8")); err == nil {
		t.Error("one network is both")
	}
}

func BenchmarkKnown(b *testing.B) {
	file := filepath.Join(b.TempDir(), "users")
	write(b, file, "alice:"+hashed(b, "a")+"\n", 1)
	u, err := Open(file, nil)
	if err != nil {
		b.Fatal(err)
	}
	u.Verify(context.Background(), "alice", "a")
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if u.Known("alice", "a", now) != Right {
			b.Fatal("not known")
		}
	}
}
