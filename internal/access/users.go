package access

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	lookEvery   = time.Second     // between two looks at the file
	maxVerified = 4096            // credentials remembered
	maxWaiting  = 64              // requests that wait for a check of their password
	maxWait     = 2 * time.Second // of each of them
	maxFile     = 4 << 20         // bytes of a file
	maxUsers    = 100_000
	maxPassword = 1 << 10 // bytes; longer ones are wrong
	missing     = -1      // size of a file that is not there
)

// Verdict is what is said of a name and a password.
type Verdict int

const (
	Wrong Verdict = iota // no such user, or another password
	Right
	Busy // too many passwords are being checked
)

// Users are the names and password hashes of a file in the form of htpasswd, which is
// read again when it changes. It is safe for concurrent use.
type Users struct {
	file string
	log  func(error) // told when the file changed; nil error = it was taken over
	live atomic.Pointer[users]

	next   atomic.Int64 // Unix nanoseconds of the next look at the file
	places chan struct{}
	wait   atomic.Int32

	secret   [32]byte   // of this process
	mu       sync.Mutex // protects verified
	verified *simplelru.LRU[[32]byte, struct{}]
}

// users are what the file held.
type users struct {
	by    map[string]entry
	other entry // what the password of an unknown user is compared with
	stamp stamp
}

type entry struct {
	hash hash
	text string
}

// stamp tells whether a file may have changed.
type stamp struct {
	size int64
	mod  time.Time
}

// Open reads the file. log is told when it is read again, with an error when it is not
// good and the users before stay.
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
	all.stamp = stamp{info.Size(), info.ModTime()}
	return all, nil
}

// Check returns how many users a file has, or what is wrong with it.
func Check(file string) (n int, err error) {
	all, err := read(file)
	if err != nil {
		return 0, err
	}
	return len(all.by), nil
}

// parse reads lines of NAME:HASH. Empty lines, and those that begin with #, are left out.
func parse(data []byte) (*users, error) {
	all := &users{by: map[string]entry{}}
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
			return nil, fmt.Errorf("line %d: user %s stands there twice", i+1, name)
		}
		if len(all.by) == maxUsers {
			return nil, fmt.Errorf("line %d: at most %d users are allowed", i+1, maxUsers)
		}
		all.by[name] = entry{h, rest}
		if all.other.hash == nil {
			all.other = entry{h, ""}
		}
	}
	return all, nil
}

// Known returns Right for credentials that were verified before, which costs one keyed
// hash. Wrong says nothing yet.
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

// Verify checks a password, which takes as long for a name that is not known. It waits
// for its turn until ctx ends.
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

// enter takes one of the places to check a password.
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

// key stands for credentials that were right for a hash of the file. Without the secret
// of the process nobody can guess at the password by it.
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

// look reads the file again if it has changed. One request does it for all.
func (u *Users) look(now time.Time) {
	next := u.next.Load()
	if now.UnixNano() < next || !u.next.CompareAndSwap(next, now.Add(lookEvery).UnixNano()) {
		return
	}
	info, err := os.Stat(u.file)
	old := u.live.Load()
	seen := stamp{size: missing}
	if err == nil {
		seen = stamp{info.Size(), info.ModTime()}
	}
	if seen == old.stamp {
		return
	}
	all, err := read(u.file)
	if err != nil { // the users stay; the same broken file is told of once
		kept := *old
		kept.stamp = seen
		all = &kept
	}
	u.live.Store(all)
	if u.log != nil {
		u.log(err)
	}
}
