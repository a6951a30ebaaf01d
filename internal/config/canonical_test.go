//go:build !minimal

package config

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFormat(t *testing.T) {
	t.Parallel()
	f := func(in, want string) {
		t.Helper()
		got, err := Format("x", []byte(in))
		if err != nil {
			got = []byte("error: " + err.Error())
		}
		if string(got) != want {
			t.Errorf("%q\ngot\n%s\nwant\n%s", in, got, want)
		}
		again, err := Format("x", got)
		if !strings.HasPrefix(want, "error") && (err != nil || string(again) != string(got)) {
			t.Errorf("a second time %q becomes %q, %v", got, again, err)
		}
	}
	f("a:   1\r\nb:\r\n    c:  2\r\n\r\n\r\n    d: x y  \r\n", "a: 1\nb:\n  c: 2\n\n  d: x y\n")
	f("a:\n- 1\n-   2\nb: 3", "a:\n  - 1\n  - 2\nb: 3\n")
	f("a:\n   -   x:   1\n       y: 2\n   -\n       z: 3\n", "a:\n  - x: 1\n    y: 2\n  -\n    z: 3\n")
	f("a:\n  - - 1\n    - 2\n  - - 3\n", "a:\n  - - 1\n    - 2\n  - - 3\n")
	f("# top\n\n\n# a's\na:\n      # of b\n      b: 1 # inline\n      # c: 2\n# of d\nd: 2\n# last\n\n", "# top\n\n# a's\na:\n  # of b\n  b: 1 # inline\n  # c: 2\n# of d\nd: 2\n# last\n")
	f("a:\n    b: |\n       text\n         more\n\n       # no comment\n    c: >-\n      x\n", "a:\n  b: |\n     text\n       more\n\n     # no comment\n  c: >-\n    x\n")
	f("a:\n    - b: |\n        text\n      c: 1\n", "a:\n  - b: |\n      text\n    c: 1\n")
	f("a:\n    b: [1,\n        2, # two\n        # three\n        3]\n    c: {d:  1}\n", "a:\n  b: [1,\n      2, # two\n      # three\n      3]\n  c: {d:  1}\n")
	f("a:\n    b: \"x\n       y: z\"\n    c: plain\n      goes on\n", "a:\n  b: \"x\n     y: z\"\n  c: plain\n    goes on\n")
	f("a: &x\n    b: 1\nc:\n    <<:   *x\n", "a: &x\n  b: 1\nc:\n  <<: *x\n")
	f("\"q k\":   1\n'it''s': 2\nurl: http://a:  # none\n", "error: x:3:6: not valid YAML: the value has a colon and a space in it, so it needs quotes")
	f("# only a comment\n", "# only a comment\n")
	f("", "\n")
	f("a: [\n", "error: x:1:4: not valid YAML: the [ is not closed")
	f("a:   1  # one\n        # more\nb:\n    c: 2    # two\n            # more\n            # and more\n", "a: 1  # one\n      # more\nb:\n  c: 2    # two\n          # more\n          # and more\n")
	f("a: |+\n  x\n\n\nb: 1\n", "error: x: this layout is too unusual to change safely; write each key and each entry of a list on a line of its own")
}

// TestFormatOwn: the files of this project are in the canonical layout.
func TestFormatOwn(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../cmd/goodgate/starts/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("got %q, %v", files, err)
	}
	for _, file := range append(files, examplePath) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Format(file, text)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		before, after := strings.Split(string(text), "\n"), strings.Split(string(got), "\n")
		for i := range min(len(before), len(after)) {
			if before[i] != after[i] {
				t.Errorf("%s:%d: got %q, want %q", file, i+1, after[i], before[i])
				break
			}
		}
	}
}

// TestFormatRandom: for any layout, the output has the same meaning, and formatting it
// again changes nothing.
func TestFormatRandom(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		w := sloppy{rand: rand.New(rand.NewPCG(seed, 1))}
		w.mapping(0, 0)
		text := w.out.String()
		once, err := Format("x", []byte(text))
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		if twice, err := Format("x", once); err != nil || string(once) != string(twice) {
			t.Fatalf("seed %d: %v\n%s\nbecomes\n%s\nand that\n%s", seed, err, text, once, twice)
		}
		if strings.Count(string(once), "#") != strings.Count(text, "#") {
			t.Fatalf("seed %d: a comment is lost:\n%s\nbecomes\n%s", seed, text, once)
		}
	}
}

// sloppy writes YAML in a random layout.
type sloppy struct {
	rand *rand.Rand
	out  strings.Builder
}

func (w *sloppy) pad(n int) string { return strings.Repeat(" ", n) }

func (w *sloppy) noise(indent int) {
	switch w.rand.IntN(8) {
	case 0:
		fmt.Fprintf(&w.out, "%s# c\n", w.pad(indent))
	case 1:
		w.out.WriteString("\n\n")
	case 2:
		fmt.Fprintf(&w.out, "%s# odd\n", w.pad(w.rand.IntN(9)))
	}
}

func (w *sloppy) scalar(indent int) {
	switch w.rand.IntN(7) {
	case 0:
		fmt.Fprintf(&w.out, " [1,\n%s# in\n%s2]\n", w.pad(indent+2), w.pad(indent+1))
	case 1:
		fmt.Fprintf(&w.out, " |\n%stext: x\n\n%s  - more\n", w.pad(indent+3), w.pad(indent+3))
	case 2:
		fmt.Fprintf(&w.out, " \"a\n%s b: c\"\n", w.pad(indent+1))
	case 3:
		w.out.WriteString("   {a:  1} # inline\n")
		fmt.Fprintf(&w.out, "%s# below\n", w.pad(indent+9))
	default:
		w.out.WriteString("  \"v #\"  \n")
	}
}

func (w *sloppy) mapping(indent, depth int) {
	for i := range 1 + w.rand.IntN(4) {
		if i > 0 || depth == 0 {
			w.noise(indent)
			w.out.WriteString(w.pad(indent))
		}
		fmt.Fprintf(&w.out, "k%d:", i)
		w.value(indent, depth)
	}
}

func (w *sloppy) value(indent, depth int) {
	switch deeper := indent + 1 + w.rand.IntN(5); {
	case depth > 3 || w.rand.IntN(3) == 0:
		w.scalar(indent)
	case w.rand.IntN(2) == 0:
		fmt.Fprintf(&w.out, "\n%s", w.pad(deeper))
		w.mapping(deeper, depth+1)
	default:
		w.out.WriteString("\n")
		w.list(indent+w.rand.IntN(4), depth+1)
	}
}

func (w *sloppy) list(indent, depth int) {
	for range 1 + w.rand.IntN(3) {
		w.noise(indent)
		gap := 1 + w.rand.IntN(3)
		fmt.Fprintf(&w.out, "%s-%s", w.pad(indent), w.pad(gap))
		if w.rand.IntN(2) == 0 || depth > 3 {
			w.out.WriteString("item\n")
			continue
		}
		w.mapping(indent+1+gap, depth+1)
	}
}

// FuzzFormat: the output has the same meaning, and formatting it again changes nothing.
func FuzzFormat(f *testing.F) {
	for _, s := range []string{"a:\n- 1\n-   b: 2\n    c: |\n      x\n\n      y\n# d\n", "a: [1,\n # x\n 2]\nb: 'x\n\n  y'\n", minimal, "a:\n -\n  - b\n  # c\n - d\n", "- a\n-  - b\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		once, err := Format("x", []byte(text))
		if err != nil {
			return
		}
		twice, err := Format("x", once)
		if err != nil || string(once) != string(twice) {
			t.Errorf("%q becomes %q, and that %q, %v", text, once, twice, err)
		}
	})
}
