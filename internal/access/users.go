package access

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	lookEvery   = time.Second     // between two checks of the file
	maxVerified = 4096            // credentials remembered
	maxWaiting  = 64              // requests that wait for a password check
	maxWait     = 2 * time.Second // the longest wait of each
	maxFile     = 4 << 20         // bytes in a file
	maxUsers    = 100_000
	maxPassword = 1 << 10 // bytes; longer ones are wrong
)

// Verdict is the result of checking a name and a password.
type Verdict int

const (
	Wrong Verdict = iota // unknown user or wrong password
	Right
	Busy // too many checks are in progress
)

// Users has the names and password hashes of an htpasswd file. It reads the file again
// when the file changes. It is safe for concurrent use.
type Users struct {
	file string
	log  func(error) // called after a change of the file; nil error = the new users are in use
	live atomic.Pointer[users]

	next   atomic.Int64 // Unix nanoseconds of the next check of the file
	places chan struct{}
	wait   atomic.Int32

	secret   [32]byte   // random, one per process
	mu       sync.Mutex // protects verified
	verified *simplelru.LRU[[32]byte, struct{}]
}

// users is the content of a file.
type users struct {
	by    map[string]entry
	other entry       // an unknown user's password is checked against this, so that both cases take equally long
	weak  string      // describes the first weak hash; empty = there is none
	info  fs.FileInfo // of the file; nil = it was missing

	unread string // the reported error of a file that cannot be read; empty = none
}

type entry struct {
	hash hash
	text string
}

// same reports whether a file has surely not changed. A file that was replaced by another
// one may have the same size and time.
func same(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// Open reads the file. It calls log whenever it has read the file again after a change.
// With an error, the previous users stay in use.
func Open(file string, log func(error)) (*Users, error) {
	u := &Users{file: file, log: log, places: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))}
	rand.Read(u.secret[:])
	u.verified, _ = simplelru.NewLRU[[32]byte, struct{}](maxVerified, nil)
	all, err := read(file)
	if err != nil {
		return nil, err
	}
	u.live.Store(all)
	u.next.Store(time.Now().Add(lookEvery).UnixNano())
	return u, nil
}

func read(file string) (*users, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s has %d bytes, and at most %d are allowed", file, info.Size(), maxFile)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	all, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s, %w", file, err)
	}
	all.info = info
	return all, nil
}

// Check returns the number of users in a file, or the error in it. weakest describes the
// first hash that is cheap to crack; empty = there is none.
func Check(file string) (n int, weakest string, err error) {
	all, err := read(file)
	if err != nil {
		return 0, "", err
	}
	return len(all.by), all.weak, nil
}

// parse reads lines of NAME:HASH. It skips empty lines and lines that begin with #.
func parse(data []byte) (*users, error) {
	all := &users{by: map[string]entry{}}
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // editors on Windows write it
	for i, line := range bytes.Split(data, []byte("\n")) {
		text := strings.TrimSpace(string(line))
		if text == "" || text[0] == '#' {
			continue
		}
		name, rest, ok := strings.Cut(text, ":")
		if !ok || name == "" {
			return nil, fmt.Errorf("line %d: expected NAME:HASH", i+1)
		}
		rest, _, _ = strings.Cut(rest, ":")
		h, err := parseHash(rest)
		if err != nil {
			return nil, fmt.Errorf("line %d: user %s: %w", i+1, name, err)
		}
		if _, twice := all.by[name]; twice {
			return nil, fmt.Errorf("line %d: duplicate user %s", i+1, name)
		}
		if len(all.by) == maxUsers {
			return nil, fmt.Errorf("line %d: at most %d users are allowed", i+1, maxUsers)
		}
		all.by[name] = entry{h, rest}
		if w := h.weakness(); w != "" && all.weak == "" {
			all.weak = fmt.Sprintf("line %d: user %s: %s", i+1, name, w)
		}
		if all.other.hash == nil {
			all.other = entry{h, ""}
		}
	}
	return all, nil
}

// Known returns Right for credentials that [Users.Verify] has accepted before, at the
// cost of one keyed hash. Wrong means only that Verify must decide.
func (u *Users) Known(name, password string, now time.Time) Verdict {
	u.look(now)
	e, ok := u.live.Load().by[name]
	if !ok {
		return Wrong
	}
	key := u.key(name, password, e.text)
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, ok := u.verified.Get(key); ok {
		return Right
	}
	return Wrong
}

// Verify checks a password. An unknown name takes equally long. It waits for its turn
// until ctx ends, at most maxWait.
func (u *Users) Verify(ctx context.Context, name, password string) Verdict {
	all := u.live.Load()
	e, known := all.by[name]
	if !known {
		e = all.other
	}
	if e.hash == nil || len(password) > maxPassword {
		return Wrong
	}
	if !u.enter(ctx) {
		return Busy
	}
	defer func() { <-u.places }()
	if !e.hash.matches(password) || !known {
		return Wrong
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.verified.Add(u.key(name, password, e.text), struct{}{})
	return Right
}

// enter waits for one of the places for password checks. It reports whether it got one.
func (u *Users) enter(ctx context.Context) bool {
	select {
	case u.places <- struct{}{}:
		return true
	default:
	}
	defer u.wait.Add(-1)
	if u.wait.Add(1) > maxWaiting {
		return false
	}
	late := time.NewTimer(maxWait)
	defer late.Stop()
	select {
	case u.places <- struct{}{}:
		return true
	case <-late.C:
	case <-ctx.Done():
	}
	return false
}

// key returns the key of verified credentials for a hash of the file. Without the
// secret of the process, nobody can guess the password from it.
func (u *Users) key(name, password, hash string) (k [32]byte) {
	m := hmac.New(sha256.New, u.secret[:])
	for _, s := range []string{name, password, hash} {
		var n [8]byte
		binary.LittleEndian.PutUint64(n[:], uint64(len(s)))
		m.Write(n[:])
		m.Write([]byte(s))
	}
	m.Sum(k[:0])
	return k
}

// look reads the file again if it has changed. One request does this for all others.
func (u *Users) look(now time.Time) {
	next := u.next.Load()
	if now.UnixNano() < next || !u.next.CompareAndSwap(next, now.Add(lookEvery).UnixNano()) {
		return
	}
	seen, err := os.Stat(u.file)
	if err != nil {
		seen = nil
	}
	old := u.live.Load()
	if same(seen, old.info) {
		return
	}
	all, err := read(u.file)
	if err != nil { // the previous users stay; the same broken file is reported once
		kept := *old
		kept.info = seen
		if _, is := errors.AsType[*fs.PathError](err); is && seen != nil {
			// A correction of the permissions changes neither size nor time.
			kept.info, kept.unread = old.info, err.Error()
			if kept.unread == old.unread {
				return
			}
		}
		all = &kept
	}
	u.live.Store(all)
	if u.log != nil {
		u.log(err)
	}
}
