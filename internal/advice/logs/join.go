package logs

import (
	"bytes"
	"encoding/json"
)

const (
	maxJoined      = BufferSize // bytes of a record that is spread over lines
	maxJoinedLines = 2000
)

// Joiner puts records of JSON together that are spread over lines, as jq and
// journalctl -o json-pretty print them. The zero value is ready.
type Joiner struct {
	buf   []byte
	open  []byte // brackets that are not closed
	lines int64
}

// Piece is what became of a line.
type Piece struct {
	Records [][]byte // complete, to be read like lines; valid until the next call
	Lines   int64    // that they consist of
	Lost    int64    // lines that were taken for a record, and are none
	First   []byte   // the first of those
	Taken   bool     // the line is not to be read by itself
}

// Add adds a line that is out of its envelope.
func (j *Joiner) Add(line []byte) (p Piece) {
	if len(line) == 0 {
		return p
	}
	if len(j.open) > 0 {
		if j.fits(line) {
			return j.take(line)
		}
		p = j.End()
	}
	switch last := line[len(line)-1]; {
	case len(line) <= 2 && (line[0] == '[' || line[0] == ']'), string(line) == ",": // around a list of records
		p.Taken = true
	case line[0] == '[' && (last == ']' || last == ',') && len(line) > 1 && line[1] == '{':
		p.Records = list(line)
		p.Taken, p.Lines = len(p.Records) > 0, 1
	case line[0] == '{' && bytes.IndexByte([]byte("{[,:"), last) >= 0:
		p.Taken = j.take(line).Taken
	}
	return p
}

// Open reports whether the last line is within a record.
func (j *Joiner) Open() bool { return len(j.open) > 0 }

// End gives up a record that is not complete.
func (j *Joiner) End() (p Piece) {
	p.Lost = j.lines
	p.First, _, _ = bytes.Cut(j.buf, []byte{'\n'})
	j.buf, j.open, j.lines = j.buf[:0], j.open[:0], 0
	return p
}

// fits reports whether a line can be the next of the record.
func (j *Joiner) fits(line []byte) bool {
	if j.lines >= maxJoinedLines || len(j.buf)+len(line) >= maxJoined || bytes.IndexByte([]byte(`"{}[],-0123456789tfn`), line[0]) < 0 {
		return false
	}
	return line[0] != '{' || j.open[len(j.open)-1] == '[' || bytes.HasSuffix(j.buf, []byte(":\n"))
}

func (j *Joiner) take(line []byte) (p Piece) {
	p.Taken = true
	j.lines++
	j.buf = append(append(j.buf, line...), '\n')
	if !j.follow(line) {
		lost := j.End()
		lost.Taken = true
		return lost
	}
	if len(j.open) > 0 {
		return p
	}
	record := bytes.TrimRight(j.buf, ",\n")
	p.Lines = j.lines
	j.buf, j.lines = j.buf[:0], 0
	var whole bytes.Buffer
	if json.Compact(&whole, record) != nil {
		p.Lost, p.Lines = p.Lines, 0
		p.First, _, _ = bytes.Cut(record, []byte{'\n'})
		return p
	}
	p.Records = [][]byte{whole.Bytes()}
	return p
}

// follow keeps count of what a line opens and closes; ok is false when it closes what
// was not opened.
func (j *Joiner) follow(line []byte) (ok bool) {
	quoted := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{', c == '[':
			j.open = append(j.open, c)
		case c == '}', c == ']':
			if len(j.open) == 0 || j.open[len(j.open)-1] != c-2 { // '[' and '{' are two before
				return false
			}
			j.open = j.open[:len(j.open)-1]
		}
	}
	return true
}

// list are the objects of a list in one line; none when it is no such list.
func list(line []byte) (records [][]byte) {
	var raw []json.RawMessage
	if json.Unmarshal(bytes.TrimRight(line, ","), &raw) != nil {
		return nil
	}
	for _, r := range raw {
		records = append(records, r)
	}
	return records
}
