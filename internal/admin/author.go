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

// Token authenticates its bearer.
type Token struct {
	Name string // name of the bearer, for the log
	Text string // secret
}

// MainToken is the name of the token without a name of its own.
const MainToken = "admin"

// local is the author of requests without a token, which come from this machine.
const local = "local"

// noteHeader is the header in which a client describes itself, for example by its user's
// name.
const noteHeader = "Goodgate-User"

// author and peer are keys of a request's context.
type (
	author struct{}
	peer   struct{}
)

// WithPeer records the user of the process at the other end of a Unix socket.
func WithPeer(ctx context.Context, uid uint32) context.Context {
	return context.WithValue(ctx, peer{}, uid)
}

// knows returns the author of a request, and whether the author is authorised.
func (s *Server) knows(r *http.Request) (who string, ok bool) {
	if len(s.opts.Tokens) == 0 {
		if uid, ok := r.Context().Value(peer{}).(uint32); ok {
			return fmt.Sprintf("%s (uid %d)", local, uid), true
		}
		return local, true
	}
	got, brought := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	// Hashed, so that the time does not reveal the length. All tokens are compared, so
	// that it does not reveal which one is similar.
	a := sha256.Sum256([]byte(got))
	for _, t := range s.opts.Tokens {
		b := sha256.Sum256([]byte(t.Text))
		if subtle.ConstantTimeCompare(a[:], b[:]) == 1 && brought {
			who, ok = t.Name, true
		}
	}
	return who, ok
}

// AuthorOf returns the author of a request to an endpoint of [Options.More].
func AuthorOf(r *http.Request) string { return authorOf(r) }

// authorOf returns the author of a request that guard has accepted.
func authorOf(r *http.Request) string {
	who, _ := r.Context().Value(author{}).(string)
	return who
}

// signed returns a change with its author and reason.
func signed(r *http.Request, c changes.Change, why string) changes.Change {
	c.By, c.Why, c.Note = authorOf(r), why, printable.Text(r.Header.Get(noteHeader))
	c.Note = c.Note[:min(len(c.Note), changes.MaxText)]
	return c
}
