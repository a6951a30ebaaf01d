package admin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"strings"

	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/internal/printable"
)

// Token lets in who brings it.
type Token struct {
	Name string // who that is, for the log
	Text string // secret
}

// MainToken is the name of the token that has none of its own.
const MainToken = "admin"

// local is who asks without a token: somebody on this machine.
const local = "local"

// noteHeader is what a client says of itself, such as the name of its user.
const noteHeader = "Goodgate-User"

// author and peer are keys of a request's context.
type (
	author struct{}
	peer   struct{}
)

// WithPeer notes which user's process has a connection by a Unix socket.
func WithPeer(ctx context.Context, uid uint32) context.Context {
	return context.WithValue(ctx, peer{}, uid)
}

// knows returns who sends a request, and whether that one may.
func (s *Server) knows(r *http.Request) (who string, ok bool) {
	if len(s.opts.Tokens) == 0 {
		if uid, ok := r.Context().Value(peer{}).(uint32); ok {
			return fmt.Sprintf("%s (uid %d)", local, uid), true
		}
		return local, true
	}
	got, brought := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	// Hashed, so that the time tells nothing of the length either. All are compared, so
	// that it tells nothing of which is like it.
	a := sha256.Sum256([]byte(got))
	for _, t := range s.opts.Tokens {
		b := sha256.Sum256([]byte(t.Text))
		if subtle.ConstantTimeCompare(a[:], b[:]) == 1 && brought {
			who, ok = t.Name, true
		}
	}
	return who, ok
}

// AuthorOf returns who sent a request to an endpoint of [Options.More].
func AuthorOf(r *http.Request) string { return authorOf(r) }

// authorOf returns who sent a request that the guard has let in.
func authorOf(r *http.Request) string {
	who, _ := r.Context().Value(author{}).(string)
	return who
}

// signed returns a change with who makes it, and why.
func signed(r *http.Request, c changes.Change, why string) changes.Change {
	c.By, c.Why, c.Note = authorOf(r), why, printable.Text(r.Header.Get(noteHeader))
	c.Note = c.Note[:min(len(c.Note), changes.MaxText)]
	return c
}
