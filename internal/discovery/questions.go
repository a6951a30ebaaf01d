package discovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// questions has the queries of one lookup, with their results. The net package reports
// at most one failure, and none if another query had an answer.
type questions struct {
	session *session

	mu     sync.Mutex // mu protects the fields below.
	asked  []question // in the order of the first queries
	server string     // the last queried server
}

// question is one name and type, for any servers and any number of queries.
type question struct {
	name     string
	kind     dnsmessage.Type
	answered bool   // with an answer, which may be "there is none"
	failure  string // another response of a server
	refused  bool   // the server refused to answer
	server   string // the last queried server
}

func newQuestions(s *session) *questions { return &questions{session: s} }

// resolver returns a resolver that records its queries. A strict one treats the failure
// of one query as the failure of the lookup.
func (q *questions) resolver(strict bool) *net.Resolver {
	return &net.Resolver{PreferGo: true, StrictErrors: strict, Dial: q.dial}
}

// dial connects the net package to a name server. One attempt gets a third of the
// lookup's timeout: with net's own limit of 5 s, one dead server would use all of it.
func (q *questions) dial(ctx context.Context, network, server string) (net.Conn, error) {
	now := time.Now()
	limit := earlier(now.Add(q.session.options.Timeout/3), q.session.end)
	if !limit.After(now) {
		return nil, os.ErrDeadlineExceeded
	}
	server = cmp.Or(q.session.options.Server, server)
	d := net.Dialer{Deadline: limit}
	conn, err := d.DialContext(ctx, network, server)
	if err != nil {
		return nil, err
	}
	e := exchange{questions: q, server: server}
	if c, ok := conn.(*net.UDPConn); ok {
		return &packetConn{UDPConn: c, exchange: e, limit: limit}, nil
	}
	return &streamConn{Conn: conn, exchange: e, limit: limit}, nil
}

// at returns the index of a question, which it adds if it is new. mu must be held.
func (q *questions) at(name string, kind dnsmessage.Type) *question {
	for i := range q.asked {
		if q.asked[i].name == name && q.asked[i].kind == kind {
			return &q.asked[i]
		}
	}
	q.asked = append(q.asked, question{name: name, kind: kind})
	return &q.asked[len(q.asked)-1]
}

// failures has the queries without an answer.
type failures struct {
	before error // of a name before the last one, in the order of the search domains
	last   error // of the last name
	v4, v6 bool  // whether the family had no answer for the last name
}

func (q *questions) failures() (f failures) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.asked) == 0 {
		return f
	}
	last := q.asked[len(q.asked)-1].name
	for _, a := range q.asked {
		switch {
		case a.answered:
		case a.name == last:
			if f.last == nil {
				f.last = a.err()
			}
			f.v4, f.v6 = f.v4 || a.kind == dnsmessage.TypeA, f.v6 || a.kind == dnsmessage.TypeAAAA
		case !a.refused && f.before == nil:
			f.before = a.err()
		}
	}
	return f
}

func (a question) err() error {
	e := &net.DNSError{Err: a.failure, Name: a.name, Server: a.server, IsTemporary: true}
	if a.failure == "" {
		e.Err, e.IsTimeout = "no answer in time", true
	}
	if a.kind == dnsmessage.TypeA {
		return fmt.Errorf("records of type A (IPv4): %w", e)
	}
	return fmt.Errorf("records of type AAAA (IPv6): %w", e)
}

// name puts the queried server into an error of the net package, which knows only those
// of the system.
func (q *questions) name(err error) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	e, ok := errors.AsType[*net.DNSError](err)
	if !ok {
		return err
	}
	switch {
	case q.session.options.Server != "" && e.Server != "":
		e.Server = q.session.options.Server
	case e.IsTimeout && e.Server == "":
		e.Server = q.server
	}
	return err
}

// exchange is one query to one server, with the answer.
type exchange struct {
	*questions
	server string
	id     uint16
	query  question
}

// ask records a sent query.
func (e *exchange) ask(msg []byte) {
	var p dnsmessage.Parser
	header, err := p.Start(msg)
	if err != nil {
		return
	}
	asked, err := p.Question()
	if err != nil {
		return
	}
	e.id = header.ID
	e.query.name, e.query.kind = asked.Name.String(), asked.Type
	e.mu.Lock()
	defer e.mu.Unlock()
	e.questions.server = e.server
	e.at(e.query.name, e.query.kind).server = e.server
}

// hear parses an answer. It accepts only one to the query.
func (e *exchange) hear(msg []byte) {
	if ttl, ok := answerTTL(msg, e.id); ok {
		e.session.hear(ttl)
	}
	var p dnsmessage.Parser
	header, err := p.Start(msg)
	if err != nil || !header.Response || header.ID != e.id || header.Truncated {
		return
	}
	asked, err := p.Question()
	if err != nil || asked.Type != e.query.kind || !strings.EqualFold(asked.Name.String(), e.query.name) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	a := e.at(e.query.name, e.query.kind)
	switch header.RCode {
	case dnsmessage.RCodeSuccess, dnsmessage.RCodeNameError:
		a.answered = true
	default:
		a.refused = header.RCode != dnsmessage.RCodeServerFailure
		a.failure = "the server answers " + rcode(header.RCode)
	}
}

// rcode returns the usual name of a response code.
func rcode(r dnsmessage.RCode) string {
	switch r {
	case dnsmessage.RCodeFormatError:
		return "FORMERR"
	case dnsmessage.RCodeServerFailure:
		return "SERVFAIL"
	case dnsmessage.RCodeNotImplemented:
		return "NOTIMP"
	case dnsmessage.RCodeRefused:
		return "REFUSED"
	}
	return r.String()
}
