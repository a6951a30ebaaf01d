package haproxy

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"io"
	"slices"
	"time"
)

// maxKeys bounds what is told apart.
const maxKeys = 4096

// Ended are the requests of one server that ended in the same way.
type Ended struct {
	State   string // the first two characters of the termination state: "SC", "sH"
	Backend string
	Server  string // "<NOSRV>" = none could be chosen
	Count   int64
	First   time.Time
	Last    time.Time
}

// Tally counts what HAProxy's log tells. The zero value is ready.
type Tally struct {
	Lines int64 // of requests and connections; others are not counted
	ended map[[3]string]*Ended
}

// Read adds a log. Lines longer than 64 KiB are passed over.
func (t *Tally) Read(r io.Reader) error {
	in := bufio.NewReaderSize(r, maxLine)
	for long := false; ; {
		line, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			long = true
			continue
		case !long:
			t.line(line)
		}
		long = false
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// Ended returns what was counted of requests that did not end well, the most
// frequent first.
func (t *Tally) Ended() []*Ended {
	var all []*Ended
	for _, e := range t.ended {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *Ended) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.State, b.State), cmp.Compare(a.Backend+a.Server, b.Backend+b.Server))
	})
	return all
}

// line reads a line of option httplog or tcplog: after "[date]" come frontend,
// backend/server and timers; the termination state stands five fields after the
// timers for HTTP, two for TCP (configuration.txt, section 8.2).
func (t *Tally) line(line []byte) {
	open := bytes.IndexByte(line, '[')
	for open >= 0 && (open+12 > len(line) || line[open+3] != '/' || line[open+7] != '/') { // "haproxy[123]" is no date
		next := bytes.IndexByte(line[open+1:], '[')
		if next < 0 {
			return
		}
		open += 1 + next
	}
	end := -1
	if open >= 0 {
		end = bytes.IndexByte(line[open:], ']')
	}
	if end < 0 {
		return
	}
	fields := bytes.Fields(line[open+end+1:])
	if len(fields) < 5 {
		return
	}
	state := fields[4]
	if len(fields) >= 8 && bytes.Count(fields[2], []byte("/")) == 4 {
		state = fields[7]
	}
	backend, server, ok := bytes.Cut(fields[1], []byte("/"))
	if !ok || len(state) != 2 && len(state) != 4 {
		return
	}
	t.Lines++
	if state[0] == '-' && state[1] == '-' {
		return
	}
	t.count([3]string{string(state[:2]), string(backend), string(server)}, line[open+1:open+end])
}

func (t *Tally) count(key [3]string, date []byte) {
	if t.ended == nil {
		t.ended = map[[3]string]*Ended{}
	}
	e := t.ended[key]
	if e == nil {
		if len(t.ended) >= maxKeys {
			return
		}
		e = &Ended{State: key[0], Backend: key[1], Server: key[2]}
		t.ended[key] = e
	}
	e.Count++
	at, err := time.ParseInLocation("02/Jan/2006:15:04:05.000", string(date), time.Local)
	if err != nil {
		return
	}
	if e.First.IsZero() || at.Before(e.First) {
		e.First = at
	}
	if at.After(e.Last) {
		e.Last = at
	}
}
