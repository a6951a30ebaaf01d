package proxy

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
)

const (
	maxAuthWords = 10_000  // admitted requests to remember
	maxAuthWord  = 4 << 10 // bytes of the fields for each
)

// authCache remembers admitted requests for a short time. It is safe for concurrent use.
type authCache struct {
	secret [32]byte
	mu     sync.Mutex // protects words
	words  *simplelru.LRU[authKey, heldWord]
}

// authKey is a hash of everything that the service sees of a request.
type authKey [sha256.Size]byte

type heldWord struct {
	*authWord
	until time.Time
}

func newAuthCache() *authCache {
	c := new(authCache)
	rand.Read(c.secret[:])
	c.words, _ = simplelru.NewLRU[authKey, heldWord](maxAuthWords, nil)
	return c
}

// eachOwn are fields of a question that differ for each request and do not identify the
// client.
var eachOwn = map[string]bool{"X-Request-Id": true, "Traceparent": true, "Tracestate": true}

func (c *authCache) key(out *http.Request) (k authKey) {
	sum := sha256.New()
	sum.Write(c.secret[:])
	text := func(s string) {
		var n [8]byte
		binary.LittleEndian.PutUint64(n[:], uint64(len(s)))
		sum.Write(n[:])
		sum.Write([]byte(s))
	}
	text(out.Host)
	for _, name := range slices.Sorted(maps.Keys(out.Header)) {
		if eachOwn[name] {
			continue
		}
		text(name)
		for _, v := range out.Header[name] {
			text("v" + v)
		}
	}
	sum.Sum(k[:0])
	return k
}

func (c *authCache) get(k authKey, now time.Time) *authWord {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w, ok := c.words.Get(k); ok && now.Before(w.until) {
		return w.authWord
	}
	return nil
}

// put remembers the service's answer, unless the service forbids it, or the answer has
// fields for this client only.
func (c *authCache) put(k authKey, w *authWord, res *message.Response, until time.Time) {
	size := 0
	for _, f := range slices.Concat(w.identity, w.returned) {
		size += len(f.name) + len(f.value)
	}
	if size > maxAuthWord || len(w.returned) > 0 || res.HasToken(header.CacheControl, "no-store") {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.words.Add(k, heldWord{w, until})
}
