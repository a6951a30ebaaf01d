package logs

import (
	"bytes"
	"time"
)

// layout is a format of times before a line, with the date first.
type layout struct {
	text  string
	zoned bool
}

func layouts() [4]layout {
	return [...]layout{
		{time.RFC3339Nano, true}, {"2006-01-02T15:04:05.999999999-0700", true},
		{"2006-01-02T15:04:05.999999999", false}, {"2006-01-02 15:04:05.999999999", false},
	}
}

// afterTime removes a time of RFC 3339 or of journald, with the host and program after
// it if there are any.
func afterTime(text []byte) (rest []byte, at time.Time, ok bool) {
	if seconds, after, ok := bytes.Cut(text, []byte(" ")); ok && len(seconds) >= 17 && len(seconds) <= 20 && seconds[10] == '.' && digits(seconds[:10]) && digits(seconds[11:]) {
		return afterProgram(after), time.Unix(number(seconds[:10]), 0), true // journalctl -o short-unix
	}
	if len(text) < 20 || text[4] != '-' || text[7] != '-' || text[13] != ':' {
		return nil, at, false
	}
	end := bytes.IndexByte(text[11:], ' ')
	if end < 0 {
		return nil, at, false
	}
	stamp := bytes.Replace(text[:11+end], []byte(","), []byte("."), 1)
	for _, layout := range layouts() {
		t, err := time.Parse(layout.text, string(stamp))
		if err != nil {
			continue
		}
		if !layout.zoned {
			t = time.Time{} // the time has no zone and is therefore unusable
		}
		rest = bytes.TrimLeft(text[11+end:], " ")
		if utc, ok := bytes.CutPrefix(rest, []byte("UTC ")); ok {
			rest = utc
		}
		return afterProgram(rest), t, true
	}
	return nil, at, false
}

// afterProgram removes "host nginx[123]: ", or a part of it. Without a program name it
// removes nothing.
func afterProgram(text []byte) []byte {
	const longest = 200
	rest := text
	for range 2 {
		word, _, ok := bytes.Cut(rest[:min(len(rest), longest)], []byte(" "))
		if !ok {
			return text
		}
		after := rest[len(word)+1:]
		if name, is := bytes.CutSuffix(word, []byte(":")); is && isProgramName(name) {
			return after
		}
		if !isName(word) {
			return text
		}
		rest = after
	}
	return text
}

// isProgramName reports whether b is a name in syslog's form, "nginx" or "nginx[123]".
func isProgramName(b []byte) bool {
	if name, pid, ok := bytes.Cut(bytes.TrimSuffix(b, []byte("]")), []byte("[")); ok {
		return isName(name) && isName(pid)
	}
	return isName(b)
}

// afterBSDTime removes "Jan  2 15:04:05 host nginx[123]: " (RFC 3164, section 4.1.2),
// and journald's form with a day of the week and a year.
func afterBSDTime(text []byte) ([]byte, bool) {
	if len(text) > 4 && text[3] == ' ' && isMember(text[:3], "MonTueWedThuFriSatSun") { // short-full: "Sun 2026-03-01 12:00:01 UTC host ..."
		if rest, _, ok := afterTime(text[4:]); ok {
			return rest, true
		}
		text = text[4:]
	}
	if len(text) < 16 || text[3] != ' ' || !isMember(text[:3], "JanFebMarAprMayJunJulAugSepOctNovDec") {
		return nil, false
	}
	rest := bytes.TrimLeft(text[4:], " ")
	day, rest, _ := bytes.Cut(rest, []byte(" "))
	clock, rest, ok := bytes.Cut(rest, []byte(" "))
	if len(clock) == 4 && digits(clock) { // a year
		clock, rest, ok = bytes.Cut(rest, []byte(" "))
	}
	if !ok || !digits(day) || len(clock) < 8 || clock[2] != ':' || clock[5] != ':' {
		return nil, false
	}
	return afterProgram(rest), true
}

// isMember reports whether list contains a word of three letters.
func isMember(word []byte, list string) bool {
	for i := 0; i < len(list); i += 3 {
		if string(word) == list[i:i+3] {
			return true
		}
	}
	return false
}

// afterPriority removes "<187>" of syslog, and the header of RFC 5424, section 6:
// version, time, host, program, process, message, structured data.
func afterPriority(text []byte) (rest []byte, at time.Time, ok bool) {
	pri, _, found := bytes.Cut(text[1:min(len(text), 6)], []byte(">"))
	if !found || !digits(pri) {
		return nil, at, false
	}
	rest = text[1+len(pri)+1:]
	after, is5424 := bytes.CutPrefix(rest, []byte("1 "))
	if !is5424 {
		return rest, at, true // the rest is in the form of RFC 3164
	}
	fields := bytes.SplitN(after, []byte(" "), 6)
	if len(fields) < 6 {
		return rest, at, true
	}
	at, _ = time.Parse(time.RFC3339Nano, string(fields[0]))
	return afterStructured(fields[5]), at, true
}

// afterStructured removes "-" or "[id name="value"]...".
func afterStructured(text []byte) []byte {
	if rest, ok := bytes.CutPrefix(text, []byte("- ")); ok {
		return rest
	}
	for len(text) > 0 && text[0] == '[' {
		quoted, i := false, 1
		for ; i < len(text) && (quoted || text[i] != ']'); i++ {
			switch {
			case text[i] == '\\':
				i++
			case text[i] == '"':
				quoted = !quoted
			}
		}
		text = text[min(i+1, len(text)):]
	}
	return bytes.TrimLeft(text, " ")
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

// number returns the number that the leading digits form.
func number(b []byte) int64 {
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' || n > 1<<53 {
			break
		}
		n = n*10 + int64(c-'0')
	}
	return n
}
