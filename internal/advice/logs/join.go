package logs

import (
	"bytes"
	"encoding/json"
)

const (
	maxJoined      = BufferSize // bytes in a record over several lines
	maxJoinedLines = 2000
)

// Joiner joins JSON records over several lines, as jq and journalctl -o json-pretty
// print them. The zero value is ready for use.
type Joiner struct {
	buf   []byte
	open  []byte // open brackets
	lines int64
}

// Piece is the result of adding a line.
type Piece struct {
	Records [][]byte // complete records, to read like lines; valid until the next call
	Lines   int64    // number of lines in Records
	Lost    int64    // number of lines that turned out to be no record
	First   []byte   // the first of the lost lines
	Taken   bool     // the line is not a record on its own
}

// Add adds a line without its envelope.
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
	case len(line) <= 2 && (line[0] == '[' || line[0] == ']'), string(line) == ",": // brackets and commas around records
		p.Taken = true
	case line[0] == '[' && (last == ']' || last == ',') && len(line) > 1 && line[1] == '{':
		p.Records = list(line)
		p.Taken, p.Lines = len(p.Records) > 0, 1
	case line[0] == '{' && bytes.IndexByte([]byte("{[,:"), last) >= 0:
		p.Taken = j.take(line).Taken
	}
	return p
}

// Open reports whether the last line is inside a record.
func (j *Joiner) Open() bool { return len(j.open) > 0 }

// End drops an incomplete record.
func (j *Joiner) End() (p Piece) {
	p.Lost = j.lines
	p.First, _, _ = bytes.Cut(j.buf, []byte{'\n'})
	j.buf, j.open, j.lines = j.buf[:0], j.open[:0], 0
	return p
}

// fits reports whether a line may continue the record.
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

// follow tracks the open brackets; ok is false for a wrong closing one.
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
			if len(j.open) == 0 || j.open[len(j.open)-1] != c-2 { // '[' and '{' have the code of their counterpart minus two
				return false
			}
			j.open = j.open[:len(j.open)-1]
		}
	}
	return true
}

// list returns the objects of a list in one line, none for any other line.
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
