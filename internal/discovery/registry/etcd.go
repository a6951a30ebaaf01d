package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/discovery"
)

// EtcdOptions select keys of etcd.
type EtcdOptions struct {
	Access       Access   // its Address and its token are not used
	Endpoints    []string // members of the cluster
	Prefix       string
	Username     string // "" = no login
	Password     string
	PasswordFile string // read at each login
	Base         discovery.Target
	Wait         time.Duration // duration of a watch
	Timeout      time.Duration // timeout of one answer of one member
}

// maxKeys bounds the number of keys. More of them are an error.
const maxKeys = 20_000

// Etcd queries etcd 3.4 or later through its JSON gateway for the keys under a prefix, and
// watches them. A watch only triggers another complete query, so that no event can be
// missed.
type Etcd struct {
	options  EtcdOptions
	members  []*client
	member   int    // index of the member that answered last
	token    string // token of the login; "" = none
	revision int64  // revision of the last keys; 0 = none
}

// NewEtcd returns a source for keys.
func NewEtcd(o EtcdOptions) *Etcd {
	e := &Etcd{options: o}
	for _, address := range o.Endpoints {
		a := o.Access
		a.Address, a.Token, a.TokenFile = address, "", ""
		e.members = append(e.members, newClient(a))
	}
	return e
}

// Close closes its connections.
func (e *Etcd) Close() error {
	for _, m := range e.members {
		m.Close()
	}
	return nil
}

// Ask waits for a change, unless fresh, and reads the keys.
func (e *Etcd) Ask(ctx context.Context, fresh bool) (discovery.Found, error) {
	if !fresh && e.revision > 0 {
		if err := e.watch(ctx); err != nil {
			e.next()
			return discovery.Found{}, err
		}
	}
	var err error
	for range e.members {
		var found discovery.Found
		if found, err = e.read(ctx); err == nil {
			return found, nil
		}
		if r, ok := errors.AsType[*refused](err); ok && r.status/100 == 4 {
			break // the other members would answer the same
		}
		if e.next(); ctx.Err() != nil {
			break
		}
	}
	return discovery.Found{}, err
}

func (e *Etcd) next() { e.member = (e.member + 1) % len(e.members) }

// keyRange returns the prefix in etcd's form: from a key to the one before another.
func (e *Etcd) keyRange() map[string]any {
	end := []byte(e.options.Prefix)
	for len(end) > 0 && end[len(end)-1] == 0xff {
		end = end[:len(end)-1]
	}
	if len(end) == 0 {
		end = []byte{0}
	} else {
		end[len(end)-1]++
	}
	return map[string]any{"key": []byte(e.options.Prefix), "range_end": end}
}

// read reads the keys from one member.
func (e *Etcd) read(ctx context.Context) (discovery.Found, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, e.options.Timeout, fmt.Errorf("no complete answer within %v", e.options.Timeout))
	defer cancel()
	question := e.keyRange()
	question["limit"] = maxKeys + 1
	body, err := e.post(ctx, "/v3/kv/range", question)
	if err != nil {
		return discovery.Found{}, e.named(because(ctx, err))
	}
	var answer struct {
		Header *struct {
			Revision int64 `json:",string"`
		}
		Kvs []struct{ Key, Value []byte }
	}
	if err := decode(body, &answer); err != nil {
		return discovery.Found{}, e.named(err)
	}
	if answer.Header == nil {
		return discovery.Found{}, e.named(errors.New("the answer is not what was asked for: it has no revision"))
	}
	if len(answer.Kvs) > maxKeys {
		return discovery.Found{}, fmt.Errorf("more than the limit of %d keys under %q", maxKeys, e.options.Prefix)
	}
	found := discovery.Found{Targets: []discovery.Target{}}
	for _, kv := range answer.Kvs {
		t, err := discovery.ParseEntry(string(kv.Value), e.options.Base)
		if err != nil {
			found.LeftOut = append(found.LeftOut, discovery.LeftOut{What: string(kv.Key), Why: err.Error()})
			continue
		}
		if t.Metadata == "" {
			t.Metadata = metadata(map[string]string{"key": string(kv.Key)})
		}
		found.Targets = append(found.Targets, t)
	}
	e.revision = answer.Header.Revision
	return found, nil
}

// watch returns after a change of a key since the last query, or after the duration of a
// watch.
func (e *Etcd) watch(ctx context.Context) error {
	watching, cancel := context.WithTimeout(ctx, e.options.Wait)
	defer cancel()
	before := e.token
	err := e.watchOnce(watching)
	// A watch with an expired token begins with status 200, and is then cancelled.
	if _, ok := errors.AsType[cancelled](err); ok && e.outdated(before) {
		err = e.watchOnce(watching)
	}
	if ctx.Err() == nil && watching.Err() != nil {
		return nil // the watch has had its full duration
	}
	if err != nil {
		err = e.named(fmt.Errorf("watching: %w", err))
	}
	return err
}

func (e *Etcd) watchOnce(ctx context.Context) error {
	question := e.keyRange()
	question["start_revision"] = e.revision + 1
	response, err := e.send(ctx, "/v3/watch", map[string]any{"create_request": question})
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return changed(response.Body)
}

// cancelled is etcd's reason for ending a watch.
type cancelled string

func (c cancelled) Error() string { return "etcd ended the watch: " + string(c) }

// changed reads the messages of a watch until a key has changed, or until the watch
// ends, for example because its revision has been compacted.
func changed(stream io.Reader) error {
	messages := json.NewDecoder(io.LimitReader(stream, maxAnswer))
	for {
		var m struct {
			Result struct {
				Canceled bool
				Reason   string `json:"cancel_reason"`
				Compact  int64  `json:"compact_revision,string"`
				Events   []struct{}
			}
			Error *struct{ Message string }
		}
		if err := messages.Decode(&m); err != nil {
			return err
		}
		switch r := m.Result; {
		case m.Error != nil:
			return errors.New(said([]byte(m.Error.Message)))
		case len(r.Events) > 0, r.Canceled && r.Compact > 0:
			return nil
		case r.Canceled:
			return cancelled(said([]byte(r.Reason)))
		}
	}
}

// named adds the member's address to an error, if there are several members.
func (e *Etcd) named(err error) error {
	if err == nil || len(e.members) < 2 {
		return err
	}
	return fmt.Errorf("%s: %w", e.options.Endpoints[e.member], err)
}

// because returns the cause of a context's end in place of its error.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, ctx.Err()) {
		return cause
	}
	return err
}

// post returns the body of an answer.
func (e *Etcd) post(ctx context.Context, path string, question any) ([]byte, error) {
	response, err := e.send(ctx, path, question)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return content(response)
}

// send sends a request to a member, and logs in if necessary. If etcd refuses a token
// that is older than the request, the refusal counts only if a new token is refused,
// too.
func (e *Etcd) send(ctx context.Context, path string, question any) (*http.Response, error) {
	for {
		before := e.token
		if err := e.login(ctx); err != nil {
			return nil, fmt.Errorf("logging in as %s: %w", e.options.Username, err)
		}
		q := request{method: http.MethodPost, path: path, body: question}
		if e.token != "" {
			q.header = map[string]string{"Authorization": e.token}
		}
		response, err := e.members[e.member].send(ctx, q)
		if err != nil || response.StatusCode == http.StatusOK {
			return response, err
		}
		err = e.members[e.member].refusal(response)
		response.Body.Close()
		if response.StatusCode/100 != 4 || !e.outdated(before) {
			return nil, e.explain(err)
		}
	}
}

// outdated drops the token if it is the one from before a request, and reports whether
// it was. etcd refuses a token that has expired (401), and one that is older than the
// last change of users and roles (400, with tokens of type jwt).
func (e *Etcd) outdated(before string) bool {
	if before == "" || e.token != before {
		return false
	}
	e.token = ""
	return true
}

// explain adds the remedy to a refusal.
func (e *Etcd) explain(err error) error {
	r, ok := errors.AsType[*refused](err)
	switch {
	case ok && r.status == http.StatusForbidden:
		return fmt.Errorf("%w: goodgate needs a role with the permission to read the prefix %q", err, e.options.Prefix)
	case ok && r.status == http.StatusBadRequest && e.options.Username == "":
		return fmt.Errorf("%w: is authentication on? Set username, and password or password_file", err)
	}
	return err
}

// login obtains a token, unless there is one or none is needed.
func (e *Etcd) login(ctx context.Context) error {
	if e.options.Username == "" || e.token != "" {
		return nil
	}
	password := e.options.Password
	if e.options.PasswordFile != "" {
		var err error
		if password, err = secretFile(e.options.PasswordFile); err != nil {
			return err
		}
	}
	body, _, err := e.members[e.member].ask(ctx, request{method: http.MethodPost, path: "/v3/auth/authenticate",
		body: map[string]string{"name": e.options.Username, "password": password}, secret: password})
	if err != nil {
		return err
	}
	var answer struct{ Token string }
	if err := decode(body, &answer); err != nil {
		return err
	}
	if answer.Token == "" || strings.ContainsAny(answer.Token, "\r\n") || bytes.ContainsRune(body, 0) {
		return errors.New("the answer has no token")
	}
	e.token = answer.Token
	return nil
}
