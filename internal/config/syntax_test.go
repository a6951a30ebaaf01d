package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// damage is one way to break a line; it returns the line unchanged when that has nothing of the kind.
type damage struct {
	name string
	do   func(line string) string
}

var damages = []damage{
	{"indented by one more", func(s string) string { return " " + s }},
	{"indented by three more", func(s string) string { return "   " + s }},
	{"indented by one less", func(s string) string { return strings.TrimPrefix(s, " ") }},
	{"indented with a tab", func(s string) string {
		if strings.HasPrefix(s, "  ") {
			return "\t" + strings.TrimLeft(s, " ")
		}
		return s
	}},
	{"first quote dropped", func(s string) string { return dropFirst(s, `"`) }},
	{"last quote dropped", func(s string) string { return dropLast(s, `"`) }},
	{"first bracket dropped", func(s string) string { return dropFirst(s, "[") }},
	{"last bracket dropped", func(s string) string { return dropLast(s, "]") }},
	{"first brace dropped", func(s string) string { return dropFirst(s, "{") }},
	{"last brace dropped", func(s string) string { return dropLast(s, "}") }},
	{"bracket for brace", func(s string) string { return strings.Replace(s, "}", "]", 1) }},
	{"colon dropped", func(s string) string { return strings.Replace(s, ":", "", 1) }},
	{"space after the colon dropped", func(s string) string { return strings.Replace(s, ": ", ":", 1) }},
	{"space after the dash dropped", func(s string) string { return strings.Replace(s, "- ", "-", 1) }},
	{"quote for the colon", func(s string) string { return strings.Replace(s, ": ", `: "`, 1) }},
}

func dropFirst(s, what string) string { return strings.Replace(s, what, "", 1) }

func dropLast(s, what string) string {
	if i := strings.LastIndex(s, what); i >= 0 {
		return s[:i] + s[i+len(what):]
	}
	return s
}

var comment = regexp.MustCompile(`(^| )#.*$`)

// corpus returns valid configurations, without comments, by name.
func corpus(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, file := range []string{"../../config.example.yaml", "testdata/layout.yaml"} {
		raw, err := os.ReadFile(filepath.FromSlash(file))
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for line := range strings.SplitSeq(string(raw), "\n") {
			if line = strings.TrimRight(comment.ReplaceAllString(line, ""), " "); line != "" {
				lines = append(lines, line)
			}
		}
		text := strings.Join(lines, "\n") + "\n"
		if _, _, err := Parse(file, []byte(text), everyVariable); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		texts[file] = text
	}
	return texts
}

func everyVariable(string) (string, bool) { return "0123456789abcdef", true }

// TestDamagedLines damages lines of valid configurations in many ways (every line with EVERY_LINE=1). The first
// error must be in that line, or in a line that might equally be the wrong one: moving it as the error says makes
// the file valid.
func TestDamagedLines(t *testing.T) {
	t.Parallel()
	total, named, equal := 0, 0, 0
	missed := map[string]int{}
	for file, text := range corpus(t) {
		lines := strings.Split(text, "\n")
		step := sample(lines, 3)
		for i, line := range lines[:len(lines)-1] {
			if i%step != 0 {
				continue
			}
			for _, d := range damages {
				broken := d.do(line)
				if broken == line {
					continue
				}
				lines[i] = broken
				_, _, err := Parse(file, []byte(strings.Join(lines, "\n")), everyVariable)
				lines[i] = line
				errs, _ := errors.AsType[Errors](err)
				if len(errs) == 0 {
					continue // the damaged file is valid with another meaning
				}
				total++
				switch e := errs[0]; {
				case e.Line == i+1:
					named++
				case asGood(lines, i, broken, e), opensAt(lines, i, e):
					equal++
				default:
					missed[d.name]++
					t.Logf("%s:%d: %s: %q: the error is %v", filepath.Base(file), i+1, d.name, broken, e)
				}
			}
		}
	}
	t.Logf("%d damages: the line is named in %.1f %%, one that is as likely in %.1f %%, another in %.1f %% %v",
		total, share(named, total), share(equal, total), share(total-named-equal, total), missed)
	if share(named+equal, total) < 97 || share(named, total) < 94 {
		t.Error("too many point elsewhere")
	}
}

func share(n, of int) float64 { return 100 * float64(n) / float64(of) }

var indented = regexp.MustCompile(`line (\d+) is indented by (\d+), its siblings by (\d+)$`)

// asGood reports whether the change that an error asks for makes a damaged file valid.
func asGood(lines []string, at int, broken string, e Error) bool {
	m := indented.FindStringSubmatch(e.Message)
	if m == nil {
		return false
	}
	var n, from, to int
	fmt.Sscan(m[1]+" "+m[2]+" "+m[3], &n, &from, &to)
	changed := append([]string(nil), lines...)
	changed[at] = broken
	changed[n-1] = strings.Repeat(" ", to) + changed[n-1][from:]
	_, _, err := Parse("", []byte(strings.Join(changed, "\n")), everyVariable)
	return err == nil
}

// opensAt reports whether an error names the place where a bracket or a quote begins that the damaged line should have
// closed.
func opensAt(lines []string, at int, e Error) bool {
	if !strings.HasSuffix(e.Message, "is not closed") || e.Line > at {
		return false
	}
	open, _, _, _ := look(lines[e.Line-1])
	return len(open) > 0 // of the undamaged text, where it continues
}

var keyOf = regexp.MustCompile(`^( *(?:- )?\{?)([a-z][a-z0-9_]{3,})(: *.*)$`)

// TestOneErrorPerMistake misspells each key of valid configurations: that is one error, in that line, which mostly names
// the key that was meant.
func TestOneErrorPerMistake(t *testing.T) {
	t.Parallel()
	total, led := 0, 0
	for file, text := range corpus(t) {
		lines := strings.Split(text, "\n")
		step := sample(lines, 100)
		for i, line := range lines {
			m := keyOf.FindStringSubmatch(line)
			if m == nil || i%step != 0 {
				continue
			}
			key := m[2]
			lines[i] = m[1] + key[:2] + key[3:] + m[3]
			_, _, err := Parse(file, []byte(strings.Join(lines, "\n")), everyVariable)
			lines[i] = line
			errs, _ := errors.AsType[Errors](err)
			if len(errs) == 0 || strings.Contains(errs[0].Message, "no such pool") {
				continue // a freely chosen name
			}
			total++
			if strings.Contains(errs[0].Message, "did you mean "+key+"?") {
				led++
			}
			if len(errs) != 1 || errs[0].Line != i+1 {
				t.Errorf("%s: %q misspelt is %d errors: %v", file, line, len(errs), err)
			}
		}
	}
	t.Logf("%d keys misspelt, of which %d are suggested", total, led)
	if total < 100 || share(led, total) < 95 {
		t.Error("too few are suggested")
	}
}

// sample returns a step through lines that looks at about n of them, since each
// takes a while; EVERY_LINE=1 looks at all.
func sample(lines []string, n int) int {
	if step, err := strconv.Atoi(os.Getenv("EVERY_LINE")); err == nil && step > 0 {
		return step
	}
	return 1 + len(lines)/n
}
