package logging

import (
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// journalEntry reads what journald would: fields by names. It fails the test for what is
// not of the protocol.
func journalEntry(t *testing.T, data []byte) map[string]string {
	t.Helper()
	fields := map[string]string{}
	for len(data) > 0 {
		line, rest, ok := strings.Cut(string(data), "\n")
		if !ok {
			t.Fatalf("a line does not end: %q", data)
		}
		name, value, plain := strings.Cut(line, "=")
		data = []byte(rest)
		if !plain {
			size := binary.LittleEndian.Uint64(data)
			value, data = string(data[8:8+size]), data[8+size:]
			if data[0] != '\n' {
				t.Fatalf("%s does not end", name)
			}
			data = data[1:]
		}
		if strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" || len(name) > 64 || name == "" || name[0] == '_' {
			t.Errorf("journald refuses the name %q", name)
		}
		fields[name] = value
	}
	return fields
}

// TestJournald: requests and events arrive with their fields, also those with line breaks
// and of any length.
func TestJournald(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "socket")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	l, err := Open(Options{
		Format: "auto", Output: journaldPrefix + socket, Sample: 1, Syslog: Syslog{Facility: 3, App: "goodgate"},
		Fields: Fields{Add: map[string]string{"PRIORITY": "0", "a.b": "x", strings.Repeat("n", 63): "y"}, Remove: []string{"host"}, Rename: map[string]string{"pool": "backend"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	l.With("pool", "app", "upstream", "a:1").Warn("probes fail", "error", errors.New("refused\nPRIORITY=0"), slog.Group("of", "n", 3))
	l.Access(record(func(r *proxy.Record) {
		r.Path, r.Status, r.Reason, r.Pool, r.ID = "/a\nPRIORITY=0", 502, reason.ConnectRefused, "app", "x1"
		r.Attempts = []proxy.Attempt{{Upstream: "a:1", Reason: reason.ConnectRefused}, {Upstream: "b:1"}}
	}))
	l.Access(record(func(r *proxy.Record) { r.Path, r.Route = strings.Repeat("ü", 60000), strings.Repeat("\n", 9000) }))
	closed := make(chan error, 1)
	go func() { closed <- l.Close() }()
	var got []map[string]string
	room := make([]byte, 256<<10)
	for range 3 {
		n, err := conn.Read(room)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, journalEntry(t, room[:n]))
	}
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	for i, want := range []map[string]string{
		{
			"MESSAGE": "probes fail  app a:1 of.n=3: refused\nPRIORITY=0", "PRIORITY": "4", "SYSLOG_FACILITY": "3", "SYSLOG_IDENTIFIER": "goodgate",
			"GOODGATE_POOL": "app", "GOODGATE_UPSTREAM": "a:1", "GOODGATE_ERROR": "refused\nPRIORITY=0", "GOODGATE_OF_N": "3",
		},
		{
			"MESSAGE": "GET /a\nPRIORITY=0 502 connect_refused", "PRIORITY": "4", "GOODGATE_PATH": "/a\nPRIORITY=0", "GOODGATE_STATUS": "502", "GOODGATE_REQUEST_ID": "x1",
			"GOODGATE_BACKEND": "app", "GOODGATE_PRIORITY": "0", "GOODGATE_A_B": "x", "GOODGATE_" + strings.Repeat("N", 55): "y", "GOODGATE_HOST": "", "GOODGATE_CLIENT": "192.0.2.1",
		},
		{"PRIORITY": "6", "GOODGATE_PATH": strings.Repeat("ü", maxJournalValue/2), "GOODGATE_ROUTE": strings.Repeat("\n", maxJournalValue)},
	} {
		for name, value := range want {
			if got[i][name] != value {
				t.Errorf("entry %d: %s is %.100q, want %.100q", i, name, got[i][name], value)
			}
		}
	}
	if attempts := got[1]["GOODGATE_ATTEMPTS"]; !strings.HasPrefix(attempts, `[{"upstream":"a:1"`) {
		t.Errorf("attempts: got %s", attempts)
	}
}
