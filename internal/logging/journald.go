package logging

import (
	"encoding/binary"
	"encoding/json"
	"log/slog"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// Bounds of what journald gets, in bytes. A datagram to a socket takes about 200 KiB.
const (
	maxJournalName  = 64 // of a field, as journald has it
	maxJournalValue = 8 << 10
	maxJournalEntry = 60 << 10
)

const (
	journald       = "journald"
	journaldPrefix = "journald://" // before the socket of another journal
	journaldSocket = "/run/systemd/journal/socket"
)

// isJournald reports whether the output is systemd's journal.
func (o Options) isJournald() bool {
	return o.Output == journald || strings.HasPrefix(o.Output, journaldPrefix)
}

// openJournald returns the writer of such an output: records are datagrams, as those of
// syslog to a socket.
func openJournald(o Options, tell teller) *Writer {
	socket := journaldSocket
	if other, ok := strings.CutPrefix(o.Output, journaldPrefix); ok {
		socket = other
	}
	return NewWriter(WriterOptions{
		Out: newRemote(syslogPrefix+"unix://"+socket, false, nil, tell.trouble), Buffer: o.Buffer, Dropped: tell.dropped, Count: countFrames,
	})
}

// journaldForm is the form of records in journald's native protocol.
//
// Source: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/.
func (o Options) journaldForm() (form, error) {
	return o.structuredForm(func(b []byte, e entry) []byte {
		entry := appendJournalEntry(nil, e, o.Syslog)
		b = strconv.AppendInt(b, int64(len(entry)), 10)
		return append(append(b, ' '), entry...)
	}, "", namesWith("", map[string]string{"id": "request_id"}))
}

// appendJournalEntry appends the fields of one record. Those that have no room are left
// out.
func appendJournalEntry(b []byte, e entry, s Syslog) []byte {
	message := eventText(e.message, e.attrs)
	if e.request != nil {
		message = journalText(e.request)
	}
	b = appendJournalField(b, "MESSAGE", message)
	b = appendJournalField(b, "PRIORITY", strconv.Itoa(severity(e.level)))
	b = appendJournalField(b, "SYSLOG_FACILITY", strconv.Itoa(s.Facility))
	b = appendJournalField(b, "SYSLOG_IDENTIFIER", s.App)
	for _, a := range e.attrs {
		b = appendJournalField(b, journalName(a.Key), journalValue(a.Value))
	}
	return b
}

// journalText is a request on one line.
func journalText(r *proxy.Record) string {
	text := r.Method + " " + r.Path + " " + string(appendStatus(nil, r))
	if r.Reason != reason.None {
		text += " " + r.Reason.String()
	}
	return text
}

// journalName returns the name of a field. All begin alike, so that none can be taken for
// one of systemd's.
func journalName(name string) string {
	name = "GOODGATE_" + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, name)
	return name[:min(len(name), maxJournalName)]
}

func journalValue(v slog.Value) string {
	if v = v.Resolve(); v.Kind() != slog.KindAny {
		return v.String()
	}
	if err, ok := v.Any().(error); ok {
		return err.Error()
	}
	if text, err := json.Marshal(v.Any()); err == nil {
		return string(text)
	}
	return v.String()
}

// appendJournalField appends a field. A value with line breaks stands after its length.
func appendJournalField(b []byte, name, value string) []byte {
	if len(value) > maxJournalValue {
		cut := maxJournalValue
		for cut > maxJournalValue-utf8.UTFMax && !utf8.RuneStart(value[cut]) {
			cut--
		}
		value = value[:cut]
	}
	if len(b)+len(name)+len(value)+10 > maxJournalEntry {
		return b
	}
	b = append(b, name...)
	if !strings.Contains(value, "\n") {
		return append(append(append(b, '='), value...), '\n')
	}
	b = binary.LittleEndian.AppendUint64(append(b, '\n'), uint64(len(value)))
	return append(append(b, value...), '\n')
}
