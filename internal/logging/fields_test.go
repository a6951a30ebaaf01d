package logging

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/wire/message"
	"github.com/goodgate/goodgate/proxy"
)

// asked returns the record of a request with secrets in all its parts.
func asked() *proxy.Record {
	return record(func(r *proxy.Record) {
		h := httptest.NewRequest("GET", "/a?b=1&token=s3cret&code=s3cret&x-api-key=s3cret&next=/c%3Faccess_token%3Ds3cret#id_token=s3cret", nil)
		h.Header.Set("User-Agent", "agent/1")
		h.Header.Set("Authorization", "Bearer s3cret")
		h.Header.Set("Cookie", "theme=dark; session=s3cret")
		h.Header.Set("X-Api-Key", "s3cret")
		h.Header.Set("Referer", "https://a.example.com/?password=s3cret&page=2")
		r.Request, r.ID = message.FromHTTP(h), "id-1"
	})
}

// line returns an output's line for a record.
func line(t *testing.T, o Options, r *proxy.Record) string {
	t.Helper()
	f, err := o.form()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	_, access := f(&out)
	access(r)
	return out.String()
}

func TestFields(t *testing.T) {
	t.Parallel()
	fields := Fields{
		Add: map[string]string{
			"user_agent": "{header:User-Agent}", "who": "{client_ip} as {method}", "none": "{header:X-None}", "tls": "{tls.version}",
			"theme": "{cookie:theme}", "b": "{query:b}", "session": "{cookie:session}", "auth": "{header:Authorization}", "uri": "{uri}",
			"key": "{header:x-api-key}", "from": "{header:Referer}",
		},
		Remove: []string{"received", "sent"}, Rename: map[string]string{"client": "remote_addr"}, Unredacted: []string{"X-Api-Key"},
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(line(t, Options{Format: "json", Fields: fields}, asked())), &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"user_agent": "agent/1", "who": "192.0.2.1 as GET", "none": nil, "tls": nil, "theme": "dark", "b": "1",
		"session": redacted, "auth": redacted, "key": "s3cret", "from": "https://a.example.com/?password=[redacted]&page=2",
		"uri":      "/a?b=1&token=[redacted]&code=[redacted]&x-api-key=s3cret&next=[redacted]#id_token=[redacted]",
		"received": nil, "sent": nil, "client": nil, "remote_addr": "192.0.2.1", "path": "/a", "status": 200.0, "msg": "request",
	} {
		if got[name] != want {
			t.Errorf("%s: got %v, want %v", name, got[name], want)
		}
	}
	text := line(t, Options{Format: "text", Fields: fields}, asked())
	if !strings.Contains(text, " remote_addr=192.0.2.1 ") || !strings.Contains(text, " user_agent=agent/1") || strings.Contains(text, "received=") {
		t.Errorf("text: got %s", text)
	}
	if human := line(t, Options{Format: Human, Fields: fields}, asked()); !strings.Contains(human, "user_agent=agent/1") || strings.Contains(human, "session=s3cret") {
		t.Errorf("human: got %s", human)
	}
}

// TestUnchanged: without Fields a record does not change.
func TestUnchanged(t *testing.T) {
	t.Parallel()
	var want bytes.Buffer
	proxy.LogJSON(&want, slog.LevelInfo)(asked())
	if got := line(t, Options{Format: "json"}, asked()); got != want.String() {
		t.Errorf("got %s, want %s", got, want.String())
	}
}

func TestFieldErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fields    Fields
		key, want string
	}{
		"unknown variable": {Fields{Add: map[string]string{"a": "{clientip}"}}, "add.a", "did you mean {client_ip}?"},
		"mistyped kind":    {Fields{Add: map[string]string{"a": "{haeder:X-A}"}}, "add.a", "did you mean {header:X-A}?"},
		"no parameter":     {Fields{Add: map[string]string{"a": "{header}"}}, "add.a", "{header:NAME}"},
		"a group":          {Fields{Add: map[string]string{"a": "{1}"}}, "add.a", "{1} to {9}"},
		"taken":            {Fields{Add: map[string]string{"status": "{host}"}}, "add.status", "remove or rename it"},
		"taken by time":    {Fields{Add: map[string]string{"time": "{host}"}}, "add.time", "remove or rename it"},
		"taken by a name":  {Fields{Add: map[string]string{"a": "{host}"}, Rename: map[string]string{"id": "a"}}, "add.a", "remove or rename it"},
		"remove unknown":   {Fields{Remove: []string{"statsu"}}, "remove", "did you mean status?"},
		"remove msg":       {Fields{Remove: []string{"msg"}}, "remove", "stay as they are"},
		"rename unknown":   {Fields{Rename: map[string]string{"x": "y"}}, "rename.x", "no such field"},
		"rename to a name": {Fields{Rename: map[string]string{"id": "client"}}, "rename.id", "client"},
	} {
		_, err := (Options{Format: "json", Fields: c.fields}).Check()
		of, ok := errors.AsType[FieldError](err)
		if !ok || of.Key != c.key || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %q: %v, want %q: %s", name, of.Key, err, c.key, c.want)
		}
	}
	free := Fields{Add: map[string]string{"client": "{header:X-Client}"}, Rename: map[string]string{"client": "address"}}
	if _, err := (Options{Format: "json", Fields: free}).Check(); err != nil {
		t.Errorf("a name that was made free: %v", err)
	}
}

// TestHidden checks which selected values are redacted.
func TestHidden(t *testing.T) {
	t.Parallel()
	o := Options{Format: `$http_authorization $cookie_sid $arg_page $sent_http_set_cookie $http_x_api_key`, Fields: Fields{Unredacted: []string{"X-API-Key"}}}
	hidden, err := o.Check()
	if want := "authorization set-cookie sid"; err != nil || strings.Join(hidden, " ") != want {
		t.Errorf("got %v, %v, want %s", hidden, err, want)
	}
	if needs := o.Needs(); len(needs.Sent) != 1 || needs.Sent[0] != "set-cookie" {
		t.Errorf("got %+v, want the field of the response", needs)
	}
}
