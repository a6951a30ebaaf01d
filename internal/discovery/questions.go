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

// questions is what one look-up has asked, and what came of it. The net package
// tells of one failure at most, and of none when another question had an answer.
type questions struct {
	session *session

	mu     sync.Mutex // mu protects the fields below.
	asked  []question // in the order of their first asking
	server string     // the last that was asked
}

// question is one name and type, whichever servers were asked and how often.
type question struct {
	name     string
	kind     dnsmessage.Type
	answered bool   // well, though perhaps with "there is none"
	failure  string // what a server said else
	refused  bool   // it said that it does not want to answer
	server   string // the last that was asked
}

func newQuestions(s *session) *questions { return &questions{session: s} }

// resolver returns a resolver that notes what it asks. A strict one takes the
// failure of one question for that of the look-up.
func (q *questions) resolver(strict bool) *net.Resolver {
	return &net.Resolver{PreferGo: true, StrictErrors: strict, Dial: q.dial}
}

// dial connects the net package to a name server. One try gets a third of the
// lookup's timeout: net's own limit, 5 s, would let one dead server use it up.
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

// at returns the place of a question among those asked, which it joins if it is
// new. The caller holds mu.
func (q *questions) at(name string, kind dnsmessage.Type) *question {
	for i := range q.asked {
		if q.asked[i].name == name && q.asked[i].kind == kind {
			return &q.asked[i]
		}
	}
	q.asked = append(q.asked, question{name: name, kind: kind})
	return &q.asked[len(q.asked)-1]
}

// failures are the questions without an answer.
type failures struct {
	before error // of a name before the last, in the order of the search domains
	last   error // of the last name
	v4, v6 bool  // that had no answer for the last name
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

// name has an error of the net package name the server that was really asked: net
// knows those of the system only.
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

// exchange is one query to one server, and the answer.
type exchange struct {
	*questions
	server string
	id     uint16
	query  question
}

// ask notes a query that is sent.
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

// hear reads an answer. Only one to the query is believed.
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

// rcode is a response code as it is known.
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
